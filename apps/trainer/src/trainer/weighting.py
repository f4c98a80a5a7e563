"""How much each token counts in SFT."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from cotgen.verdict import verdict_span
from speech_records import Claim, Cue

_ANSWER = re.compile("<answer>(.+?)</answer>", re.DOTALL)

Span = tuple[int, int]


class Part(IntEnum):
    """What a token belongs to."""

    PROMPT = 0
    TEXT = 1
    CLAIM = 2
    DECISION = 3


@dataclass(frozen=True, slots=True)
class Marked:
    """Where in a completion the decision and the claims about the sound are, as character spans."""

    decision: Span | None = None
    claims: tuple[Span, ...] = ()


def completion_parts(tokenizer: PreTrainedTokenizerFast, completion: str, marked: Marked) -> list[Part]:
    """The part of every token of a completion, its end token last, which is text. A decision goes before a claim."""
    encoded = tokenizer(completion, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
    parts = bytearray([Part.TEXT]) * len(completion)
    decision = () if marked.decision is None else (marked.decision,)
    for kind, spans in ((Part.CLAIM, marked.claims), (Part.DECISION, decision)):
        for start, end in spans:
            parts[start:end] = bytes([kind]) * len(parts[start:end])
    return [*(Part(max(parts[start:end], default=Part.TEXT)) for start, end in encoded["offset_mapping"]), Part.TEXT]


def decision_span(target: str, think: str) -> tuple[Span | None, bool]:
    """Where `target` first says what it will answer, and whether that is in its reasoning, `think`.

    That is the verdict of the reasoning (`cotgen.verdict`), or, where a text states none, the label of its answer.
    """
    offset = target.find(think)
    verdict = verdict_span(think) if offset >= 0 else None
    if verdict is not None:
        return (verdict[0] + offset, verdict[1] + offset), True
    answer = _ANSWER.search(target)
    return (answer.span(1) if answer else None), False


def claim_spans(target: str, think: str, claims: Sequence[Claim]) -> list[Span]:
    """Where the claims of `think` about the sound stand in `target`; quoted words are no such claim."""
    offset = target.find(think)
    if offset < 0:
        return []
    return [(c.start + offset, c.end + offset) for c in claims if c.cue is not Cue.QUOTE]


def sft_loss_weights(parts: Tensor, shares: Mapping[Part, float]) -> Tensor:
    """Weights `float32[N, T]` of tokens whose parts are `int64[N, T]`; every row with a completion sums to 1.

    Rows count the same however long they are, so a four-word answer about prosody weighs as much as a page of
    reasoning. A part's share of its row is spread evenly over its tokens; shares of absent parts go to those present,
    in proportion. Without shares of their own, the decision and the few words that were heard in the sound would drown
    among the many that only make a sentence. What repeats the decision, such as the answer, is text: it costs nothing
    to learn.

    >>> parts = torch.tensor([[0, 1, 1, 2, 3], [0, 1, 0, 0, 0]])
    >>> sft_loss_weights(parts, {Part.TEXT: 0.4, Part.CLAIM: 0.3, Part.DECISION: 0.3})
    tensor([[0.0000, 0.2000, 0.2000, 0.3000, 0.3000],
            [0.0000, 1.0000, 0.0000, 0.0000, 0.0000]])
    """
    weights = torch.zeros(parts.shape)
    for part, share in shares.items():
        of_part = parts == part
        weights += share * of_part / of_part.sum(-1, keepdim=True).clamp(min=1)
    return weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
