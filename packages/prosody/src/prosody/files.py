"""From a file to its profile: the one function that programs measure files with.

The clip is measured as it was recorded: clipping and the bandwidth that gender needs show at the file's own rate only,
so the file is resampled while it is decoded and never before. Memory grows with the clip at 16 kHz, whatever its own
rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from prosody.analysis import Recording, profile_of
from prosody.audio import DEFAULT_MAX_DURATION_S, DEFAULT_SAMPLE_RATE, Audio, MonoReader, resample_stream
from prosody.energy import ClippingCount, peak
from prosody.errors import AudioNotFoundError, UnreadableAudioError
from prosody.measurement import check_peak
from speech_records import ProsodyProfile, file_sha256

if TYPE_CHECKING:
    from prosody.age_gender import SpeakerBackend
    from prosody.stress import StressBackend

_HELD_SAMPLES: Final = 1 << 25
"""Samples at the file's own rate that are kept to look for clipping (128 MiB); a longer clip is decoded a second time.
"""


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredFile:
    """What was measured in a file: `profile`, the `audio` at 16 kHz, the `sha256` of the bytes that were decoded."""

    profile: ProsodyProfile
    audio: Audio
    sha256: str


def measure_file(
    path: str | Path,
    *,
    transcript: str | None = None,
    language: str | None = None,
    channel: int | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    max_duration_s: float = DEFAULT_MAX_DURATION_S,
    stress: StressBackend | None = None,
    speaker: SpeakerBackend | None = None,
) -> MeasuredFile:
    """Measure the clip in `path`, or its part from `start_s` to `end_s`, in one channel or in the mean of all.

    `transcript`, `language`, `stress` and `speaker` are those of `analyze`; `channel`, `start_s`, `end_s` and
    `max_duration_s` those of `load_audio`. A note says where channels cancel one another. Raises `ProsodyError`, with
    the path in the message: `AudioError` for what cannot be decoded (also when the file changes meanwhile, since its
    hash would then belong to other sound), `AnalysisError` for samples that cannot be measured.
    """
    path = Path(path)
    part = {"channel": channel, "start_s": start_s, "end_s": end_s, "max_duration_s": max_duration_s}
    before = _state(path)
    sha256 = _sha256(path, before)
    recording = _record(path, part)
    profile = profile_of(recording, transcript=transcript, language=language, stress=stress, speaker=speaker)
    if _state(path) != before:
        raise UnreadableAudioError(f"{path}: changed while it was measured; measure it again")
    return MeasuredFile(profile, Audio(recording.signal, DEFAULT_SAMPLE_RATE), sha256)


def _record(path: Path, part: dict[str, Any]) -> Recording:
    held: list[NDArray[np.float32]] = []
    frames, top = 0, 0.0
    with MonoReader(path, **part) as clip:
        rate = clip.rate

        def watched() -> Iterator[NDArray[np.float32]]:
            nonlocal frames, top
            for block in clip.blocks():
                frames += len(block)
                top = max(top, peak(block))
                if frames <= _HELD_SAMPLES:
                    held.append(block)
                else:
                    held.clear()
                yield block

        signal = resample_stream(watched(), rate, DEFAULT_SAMPLE_RATE)
        notes = clip.notes
    check_peak(top)
    clipping = ClippingCount(top)
    if frames <= _HELD_SAMPLES:
        for block in held:
            clipping.add(block)
    else:
        with MonoReader(path, **part) as again:
            for block in again.blocks():
                clipping.add(block)
    return Recording(signal, duration_s=frames / rate, sample_rate=rate, clipping_share=clipping.share, notes=notes)


_State = tuple[int, int, int, int]


def _state(path: Path) -> _State:
    """What tells the content of a file from another's without reading it."""
    try:
        found = path.stat()
    except OSError as error:
        raise AudioNotFoundError(f"{path}: {error.strerror}") from error
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=64)
def _sha256(path: Path, _state: _State) -> str:
    """Kept for the many turns of a conversation, which are parts of one file."""
    if not path.is_file():
        raise AudioNotFoundError(f"{path}: not a regular file")
    return file_sha256(path)
