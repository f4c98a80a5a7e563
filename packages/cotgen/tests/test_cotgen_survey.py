"""The table of how emotions sound, and the readings it is held against."""

from __future__ import annotations

import pytest

from cotgen.cue_evidence import EXPECTED, Fit, fit
from cotgen.rules.wording import PORTRAITS
from speech_claims.cue_values import cue_values
from speech_records import ContourDynamics, ContourShape, Cue, Emotion, Level, ProsodyProfile

VOCABULARY = {
    Cue.PITCH: {e.value for e in Level},
    Cue.ENERGY: {e.value for e in Level},
    Cue.RATE: {e.value for e in Level},
    Cue.CONTOUR_SHAPE: {e.value for e in ContourShape} - {"uncertain", "too_short"},
    Cue.CONTOUR_DYNAMICS: {e.value for e in ContourDynamics},
    Cue.PAUSES: {"none", "present", "long"},
    Cue.VOICING: {"whispered", "voiced"},
}


def test_every_emotion_has_a_row_and_a_portrait() -> None:
    assert set(EXPECTED) == set(Emotion) == set(PORTRAITS)


def test_the_table_uses_only_values_that_readings_can_take() -> None:
    for row in EXPECTED.values():
        for cue, values in row.items():
            assert values <= VOCABULARY[cue]


@pytest.mark.parametrize("emotion", list(Emotion))
def test_no_value_both_fits_and_opposes_and_some_value_fits(emotion: Emotion) -> None:
    """Expected values fit by definition; no cue expects everything."""
    for cue, values in EXPECTED[emotion].items():
        verdicts = {value: fit(emotion, cue, value) for value in VOCABULARY[cue]}
        assert {v for v, f in verdicts.items() if f is Fit.FITS} == values
        assert set(verdicts.values()) != {Fit.FITS}


@pytest.mark.parametrize(
    ("emotion", "cue", "value", "expected"),
    [
        # Juslin & Laukka (2003): anger is loud, fast and high; sadness soft, slow and low with a falling contour.
        (Emotion.ANGRY, Cue.ENERGY, "high", Fit.FITS),
        (Emotion.ANGRY, Cue.RATE, "low", Fit.AGAINST),
        (Emotion.SAD, Cue.CONTOUR_SHAPE, "falling", Fit.FITS),
        (Emotion.SAD, Cue.ENERGY, "high", Fit.AGAINST),
        # Scherer (2003): boredom lowers pitch and its range.
        (Emotion.BORED, Cue.CONTOUR_DYNAMICS, "flat", Fit.FITS),
        # The surveys disagree on the loudness of fear: the table is silent.
        (Emotion.FEAR, Cue.ENERGY, "high", Fit.OPEN),
        (Emotion.FEAR, Cue.ENERGY, "low", Fit.OPEN),
    ],
)
def test_readings_of_the_surveys(emotion: Emotion, cue: Cue, value: str, expected: Fit) -> None:
    assert fit(emotion, cue, value) is expected


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, "whispered"), (0.14, "whispered"), (0.15, None), (0.24, None), (0.25, "voiced")]
)
def test_voicing_is_called_only_where_it_is_clear(share: float, expected: str | None) -> None:
    """Under 15 % whispered, from 25 % voiced, nothing between."""
    readings = cue_values(ProsodyProfile(duration_s=1.0, sample_rate=16000, voiced_share=share), None)
    assert (readings[Cue.VOICING].value if Cue.VOICING in readings else None) == expected


@pytest.mark.parametrize(
    ("spread", "accepted"),
    [(1.9, {"low"}), (2.5, {"low", "normal"}), (6.0, {"normal"}), (9.5, {"normal", "high"}), (10.1, {"high"})],
)
def test_pitch_range_has_soft_borders(spread: float, accepted: set[str]) -> None:
    """Cuts at 3 and 9 semitones, either name within one semitone of a cut."""
    profile = ProsodyProfile(duration_s=1.0, sample_rate=16000, f0_range_st=spread)
    assert cue_values(profile, None)[Cue.PITCH_RANGE].accepted == accepted


@pytest.mark.parametrize("shape", [ContourShape.UNCERTAIN, ContourShape.TOO_SHORT])
def test_an_uncertain_contour_has_no_reading(shape: ContourShape) -> None:
    profile = ProsodyProfile(duration_s=1.0, sample_rate=16000, contour_shape=shape)
    assert Cue.CONTOUR_SHAPE not in cue_values(profile, None)
