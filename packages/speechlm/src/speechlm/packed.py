"""Groups of answers that share prompts, packed so that every prompt and its clip run once.

A row holds the prompt of its group, then the K answers one after the other. Every answer attends to the prompt and to
itself (a block mask) and counts its positions from the end of the prompt, so it is computed as if it were alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from speechlm.errors import BatchError
from speechlm.prompt import SpeechBatch, collate, completion_ids
from speechlm.tokenizer import PAD, token_id


@dataclass(frozen=True, slots=True, eq=False)
class PackedGroup:
    """R rows of T tokens, each a prompt with its group of answers.

    - `batch`: tokens, masks and clips, as in an unpacked batch; rows are padded on the right
    - `positions` int64[R, T]: rotary positions, restarted after the prompt for each answer
    - `group` int64[R, T]: the prompt that a token belongs to, which is its row, -1 on padding
    - `answer` int64[R, T]: the answer that a token belongs to, counted through all prompts; -1 elsewhere
    - `before` int64[R, T]: the column whose hidden state predicts an answer's token; 0 elsewhere
    - `answers`: how many answers there are, empty ones included
    """

    batch: SpeechBatch
    positions: Tensor
    group: Tensor
    answer: Tensor
    before: Tensor
    answers: int

    def to(self, device: torch.device | str) -> PackedGroup:
        """The same groups on another device."""
        moved = {name: getattr(self, name).to(device) for name in self.__slots__ if name != "answers"}
        return replace(self, **moved)

    def visible(self) -> Tensor:
        """Which token (second axis) sees which (third): `bool[R, T, T]`; padding sees itself and its like."""
        seen = self.answer[:, :, None] == self.answer[:, None]
        seen |= (self.answer == -1)[:, None]
        seen &= self.group[:, :, None] == self.group[:, None]
        return seen.tril_()

    def unpack(self, values: Tensor) -> Tensor:
        """`values[R, T]` of answer tokens as `[answers, longest answer]`, in `pack`'s order, padded with 0."""
        answer = self.answer[self.batch.completion_mask]
        lengths = torch.bincount(answer, minlength=self.answers)
        width = int(lengths.max())
        answer, order = answer.sort(stable=True)
        real = torch.arange(width, device=values.device) < lengths[:, None]
        flat = values[self.batch.completion_mask][order]
        return values.new_zeros(self.answers, width).masked_scatter(real, flat)


def pack(
    tokenizer: PreTrainedTokenizerFast,
    features: list[Tensor],
    questions: list[str],
    completions: Sequence[Sequence[str | list[int]]],
    *,
    system: str | None = None,
) -> PackedGroup:
    """Pack `completions[i]`, all answers to question i about clip i, after one copy of their prompt, in one row.

    `system` is that of `collate`. Raises `BatchError` when counts differ or a question has no answer, and whatever
    `collate` raises.
    """
    if len(completions) != len(questions):
        raise BatchError(f"{len(questions)} questions need as many groups of completions, got {len(completions)}")
    prompts = collate(tokenizer, features, questions, system=system)
    prefixes = [ids[mask.bool()].tolist() for ids, mask in zip(prompts.input_ids, prompts.attention_mask, strict=True)]
    answers = [[completion_ids(tokenizer, c) for c in group] for group in completions]
    for i, group in enumerate(answers):
        if not group:
            raise BatchError(f"question {i} has no completion: a group needs at least one")
    ids, positions, groups, answer, before = _fill(prefixes, answers, pad=token_id(tokenizer, PAD))
    batch = replace(prompts, input_ids=ids, attention_mask=(groups >= 0).long(), completion_mask=answer >= 0)
    return PackedGroup(batch, positions, groups, answer, before, sum(map(len, answers)))


def _fill(prefixes: list[list[int]], answers: list[list[list[int]]], *, pad: int) -> tuple[Tensor, ...]:
    """Ids, positions, group, answer and predicting column of every token, each int64[R, T]."""
    first = 0
    rows: list[list[tuple[int, int, int, int, int]]] = []
    for i, (prefix, group) in enumerate(zip(prefixes, answers, strict=True)):
        tokens = [(token, p, i, -1, 0) for p, token in enumerate(prefix)]
        for k, ids in enumerate(group):
            start = len(tokens)
            for p, token in enumerate(ids):
                # The first token of every answer is predicted by the last one of the prompt, whatever is between.
                before = len(prefix) - 1 if p == 0 else start + p - 1
                tokens.append((token, len(prefix) + p, i, first + k, before))
        first += len(group)
        rows.append(tokens)
    width = max(map(len, rows))
    padded = [tokens + [(pad, 0, -1, -1, 0)] * (width - len(tokens)) for tokens in rows]
    return torch.tensor(padded).unbind(-1)
