"""Groups of answers behind shared prompts, packed so that every prompt and its clip run once.

A group lies in its row as its prompt, then its K answers one after the other. Every answer sees the prompt and itself
(a block mask) and counts its positions from the end of the prompt, so it is computed as if it stood there alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from speechlm.batch import Hearing, SpeechBatch, clips_of_rows, collate, completion_ids
from speechlm.errors import BatchError
from speechlm.features import audio_token_count
from speechlm.tokenizer import PAD, token_id


@dataclass(frozen=True, slots=True, eq=False)
class PackedGroup:
    """R rows of T tokens that hold the groups of G prompts.

    - `batch`: tokens, masks and clips, as in an unpacked batch; rows are padded on the right
    - `positions` int64[R, T]: rotary positions, restarted behind the prompt for each answer
    - `group` int64[R, T]: the prompt that a token belongs to, -1 on padding
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
        positions, group, answer, before = (
            x.to(device) for x in (self.positions, self.group, self.answer, self.before)
        )
        return PackedGroup(self.batch.to(device), positions, group, answer, before, self.answers)

    def visible(self) -> Tensor:
        """Which token (second axis) sees which (third): `bool[R, T, T]`; padding sees itself and its like."""
        seen = self.answer[:, :, None] == self.answer[:, None]
        seen |= (self.answer == -1)[:, None]
        seen &= self.group[:, :, None] == self.group[:, None]
        return seen.tril_()

    def unpack(self, values: Tensor) -> Tensor:
        """`values[R, T]` of answer tokens as `[answers, longest answer]`, in the order given to `pack`, 0 behind."""
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
    row_tokens: int | None = None,
    audio_index: Hearing | None = None,
    system: str | None = None,
) -> PackedGroup:
    """Pack `completions[i]`, all answers to question i about clip i, behind one copy of their prompt.

    `audio_index` and `system` are those of `collate`. Groups are laid, longest first, into the first row where they
    fit in `row_tokens`; without it each has its own. Raises `BatchError` when counts differ, a question has no answer,
    or a group is longer than `row_tokens`, and whatever `collate` raises.
    """
    if len(completions) != len(questions):
        raise BatchError(f"{len(questions)} questions need as many groups of completions, got {len(completions)}")
    prompts = collate(tokenizer, features, questions, audio_index=audio_index, system=system)
    prefixes = [ids[mask.bool()].tolist() for ids, mask in zip(prompts.input_ids, prompts.attention_mask, strict=True)]
    answers = [[completion_ids(tokenizer, c) for c in group] for group in completions]
    for i, group in enumerate(answers):
        if not group:
            raise BatchError(f"question {i} has no completion: a group needs at least one")
    sizes = [len(p) + sum(map(len, group)) for p, group in zip(prefixes, answers, strict=True)]
    rows = _rows(sizes, row_tokens)
    columns = _fill(rows, prefixes, answers, pad=token_id(tokenizer, PAD))
    heard = clips_of_rows(range(len(features)) if audio_index is None else audio_index)
    return _assemble(columns, prompts, rows, heard, answers=sum(map(len, answers)))


def _rows(sizes: list[int], limit: int | None) -> list[list[int]]:
    """Which groups lie in which row: first fit, longest first."""
    if limit is None:
        return [[i] for i in range(len(sizes))]
    rows: list[list[int]] = []
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        if sizes[i] > limit:
            raise BatchError(f"group {i} has {sizes[i]} tokens, a row takes {limit}: raise row_tokens or lower K")
        fits = (row for row in rows if sum(sizes[j] for j in row) + sizes[i] <= limit)
        row = next(fits, None)
        if row is None:
            rows.append([i])
        else:
            row.append(i)
    return rows


def _fill(
    rows: list[list[int]], prefixes: list[list[int]], answers: list[list[list[int]]], *, pad: int
) -> list[Tensor]:
    """Ids, positions, group, answer and predicting column of every token, each int64[R, T]."""
    first = [sum(map(len, answers[:i])) for i in range(len(answers))]
    filled: list[list[tuple[int, int, int, int, int]]] = []
    for row in rows:
        tokens: list[tuple[int, int, int, int, int]] = []
        for i in row:
            tokens += [(token, p, i, -1, 0) for p, token in enumerate(prefixes[i])]
            last = len(tokens) - 1
            for k, ids in enumerate(answers[i]):
                start = len(tokens)
                for p, token in enumerate(ids):
                    before = last if p == 0 else start + p - 1
                    tokens.append((token, len(prefixes[i]) + p, i, first[i] + k, before))
        filled.append(tokens)
    width = max(map(len, filled))
    padded = [tokens + [(pad, 0, -1, -1, 0)] * (width - len(tokens)) for tokens in filled]
    return list(torch.tensor(padded).unbind(-1))


def _assemble(
    columns: list[Tensor], prompts: SpeechBatch, rows: list[list[int]], heard: list[list[int]], *, answers: int
) -> PackedGroup:
    ids, positions, group, answer, before = columns
    counts = [audio_token_count(n) for n in prompts.feature_lengths.tolist()]
    gathers = torch.split(prompts.audio_gather, [sum(counts[clip] for clip in clips) for clips in heard])
    batch = SpeechBatch(
        input_ids=ids,
        attention_mask=(group >= 0).long(),
        completion_mask=answer >= 0,
        features=prompts.features,
        feature_lengths=prompts.feature_lengths,
        audio_gather=torch.cat([gathers[i] for row in rows for i in row]),
    )
    return PackedGroup(batch, positions, group, answer, before, answers)
