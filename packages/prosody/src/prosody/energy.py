"""Energy in frames, speech activity, active-speech level, noise floor, clipping.

Levels are in dB relative to full scale: a full-scale square wave is 0 dBFS, a full-scale sine −3.01 dBFS. Each
frame's mean is removed, so that a constant offset counts neither as sound nor as noise.

Two properties guide the definitions: a gain moves every level by the same number of dB and nothing else, and silence
added around the speech (digital zeros) moves nothing at all. So thresholds are relative to the clip's own active level,
found as ITU-T P.56 (2011) does, and digital silence takes no part in any estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

HOP_S: Final = 0.010
WINDOW_S: Final = 0.030
SILENCE_DBFS: Final = -80.0
"""A clip whose loudest frame lies below this holds no signal: 16-bit dither alone reaches about −96."""
DIGITAL_SILENCE_DB: Final = 100.0
"""Frames this far below the loudest one are digital silence, no recording of anything (16 bits span 96 dB)."""
P56_MARGIN_DB: Final = 15.9
"""ITU-T P.56: the activity threshold lies this far below the active level."""
ACTIVITY_FLOOR_DB: Final = 30.0
"""Frames this far below the active level are never speech: the weakest fricatives lie about 28 dB below open vowels
(Fletcher 1953, Speech and Hearing in Communication: powers of 680 to 1)."""
ACTIVITY_ABOVE_NOISE_DB: Final = 8.0
MIN_ACTIVITY_ABOVE_NOISE_DB: Final = 4.0
"""30 ms frames of stationary noise scatter by about ±1.5 dB; their maximum stays below floor (10th percentile) + 4
dB."""
NOISE_PERCENTILE: Final = 10.0
MIN_MODULATION_DB: Final = 6.0
"""Speech is modulated: a clip whose active level lies less above its floor is a hum, a hiss or a held tone."""
MIN_NOISE_S: Final = 0.100
NOISE_GUARD_S: Final = 0.050
MIN_HALVES_S: Final = 0.600
"""Speech of which two halves can be compared: three syllables or so."""
_CLIP_RUN: Final = 3
_CLIP_FLATNESS: Final = 2.0**-15  # one step of 16 bits, relative to the peak
_CLIP_NEAR_PEAK: Final = 0.98


@dataclass(frozen=True, slots=True, eq=False)
class EnergyTrack:
    """Frame levels: `times_s` (frame centres) and `dbfs`, both [frames]; digital silence is −inf."""

    times_s: NDArray[np.float64]
    dbfs: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EnergySummary:
    """What is known of a clip's levels; `None` where nothing could be measured."""

    active_dbfs: float | None
    range_db: float | None
    change_db: float | None
    noise_floor_dbfs: float | None
    snr_db: float | None


