"""Jitter and shimmer: how much neighbouring periods of the voice differ in length and in amplitude.

Both need the single periods, which no other measure does, so they are a pass of their own and taken on request. Periods
are found by Praat's cross-correlation ("To PointProcess (periodic, cc)"), searched in the range around the clip's own
median pitch; the measures are Praat's, with its limits: periods of 0.1–20 ms that differ by a factor of at most 1.3
from their neighbour, and peaks by at most 1.6.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from prosody.audio import DEFAULT_SAMPLE_RATE, resample
from prosody.measurement import Tracks, checked_samples, measure
from prosody.pitch import CEILING_RATIO, CHUNK_S, FLOOR_RATIO, PITCH_CEILING_HZ, PITCH_FLOOR_HZ

MIN_PERIODS: Final = 30
"""Fewer periods scatter: at 30, a jitter of 1 % is known to about a fifth of itself (1 / √30)."""
_SHORTEST_S: Final = 0.0001
_LONGEST_S: Final = 0.02
_PERIOD_FACTOR: Final = 1.3
_AMPLITUDE_FACTOR: Final = 1.6
_LIMITS: Final = (_SHORTEST_S, _LONGEST_S, _PERIOD_FACTOR)
"""Praat's own limits for voice reports."""


@dataclass(frozen=True, slots=True)
class VoiceQuality:
    """Perturbation of the voice; `None` where it cannot be known, and `note` says why.

    `jitter_local`: mean absolute difference of neighbouring periods over the mean period. `jitter_ppq5`: difference of
    each period from the mean of the five around it, over the mean period. `shimmer_local`, `shimmer_apq5`: the same of
    the periods' peak amplitudes. `shimmer_local_db`: mean absolute difference of neighbouring amplitudes in dB. All but
    the last are ratios (0.01 is the 1 % of other tools). `periods` is how many were compared.
    """

    jitter_local: float | None = None
    jitter_ppq5: float | None = None
    shimmer_local: float | None = None
    shimmer_local_db: float | None = None
    shimmer_apq5: float | None = None
    periods: int = 0
    note: str | None = None


def voice_quality(samples: ArrayLike, sample_rate: int, *, measured: Tracks | None = None) -> VoiceQuality:
    """Jitter and shimmer over the voiced speech of a clip.

    `samples` and `sample_rate` as in `analyze`, and the same errors; `measured` are the clip's `tracks` where they are
    at hand. Noise perturbs like a voice does: under 20 dB of SNR the values say more about the recording, and running
    speech has more of both than the held vowels that clinical norms are for.
    """
    signal = checked_samples(samples, sample_rate)
    pitch = (measured if measured is not None else measure(signal, sample_rate)).pitch
    if not pitch.voiced.any():
        return VoiceQuality(note="no credible voicing: there are no periods to compare")
    median = float(np.median(pitch.f0_hz[pitch.voiced]))
    limits = (max(PITCH_FLOOR_HZ, FLOOR_RATIO * median), min(PITCH_CEILING_HZ, CEILING_RATIO * median))
    signal = resample(signal, sample_rate, DEFAULT_SAMPLE_RATE)
    pieces = np.array_split(signal, max(1, round(len(signal) / DEFAULT_SAMPLE_RATE / CHUNK_S)))
    rows = np.array([_of_piece(piece.astype(np.float64), limits) for piece in pieces])
    periods = rows[:, -1]
    if periods.sum() < MIN_PERIODS:
        found = int(periods.sum())
        return VoiceQuality(note=f"{found} periods found, {MIN_PERIODS} are needed", periods=found)
    names = [field.name for field in fields(VoiceQuality)][: rows.shape[1] - 1]
    values: dict[str, Any] = {
        name: float(np.average(column[known], weights=periods[known]))
        for name, column in zip(names, rows[:, :-1].T, strict=True)
        if (known := np.isfinite(column)).any()
    }
    return VoiceQuality(**values, periods=int(periods.sum()))


def _of_piece(piece: Any, limits_hz: tuple[float, float]) -> list[float]:
    """The five measures of about a minute, NaN where Praat has none, and how many periods they rest on."""
    import parselmouth
    from parselmouth.praat import call

    sound = parselmouth.Sound(piece, DEFAULT_SAMPLE_RATE)
    if sound.duration < 3.0 / limits_hz[0]:  # Praat needs three periods of the lowest pitch
        return [np.nan] * 5 + [0.0]
    pulses = call(sound, "To PointProcess (periodic, cc)", *limits_hz)
    jitter = [call(pulses, f"Get jitter ({kind})", 0.0, 0.0, *_LIMITS) for kind in ("local", "ppq5")]
    shimmer = [
        call([sound, pulses], f"Get shimmer ({kind})", 0.0, 0.0, *_LIMITS, _AMPLITUDE_FACTOR)
        for kind in ("local", "local_dB", "apq5")
    ]
    return [*jitter, *shimmer, float(call(pulses, "Get number of periods", 0.0, 0.0, *_LIMITS))]
