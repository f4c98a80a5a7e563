"""How much each token counts in SFT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from speech_records import Claim, Cue

ANSWER_TAG = "<answer>"

Span = tuple[int, int]


class Part(IntEnum):
    """What a token belongs to."""

    PROMPT = 0
    TEXT = 1
    CLAIM = 2
    ANSWER = 3


def completion_parts(tokenizer: PreTrainedTokenizerFast, completion: str, claims: Sequence[Span]) -> list[Part]:
    """The part of every token of a completion, its end token last.

    `claims` are character spans of `completion`. The answer begins at its tag; a completion without one is all text.
    """
    encoded = tokenizer(completion, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
    answer = completion.find(ANSWER_TAG) if ANSWER_TAG in completion else len(completion)
    parts = []
    for start, end in encoded["offset_mapping"]:
        claimed = any(start < last and end > first for first, last in claims)
        parts.append(Part.ANSWER if start >= answer else Part.CLAIM if claimed else Part.TEXT)
    return [*parts, parts[-1]]


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
    in proportion. Without shares of their own, the label and the few words that were heard in the sound would drown
    among the many that only make a sentence.

    >>> parts = torch.tensor([[0, 1, 1, 2, 3], [0, 1, 0, 0, 0]])
    >>> sft_loss_weights(parts, {Part.TEXT: 0.4, Part.CLAIM: 0.3, Part.ANSWER: 0.3})
    tensor([[0.0000, 0.2000, 0.2000, 0.3000, 0.3000],
            [0.0000, 1.0000, 0.0000, 0.0000, 0.0000]])
    """
    weights = torch.zeros(parts.shape)
    for part, share in shares.items():
        of_part = parts == part
        weights += share * of_part / of_part.sum(-1, keepdim=True).clamp(min=1)
    return weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
