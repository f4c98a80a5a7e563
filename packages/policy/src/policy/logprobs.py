"""Log-probabilities that a speech LLM gives to completions it did or did not write."""

from __future__ import annotations

import math

from torch import Tensor

from policy.errors import OptionError, PolicyError
from policy.limits import memory_limit
from policy.vocabulary import head_logprobs
from speechlm import PackedGroup, SpeechBatch, SpeechLM


def sequence_logprobs(
    model: SpeechLM,
    batch: SpeechBatch | PackedGroup,
    *,
    temperature: float = 1.0,
    embedded: Tensor | None = None,
) -> Tensor:
    """Log-probability of every completion token given all before it: `float32[N, T]`, 0 outside completions.

    Column t is about `batch.input_ids[:, t]`, so it aligns with `batch.completion_mask`. The head is applied to
    completion tokens only; prompt tokens are never scored. `temperature` divides the logits, as it did
    when the tokens were sampled. Scores are computed in blocks, and again in the backward pass, so that
    [tokens, vocabulary] is never held (`policy.vocabulary`). A float64 model gives float64.

    `embedded` is what `model.embed` gives for the batch, where that is needed elsewhere, too.

    For a `PackedGroup` the columns are those of `packed.batch`; `packed.unpack` gives one row per answer.

    Raises `OptionError` unless the temperature is above 0, `MemoryLimitError` when memory runs out (in the backward
    pass `memory_limit` does, around it), and `PolicyError` when log-probabilities come out as NaN.
    """
    _check_temperature(temperature)
    rows, tokens = (batch.batch if isinstance(batch, PackedGroup) else batch).input_ids.shape
    with memory_limit(
        f"scoring {rows} rows of {tokens} tokens",
        lower="the groups or answers of a batch, pack the answers to a prompt, or enable gradient checkpointing",
    ):
        ids, mask, states = _predicting(model, batch, embedded)
        scores = head_logprobs(model.head, states, ids[mask], temperature=temperature)
    if bool(scores.detach().isnan().any()):
        raise PolicyError("log-probabilities are NaN: look for NaN in the model's weights or clips")
    return scores.new_zeros(mask.shape).masked_scatter(mask, scores)


def _predicting(
    model: SpeechLM, batch: SpeechBatch | PackedGroup, embedded: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Token ids and which of them are scored, both `[R, T]`, and the hidden states `[scored, D]` that predict those."""
    if isinstance(batch, PackedGroup):
        mask = batch.batch.completion_mask
        row, _ = mask.nonzero(as_tuple=True)
        return batch.batch.input_ids, mask, model(batch, embedded)[row, batch.before[mask]]
    mask = batch.completion_mask.clone()
    mask[:, 0] = False  # nothing comes before it
    return batch.input_ids, mask, model(batch, embedded)[:, :-1][mask[:, 1:]]


def _check_temperature(temperature: float) -> None:
    if not (math.isfinite(temperature) and temperature > 0):
        raise OptionError(f"temperature must be above 0, got {temperature}; greedy answers are scored at 1")
