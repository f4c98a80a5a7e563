"""`rewardmodel` grades text without the measurements; `speech_claims.verify`, which has them, must agree."""

from __future__ import annotations

import random

import pytest

from cotgen import generate
from rewardmodel import Fault, corrupt
from speech_claims import verify
from speech_records import (
    PAPER_9,
    ContourDynamics,
    ContourShape,
    Cue,
    Level,
    LevelReading,
    MeasuredUtterance,
    Pause,
    ProsodyLevels,
    ProsodyProfile,
    StressedWord,
    Utterance,
    Verdict,
)

MID_PERCENTILE = {Level.LOW: 10.0, Level.NORMAL: 50.0, Level.HIGH: 90.0}
"""Far from the borders between levels, where only one name is fair."""


def measured(seed: int) -> MeasuredUtterance:
    rng = random.Random(seed)
    shapes = [s for s in ContourShape if s not in (ContourShape.UNCERTAIN, ContourShape.TOO_SHORT)]
    readings = {
        name: LevelReading(level, value=1.0, percentile=MID_PERCENTILE[level])
        for name in ("pitch", "energy", "rate")
        for level in [rng.choice(list(Level))]
    }
    profile = ProsodyProfile(
        duration_s=2.0,
        sample_rate=16_000,
        voiced_share=rng.choice([0.05, 0.6]),
        contour_shape=rng.choice(shapes),
        contour_dynamics=rng.choice(list(ContourDynamics)),
        pause_share=0.1,
        pauses=rng.choice([(), (Pause(0.5, 1.1),), (Pause(0.5, 0.7),)]),
        stressed_words=(StressedWord("door", 0.9),),
    )
    utterance = Utterance(
        f"u{seed}", "made", "a.wav", "s1", emotion=rng.choice(PAPER_9.labels), transcript="The door is open today."
    )
    return MeasuredUtterance(utterance, profile, ProsodyLevels("made", "0", **readings))


@pytest.mark.parametrize("severity", [1, 2, 3, 4])
def test_wrong_facts_and_missing_cues_are_what_the_verifier_finds(severity: int) -> None:
    """Of the n cues of a trace the verifier must find 4 k / n = 5 - score contradicted, or gone."""
    for seed in range(50):
        m = measured(seed)
        trace = generate(m, label_set=PAPER_9, seed=seed)
        cues = {c.cue for c in trace.claims} - {Cue.QUOTE}
        for fault in (Fault.WRONG_FACTS, Fault.MISSING_CUES):
            graded = corrupt(trace, fault=fault, severity=severity, generator=random.Random(seed), label_set=PAPER_9)
            claims = verify(graded.think, m.profile, m.levels, m.utterance.transcript)
            wrong = {c.cue for c in claims if c.verdict is Verdict.CONTRADICTED}
            missing = cues - {c.cue for c in claims}
            assert graded.scores.factual_alignment == pytest.approx(5 - 4 * len(wrong) / len(cues)), graded.think
            assert graded.scores.caption_completeness == pytest.approx(5 - 4 * len(missing) / len(cues)), graded.think
