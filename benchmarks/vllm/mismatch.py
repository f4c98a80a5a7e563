"""vLLM beside our own sampler on one model: how far engine and trainer disagree on a token, and how long each takes.

The model and the prompts of `benchmarks/rollout.py` (Whisper-base and SmolLM2-135M with random weights, four prompts of
4 s, K = 8, 96 tokens), in float32 and in bfloat16. The trainer's log-probabilities are those of packed groups in the
same precision. Times are of this process's CPU, after a short run of each; no bar is set.

    make test-vllm                                # once, for the environment
    OMP_NUM_THREADS=1 PYTHONPATH=benchmarks .venv-vllm/bin/python benchmarks/vllm/mismatch.py [--json] [--tokens 96]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import torch
import vllm
from rollout import NEW_TOKENS, PROMPTS, QUESTION, SECONDS, K, compact, noise
from torch import Tensor

from policy import Rollout, Sampler, VLLMSampler, importance_weights, logprob_mismatch, sequence_logprobs
from speechlm import SpeechLM


def trainer_logprobs(model: SpeechLM, features: list[Tensor], rollout: Rollout) -> Tensor:
    """What the trainer gives to the rollout's tokens, `[B, K, T]`."""
    answers = [
        [tokens[real].tolist() for tokens, real in zip(*group, strict=True)]
        for group in zip(rollout.tokens, rollout.mask, strict=True)
    ]
    packed = model.pack(features, [QUESTION] * len(features), answers)
    with torch.no_grad():
        scores = packed.unpack(sequence_logprobs(model, packed))
    return scores.view_as(rollout.logprobs)


def timed(sampler: Sampler, features: list[Tensor], tokens: int) -> tuple[Rollout, float]:
    """A rollout and the CPU seconds it took."""
    questions = [QUESTION] * len(features)
    sampler.sample(features, questions, k=K, max_new_tokens=2, seeds=0)
    start = time.process_time()
    rollout = sampler.sample(features, questions, k=K, max_new_tokens=tokens, seeds=0)
    return rollout, time.process_time() - start


def compare(dtype: torch.dtype, tokens: int) -> dict[str, Any]:
    """Both samplers on one model of this precision."""
    model, features = compact().to(dtype), [clip.to(dtype) for clip in noise(PROMPTS, SECONDS)]
    _, ours_s = timed(Sampler(model), features, tokens)
    engine = VLLMSampler(model, max_tokens=1024, enforce_eager=True)
    rollout, engine_s = timed(engine, features, tokens)
    start = time.process_time()
    engine.update_weights()
    update_s = time.process_time() - start
    engine.close()
    trainer = trainer_logprobs(model, features, rollout)
    report = logprob_mismatch(rollout.logprobs, trainer, rollout.mask)
    weights = importance_weights(rollout.logprobs, trainer, rollout.mask)[rollout.mask]
    ratios = report.sequence_ratio
    return {
        "dtype": str(dtype).removeprefix("torch."),
        "tokens": report.tokens,
        "mean_abs": report.mean_abs,
        "max_abs": report.max_abs,
        "kl_k1": report.kl_k1,
        "kl_k3": report.kl_k3,
        "share_beyond": report.share_beyond,
        "threshold": report.threshold,
        "sequence_ratio_min": float(ratios.min()),
        "sequence_ratio_max": float(ratios.max()),
        "truncated_tokens": int((weights >= 2).sum()),
        "ours_s": round(ours_s, 2),
        "engine_s": round(engine_s, 2),
        "update_s": round(update_s, 3),
    }


def main() -> int:
    """Print one line for each precision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--tokens", type=int, default=NEW_TOKENS, help="new tokens of each answer")
    given = parser.parse_args()
    versions = {"vllm": vllm.__version__, "torch": torch.__version__, "threads": torch.get_num_threads()}
    rows = [compare(dtype, given.tokens) for dtype in (torch.float32, torch.bfloat16)]
    if given.json:
        print(json.dumps({"versions": versions, "rows": rows}, indent=2))
        return 0
    print(versions)
    for row in rows:
        print("\n".join(f"{name:20} {value:.3g}" if isinstance(value, float) else f"{name:20} {value}"
                        for name, value in row.items()))  # fmt: skip
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
