"""Gender of an adult voice from its sound: logistic regression on pitch and on the shape of the voiced spectrum.

Pitch alone fails on emotional speech, where angry men reach the pitch of calm women; the vocal tract does not move with
emotion, and its length shows in the envelope of the voiced spectrum. 27 features of the clip's voiced frames (low and
median F0, mel cepstrum 2–19 of the mean log spectrum, and their interactions) go into one linear model, fitted by
`packages/prosody/fit/fit_gender.py` on RAVDESS actors 1–16, EmoDB speakers 03, 08–12 and five speakers of nEMO
(English, German, Polish), corpora and genders weighted alike, through random channels: a microphone colours the
spectrum, too.

The answer is a guess about a voice, not a person: children, trained and trans voices are outside of what it was fitted
on. It is withheld where such models were wrong too often on the corpus that they were not fitted on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prosody.pitch import PitchTrack
from speech_records import Gender

MIN_VOICED_FRAMES: Final = 30
"""0.3 s; the mean spectrum of less depends on which vowel it was."""
MIN_SAMPLE_RATE: Final = 14_000
"""Hz of the clip itself: the spectrum up to 7 kHz must have been recorded."""
MIN_CONFIDENCE: Final = 0.85
"""Below it the answer is withheld. With each corpus left out in turn, 0.98 of the answers on EmoDB, 0.98 on nEMO and
0.96 on RAVDESS were right at this confidence, and 82 to 86 % of the clips answered.
"""
_FILTERS: Final = 25
_BAND_HZ: Final = (100.0, 7_000.0)
_FFT: Final = 512
_WINDOW: Final = 400  # samples: 25 ms at 16 kHz
CEPSTRUM: Final = slice(2, 20)  # 0 is level, 1 the tilt, which the microphone decides as much as the speaker
_CHUNK_FRAMES: Final = 1 << 13  # 164 s of voicing: an hour of it in one piece would take a gibibyte
_INTERACTIONS: Final = 6  # of the lowest coefficients with pitch
_REFERENCE_LOG2_HZ: Final = 7.4  # 169 Hz, between the sexes


@dataclass(frozen=True, slots=True)
class GenderGuess:
    """`gender` is `None` for an ambiguous voice; `confidence`, in [0.5, 1], is the probability of the likelier one."""

    gender: Gender | None
    confidence: float


def guess_gender(samples: NDArray[np.float32], sample_rate: int, pitch: PitchTrack) -> GenderGuess | None:
    """Gender of the voice in `samples` (16 kHz, [n]) from its voiced frames; `None` with under 0.3 s of voicing."""
    if pitch.voiced.sum() < MIN_VOICED_FRAMES:
        return None
    mean, scale, weights, bias = _model()
    standard = (voice_features(samples, sample_rate, pitch) - mean) / scale
    male = float(1.0 / (1.0 + np.exp(-(standard @ weights + bias))))
    confidence = max(male, 1.0 - male)
    gender = Gender.MALE if male > 0.5 else Gender.FEMALE
    return GenderGuess(gender if confidence >= MIN_CONFIDENCE else None, confidence)


def voice_features(samples: NDArray[np.float32], sample_rate: int, pitch: PitchTrack) -> NDArray[np.float64]:
    """The 27 features of a clip with voicing: log2 F0 (p5, median), cepstrum, squared pitch, pitch × cepstrum."""
    return assemble(*voice_measures(samples, sample_rate, pitch))


def voice_measures(
    samples: NDArray[np.float32], sample_rate: int, pitch: PitchTrack
) -> tuple[float, float, NDArray[np.float64]]:
    """What the features are made of: log2 F0 (p5 and median, relative to 169 Hz) and the 18 cepstral coefficients."""
    from scipy.fft import dct, rfft

    voiced = pitch.voiced
    low, median = np.log2(np.percentile(pitch.f0_hz[voiced], [5.0, 50.0])) - _REFERENCE_LOG2_HZ
    starts = np.round(pitch.times_s[voiced][::2] * sample_rate).astype(int) - _WINDOW // 2
    window, filters = np.hanning(_WINDOW).astype(np.float32), _mel_filters(sample_rate).T
    parts = [starts[i : i + _CHUNK_FRAMES] for i in range(0, len(starts), _CHUNK_FRAMES)]
    mel = np.concatenate([np.abs(rfft(_frames(samples, part) * window, _FFT, axis=1)) ** 2 @ filters for part in parts])
    spectrum = np.log(mel + 1e-7 * mel.max()).mean(axis=0)  # a floor relative to the clip: a gain changes nothing
    return float(low), float(median), dct(spectrum, norm="ortho")[CEPSTRUM]


def _frames(samples: NDArray[np.float32], starts: NDArray[np.int_]) -> NDArray[np.float32]:
    """The windows that begin at the ascending `starts`, [starts, _WINDOW], with zeros beyond the ends of the clip."""
    first, end = int(starts[0]), int(starts[-1]) + _WINDOW
    stretch = np.pad(samples[max(0, first) : end], (max(0, -first), max(0, end - len(samples))))
    return np.asarray(np.lib.stride_tricks.sliding_window_view(stretch, _WINDOW)[starts - first])


def assemble(low: float, median: float, cepstrum: NDArray[np.float64]) -> NDArray[np.float64]:
    """The features of `voice_measures`."""
    return np.concatenate(([low, median], cepstrum, [median**2], median * cepstrum[:_INTERACTIONS]))


@cache
def _mel_filters(sample_rate: int) -> NDArray[np.float32]:
    """Triangular filters, [filters, bins], evenly spaced on the mel scale 2595·log10(1 + f/700)."""
    low, high = (2595.0 * np.log10(1.0 + edge / 700.0) for edge in _BAND_HZ)
    edges = 700.0 * (10.0 ** (np.linspace(low, high, _FILTERS + 2) / 2595.0) - 1.0)
    bins = np.arange(_FFT // 2 + 1) * sample_rate / _FFT
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


@cache
def _model() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Mean, scale and weight of each feature, and the bias, from the package's data; positive is male."""
    raw = json.loads(files("prosody").joinpath("voice_gender.json").read_text(encoding="utf-8"))
    return np.array(raw["mean"]), np.array(raw["scale"]), np.array(raw["weights"]), float(raw["bias"])
