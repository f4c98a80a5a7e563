"""Syllables from sound alone: how many there are, and where their nuclei lie.

The curve looked at is sonority: the level between 300 and 1 200 Hz (voice and first formant: nasals, liquids and
frication dip), smoothed over 15 ms, less 6 dB where there is no voice. Its peaks are nuclei where a dip on either side
tells them apart (de Jong & Wempe 2009, Behavior Research Methods 41: 385–390). A hard limit on that dip counts
ripples or loses reduced syllables, so peaks are counted softly, less what ripples add in a second of speech:

    syllables = 1.043 · Σ s((p − 2 dB)/0.6 dB) − 0.135 · seconds of speech,

p the prominence of each peak and s the logistic function. The two weights are fitted by `fit/fit_syllables.py`
(`syllables.json`); a sum over peaks and seconds grows with the clip and knows nothing of its loudness.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prosody.energy import HOP_S

BAND_HZ: Final = (300.0, 1_200.0)
SMOOTHING_S: Final = 0.015
UNVOICED_DB: Final = 6.0
SPAN_DB: Final = 40.0
"""Sonority below its maximum less this is as good as silence."""
MAX_BELOW_PEAK_DB: Final = 28.0
MIN_PROMINENCE_DB: Final = 0.3
DIP_DB: Final = 2.0
DIP_WIDTH_DB: Final = 0.6
"""A peak of about this prominence counts half; the width is that over which it grows from none to one."""
_FFT_WINDOW_S: Final = 0.025
_BLOCK_FRAMES: Final = 4_096  # bounds memory on clips of an hour


@dataclass(frozen=True, slots=True, eq=False)
class Syllables:
    """How many syllables were heard, and the times of their nuclei: the `count` most prominent peaks."""

    count: int
    nuclei_s: NDArray[np.float64]


def syllables_in_sound(
    samples: NDArray[np.float32],
    sample_rate: int,
    *,
    speech: NDArray[np.bool_],
    voiced: NDArray[np.bool_],
    first_s: float,
) -> Syllables:
    """The syllables of a clip. Both masks: frames every 10 ms from `first_s` on."""
    if not speech.any():
        return Syllables(0, np.empty(0))
    peaks, prominences = sonority_peaks(samples, sample_rate, speech=speech, voiced=voiced, first_s=first_s)
    count = max(0, round(float(count_features(prominences, speech) @ _weights())))
    kept = np.sort(peaks[np.argsort(-prominences, kind="stable")[:count]])
    return Syllables(count, np.asarray(first_s + kept * HOP_S))


def count_features(prominences: NDArray[np.float64], speech: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What the fitted weights weigh: the soft count of peaks, and seconds of speech, [2].

    >>> count_features(np.array([20.0, 20.0, 0.3]), np.ones(100, bool)).round(1)
    array([2.1, 1. ])
    """
    peaks = float((1.0 / (1.0 + np.exp((DIP_DB - prominences) / DIP_WIDTH_DB))).sum())
    return np.array([peaks, float(speech.sum()) * HOP_S])


@cache
def _weights() -> NDArray[np.float64]:
    """Syllables per peak and per second of speech, from the package's data."""
    return np.array(json.loads(files("prosody").joinpath("syllables.json").read_text(encoding="utf-8"))["weights"])


def sonority_peaks(
    samples: NDArray[np.float32],
    sample_rate: int,
    *,
    speech: NDArray[np.bool_],
    voiced: NDArray[np.bool_],
    first_s: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Frames of the peaks of sonority of a clip with speech, and their prominences in dB, both [peaks]."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    times = np.asarray(first_s + np.flatnonzero(speech) * HOP_S, dtype=np.float64)
    level = band_level(samples, sample_rate, times_s=times, band_hz=BAND_HZ)
    sonority = np.full(len(speech), level.max() - SPAN_DB)
    sonority[speech] = np.maximum(level, sonority[0])
    smooth = gaussian_filter1d(sonority, SMOOTHING_S / HOP_S)
    smooth -= UNVOICED_DB * gaussian_filter1d((~voiced).astype(np.float64), 1.0)
    floor = smooth[speech].min() - 10.0
    smooth = np.pad(np.where(speech, smooth, floor), 1, constant_values=floor)  # a clip may begin inside a syllable
    peaks, found = find_peaks(smooth, prominence=MIN_PROMINENCE_DB, height=smooth.max() - MAX_BELOW_PEAK_DB)
    return peaks - 1, found["prominences"]


def band_level(
    samples: NDArray[np.float32], sample_rate: int, *, times_s: NDArray[np.float64], band_hz: tuple[float, float]
) -> NDArray[np.float64]:
    """Level in dB of a frequency band in Hann windows of 25 ms around `times_s`, same shape."""
    from scipy.fft import rfft

    width = round(_FFT_WINDOW_S * sample_rate)
    size = 1 << (width - 1).bit_length()
    starts = np.round(times_s * sample_rate).astype(int) - width // 2 + width
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(samples, width), width)
    hann = np.hanning(width).astype(np.float32)
    low, high = (round(edge * size / sample_rate) for edge in band_hz)
    level = np.empty(len(times_s))
    for block in range(0, len(times_s), _BLOCK_FRAMES):
        spectrum = rfft(windows[starts[block : block + _BLOCK_FRAMES]] * hann, size, axis=1)[:, low : high + 1]
        power = np.einsum("ij,ij->i", spectrum.real, spectrum.real) + np.einsum(
            "ij,ij->i", spectrum.imag, spectrum.imag
        )
        level[block : block + _BLOCK_FRAMES] = 10.0 * np.log10(power + 1e-20)
    return level
