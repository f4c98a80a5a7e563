"""Prominence: which syllables and words stand out, from duration, energy, pitch and spectrum.

Twelve measures of each syllable, relative to the clip's own median, and their differences to both neighbours go into
one linear model (36 weights), fitted on the prominence judgements of EmoDB's syllables (judged 2 or more against less
than 1, speakers 03 and 08–12). A word is as prominent as its most prominent syllable; a word given without syllables is
cut evenly into as many as its spelling has.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prosody.alignment import Aligner, Alignment, EvenSpread, Segment
from prosody.audio import DEFAULT_SAMPLE_RATE, resample
from prosody.errors import AlignmentError
from prosody.measurement import Tracks, checked_samples, tracks
from prosody.nuclei import band_level
from speech_records import StressedWord

STRESSED: Final = 0.5
"""Score from which on a word counts as stressed: as likely judged prominent as not, in a balanced set."""
_MEASURES: Final = (
    "log duration", "peak level", "mean level", "level 0.5–2 kHz", "tilt 1–4 kHz over 0.1–1 kHz", "mean F0", "peak F0",
    "F0 range", "F0 rise", "log voiced duration", "voiced share", "level 0.1–1 kHz",
)  # fmt: skip
_BANDS_HZ: Final = ((500.0, 2_000.0), (1_000.0, 4_000.0), (100.0, 1_000.0))
_MIN_PITCH_FRAMES: Final = 2
_LIMIT: Final = 60.0  # dB or st beyond which a difference says no more


class StressBackend(Protocol):
    """Finds the stressed words of a clip."""

    def stressed_words(self, samples: ArrayLike, sample_rate: int, *, transcript: str) -> tuple[StressedWord, ...]:
        """The stressed words in order, with scores in [0, 1] and times."""
        ...


@dataclass(frozen=True, slots=True)
class AcousticProminence:
    """The default backend: the model of this module over the words that `aligner` finds.

    With an `EvenSpread`, which only guesses where words are, the result carries no times.
    """

    aligner: Aligner = field(default_factory=EvenSpread)
    threshold: float = STRESSED

    def stressed_words(self, samples: ArrayLike, sample_rate: int, *, transcript: str) -> tuple[StressedWord, ...]:
        """Words of `transcript` that score at least `threshold`; `AlignmentError` when they cannot be placed."""
        checked = checked_samples(samples, sample_rate)
        alignment = self.aligner.align(checked, sample_rate, transcript)
        return stressed_words(checked, sample_rate, alignment, threshold=self.threshold)


def stressed_words(
    samples: ArrayLike, sample_rate: int, alignment: Alignment, *, threshold: float = STRESSED
) -> tuple[StressedWord, ...]:
    """The words of an alignment that score at least `threshold`; times only where words were really aligned."""
    scores = word_prominence(samples, sample_rate, alignment.words)
    timed = alignment.method != "even"
    return tuple(
        StressedWord(word.label, float(score), word.start_s if timed else None, word.end_s if timed else None)
        for word, score in zip(alignment.words, scores, strict=True)
        if score >= threshold
    )


def word_prominence(samples: ArrayLike, sample_rate: int, words: Sequence[Segment]) -> NDArray[np.float64]:
    """Prominence of each word in [0, 1], shape [words]: that of its most prominent syllable."""
    syllables = [piece for word in words for piece in _cut(word)]
    scores = prominence(samples, sample_rate, syllables)
    starts = np.cumsum([0, *(word.syllables for word in words[:-1])])
    return np.maximum.reduceat(scores, starts) if len(words) else np.empty(0)


def _cut(word: Segment) -> list[Segment]:
    edges = np.linspace(word.start_s, word.end_s, word.syllables + 1)
    return [Segment(word.label, float(a), float(b)) for a, b in pairwise(edges)]


def prominence(samples: ArrayLike, sample_rate: int, syllables: Sequence[Segment]) -> NDArray[np.float64]:
    """Prominence of each syllable in [0, 1], shape [syllables], relative to the others of the clip.

    Raises `AlignmentError` when a syllable lies outside of the clip, `AnalysisError` for unmeasurable samples.
    """
    if not syllables:
        return np.empty(0)
    mean, scale, weights, bias = _model()
    features = prominence_features(checked_samples(samples, sample_rate), sample_rate, syllables)
    return np.asarray(1.0 / (1.0 + np.exp(-((features - mean) / scale @ weights + bias))))


def prominence_features(
    samples: NDArray[np.float32], sample_rate: int, syllables: Sequence[Segment]
) -> NDArray[np.float64]:
    """The twelve measures relative to the clip's median, and their differences to both neighbours, [syllables, 36]."""
    duration_s = len(samples) / sample_rate
    for syllable in syllables:
        if syllable.start_s >= duration_s:
            raise AlignmentError(
                f"{syllable.label!r} starts at {syllable.start_s:.3f} s, the clip ends at {duration_s:.3f} s"
            )
    measured = tracks(samples, sample_rate)
    bands = _bands(resample(samples, sample_rate, DEFAULT_SAMPLE_RATE), measured)
    raw = np.array([_measures(measured, bands, syllable) for syllable in syllables])
    known = np.isfinite(raw)
    centre = np.array([np.median(column[ok]) if ok.any() else 0.0 for column, ok in zip(raw.T, known.T, strict=True)])
    relative = np.clip(np.where(known, raw - centre, 0.0), -_LIMIT, _LIMIT)
    edge = np.zeros((1, relative.shape[1]))
    before, after = np.vstack([edge, relative[:-1]]), np.vstack([relative[1:], edge])
    return np.hstack([relative, relative - before, relative - after])


def _bands(signal: NDArray[np.float32], measured: Tracks) -> list[NDArray[np.float64]]:
    times = measured.energy_times_s
    return [band_level(signal, DEFAULT_SAMPLE_RATE, times_s=times, band_hz=band) for band in _BANDS_HZ]


def _measures(measured: Tracks, bands: list[NDArray[np.float64]], syllable: Segment) -> list[float]:
    """The row of `_MEASURES` of one syllable; NaN where it cannot be known."""
    start, end = syllable.start_s, syllable.end_s
    inside = (measured.energy_times_s >= start) & (measured.energy_times_s < end)
    level = measured.energy_dbfs[inside]
    level = level[np.isfinite(level)]
    middle, high, low = (np.percentile(band[inside], 90.0) if inside.any() else np.nan for band in bands)
    pitch = measured.pitch
    voiced = (pitch.times_s >= start) & (pitch.times_s < end) & pitch.voiced
    st = 12.0 * np.log2(pitch.f0_hz[voiced]) if voiced.sum() >= _MIN_PITCH_FRAMES else np.full(1, np.nan)
    voiced_s = 0.010 * float(voiced.sum())
    return [
        float(np.log(end - start)),
        float(level.max()) if len(level) else np.nan,
        float(10.0 * np.log10(np.mean(10.0 ** (level / 10.0)))) if len(level) else np.nan,
        float(middle),
        float(high - low),
        float(st.mean()),
        float(st.max()),
        float(st.max() - st.min()),
        float(st[-1] - st[0]),
        float(np.log(0.010 + voiced_s)),
        voiced_s / (end - start),
        float(low),
    ]


@cache
def _model() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Mean, scale and weight of each feature, and the bias, from the package's data; positive is prominent."""
    raw = json.loads(files("prosody").joinpath("prominence.json").read_text(encoding="utf-8"))
    return np.array(raw["mean"]), np.array(raw["scale"]), np.array(raw["weights"]), float(raw["bias"])
