"""Log-probabilities that a speech LLM gives to completions it did or did not write."""

from __future__ import annotations

import math

from torch import Tensor

from policy.errors import OptionError
from speechlm import SpeechBatch, SpeechLM


def sequence_logprobs(model: SpeechLM, batch: SpeechBatch, *, temperature: float = 1.0) -> Tensor:
    """Log-probability of every completion token given all before it: `float32[N, T]`, 0 outside completions.

    Column t speaks of `batch.input_ids[:, t]`, so it aligns with `batch.completion_mask`. The head is applied to
    completion tokens only; prompt tokens never meet the vocabulary. `temperature` divides the logits, as it did
    when the tokens were sampled; `OptionError` unless it is above 0.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise OptionError(f"temperature must be above 0, got {temperature}; greedy answers are scored at 1")
    hidden = model.hidden_states(batch)
    target = batch.completion_mask.clone()
    target[:, 0] = False  # nothing stands before it
    logits = model.head(hidden[:, :-1][target[:, 1:]]).float() / temperature
    chosen: Tensor = logits.gather(-1, batch.input_ids[target][:, None])[:, 0] - logits.logsumexp(-1)
    return chosen.new_zeros(batch.input_ids.shape).masked_scatter(target, chosen)
