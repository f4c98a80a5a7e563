"""Syllable nuclei from sound alone: peaks of sonority, counted where a dip on either side tells them apart.

Sonority is the level between 300 and 2 500 Hz (first and second formants; neither the voice bar of closures nor
frication), smoothed over time. The classic method (de Jong & Wempe 2009, Behavior Research Methods 41: 385–390) asks
for 2 dB dips in the full-band intensity, which a pitch-synchronous 3 200/floor window has already filled.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from prosody.energy import HOP_S

BAND_HZ: Final = (300.0, 2_500.0)
SMOOTHING_S: Final = 0.020
MIN_PROMINENCE_DB: Final = 1.5
MAX_BELOW_PEAK_DB: Final = 25.0
MIN_DISTANCE_S: Final = 0.080
_FFT_WINDOW_S: Final = 0.025


def syllable_nuclei(
    samples: NDArray[np.float32], sample_rate: int, *, speech: NDArray[np.bool_], first_s: float
) -> NDArray[np.float64]:
    """Times of syllable nuclei in seconds, ascending. `speech` marks frames every 10 ms from `first_s` on."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    if not speech.any():
        return np.empty(0)
    sonority = band_level(samples, sample_rate, frames=len(speech), first_s=first_s, band_hz=BAND_HZ)
    smooth = gaussian_filter1d(sonority, SMOOTHING_S / HOP_S)
    smooth = np.where(speech, smooth, smooth[speech].min() - MAX_BELOW_PEAK_DB)
    peaks, _ = find_peaks(
        smooth,
        prominence=MIN_PROMINENCE_DB,
        height=smooth[speech].max() - MAX_BELOW_PEAK_DB,
        distance=MIN_DISTANCE_S / HOP_S,
    )
    return np.asarray(first_s + peaks * HOP_S)


def band_level(
    samples: NDArray[np.float32], sample_rate: int, *, frames: int, first_s: float, band_hz: tuple[float, float]
) -> NDArray[np.float64]:
    """Level in dB of a frequency band in Hann windows of 25 ms around `first_s` + k·10 ms, shape [frames]."""
    from scipy.fft import rfft

    width = round(_FFT_WINDOW_S * sample_rate)
    size = 1 << (width - 1).bit_length()
    starts = np.round((first_s + np.arange(frames) * HOP_S) * sample_rate).astype(int) - width // 2
    padded = np.pad(samples, width)
    window = np.hanning(width).astype(np.float32)
    low, high = (round(edge * size / sample_rate) for edge in band_hz)
    level = np.empty(frames)
    for block in range(0, frames, 4096):  # bounds memory on hour-long clips
        views = np.lib.stride_tricks.sliding_window_view(padded, width)[starts[block : block + 4096] + width]
        power = np.abs(rfft(views * window, size, axis=1)[:, low : high + 1]) ** 2
        level[block : block + 4096] = 10.0 * np.log10(power.sum(axis=1) + 1e-20)
    return level