def frame_energy(samples: NDArray[np.float32], sample_rate: int) -> EnergyTrack:
    """Level of 30 ms frames every 10 ms; a signal shorter than one frame has none."""
    hop = round(HOP_S * sample_rate)
    per_window = round(WINDOW_S / HOP_S)
    blocks = samples[: len(samples) // hop * hop].reshape(-1, hop)
    if len(blocks) < per_window:
        return EnergyTrack(np.empty(0), np.empty(0))
    ones = np.ones(hop, dtype=np.float32)
    sums = (blocks @ ones).astype(np.float64)
    squares = np.einsum("ij,ij->i", blocks, blocks).astype(np.float64)
    size = hop * per_window
    mean = _moving_sum(sums, per_window) / size
    power = np.maximum(_moving_sum(squares, per_window) / size - mean**2, 0.0)
    # Below float32's resolution of the frame's own mean square lies rounding, not signal.
    power[power < 1e-7 * mean**2] = 0.0
    with np.errstate(divide="ignore"):
        dbfs = 10.0 * np.log10(power)
    if len(dbfs):
        dbfs[dbfs < dbfs.max() - DIGITAL_SILENCE_DB] = -np.inf
    times = (np.arange(len(dbfs)) + per_window / 2) * hop / sample_rate
    return EnergyTrack(times, dbfs)


def _moving_sum(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    return np.asarray(np.lib.stride_tricks.sliding_window_view(values, width).sum(axis=1))


def active_level(dbfs: NDArray[np.float64]) -> float | None:
    """The level A such that the mean power of all frames above A − 15.9 dB is A (ITU-T P.56, method B on frames).

    `None` when every frame is digital silence. Silence added to a clip does not move it.

    >>> round(active_level(np.array([-20.0] * 50 + [-60.0] * 50)), 2)
    -20.0
    """
    finite = np.sort(dbfs[np.isfinite(dbfs)])[::-1]
    if not len(finite):
        return None
    means = 10.0 * np.log10(np.cumsum(10.0 ** (finite / 10.0)) / np.arange(1, len(finite) + 1))
    inside = means - finite <= P56_MARGIN_DB  # grows along the sorted levels: a prefix is inside
    return float(means[np.flatnonzero(inside)[-1]])


def speech_activity(energy: EnergyTrack, voiced: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Frames that hold speech, [frames]: above a threshold between the noise floor and the active level, or voiced.

    `voiced` is given at the same frames. Clips without modulation (a hum, a hiss, a held tone) are speech only
    where voiced.
    """
    level = active_level(energy.dbfs)
    if level is None or level < SILENCE_DBFS:
        return np.zeros(len(energy.dbfs), dtype=bool)
    floor = float(np.percentile(energy.dbfs[np.isfinite(energy.dbfs)], NOISE_PERCENTILE))
    audible = energy.dbfs > level - ACTIVITY_FLOOR_DB
    if np.isfinite(energy.dbfs).all() and level - floor < MIN_MODULATION_DB:
        return np.asarray(voiced & audible)
    threshold = max(
        min(level - P56_MARGIN_DB, floor + ACTIVITY_ABOVE_NOISE_DB),
        floor + MIN_ACTIVITY_ABOVE_NOISE_DB,
        level - ACTIVITY_FLOOR_DB,
    )
    return np.asarray((energy.dbfs > threshold) | (voiced & audible))


def summarise_energy(energy: EnergyTrack, active: NDArray[np.bool_]) -> EnergySummary:
    """Active-speech level, p5–p95 range over active frames, change from the first half of them to the second, noise
    floor and SNR.

    The noise floor is the mean power of the frames at least 50 ms from speech; it needs 100 ms of them. The SNR
    takes the noise out of the active level before dividing.
    """
    if not active.any():
        return EnergySummary(None, None, None, None, None)
    power = 10.0 ** (energy.dbfs / 10.0)
    speech_power = float(power[active].mean())
    low, high = np.percentile(energy.dbfs[active & np.isfinite(energy.dbfs)], [5.0, 95.0])
    guard = round(NOISE_GUARD_S / HOP_S)
    near_speech = np.convolve(active, np.ones(2 * guard + 1))[guard : guard + len(active)] > 0.5
    quiet = ~near_speech & np.isfinite(energy.dbfs)
    noise_floor = snr = None
    if quiet.sum() * HOP_S >= MIN_NOISE_S:
        noise_power = float(power[quiet].mean())
        noise_floor = 10.0 * float(np.log10(noise_power))
        if speech_power > noise_power:
            snr = 10.0 * float(np.log10((speech_power - noise_power) / noise_power))
    return EnergySummary(
        10.0 * float(np.log10(speech_power)), float(high - low), _change(power[active]), noise_floor, snr
    )


def _change(power: NDArray[np.float64]) -> float | None:
    """By how many dB the second half of the speech frames is louder than the first; `None` under `MIN_HALVES_S`."""
    halves = np.array_split(power, 2)
    if len(power) * HOP_S < MIN_HALVES_S or min(float(half.mean()) for half in halves) <= 0.0:
        return None
    first, second = (float(half.mean()) for half in halves)
    return 10.0 * float(np.log10(second / first))


def peak(samples: NDArray[np.float32]) -> float:
    """Largest magnitude, 0 for none; without the copy that `np.abs` makes of an hour of sound."""
    return float(max(samples.max(), -samples.min())) if len(samples) else 0.0


def clipping_share(samples: NDArray[np.float32]) -> float:
    """Share of samples in flat tops: three or more equal samples in a row within 2 % of the peak.

    Needs the file's own sample rate: resampling and lossy coding round the flat tops away.
    """
    count = ClippingCount(peak(samples))
    count.add(samples)
    return count.share


class ClippingCount:
    """`clipping_share` of a clip that comes in blocks and whose peak is known."""

    def __init__(self, top: float) -> None:
        self._top = top
        self._samples = self._clipped = 0
        self._run, self._last = 0, 0.0  # the flat top that goes on, and its last sample

    def add(self, samples: NDArray[np.float32]) -> None:
        """Count the next block."""
        self._samples += len(samples)
        if self._top <= 0.0 or not len(samples):
            return
        near = np.flatnonzero((samples >= _CLIP_NEAR_PEAK * self._top) | (samples <= -_CLIP_NEAR_PEAK * self._top))
        flat = _CLIP_FLATNESS * self._top
        joined = (np.diff(near) == 1) & (np.abs(np.diff(samples[near])) <= flat)
        starts = np.concatenate(([0], np.flatnonzero(~joined) + 1))
        runs = np.diff(np.concatenate((starts, [len(near)]))) if len(near) else np.empty(0, dtype=np.intp)
        if len(near) and near[0] == 0 and self._run and abs(float(samples[0]) - self._last) <= flat:
            runs[0] += self._run
        else:
            self._close()
        goes_on = len(near) > 0 and near[-1] == len(samples) - 1
        self._run, self._last = (int(runs[-1]), float(samples[-1])) if goes_on else (0, 0.0)
        whole = runs[:-1] if goes_on else runs
        self._clipped += int(whole[whole >= _CLIP_RUN].sum())

    @property
    def share(self) -> float:
        """Share of all samples that were added."""
        self._close()
        return self._clipped / self._samples if self._samples else 0.0

    def _close(self) -> None:
        self._clipped += self._run if self._run >= _CLIP_RUN else 0
        self._run = 0
