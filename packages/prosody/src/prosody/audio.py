"""From a file to a mono clip: decoding, channels, a part of the file, resampling.

Channels become one here, for both decoders alike: ffmpeg's own way down to mono is no mean (it makes two equal channels
3 dB louder), and it answers a channel that is not there with silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from prosody.decoding import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, decoding, too_long
from prosody.errors import EmptyAudioError, InvalidSamplesError, UnsupportedAudioError

DEFAULT_SAMPLE_RATE: Final = 16_000
"""Hz; what speech models and this package's own analysis work at."""
DEFAULT_MAX_DURATION_S: Final = 3600.0
CANCELLED_DB: Final = -10.0
"""A mean this far below its channels is what is left of channels in opposite phase; unrelated channels lose 3 dB."""


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """A mono clip: `samples` is float32 of shape [n], full scale ±1; `sample_rate` in Hz."""

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


def load_audio(
    path: str | Path,
    *,
    sample_rate: int | None = DEFAULT_SAMPLE_RATE,
    max_duration_s: float = DEFAULT_MAX_DURATION_S,
    channel: int | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
) -> Audio:
    """Decode `path`, average its channels or take one of them, resample with soxr (HQ) while decoding.

    `sample_rate` is the rate wanted in Hz, or `None` for the file's own.
    `max_duration_s` bounds the file. `channel` is the one wanted, from 0, or `None` for the mean of all. `start_s` and
    `end_s` (`None`: start and end) bound the part wanted; what lies past the end of the file is not there. Samples keep
    their level; integer formats map full scale to ±1.

    Raises `AudioNotFoundError`, `UnreadableAudioError`, `EmptyAudioError`, `InvalidSamplesError`, `NoSuchChannelError`,
    `AudioTooLongError` or `UnsupportedAudioError`, all of them `AudioError`, with the path in the message.
    """
    if sample_rate is not None and not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise UnsupportedAudioError(
            f"sample_rate {sample_rate} Hz asked for; allowed {MIN_SAMPLE_RATE}–{MAX_SAMPLE_RATE}"
        )
    with MonoReader(Path(path), max_duration_s=max_duration_s, channel=channel, start_s=start_s, end_s=end_s) as clip:
        rate = sample_rate or clip.rate
        return Audio(resample_stream(clip.blocks(), clip.rate, rate), rate)


class MonoReader:
    """A part of a file as mono blocks at the file's own `rate` in Hz; a context manager.

    `notes`, complete when all blocks were read, names channels that cancel one another.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_duration_s: float = DEFAULT_MAX_DURATION_S,
        channel: int | None = None,
        start_s: float | None = None,
        end_s: float | None = None,
    ) -> None:
        self._path, self._max_duration_s, self._channel = path, max_duration_s, channel
        self._start_s, self._end_s = start_s, end_s
        self._energies = np.zeros(2)  # of the channels on average, and of their mean
        self._is_empty = True
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._source = self._stack.enter_context(
            decoding(
                self._path, max_duration_s=self._max_duration_s, channel=self._channel, start_s=self._start_s or 0.0
            )
        )
        self.rate = self._source.rate
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)  # first, as a decoder that failed says why nothing came of it
        if error is None and self._is_empty:
            end = "the end" if self._end_s is None else f"{self._end_s:g} s"
            whole = self._start_s is None and self._end_s is None
            part = "" if whole else f" from {self._start_s or 0.0:g} s to {end}"
            raise EmptyAudioError(f"{self._path}: holds no sample{part}")

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The blocks of the part; leaving the context raises `EmptyAudioError` when there was none."""
        rate, position = self.rate, self._source.position
        first = round((self._start_s or 0.0) * rate)
        last = None if self._end_s is None else round(self._end_s * rate)
        for frames in self._source.blocks:
            begin, position = position, position + len(frames)
            if position > self._max_duration_s * rate:
                raise too_long(self._path, position / rate, self._max_duration_s)
            wanted = frames[max(0, first - begin) : None if last is None else max(0, last - begin)]
            if len(wanted):
                self._is_empty = False
                yield self._mono(wanted, begin + max(0, first - begin))
            if last is not None and position >= last and self._source.may_stop:
                break

    @property
    def notes(self) -> tuple[str, ...]:
        """What the decoder had to assume, and where the mean of the channels is far below the channels."""
        assumed = () if self._source.note is None else (self._source.note,)
        channels, mean = self._energies
        if channels <= 0.0 or mean > channels * 10 ** (CANCELLED_DB / 10):
            return assumed
        lost = 10 * np.log10(channels / mean) if mean > 0.0 else np.inf
        return (*assumed, f"channels cancel one another: their mean is {lost:.0f} dB below them; choose one channel")

    def _mono(self, frames: NDArray[np.float32], position: int) -> NDArray[np.float32]:
        """One channel of frames of shape [n, channels], or their mean."""
        if self._channel is not None or frames.shape[1] == 1:
            mono = frames[:, self._channel or 0]
        else:
            # The mean in float64: eight equal channels must give exactly the one channel they repeat.
            mono = np.asarray(frames.mean(axis=1, dtype=np.float64), dtype=np.float32)
            self._energies += (
                float(np.mean(np.square(frames, dtype=np.float64), axis=1).sum()),
                float(np.square(mono, dtype=np.float64).sum()),
            )
        if not np.isfinite(mono).all():
            bad = position + int(np.flatnonzero(~np.isfinite(mono))[0])
            raise InvalidSamplesError(f"{self._path}: sample {bad} ({bad / self.rate:.3f} s) is NaN or infinite")
        return np.ascontiguousarray(mono)


def resample_stream(blocks: Iterator[NDArray[np.float32]], rate: int, wanted_rate: int) -> NDArray[np.float32]:
    """Join mono blocks at the wanted rate, without ever holding all of them at their own; empty when there is none."""
    import soxr

    first = next(blocks, None)
    if first is None:
        return np.empty(0, dtype=np.float32)
    second = next(blocks, None)
    if second is None:
        return resample(first, rate, wanted_rate)
    if rate == wanted_rate:
        return _joined([first, second, *blocks])
    stream = soxr.ResampleStream(rate, wanted_rate, 1, dtype="float32", quality="HQ")
    parts = [stream.resample_chunk(block) for block in (first, second)]
    parts += [stream.resample_chunk(block) for block in blocks]
    parts.append(stream.resample_chunk(np.empty(0, dtype=np.float32), last=True))
    return _joined(parts)


def _joined(parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """All parts in one array; each is let go of once it is copied, so that the whole is not held twice."""
    whole = np.empty(sum(map(len, parts)), dtype=np.float32)
    position = 0
    parts.reverse()
    while parts:
        part = parts.pop()
        whole[position : position + len(part)] = part
        position += len(part)
    return whole


def resample(samples: NDArray[np.float32], sample_rate: int, wanted_rate: int) -> NDArray[np.float32]:
    """Band-limited resampling with soxr (HQ); the same array when the rates are equal."""
    if sample_rate == wanted_rate:
        return samples
    import soxr

    return np.asarray(soxr.resample(samples, sample_rate, wanted_rate, quality="HQ"), dtype=np.float32)
