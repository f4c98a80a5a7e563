"""Intonation: the smoothed semitone contour, its shape, its dynamics, and how far they can be trusted.

Smoothing is Savitzky–Golay (second order, 9 frames = 90 ms) inside each voiced run; gaps stay gaps, and every point
keeps its true time. The shape comes from a continuous line with one knee, fitted to all voiced frames by least
squares over 15 places of the knee: three numbers (start, knee, end, in semitones) decide. Rise and fall need 2 st,
a turning point must stand 2 st beyond both ends, flat spans under 3 st and expressive over 9 st between the 5th and
the 95th percentile: the cuts of the method's released annotation pipeline. Confidence is the pitch reliability
times the share of ten jackknife refits (each leaves out a tenth of the voiced frames) that find the same shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prosody.pitch import PitchTrack, semitones, voiced_runs
from speech_records import ContourDynamics, ContourShape

SMOOTHING_FRAMES: Final = 9
SMOOTHING_ORDER: Final = 2
MOVE_ST: Final = 2.0
FLAT_ST: Final = 3.0
EXPRESSIVE_ST: Final = 9.0
MIN_VOICED_S: Final = 0.5
MIN_CONFIDENCE: Final = 0.5
"""Below it the shape is `uncertain`: fewer than half of the refits agree, or half of the voicing is in doubt."""
_KNEES: Final = np.linspace(0.15, 0.85, 15)
_BLOCKS: Final = 10
_BEND_PENALTY: Final = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Contour:
    """Intonation of a clip or of a phrase.

    `times_s`, `semitones` [frames]: the smoothed contour, relative to `reference_hz` (the median), NaN in gaps.
    `start_st`, `knee_st`, `end_st` at `start_s`, `knee_s`, `end_s`: the fitted line that decided the shape.
    `range_st` is p95 − p5 of the smoothed contour, `sd_st` its standard deviation, `slope_st_per_s` its slope.
    """

    times_s: NDArray[np.float64]
    semitones: NDArray[np.float64]
    reference_hz: float
    start_s: float
    knee_s: float
    end_s: float
    start_st: float
    knee_st: float
    end_st: float
    range_st: float
    sd_st: float
    slope_st_per_s: float
    shape: ContourShape
    dynamics: ContourDynamics
    confidence: float


def contour_of(track: PitchTrack, *, reliability: float) -> Contour | None:
    """The contour of a pitch track; `None` with fewer than ten voiced frames.

    Under half a second of voicing the shape is `too_short`, under a confidence of 0.5 `uncertain`; the numbers stand.
    """
    voiced = track.voiced
    if voiced.sum() < _BLOCKS:
        return None
    reference = float(np.median(track.f0_hz[voiced]))
    smooth = _smooth(track, reference)
    times, st = track.times_s[voiced], smooth[voiced]
    span = float(times[-1] - times[0])
    low, high = np.percentile(st, [5.0, 95.0])
    knots, knee, refits = _fit_knee((times - times[0]) / span, st)
    shape = shape_of(*knots)
    confidence = reliability * sum(shape_of(*refit) is shape for refit in refits) / len(refits)
    if voiced.sum() * 0.010 < MIN_VOICED_S:
        shape = ContourShape.TOO_SHORT
    elif confidence < MIN_CONFIDENCE:
        shape = ContourShape.UNCERTAIN
    return Contour(
        times_s=track.times_s,
        semitones=smooth,
        reference_hz=reference,
        start_s=float(times[0]),
        knee_s=float(times[0] + knee * span),
        end_s=float(times[-1]),
        start_st=knots[0],
        knee_st=knots[1],
        end_st=knots[2],
        range_st=float(high - low),
        sd_st=float(st.std()),
        slope_st_per_s=_slope(times, st),
        shape=shape,
        dynamics=dynamics_of(float(high - low)),
        confidence=float(confidence),
    )


def _slope(times_s: NDArray[np.float64], st: NDArray[np.float64]) -> float:
    """Least-squares slope in st/s."""
    centred = times_s - times_s.mean()
    return float(centred @ st / (centred @ centred))


def shape_of(start_st: float, knee_st: float, end_st: float) -> ContourShape:
    """The shape of a line through three heights.

    >>> shape_of(0.0, 4.0, 1.0).value, shape_of(0.0, 1.0, 3.0).value, shape_of(0.0, 1.0, 0.5).value
    ('rising-falling', 'rising', 'level')
    """
    if knee_st - max(start_st, end_st) >= MOVE_ST:
        return ContourShape.RISING_FALLING
    if min(start_st, end_st) - knee_st >= MOVE_ST:
        return ContourShape.FALLING_RISING
    if end_st - start_st >= MOVE_ST:
        return ContourShape.RISING
    if start_st - end_st >= MOVE_ST:
        return ContourShape.FALLING
    return ContourShape.LEVEL


def fit_line(u: NDArray[np.float64], st: NDArray[np.float64]) -> NDArray[np.float64]:
    """The one-knee line that decides the shape, evaluated at `u` (ascending in [0, 1]); `st` in semitones, both
    [frames].
    """
    heights, knee, _ = _fit_knee(u, st)
    return np.interp(u, [0.0, knee, 1.0], heights)


def dynamics_of(range_st: float) -> ContourDynamics:
    """Flat under 3 st, expressive over 9 st, moderate between.

    >>> dynamics_of(2.9).value, dynamics_of(9.0).value
    ('flat', 'moderate')
    """
    if range_st < FLAT_ST:
        return ContourDynamics.FLAT
    return ContourDynamics.EXPRESSIVE if range_st > EXPRESSIVE_ST else ContourDynamics.MODERATE


def _smooth(track: PitchTrack, reference_hz: float) -> NDArray[np.float64]:
    """Savitzky–Golay inside each voiced run; one shorter than the window takes the largest odd window it holds."""
    smooth = np.full(len(track.f0_hz), np.nan)
    for run in voiced_runs(track.times_s, track.voiced):
        values = semitones(track.f0_hz[run], reference_hz)
        window = min(SMOOTHING_FRAMES, len(values) - 1 + len(values) % 2)
        smooth[run] = savitzky_golay(values, window) if window > SMOOTHING_ORDER else values
    return smooth


def savitzky_golay(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Each value replaced by the least-squares parabola over the `window` (odd) around it.

    The first and last half window are read off the parabola of the first and last full window. Equal to scipy's
    `savgol_filter(values, window, 2)`, without its cost for a few dozen values.

    >>> savitzky_golay(np.array([0.0, 1.0, 4.0, 9.0, 16.0]), 5).round(6) + 0.0
    array([ 0.,  1.,  4.,  9., 16.])
    """
    hat, half = _projection(window), window // 2
    middle = np.convolve(values, hat[half], mode="valid")  # the row is symmetric: convolution is correlation
    return np.concatenate((hat[:half] @ values[:window], middle, hat[half + 1 :] @ values[-window:]))


