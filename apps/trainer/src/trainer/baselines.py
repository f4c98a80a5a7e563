"""What a model must be compared with: the majority class, classical features, text alone, and the wrong audio.

- `majority`: always the most frequent emotion of the training clips.
- `prosody`: logistic regression on the measurements of `feature_values`.
- `text`: logistic regression on the words of the transcript, to show how much the words alone tell.
- `shuffled_audio`: `prosody`, given each test clip the measurements of another; what it still gets right is luck.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from speech_records import ContourShape, Emotion, Gender, LabelSet, MeasuredUtterance, ProsodyProfile
from trainer.errors import DataSetError
from trainer.metrics import Evaluation, Prediction, evaluate

MAX_ITERATIONS = 2000

_SHAPES = (
    ContourShape.RISING,
    ContourShape.FALLING,
    ContourShape.RISING_FALLING,
    ContourShape.FALLING_RISING,
    ContourShape.LEVEL,
)
_PLAIN = (
    "f0_range_st",
    "f0_sd_st",
    "f0_slope_st_per_s",
    "voiced_share",
    "energy_dbfs",
    "energy_range_db",
    "hnr_db",
    "articulation_rate_sps",
    "pause_share",
)


@dataclass(frozen=True, slots=True)
class BaselineReport:
    """The baselines on one test set; `text` is `None` when no clip has a transcript."""

    train_clips: int
    test_clips: int
    majority: Evaluation
    prosody: Evaluation
    text: Evaluation | None
    shuffled_audio: Evaluation


def run_baselines(
    train: Sequence[MeasuredUtterance], test: Sequence[MeasuredUtterance], *, label_set: LabelSet, seed: int
) -> BaselineReport:
    """Fit on `train`, report on `test`. Clips whose emotion `label_set` leaves out are left out of both.

    Raises `DataSetError` when a side has no labelled clips, training knows only one emotion, or a speaker is on both.
    """
    train, truth = _labelled(train, label_set)
    test, wanted = _labelled(test, label_set)
    _check(train, truth, test)
    classifier = prosody_classifier().fit(features(train), truth)
    measured = features(test)
    shuffled = measured[np.random.default_rng(seed).permutation(len(test))]
    words = _text_answers(train, truth, test)

    def score(answers: Sequence[str]) -> Evaluation:
        predictions = [
            Prediction(m.utterance.utterance_id, m.utterance.speaker_id, Emotion(label), Emotion(answer))
            for m, label, answer in zip(test, wanted, answers, strict=True)
        ]
        return evaluate(predictions, label_set=label_set, seed=seed)

    return BaselineReport(
        train_clips=len(train),
        test_clips=len(test),
        majority=score([Counter(truth).most_common(1)[0][0]] * len(test)),
        prosody=score(classifier.predict(measured)),
        text=None if words is None else score(words),
        shuffled_audio=score(classifier.predict(shuffled)),
    )


def prosody_accuracy(
    train: Sequence[MeasuredUtterance], test: Sequence[MeasuredUtterance], label_set: LabelSet
) -> float | None:
    """Accuracy of `prosody_classifier` on the labels of `test`; `None` where training knows fewer than two labels."""
    train, truth = _labelled(train, label_set)
    test, wanted = _labelled(test, label_set)
    if len(set(truth)) < 2:
        return None
    return float(prosody_classifier().fit(features(train), truth).score(features(test), wanted))


def prosody_classifier() -> Pipeline:
    """Logistic regression on `features`: mean imputation with a column that says so, standardised, L2 with C = 1.

    Whispered speech has no pitch, so what is missing is evidence itself.
    """
    return make_pipeline(
        SimpleImputer(add_indicator=True, keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(max_iter=MAX_ITERATIONS),
    )


def features(measured: Sequence[MeasuredUtterance]) -> NDArray[np.float64]:
    """The values of `feature_values`, one row for each utterance."""
    return np.array([list(feature_values(m.profile).values()) for m in measured], dtype=np.float64)


def feature_values(profile: ProsodyProfile) -> dict[str, float]:
    """What the classifier is given, by name; NaN where the profile holds `None`.

    The profile's measurements, F0's median in semitones above 1 Hz, one value for each contour shape, and whether its
    voice is female. Durations are left out: they tell the sentence.
    """
    median, shape = profile.f0_median_hz, profile.contour_shape
    plain = {name: getattr(profile, name) for name in _PLAIN}
    return {
        "f0_median_st": np.nan if median is None else 12.0 * np.log2(median),
        **{name: np.nan if value is None else float(value) for name, value in plain.items()},
        **{f"contour_{each.value}": float(shape is each) if shape in _SHAPES else np.nan for each in _SHAPES},
        "female": np.nan if profile.gender is None else float(profile.gender is Gender.FEMALE),
    }


def _text_answers(
    train: Sequence[MeasuredUtterance], truth: Sequence[str], test: Sequence[MeasuredUtterance]
) -> Sequence[str] | None:
    """Answers of a bag-of-words classifier for the transcripts of `test`; `None` when training has no words."""
    texts = [m.utterance.transcript or "" for m in train]
    if not any(text.split() for text in texts):
        return None
    bag = CountVectorizer(binary=True, tokenizer=str.split, token_pattern=None)
    classifier = make_pipeline(bag, LogisticRegression(max_iter=MAX_ITERATIONS)).fit(texts, truth)
    answers: Sequence[str] = classifier.predict([m.utterance.transcript or "" for m in test])
    return answers


def _labelled(measured: Sequence[MeasuredUtterance], label_set: LabelSet) -> tuple[list[MeasuredUtterance], list[str]]:
    """The utterances that have a label in `label_set`, and those labels."""
    pairs = [(m, label_set.map(m.utterance.emotion)) for m in measured if m.utterance.emotion is not None]
    return [m for m, label in pairs if label is not None], [label.value for _, label in pairs if label is not None]


def _check(train: Sequence[MeasuredUtterance], truth: Sequence[str], test: Sequence[MeasuredUtterance]) -> None:
    if not test or len(set(truth)) < 2:
        raise DataSetError(
            f"baselines need test clips and training clips of two emotions, got {len(test)} and {len(set(truth))}"
        )
    both = {m.utterance.speaker_id for m in train} & {m.utterance.speaker_id for m in test}
    if both:
        raise DataSetError(f"speaker {min(both)} is in training and test; baselines are reported on unseen speakers")
