"""The policy: how a speech LLM is asked for an emotion, sampled, and scored.

- `policy.prompt` — `Prompt`, the question for a label set
- `policy.sampler` — `Sampler`, K answers per prompt behind one encoded prefix, as a `Rollout`
- `policy.randomness` — `sequence_seeds`, a seed for every answer
- `policy.drawing` — one token from a row of scores
- `policy.logprobs` — `sequence_logprobs`, log-probabilities of completions; `packed_scores`, with entropy
- `policy.mismatch` — `logprob_mismatch` between the engine that sampled and the trainer, and weights against it
"""

from policy.errors import MemoryLimitError, OptionError, PolicyError
from policy.logprobs import packed_scores, sequence_logprobs
from policy.mismatch import Mismatch, logprob_mismatch, sequence_weights, token_weights
from policy.prompt import Prompt
from policy.randomness import sequence_seeds
from policy.sampler import Rollout, Sampler

__all__ = [
    "MemoryLimitError",
    "Mismatch",
    "OptionError",
    "PolicyError",
    "Prompt",
    "Rollout",
    "Sampler",
    "logprob_mismatch",
    "packed_scores",
    "sequence_logprobs",
    "sequence_seeds",
    "sequence_weights",
    "token_weights",
]
