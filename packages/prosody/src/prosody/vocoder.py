"""Speech taken apart and put together by the WORLD vocoder.

WORLD (Morise, Yokomori & Ozawa 2016, IEICE Trans. E99-D: 1877–1884) takes speech apart into F0, spectral envelope
(CheapTrick) and aperiodicity (D4C) and puts it together again. F0 comes from this package's own tracker, so what is
modified is what is measured.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from types import ModuleType
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from prosody.errors import ModificationError
from prosody.pitch import PitchTrack

MAX_DURATION_S: Final = 120.0
"""WORLD holds two spectra per 5 ms frame: two minutes take about 400 MB."""
FRAME_MS: Final = 5.0
MIN_WORLD_RATE: Final = 16_000
"""Hz; below it, D4C has no band left to estimate aperiodicity in."""
_BRIDGE_S: Final = 0.045  # WORLD needs F0 up to the edges of voicing, where a 10 ms track already lets go


@dataclass(frozen=True, slots=True, eq=False)
class Vocoded:
    """WORLD's parameters of a clip, every 5 ms.

    `f0_hz` (0 = unvoiced) and `times_s` are [frames], the power `envelope` and the `aperiodicity` [frames, bins].
    """

    f0_hz: NDArray[np.float64]
    envelope: NDArray[np.float64]
    aperiodicity: NDArray[np.float64]
    times_s: NDArray[np.float64]


class Deadline:
    """WORLD's and Praat's code cannot be interrupted: the clock is read between stages, and the length is bounded."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s, self._end = limit_s, time.monotonic() + limit_s

    def check(self, stage: str) -> None:
        """`ModificationError` naming the stage that ended too late."""
        if time.monotonic() > self._end:
            raise ModificationError(f"{stage}: the modification took longer than {self._limit_s:g} s")


def check(deadline: Deadline | None, stage: str) -> None:
    """`deadline.check` where there is one."""
    if deadline is not None:
        deadline.check(stage)


def _pyworld() -> ModuleType:
    """Import WORLD late and without its own complaint about `pkg_resources`, which this package pins to a version
    that has it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
        warnings.filterwarnings("ignore", message="Deprecated call to", category=DeprecationWarning)
        import pyworld
    return cast(ModuleType, pyworld)


def take_apart(
    signal: NDArray[np.float32], rate: int, pitch: PitchTrack, *, deadline: Deadline | None = None
) -> Vocoded:
    """WORLD's parameters of `signal` ([n], at 16 kHz or more), with F0 from `pitch`."""
    pyworld = _pyworld()
    if len(signal) > MAX_DURATION_S * rate:
        raise ModificationError(
            f"{len(signal) / rate:.1f} s of speech; at most {MAX_DURATION_S:g} s are modified at once"
        )
    x = signal.astype(np.float64)
    step = FRAME_MS / 1000.0
    times = np.arange(int(len(x) / rate / step) + 1, dtype=np.float64) * step
    f0 = _on_grid(pitch, times)
    envelope = pyworld.cheaptrick(x, f0, times, rate)
    check(deadline, "CheapTrick")
    aperiodicity = pyworld.d4c(x, f0, times, rate, threshold=0.0)
    check(deadline, "D4C")
    return Vocoded(f0, envelope, aperiodicity, times)


def _on_grid(pitch: PitchTrack, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """F0 at `times_s`: interpolated inside voicing and over holes up to 45 ms, 0 elsewhere."""
    voiced = pitch.voiced
    if not voiced.any():
        return np.zeros(len(times_s))
    at, f0 = pitch.times_s[voiced], pitch.f0_hz[voiced]
    following = np.clip(np.searchsorted(at, times_s), 1, len(at) - 1) if len(at) > 1 else np.zeros(len(times_s), int)
    gap = at[following] - at[following - 1] if len(at) > 1 else np.full(len(times_s), np.inf)
    inside = (times_s >= at[0]) & (times_s <= at[-1]) & (gap <= _BRIDGE_S)
    distance = np.minimum(np.abs(times_s - at[following]), np.abs(times_s - at[following - 1]))
    return np.where(inside | (distance <= FRAME_MS / 1000.0), np.interp(times_s, at, f0), 0.0)


def whispered(parts: Vocoded) -> Vocoded:
    """Noise through the same vocal tract, tilted up 3 dB per octave above 500 Hz and down below, as in whisper.

    Whispered vowels lack the low-frequency energy of the glottal source (Ito, Takeda & Itakura 2005, Speech
    Communication 45: 139–152).
    """
    bins = parts.envelope.shape[1]
    octaves = np.log2(np.maximum(np.arange(bins), 0.5) / (bins - 1) * 8000.0 / 500.0)
    tilt = 10.0 ** (3.0 * octaves / 10.0)
    return Vocoded(np.zeros_like(parts.f0_hz), parts.envelope * tilt, np.ones_like(parts.aperiodicity), parts.times_s)


def put_together(
    parts: Vocoded, rate: int, *, tempo: float = 1.0, deadline: Deadline | None = None
) -> NDArray[np.float32]:
    """Speech from WORLD's parameters, float32 [m] at `rate`; `tempo` 2 is twice as fast."""
    pyworld = _pyworld()
    if tempo != 1.0:
        source = np.arange(int((len(parts.f0_hz) - 1) / tempo) + 1) * tempo
        nearest = np.minimum(np.round(source).astype(int), len(parts.f0_hz) - 1)
        parts = Vocoded(
            parts.f0_hz[nearest], parts.envelope[nearest], parts.aperiodicity[nearest], parts.times_s[: len(nearest)]
        )
    y = pyworld.synthesize(
        np.ascontiguousarray(parts.f0_hz),
        np.ascontiguousarray(parts.envelope),
        np.ascontiguousarray(parts.aperiodicity),
        rate,
        FRAME_MS,
    )
    check(deadline, "synthesis")
    return np.asarray(y, dtype=np.float32)
