"""From a file to mono samples: libsndfile for what it reads, ffmpeg (when installed) for the rest.

The content of a file decides what it is, never its name. Files are untrusted: length, channels and sample rate are
checked before and while decoding, decoding runs block by block in bounded memory, and ffmpeg runs with a list of
arguments, a time limit, and only container formats that cannot refer to other files or to the network; what it writes
is read no further than the longest clip allowed.

Channels become one here, for both decoders alike: ffmpeg's own way down to mono is no mean (it makes two equal channels
3 dB louder), and it answers a channel that is not there with silence.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import NDArray

from prosody.errors import (
    AudioNotFoundError,
    AudioTooLongError,
    EmptyAudioError,
    InvalidSamplesError,
    NoSuchChannelError,
    UnreadableAudioError,
    UnsupportedAudioError,
)

if TYPE_CHECKING:
    import soundfile

DEFAULT_SAMPLE_RATE: Final = 16_000
"""Hz; what speech models and this package's own analysis work at."""
DEFAULT_MAX_DURATION_S: Final = 3600.0
MAX_CHANNELS: Final = 64
MIN_SAMPLE_RATE: Final = 4_000
"""Hz; below this, speech has no second formant left and F0 above 1 kHz aliases."""
MAX_SAMPLE_RATE: Final = 768_000
FFMPEG_TIMEOUT_S: Final = 300.0

_BLOCK_SAMPLES: Final = 1 << 20  # samples over all channels decoded at a time: 4 MiB
_INEXACT_LENGTH: Final = frozenset({"MP3", "MPEG"})  # libsndfile only estimates the length of these
FFMPEG_MAX_LOST: Final = 0.05
"""Share of a file's packets that ffmpeg may fail to decode; it goes on without them."""
_CUT_SHORT: Final = ("partial file", "File ended prematurely")
"""What ffmpeg says of a file that ends before its index does; it gives the rest and counts it as a success."""
_AU_HEADER: Final = struct.Struct(">4s5I")
"""Magic, offset of the samples, their size (unknown in a stream), encoding, sample rate, channels."""
_AU_FLOAT: Final = 6
_FFMPEG_FORMATS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,ac3,amr,asf,avi,flv,mp3,ogg,mpeg,mpegts,wv,ape,tta"


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """A mono clip: `samples` is float32 of shape [n], full scale ±1; `sample_rate` in Hz."""

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    def part(self, start_s: float | None, end_s: float | None) -> Audio:
        """From `start_s` (`None`: the start) to `end_s` (`None`: the end); what lies past the end is not there.

        Raises `EmptyAudioError` when that holds no sample.

        >>> clip = Audio(np.arange(8, dtype=np.float32), sample_rate=4)
        >>> clip.part(0.5, 1.25).samples
        array([2., 3., 4.], dtype=float32)
        """
        if start_s is None and end_s is None:
            return self
        start = round((start_s or 0.0) * self.sample_rate)
        samples = self.samples[start : None if end_s is None else round(end_s * self.sample_rate)]
        if not len(samples):
            end = "the end" if end_s is None else f"{end_s:g} s"
            raise EmptyAudioError(f"{self.duration_s:.3f} s hold no sample from {start_s or 0.0:g} s to {end}")
        return Audio(samples, self.sample_rate)


def load_audio(
    path: str | Path,
    *,
    sample_rate: int | None = DEFAULT_SAMPLE_RATE,
    max_duration_s: float = DEFAULT_MAX_DURATION_S,
    channel: int | None = None,
) -> Audio:
    """Decode `path`, average its channels or take one of them, resample with soxr (HQ).

    `sample_rate` is the rate wanted in Hz, or `None` for the file's own (then ffmpeg-decoded files come at 16 kHz).
    `max_duration_s` bounds what is decoded. `channel` is the one wanted, from 0, or `None` for the mean of all.
    Samples keep their level; integer formats map full scale to ±1.

    Raises `AudioNotFoundError`, `UnreadableAudioError`, `EmptyAudioError`, `InvalidSamplesError`, `NoSuchChannelError`,
    `AudioTooLongError` or `UnsupportedAudioError`, all of them `AudioError`, with the path in the message.
    """
    import soundfile

    path = Path(path)
    if not path.is_file():
        raise AudioNotFoundError(f"{path}: no such file" if not path.exists() else f"{path}: not a regular file")
    if path.stat().st_size == 0:
        raise EmptyAudioError(f"{path}: the file is empty (0 bytes)")
    if sample_rate is not None and not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise UnsupportedAudioError(
            f"sample_rate {sample_rate} Hz asked for; allowed {MIN_SAMPLE_RATE}–{MAX_SAMPLE_RATE}"
        )
    try:
        source = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as unknown_format:
        wanted_rate = sample_rate or DEFAULT_SAMPLE_RATE
        return _decode_with_ffmpeg(path, wanted_rate, max_duration_s, channel, unknown_format)
    with source:
        return _decode_with_libsndfile(path, source, sample_rate or source.samplerate, max_duration_s, channel)