@cache
def _projection(window: int) -> NDArray[np.float64]:
    """The matrix [window, window] that maps values to their least-squares parabola."""
    powers = np.vander(np.arange(window) - window // 2, SMOOTHING_ORDER + 1).astype(np.float64)
    return np.asarray(powers @ np.linalg.pinv(powers))


def _fit_knee(
    u: NDArray[np.float64], st: NDArray[np.float64]
) -> tuple[tuple[float, float, float], float, list[tuple[float, float, float]]]:
    """Least-squares heights (start, knee, end) of the best one-knee line over u in [0, 1], its knee, and ten refits.

    The basis are hat functions, so the coefficients are the heights themselves. A light penalty on the bend keeps a
    knee that falls into a gap from flying off.
    """
    edges = np.linspace(0, len(u), _BLOCKS + 1).astype(int)[:-1]
    grams_of, moments_of = [], []
    for k in _KNEES:  # one after the other: products of all of them are half a gigabyte for an hour of speech
        left = np.clip(1.0 - u / k, 0.0, 1.0)
        right = np.clip((u - k) / (1.0 - k), 0.0, 1.0)
        basis = np.stack([left, 1.0 - left - right, right])  # [3, frames]
        grams_of.append(np.add.reduceat(basis[:, None, :] * basis[None, :, :], edges, axis=-1))
        moments_of.append(np.add.reduceat(basis * st, edges, axis=-1))
    gram, moment = np.stack(grams_of), np.stack(moments_of)  # [knees, 3, 3, blocks], [knees, 3, blocks]
    square = np.add.reduceat(st**2, edges)
    bend = np.stack([-(1.0 - _KNEES), np.ones_like(_KNEES), -_KNEES], axis=1)  # knee minus the chord
    penalty = _BEND_PENALTY * len(u) * bend[:, :, None] * bend[:, None, :]
    keep = np.concatenate((np.ones((1, _BLOCKS)), 1.0 - np.eye(_BLOCKS)))  # row 0: everything
    grams = np.einsum("kijb,sb->skij", gram, keep) + penalty + 1e-9 * np.eye(3)
    moments = np.einsum("kib,sb->ski", moment, keep)
    heights = np.linalg.solve(grams, moments[..., None])[..., 0]  # [refits, knees, 3]
    residual = (keep @ square)[:, None] - np.einsum("ski,ski->sk", heights, moments)
    best = residual.argmin(axis=1)
    chosen = [(float(a), float(b), float(c)) for a, b, c in heights[np.arange(len(best)), best]]
    return chosen[0], float(_KNEES[best[0]]), chosen[1:]
