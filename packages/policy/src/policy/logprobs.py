"""Log-probabilities that a speech LLM gives to completions it did or did not write."""

from __future__ import annotations

import math

from torch import Tensor

from policy.errors import OptionError
from policy.vocabulary import head_logprobs
from speechlm import PackedGroup, SpeechBatch, SpeechLM


def sequence_logprobs(model: SpeechLM, batch: SpeechBatch | PackedGroup, *, temperature: float = 1.0) -> Tensor:
    """Log-probability of every completion token given all before it: `float32[N, T]`, 0 outside completions.

    Column t speaks of `batch.input_ids[:, t]`, so it aligns with `batch.completion_mask`. The head is applied to
    completion tokens only; prompt tokens never meet the vocabulary. `temperature` divides the logits, as it did
    when the tokens were sampled; `OptionError` unless it is above 0.

    For a `PackedGroup` the columns are those of `packed.batch`; `packed.unpack` gives one row per answer. Its scores
    are computed in blocks, and again in the backward pass, so that [tokens, vocabulary] is never held
    (`policy.vocabulary`); a float64 model gives float64.
    """
    _check_temperature(temperature)
    if isinstance(batch, PackedGroup):
        return _packed(model, batch, temperature, entropy=False)
    hidden = model.hidden_states(batch)
    target = batch.completion_mask.clone()
    target[:, 0] = False  # nothing stands before it
    logits = model.head(hidden[:, :-1][target[:, 1:]]).float() / temperature
    chosen: Tensor = logits.gather(-1, batch.input_ids[target][:, None])[:, 0] - logits.logsumexp(-1)
    return chosen.new_zeros(batch.input_ids.shape).masked_scatter(target, chosen)


def packed_scores(model: SpeechLM, packed: PackedGroup, *, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """`sequence_logprobs` of packed groups and, from the same pass, the entropy in nats of every token's distribution.

    Both are `[R, T]` and 0 outside completions. Raises `OptionError` as `sequence_logprobs` does.
    """
    _check_temperature(temperature)
    logprobs, entropy = _packed(model, packed, temperature, entropy=True).unbind(-1)
    return logprobs, entropy


def _packed(model: SpeechLM, packed: PackedGroup, temperature: float, *, entropy: bool) -> Tensor:
    """Log-probabilities `[R, T]`, or with `entropy` both `[R, T, 2]`."""
    states = model.packed_states(packed)
    mask = packed.batch.completion_mask
    row, _ = mask.nonzero(as_tuple=True)
    states, target = states[row, packed.before[mask]], packed.batch.input_ids[mask]
    scores = head_logprobs(model.head, states, target, temperature=temperature, entropy=entropy)
    place = mask[..., None] if entropy else mask
    return scores.new_zeros(*mask.shape, *scores.shape[1:]).masked_scatter(place, scores)


def _check_temperature(temperature: float) -> None:
    if not (math.isfinite(temperature) and temperature > 0):
        raise OptionError(f"temperature must be above 0, got {temperature}; greedy answers are scored at 1")
