"""Syllable nuclei from sound alone: peaks of sonority, counted where a dip on either side tells them apart.

Sonority is the level between 150 and 1 200 Hz (voice and first formant: nasals, liquids and frication dip), smoothed
over 15 ms, less 6 dB where there is no voice. The classic method (de Jong & Wempe 2009, Behavior Research Methods 41:
385–390) asks for 2 dB dips in the full-band intensity, whose window of 3.2 periods has already filled them.
Band, smoothing, dip and distance were chosen by random search on RAVDESS actors 1–16 and EmoDB speakers 03, 08–12.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from prosody.energy import HOP_S

BAND_HZ: Final = (150.0, 1_200.0)
SMOOTHING_S: Final = 0.015
MIN_PROMINENCE_DB: Final = 2.0
UNVOICED_DB: Final = 6.0
MAX_BELOW_PEAK_DB: Final = 25.0
MIN_DISTANCE_S: Final = 0.080
_FFT_WINDOW_S: Final = 0.025
_BLOCK_FRAMES: Final = 4_096  # bounds memory on clips of an hour


def syllable_nuclei(
    samples: NDArray[np.float32],
    sample_rate: int,
    *,
    speech: NDArray[np.bool_],
    voiced: NDArray[np.bool_],
    first_s: float,
) -> NDArray[np.float64]:
    """Times of syllable nuclei in seconds, ascending. Both masks: frames every 10 ms from `first_s` on."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    if not speech.any():
        return np.empty(0)
    times = np.asarray(first_s + np.flatnonzero(speech) * HOP_S, dtype=np.float64)
    sonority = np.zeros(len(speech))
    sonority[speech] = band_level(samples, sample_rate, times_s=times, band_hz=BAND_HZ)
    sonority[~speech] = sonority[speech].min() - MAX_BELOW_PEAK_DB
    smooth = gaussian_filter1d(sonority, SMOOTHING_S / HOP_S)
    smooth -= UNVOICED_DB * gaussian_filter1d((~voiced).astype(np.float64), 1.0)
    floor = smooth[speech].min() - MAX_BELOW_PEAK_DB
    smooth = np.pad(np.where(speech, smooth, floor), 1, constant_values=floor)  # a clip may begin inside a syllable
    peaks, _ = find_peaks(
        smooth,
        prominence=MIN_PROMINENCE_DB,
        height=smooth.max() - MAX_BELOW_PEAK_DB,
        distance=MIN_DISTANCE_S / HOP_S,
    )
    return np.asarray(first_s + (peaks - 1) * HOP_S)


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
