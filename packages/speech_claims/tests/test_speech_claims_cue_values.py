"""What a profile says of each cue: the borders at which a value gets its name."""

from __future__ import annotations

import pytest

from speech_claims.cue_values import cue_values
from speech_records import ContourShape, Cue, ProsodyProfile


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
