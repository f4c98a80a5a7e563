"""The table of how emotions sound, against the vocabulary of cues and the surveys that it condenses."""

from __future__ import annotations

import pytest

from speech_records import ContourDynamics, ContourShape, Cue, Emotion, Level
from speech_records.emotion_cues import EXPRESSIONS, Evidence, cue_evidence

VOCABULARY = {
    Cue.PITCH: {e.value for e in Level},
    Cue.ENERGY: {e.value for e in Level},
    Cue.RATE: {e.value for e in Level},
    Cue.CONTOUR_SHAPE: {e.value for e in ContourShape} - {"uncertain", "too_short"},
    Cue.CONTOUR_DYNAMICS: {e.value for e in ContourDynamics},
    Cue.PAUSES: {"none", "present", "long"},
    Cue.VOICING: {"whispered", "voiced"},
}


def test_every_emotion_has_a_row() -> None:
    assert set(EXPRESSIONS) == set(Emotion)


def test_the_table_uses_only_values_that_readings_can_take() -> None:
    for row in EXPRESSIONS.values():
        for cue, values in row.cues.items():
            assert values <= VOCABULARY[cue]


@pytest.mark.parametrize("emotion", list(Emotion))
def test_no_value_both_fits_and_opposes_and_some_value_fits(emotion: Emotion) -> None:
    """Expected values fit by definition; no cue expects everything."""
    for cue, values in EXPRESSIONS[emotion].cues.items():
        verdicts = {value: cue_evidence(emotion, cue, value) for value in VOCABULARY[cue]}
        assert {v for v, f in verdicts.items() if f is Evidence.FITS} == values
        assert set(verdicts.values()) != {Evidence.FITS}


@pytest.mark.parametrize(
    ("emotion", "cue", "value", "expected"),
    [
        # Juslin & Laukka (2003): anger is loud, fast and high; sadness soft, slow and low with a falling contour.
        (Emotion.ANGRY, Cue.ENERGY, "high", Evidence.FITS),
        (Emotion.ANGRY, Cue.RATE, "low", Evidence.AGAINST),
        (Emotion.SAD, Cue.CONTOUR_SHAPE, "falling", Evidence.FITS),
        (Emotion.SAD, Cue.ENERGY, "high", Evidence.AGAINST),
        # Scherer (2003): boredom lowers pitch and its range.
        (Emotion.BORED, Cue.CONTOUR_DYNAMICS, "flat", Evidence.FITS),
        # The surveys disagree on the loudness of fear: the table is silent.
        (Emotion.FEAR, Cue.ENERGY, "high", Evidence.NEUTRAL),
        (Emotion.FEAR, Cue.ENERGY, "low", Evidence.NEUTRAL),
    ],
)
def test_readings_of_the_surveys(emotion: Emotion, cue: Cue, value: str, expected: Evidence) -> None:
    assert cue_evidence(emotion, cue, value) is expected
