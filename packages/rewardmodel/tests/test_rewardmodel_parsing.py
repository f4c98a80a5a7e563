"""Parsed traces: no text is lost, and claims stand where they say, also after sentences were damaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from rewardmodel.faults import Damage, missing_cues, wrong_inference
from rewardmodel.parsing import ParsedTrace, Sentence, parse_trace
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


def claims_stand(parsed: ParsedTrace) -> bool:
    return all(s.text[c.start : c.end] == c.text for s in parsed.sentences for c in s.claims)


def test_sentences_are_cut_outside_claims_and_put_together_again(make_trace: TraceMaker) -> None:
    trace = make_trace(sentences=SENTENCES)
    parsed = parse_trace(trace, label_set=PAPER_9)
    assert [s.text for s in parsed.sentences] == [text for text, _ in SENTENCES]
    assert parsed.think == trace.think
    assert parsed.cues == {Cue.PITCH, Cue.ENERGY, Cue.RATE}
    assert claims_stand(parsed)


@pytest.mark.parametrize("damage", [wrong_inference, missing_cues])
def test_claims_stand_where_they_say_after_every_fault(make_trace: TraceMaker, damage: Damage) -> None:
    """Replacements are shorter and longer than what they replace, and stand before other claims."""
    for seed in range(20):
        parsed = parse_trace(make_trace(sentences=SENTENCES), label_set=PAPER_9)
        damaged = damage(parsed, 1 + seed % 4, Random(seed))
        assert damaged is not None
        assert claims_stand(damaged)


def test_claims_behind_a_replaced_label_move_along() -> None:
    """`angry` becomes `sad`, two characters less."""
    claim = Claim(9, 19, "high pitch", Cue.PITCH, "high", Verdict.SUPPORTED)
    sentence = Sentence("Angry. A high pitch.", (claim,)).replace_spans([(0, 5)], "Sad")
    assert sentence == Sentence("Sad. A high pitch.", (replace(claim, start=7, end=17),))


def test_of_overlapping_claims_the_first_is_kept() -> None:
    text = "The pitch is very high."
    first = Claim(4, 22, "pitch is very high", Cue.PITCH, "high", Verdict.SUPPORTED)
    inner = Claim(18, 22, "high", Cue.ENERGY, "high", Verdict.SUPPORTED)
    trace = ReasoningTrace("a1", text, PAPER_9.labels[0], (inner, first))
    assert parse_trace(trace, label_set=PAPER_9).sentences[0].claims == (first,)
