"""Traces taken apart: no text is lost, and claims stand where they say, also after sentences were rewritten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from rewardmodel.drafts import Draft, Sentence, take_apart
from rewardmodel.faults import FAULTS
from rewardmodel.graded import Fault
from speech_records import PAPER_9, Claim, Cue, ReasoningTrace, Verdict

TraceMaker = Callable[..., ReasoningTrace]

SENTENCES = [
    ("We hear “I am here. Go away!”", [("“I am here. Go away!”", Cue.QUOTE, "I am here. Go away!")]),
    ("An angry voice: high pitch, loud voice.", [
        ("high pitch", Cue.PITCH, "high"), ("loud voice", Cue.ENERGY, "high")
    ]),
    ("Angry or angry still, with a slow rate.", [("slow rate", Cue.RATE, "low")]),
]  # fmt: skip
"""A quote of two sentences, claims that follow one another, and labels before claims."""


def claims_stand(draft: Draft) -> bool:
    return all(s.text[c.start : c.end] == c.text for s in draft.sentences for c in s.claims)


def test_sentences_are_cut_outside_claims_and_put_together_again(make_trace: TraceMaker) -> None:
    trace = make_trace(sentences=SENTENCES)
    draft = take_apart(trace, label_set=PAPER_9)
    assert [s.text for s in draft.sentences] == [text for text, _ in SENTENCES]
    assert draft.think == trace.think
    assert draft.cues == {Cue.PITCH, Cue.ENERGY, Cue.RATE}
    assert claims_stand(draft)


@pytest.mark.parametrize("fault", [Fault.WRONG_FACTS, Fault.WRONG_INFERENCE, Fault.MISSING_CUES])
def test_claims_stand_where_they_say_after_every_fault(make_trace: TraceMaker, fault: Fault) -> None:
    """Replacements are shorter and longer than what they replace, and stand before other claims."""
    for seed in range(20):
        draft = take_apart(make_trace(sentences=SENTENCES), label_set=PAPER_9)
        damaged = FAULTS[fault](draft, 1 + seed % 4, Random(seed))
        assert damaged is not None
        assert claims_stand(damaged)


def test_faults_one_after_the_other_equal_both_at_once() -> None:
    """`angry` becomes `sad` (two characters less) before a claim that then becomes `raised pitch` (two more)."""
    claim = Claim(9, 19, "high pitch", Cue.PITCH, "high", Verdict.SUPPORTED)
    sentence = Sentence("Angry. A high pitch.", (claim,)).replace_spans([(0, 5)], "Sad")
    moved = replace(claim, start=7, end=17)
    assert sentence == Sentence("Sad. A high pitch.", (moved,))
    louder = replace(moved, end=19, text="raised pitch")
    assert sentence.rewrite({moved: louder}) == Sentence("Sad. A raised pitch.", (louder,))


def test_of_overlapping_claims_the_first_is_kept() -> None:
    text = "The pitch is very high."
    first = Claim(4, 22, "pitch is very high", Cue.PITCH, "high", Verdict.SUPPORTED)
    inner = Claim(18, 22, "high", Cue.ENERGY, "high", Verdict.SUPPORTED)
    trace = ReasoningTrace("a1", text, PAPER_9.labels[0], (inner, first))
    assert take_apart(trace, label_set=PAPER_9).claims == (first,)
