"""Made-up measured utterances for trials and benchmarks: plausible, seeded, and marked synthetic.

Each clip has an emotion, and its levels, contour and pauses lean towards what the survey expects of it, with enough
spread that many clips speak against their label. Cues are missing as often as they are for short or noisy speech.
No corpus stands behind them: they show what the generator does, never how people sound.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

from speech_claims.cue_values import NARROW_BELOW_ST, TERTILES, WIDE_ABOVE_ST
from speech_records import (
    ContourDynamics,
    ContourShape,
    Cue,
    Emotion,
    Gender,
    Level,
    LevelReading,
    MeasuredUtterance,
    Pause,
    ProsodyLevels,
    ProsodyProfile,
    StressedWord,
    Utterance,
)
from speech_records.emotion_cues import EXPRESSIONS

_T = TypeVar("_T")

CORPUS = "made-up"
_SCALE = "made-up"
_MEASURED = 0.92
"""How often a cue is measured with certainty (our choice)."""
_CENTRES = {"low": 22.0, "normal": 50.0, "high": 78.0}
_SPREAD = 26.0
"""Percentiles: where a level is expected, and how far clips scatter around it (our choice)."""
_AGES = ("Child", "Teenager", "Young Adult", "Middle-aged", "Elderly")
_MEDIAN_HZ = {Gender.FEMALE: 200.0, Gender.MALE: 115.0}

_PARTS = (
    ("The children", "My brother", "Nobody", "Your neighbour", "The old teacher", "Somebody", "The driver", "She"),
    ("left", "found", "forgot", "wanted", "opened", "carried", "sold", "remembered"),
    ("the letter", "the blue box", "those tickets", "the garden gate", "a window", "her coat", "the last train"),
    ("yesterday", "before noon", "in the kitchen", "again", "without a word", "after the storm", "tonight"),
)


def measured_utterances(count: int, *, seed: int) -> Iterator[MeasuredUtterance]:
    """`count` made-up measured utterances over all emotions in turn."""
    emotions = list(Emotion)
    for number in range(count):
        rng = random.Random(f"{CORPUS}:{seed}:{number}")
        yield _measured(f"{CORPUS}-{seed}-{number}", emotions[number % len(emotions)], rng)


def _measured(name: str, emotion: Emotion, rng: random.Random) -> MeasuredUtterance:
    transcript = " ".join(rng.choice(part) for part in _PARTS) + rng.choice(".?!")
    gender = rng.choice(list(Gender))
    utterance = Utterance(
        utterance_id=name, corpus=CORPUS, audio_path=f"{name}.wav", speaker_id=f"{gender.value}-{rng.randrange(20)}",
        emotion=emotion, transcript=_maybe(transcript, rng), language="en", gender=gender, synthetic=True,
    )  # fmt: skip
    return MeasuredUtterance(utterance, _profile(emotion, transcript, gender, rng), _levels(emotion, gender, rng))


def _maybe(value: _T, rng: random.Random) -> _T | None:
    return value if rng.random() < _MEASURED else None


def _percentile(emotion: Emotion, cue: Cue, rng: random.Random) -> float:
    expected = sorted(EXPRESSIONS[emotion].cues.get(cue, {"normal"}))
    return min(99.5, max(0.5, rng.gauss(_CENTRES[rng.choice(expected)], _SPREAD)))


def _levels(emotion: Emotion, gender: Gender, rng: random.Random) -> ProsodyLevels:
    def reading(cue: Cue, low: float, high: float, group: str = "pooled") -> LevelReading | None:
        percentile = _percentile(emotion, cue, rng)
        level = list(Level)[sum(percentile > cut for cut in TERTILES)]
        return _maybe(LevelReading(level, low + (high - low) * percentile / 100, percentile, group), rng)

    median = _MEDIAN_HZ[gender]
    return ProsodyLevels(
        scale=_SCALE, scale_hash=_SCALE, pitch=reading(Cue.PITCH, 0.7 * median, 1.6 * median, gender.value),
        energy=reading(Cue.ENERGY, -40.0, -12.0), rate=reading(Cue.RATE, 2.5, 7.5),
    )  # fmt: skip


def _profile(emotion: Emotion, transcript: str, gender: Gender, rng: random.Random) -> ProsodyProfile:
    expected = EXPRESSIONS[emotion].cues
    leans = rng.random() < 0.5
    dynamics = _lean(expected.get(Cue.CONTOUR_DYNAMICS), [d.value for d in ContourDynamics], rng, leans=leans)
    shape = _lean(expected.get(Cue.CONTOUR_SHAPE), [s.value for s in ContourShape], rng, leans=leans)
    span = {
        "flat": (0.5, NARROW_BELOW_ST),
        "moderate": (NARROW_BELOW_ST, WIDE_ABOVE_ST),
        "expressive": (WIDE_ABOVE_ST, 18),
    }
    pauses = tuple(Pause(0.4 + i, 0.4 + i + rng.uniform(0.15, 0.9)) for i in range(rng.choice((0, 0, 1, 1, 2, 4))))
    whispered = emotion is Emotion.WHISPER and rng.random() < 0.9
    stressed = rng.sample(transcript.split(), k=rng.choice((0, 1, 1, 2)))
    return ProsodyProfile(
        duration_s=6.0,
        sample_rate=16_000,
        f0_range_st=_maybe(rng.uniform(*span[dynamics]), rng),
        hnr_db=_maybe(rng.gauss(10.5, 3.5), rng),
        voiced_share=rng.uniform(0.0, 0.1) if whispered else rng.uniform(0.3, 0.8),
        pauses=pauses,
        pause_share=_maybe(sum(p.end_s - p.start_s for p in pauses) / 6.0, rng),
        contour_shape=ContourShape(shape),
        contour_dynamics=_maybe(ContourDynamics(dynamics), rng),
        stressed_words=_maybe(tuple(StressedWord(word.strip(".?!"), rng.uniform(0.5, 1.0)) for word in stressed), rng),
        gender=_maybe(gender, rng),
        age_group=rng.choice(_AGES) if rng.random() < 0.5 else None,
    )  # fmt: skip


def _lean(expected: frozenset[str] | None, values: Sequence[str], rng: random.Random, *, leans: bool) -> str:
    return rng.choice(sorted(expected) if expected and leans else list(values))