def _check_channels(path: Path, channels: int, wanted: int | None) -> None:
    if channels > MAX_CHANNELS:
        raise UnsupportedAudioError(f"{path}: {channels} channels; at most {MAX_CHANNELS} are read")
    if wanted is not None and not 0 <= wanted < channels:
        raise NoSuchChannelError(f"{path}: no channel {wanted}, its {channels} are counted from 0")


def _mono(frames: NDArray[np.float32], channel: int | None) -> NDArray[np.float32]:
    """One channel of frames of shape [n, channels], or their mean."""
    if channel is not None or frames.shape[1] == 1:
        return frames[:, channel or 0]
    # The mean in float64: eight equal channels must give exactly the one channel they repeat.
    return np.asarray(frames.mean(axis=1, dtype=np.float64), dtype=np.float32)


def _decode_with_libsndfile(
    path: Path, source: soundfile.SoundFile, wanted_rate: int, max_duration_s: float, channel: int | None
) -> Audio:
    import soundfile

    rate, channels = source.samplerate, source.channels
    _check_channels(path, channels, channel)
    if not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
        raise UnsupportedAudioError(f"{path}: sample rate {rate} Hz; allowed {MIN_SAMPLE_RATE}–{MAX_SAMPLE_RATE} Hz")
    exact_length = source.format not in _INEXACT_LENGTH
    if exact_length and source.frames > max_duration_s * rate:
        raise _too_long(path, source.frames / rate, max_duration_s)
    collector = _Collector(path, rate, wanted_rate, max_duration_s)
    try:
        for block in source.blocks(blocksize=max(1, _BLOCK_SAMPLES // channels), dtype="float32", always_2d=True):
            collector.add(_mono(block, channel))
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:  # ValueError: a header that forbids seeking
        raise UnreadableAudioError(
            f"{path}: damaged or cut short after {collector.duration_s:.2f} s ({error})"
        ) from error
    if exact_length and collector.frames < source.frames:
        raise UnreadableAudioError(
            f"{path}: cut short, its header promises {source.frames} samples and {collector.frames} could be decoded"
        )
    return collector.finish()


class _Collector:
    """Takes mono blocks at the file's rate, checks them, resamples them as a stream."""

    def __init__(self, path: Path, rate: int, wanted_rate: int, max_duration_s: float) -> None:
        self._path, self._rate, self._wanted_rate, self._max_duration_s = path, rate, wanted_rate, max_duration_s
        self._blocks: list[NDArray[np.float32]] = []
        self.frames = 0

    @property
    def duration_s(self) -> float:
        return self.frames / self._rate

    def add(self, block: NDArray[np.float32]) -> None:
        if not np.isfinite(block).all():
            first = self.frames + int(np.flatnonzero(~np.isfinite(block))[0])
            raise InvalidSamplesError(f"{self._path}: sample {first} ({first / self._rate:.3f} s) is NaN or infinite")
        self.frames += len(block)
        if self.duration_s > self._max_duration_s:
            raise _too_long(self._path, self.duration_s, self._max_duration_s)
        self._blocks.append(np.array(block, dtype=np.float32))  # a copy: `block` is the decoder's buffer

    def finish(self) -> Audio:
        if not self.frames:
            raise EmptyAudioError(f"{self._path}: holds no sample")
        blocks, self._blocks = self._blocks, []
        return Audio(_resample_blocks(blocks, self._rate, self._wanted_rate), self._wanted_rate)


def _resample_blocks(blocks: list[NDArray[np.float32]], rate: int, wanted_rate: int) -> NDArray[np.float32]:
    """Join the blocks at the wanted rate; consumes the list, so that the whole is never held twice."""
    if rate == wanted_rate:
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    if len(blocks) == 1:
        return resample(blocks[0], rate, wanted_rate)
    import soxr

    stream = soxr.ResampleStream(rate, wanted_rate, 1, dtype="float32", quality="HQ")
    parts = []
    while blocks:
        block = blocks.pop(0)
        parts.append(np.asarray(stream.resample_chunk(block, last=not blocks), dtype=np.float32))
    return np.concatenate(parts)


def resample(samples: NDArray[np.float32], sample_rate: int, wanted_rate: int) -> NDArray[np.float32]:
    """Band-limited resampling with soxr (HQ); the same array when the rates are equal."""
    if sample_rate == wanted_rate:
        return samples
    import soxr

    return np.asarray(soxr.resample(samples, sample_rate, wanted_rate, quality="HQ"), dtype=np.float32)


def _too_long(path: Path, duration_s: float, max_duration_s: float) -> AudioTooLongError:
    return AudioTooLongError(
        f"{path}: lasts {duration_s:.1f} s or more, the limit is {max_duration_s:g} s; cut it or raise max_duration_s"
    )


def _decode_with_ffmpeg(
    path: Path, wanted_rate: int, max_duration_s: float, channel: int | None, reason: Exception
) -> Audio:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise UnreadableAudioError(
            f"{path}: libsndfile cannot read it ({reason}) and ffmpeg is not installed"
        ) from reason
    command = [
        ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error", "-max_error_rate", str(FFMPEG_MAX_LOST),
        "-protocol_whitelist", "file", "-format_whitelist", _FFMPEG_FORMATS, "-i", f"file:{path.resolve()}",
        "-map", "0:a:0", "-vn", "-sn", "-dn",
        "-t", str(max_duration_s + 1.0), "-ar", str(wanted_rate), "-c:a", "pcm_f32be", "-f", "au", "pipe:1",
    ]  # fmt: skip
    collector = _Collector(path, wanted_rate, wanted_rate, max_duration_s)
    with _output_of(command, path) as stream:
        for frames in _au_frames(stream, path, channel):
            collector.add(_mono(frames, channel))
    return collector.finish()


def _au_frames(stream: IO[bytes], path: Path, channel: int | None) -> Iterator[NDArray[np.float32]]:
    """Blocks of shape [n, channels] from ffmpeg's stream; none when it ends before its header does."""
    header = stream.read(_AU_HEADER.size)
    if len(header) < _AU_HEADER.size:
        return
    magic, offset, _, encoding, _, channels = _AU_HEADER.unpack(header)
    if magic != b".snd" or encoding != _AU_FLOAT or channels < 1 or offset < _AU_HEADER.size:
        raise UnreadableAudioError(f"{path}: ffmpeg wrote something else than the samples it was asked for")
    _check_channels(path, channels, channel)
    stream.read(offset - _AU_HEADER.size)
    frame_bytes = 4 * channels
    while raw := stream.read(frame_bytes * max(1, _BLOCK_SAMPLES // channels)):
        whole = raw[: len(raw) // frame_bytes * frame_bytes]
        yield np.frombuffer(whole, dtype=">f4").astype(np.float32).reshape(-1, channels)


@contextmanager
def _output_of(command: list[str], path: Path) -> Iterator[IO[bytes]]:
    """What `command` writes, to be read to its end; a run that is late or fails is an `AudioError`."""
    import tempfile
    import threading

    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process,  # noqa: S603 - a list, no shell
    ):
        expired = threading.Event()

        def stop() -> None:
            expired.set()
            process.kill()

        timer = threading.Timer(FFMPEG_TIMEOUT_S, stop)
        timer.start()
        try:
            yield cast(IO[bytes], process.stdout)
            process.wait()
        finally:
            timer.cancel()
            process.kill()  # nothing to do for one that has ended; one with more to say is not waited for
        if expired.is_set():
            raise UnreadableAudioError(f"{path}: ffmpeg needed more than {FFMPEG_TIMEOUT_S:g} s")
        said = _lines(log)
        if any(sign in line for line in said for sign in _CUT_SHORT):
            raise UnreadableAudioError(f"{path}: cut short, it ends before its own index does")
        if process.wait():
            first = said[0] if said else "no message"
            raise UnreadableAudioError(f"{path}: neither libsndfile nor ffmpeg can decode it ({first})")


def _lines(log: IO[bytes]) -> list[str]:
    log.seek(0)
    lines = log.read(64 * 1024).decode("utf-8", "replace").splitlines()
    return [line.strip() for line in lines if line.strip()]
