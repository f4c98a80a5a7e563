"""Scores of `rewardmodel` for texts that `cotgen` writes, checked with the verifier and with a bag of words."""

from __future__ import annotations

import random
from collections import Counter
from math import log

import pytest
from instruments.made_up import measured_utterances

from cotgen import Style, generate
from cotgen.screening import check
from rewardmodel import Fault, build
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
    ReasoningTrace,
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


@pytest.mark.parametrize("style", Style)
def test_wrong_facts_and_missing_cues_are_what_the_verifier_finds(style: Style) -> None:
    """Of the n cues of a text the verifier must find 4 k / n = 5 - score contradicted, or gone; what the writer claims
    of the altered measurements must all be found too.
    """
    clips = [measured(seed) for seed in range(200)]
    by_name = {m.utterance.utterance_id: m for m in clips}

    def write(m: MeasuredUtterance) -> ReasoningTrace:
        return generate(m, label_set=PAPER_9, seed=0, style=style)

    traces = {name: write(m) for name, m in by_name.items()}
    graded = build(clips, traces, write=write, label_set=PAPER_9, seed=0, per_trace=7).graded
    counts = Counter(g.fault for g in graded)
    assert counts[Fault.WRONG_FACTS] > 150
    for g in graded:
        m = by_name[g.utterance_id]
        claims = verify(g.think, m.profile, m.levels, m.utterance.transcript)
        cues = {c.cue for c in claims} - {Cue.QUOTE}
        if g.fault is Fault.WRONG_FACTS:
            wrong = {c.cue for c in claims if c.verdict is Verdict.CONTRADICTED}
            assert g.scores.factual_alignment == pytest.approx(5 - 4 * len(wrong) / len(cues)), g.think
            assert check(g.think, g.answer, traces[g.utterance_id].claims) == ()
        if g.fault is Fault.MISSING_CUES:
            before = {c.cue for c in traces[g.utterance_id].claims} - {Cue.QUOTE}
            missing = 5 - 4 * len(before - cues) / len(before)
            assert g.scores.caption_completeness == pytest.approx(missing), g.think


@pytest.mark.parametrize("style", Style)
def test_no_word_gives_wrong_facts_away(style: Style) -> None:
    """A bag of words, trained on two thirds of the clips, must hardly tell verified texts from wrong ones on the rest.

    Chance is an area of 0.5. Where value words were exchanged in the finished text, logistic regression on words and
    pairs of words reached 0.87 (plain) and 0.81 (varied).
    """
    clips = [m for m in measured_utterances(750, seed=3) if m.utterance.emotion in PAPER_9.labels]

    def write(m: MeasuredUtterance) -> ReasoningTrace:
        return generate(m, label_set=PAPER_9, seed=1, style=style)

    traces = {m.utterance.utterance_id: write(m) for m in clips}
    graded = build(clips, traces, write=write, label_set=PAPER_9, seed=0, per_trace=7).graded
    texts = {fault: [(g.utterance_id, set(g.think.lower().split())) for g in graded if g.fault is fault]
             for fault in (Fault.NONE, Fault.WRONG_FACTS)}  # fmt: skip
    held_out = {m.utterance.utterance_id for m in clips[::3]}
    counts = {fault: Counter(w for name, said in rows if name not in held_out for w in said)
              for fault, rows in texts.items()}  # fmt: skip
    totals = {fault: sum(name not in held_out for name, _ in rows) for fault, rows in texts.items()}

    def odds(said: set[str]) -> float:
        true, wrong = (
            [log((counts[f][w] + 1) / (totals[f] + 2)) for w in sorted(said)] for f in (Fault.NONE, Fault.WRONG_FACTS)
        )
        return sum(true) - sum(wrong)

    scores = {fault: [odds(said) for name, said in rows if name in held_out] for fault, rows in texts.items()}
    true, wrong = scores[Fault.NONE], scores[Fault.WRONG_FACTS]
    area = sum((t > w) + 0.5 * (t == w) for t in true for w in wrong) / (len(true) * len(wrong))
    assert 0.4 < area < 0.6
