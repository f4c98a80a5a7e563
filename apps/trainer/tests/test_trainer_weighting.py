"""How much tokens count in SFT. Expected weights are worked by hand; spans are read off the texts."""

from __future__ import annotations

import pytest
import torch

from speech_records import Claim, Cue, Verdict
from speechlm import train_tokenizer
from trainer.errors import ConfigError
from trainer.settings import SFTSettings
from trainer.weighting import Marked, Part, claim_spans, completion_parts, decision_span, sft_loss_weights

SHARES = {Part.TEXT: 0.3, Part.CLAIM: 0.5, Part.DECISION: 0.2}
THINK = "We hear “Go.” The pitch is high. It sounds like a tense delivery, and the high pitch fits this."
TARGET = f"<think>{THINK}</think><answer>angry</answer>"


def test_every_row_counts_the_same_and_each_part_has_its_share() -> None:
    """Row 0: text 0.3 over two tokens, one claim 0.5, decision 0.2 over two. Row 1 is text alone, so it gets all. Row 2
    has no claim: 0.3 and 0.2 become 0.6 and 0.4."""
    parts = torch.tensor([[0, 1, 2, 1, 3, 3], [0, 0, 1, 1, 0, 0], [0, 1, 1, 3, 0, 0]])
    expected = [[0, 0.15, 0.5, 0.15, 0.1, 0.1], [0, 0, 0.5, 0.5, 0, 0], [0, 0.3, 0.3, 0.4, 0, 0]]
    assert torch.allclose(sft_loss_weights(parts, SHARES), torch.tensor(expected))


def test_a_row_without_completion_counts_nothing() -> None:
    """No token, no weight, and no division by zero."""
    assert torch.equal(sft_loss_weights(torch.zeros(1, 3, dtype=torch.long), SHARES), torch.zeros(1, 3))


def claim(text: str, cue: Cue) -> Claim:
    """A claim that stands in `THINK`."""
    start = THINK.index(text)
    return Claim(start, start + len(text), text, cue, "high", Verdict.SUPPORTED)


def test_claims_about_the_sound_are_found_in_the_target_and_quotes_are_not() -> None:
    """`<think>` is 7 characters, so spans move by 7."""
    claims = (claim("“Go.”", Cue.QUOTE), claim("pitch is high", Cue.PITCH))
    [(start, end)] = claim_spans(TARGET, THINK, claims)
    assert (start, TARGET[start:end]) == (7 + THINK.index("pitch is high"), "pitch is high")
    assert claim_spans("something else", THINK, claims) == []


def test_the_decision_is_the_verdict_or_else_the_answer() -> None:
    """`<think>` is 7 characters; the verdict is what follows *sounds like* in its clause. A text without one decides in
    its answer, and a target without any form nowhere.
    """
    span, is_stated = decision_span(TARGET, THINK)
    assert span is not None
    assert (TARGET[slice(*span)], span[0], is_stated) == ("a tense delivery", 7 + THINK.index("a tense"), True)
    silent = TARGET.replace("It sounds like a tense delivery, and the", "The")
    span, is_stated = decision_span(silent, THINK.replace("It sounds like a tense delivery, and the", "The"))
    assert span is not None
    assert (silent[slice(*span)], is_stated) == ("angry", False)
    assert decision_span("angry", THINK) == (None, False)


def test_tokens_belong_to_the_part_that_their_characters_lie_in() -> None:
    """Decoding the tokens of each part gives back the texts: only where it is first decided has the decision's share,
    also where a claim lies in it. What repeats it, the answer and the end token, is text.
    """
    tokenizer = train_tokenizer([TARGET, "pitch low"], vocab_size=300)
    spans = claim_spans(TARGET, THINK, (claim("pitch is high", Cue.PITCH), claim("tense", Cue.VOICE_QUALITY)))
    parts = completion_parts(tokenizer, TARGET, Marked(decision_span(TARGET, THINK)[0], tuple(spans)))
    ids = tokenizer.encode(TARGET, add_special_tokens=False, split_special_tokens=True)
    assert len(parts) == len(ids) + 1

    def text_of(part: Part) -> str:
        return tokenizer.decode([i for i, p in zip(ids, parts, strict=False) if p is part]).strip()

    assert text_of(Part.CLAIM) == "pitch is high"
    assert text_of(Part.DECISION) == "a tense delivery"
    assert "<answer>angry</answer>" in text_of(Part.TEXT)
    assert parts[-1] is Part.TEXT
    assert set(completion_parts(tokenizer, "pitch low", Marked())) == {Part.TEXT}


@pytest.mark.parametrize(
    "wrong", [{"decision_share": -0.1}, {"decision_share": 0.6, "claim_share": 0.4}, {"filter_augment_db": -1}]
)
def test_shares_that_leave_nothing_for_the_text_are_refused(wrong: dict[str, float]) -> None:
    """A row of text alone would then count nothing."""
    with pytest.raises(ConfigError, match=r"must be|expected"):
        SFTSettings(phases=(), **wrong)  # type: ignore[arg-type]
