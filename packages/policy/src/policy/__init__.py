"""The policy: how a speech LLM is asked for an emotion, sampled, and scored.

- `policy.prompt` — `Prompt`, the question for a label set
- `policy.sampler` — `Sampler`, K answers per prompt behind one encoded prefix, as a `Rollout`
- `policy.randomness` — `sequence_seeds`, a seed for every answer
- `policy.drawing` — one token from a row of scores
- `policy.logprobs` — `sequence_logprobs`, log-probabilities of completions; `packed_scores`, with entropy
- `policy.reference` — `Reference`, the policy that KL is measured from
- `policy.limits` — `memory_limit`, which names what ran out of memory
- `policy.vllm_sampler` — `VLLMSampler`, the same through vLLM, with what `policy.text_export` and, for its native path,
  `policy.omni_export` hand over
- `policy.mismatch` — `logprob_mismatch` between the engine that sampled and the trainer, and weights against it
"""

from policy.errors import EngineError, MemoryLimitError, OptionError, PolicyError
from policy.limits import memory_limit
from policy.logprobs import packed_scores, sequence_logprobs
from policy.mismatch import Mismatch, logprob_mismatch, sequence_weights, token_weights
from policy.prompt import Prompt
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
    "Prompt",
    "Reference",
    "Rollout",
    "Sampler",
    "VLLMSampler",
    "logprob_mismatch",
    "memory_limit",
    "packed_scores",
    "sequence_logprobs",
    "sequence_seeds",
    "sequence_weights",
    "token_weights",
]
