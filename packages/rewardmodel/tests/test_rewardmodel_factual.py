"""The expected faithfulness score against the score of every combination of verdicts, and what cannot be gained."""

from __future__ import annotations

from itertools import product
from math import prod

import pytest

from rewardmodel import OFFERED, expected_faithfulness
from speech_claims.faithfulness import score_claims
from speech_records import Claim, Cue, Verdict

CLAIMS = (
    Claim(0, 1, "x", Cue.PITCH, "high", Verdict.UNVERIFIABLE),
    Claim(1, 2, "x", Cue.PITCH, "low", Verdict.UNVERIFIABLE),
    Claim(2, 3, "x", Cue.CONTOUR_DYNAMICS, "flat", Verdict.UNVERIFIABLE),
    Claim(3, 4, "x", Cue.PITCH_RANGE, "low", Verdict.UNVERIFIABLE),
    Claim(4, 5, "x", Cue.ENERGY, "not high", Verdict.UNVERIFIABLE),
)
CERTAIN = dict.fromkeys((Cue.PITCH, Cue.ENERGY, Cue.PITCH_RANGE, Cue.RATE), 1.0)


def test_the_mean_is_that_over_all_verdicts() -> None:
    """Two values of one cue, two names of another and a denial: 32 combinations, each scored by `score_claims`."""
    chances = (0.9, 0.3, 0.6, 0.7, 0.2)
    expected = earning = 0.0
    for world in product((Verdict.SUPPORTED, Verdict.CONTRADICTED), repeat=len(CLAIMS)):
        weight = prod(p if v is Verdict.SUPPORTED else 1 - p for p, v in zip(chances, world, strict=True))
        verified = [
            Claim(c.start, c.end, c.text, c.cue, c.value, v) for c, v in zip(CLAIMS, world, strict=True)
        ]  # fmt: skip
        found = score_claims(verified, tuple(CERTAIN)).score
        expected, earning = expected + weight * found, earning + weight * (found > 0.0)
    mean, _, chance = expected_faithfulness(CLAIMS, [False] * 5, chances, CERTAIN)
    assert mean == pytest.approx(expected, abs=1e-9)
    assert chance == pytest.approx(earning, abs=1e-9)


def test_certain_verdicts_give_the_score_itself() -> None:
    """Pitch right, energy wrong, two more cues offered: max(0, 1 - 1) / 4 and 1 / 4, neither uncertain."""
    claims = [CLAIMS[0], Claim(9, 10, "x", Cue.ENERGY, "high", Verdict.UNVERIFIABLE)]
    assert expected_faithfulness(claims, [False] * 2, [1.0, 0.0], CERTAIN) == (0.0, 0.0, 0.0)
    assert expected_faithfulness(claims[:1], [False], [1.0], CERTAIN) == (0.25, 0.0, 1.0)


def test_nothing_is_gained_by_repeating_hiding_or_stuffing() -> None:
    """Of repetitions the mean counts; in an obscured sentence nothing is earned; all levels at once cost."""
    once = expected_faithfulness([CLAIMS[0]], [False], [0.8], CERTAIN)[0]
    assert expected_faithfulness([CLAIMS[0]] * 5, [False] * 5, [0.8] * 5, CERTAIN)[0] == pytest.approx(once)
    assert expected_faithfulness([CLAIMS[0]], [True], [0.8], CERTAIN)[0] == 0.0
    stuffed = [Claim(0, 1, "x", Cue.PITCH, level, Verdict.UNVERIFIABLE) for level in ("low", "normal", "high")]
    assert expected_faithfulness(stuffed, [False] * 3, [0.1, 0.1, 0.8], CERTAIN)[0] < 0.1 * once


def test_a_cue_that_may_not_be_offered_counts_as_much() -> None:
    """Half the time pitch is offered, beside energy: 0.5 · 1 / (1 + 0.5)."""
    mean, _, _ = expected_faithfulness([CLAIMS[0]], [False], [1.0], {Cue.PITCH: 0.5, Cue.ENERGY: 1.0})
    assert mean == pytest.approx(1 / 3)
    assert set(CERTAIN) < set(OFFERED)
