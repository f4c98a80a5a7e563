"""The policy's rollouts: sampling from a speech LLM, scoring its answers, and the reference that KL is measured from.

The prompt itself, clip and question, is written by `speechlm.prompt`.

- `policy.sampler` — `Sampler`, K answers per prompt from one encoded prefix, as a `Rollout`
- `policy.decoding` — one token at a time for the K answers of every prompt
- `policy.randomness` — `sequence_seeds`, a seed for every answer
- `policy.token_sampling` — one token from a row of scores
- `policy.logprobs` — `sequence_logprobs`, log-probabilities of completions; `policy.vocabulary` computes them in blocks
- `policy.reference` — `Reference`, the policy that KL is measured from
- `policy.limits` — `memory_limit`, which names what ran out of memory
- `policy.vllm_sampler` — `VLLMSampler`, the same through vLLM; `policy.text_export` and, for its native path,
  `policy.omni_export` give it the model
- `policy.mismatch` — `logprob_mismatch` between the engine that sampled and the trainer, and `importance_weights`
  against it
"""

from policy.errors import EngineError, MemoryLimitError, OptionError, PolicyError
from policy.limits import memory_limit
from policy.logprobs import sequence_logprobs
from policy.mismatch import Mismatch, importance_weights, logprob_mismatch
from policy.randomness import sequence_seeds
from policy.reference import Reference
from policy.sampler import Rollout, Sampler
from policy.vllm_sampler import VLLMSampler

__all__ = [
    "EngineError",
    "MemoryLimitError",
    "Mismatch",
    "OptionError",
    "PolicyError",
    "Reference",
    "Rollout",
    "Sampler",
    "VLLMSampler",
    "importance_weights",
    "logprob_mismatch",
    "memory_limit",
    "sequence_logprobs",
    "sequence_seeds",
]
