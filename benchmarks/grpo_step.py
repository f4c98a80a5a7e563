"""A whole GRPO step on audio, clip and prompt run once, against the same step with clip and prompt repeated K times.

One prompt with 10 s of noise, K = 8 answers of 96 tokens, all weights trained by AdamW, no reference, at the size of
Whisper-base and SmolLM2-135M with random weights (155 million). Both steps are `trainer.grpo.GRPOModule`'s: sampling,
rules, advantages, loss, backward pass, optimiser. The other samples from eight copies of clip and prompt with the same
sampler and scores a row for each answer, as trainers do that know no groups. CPU time in interleaved pairs.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/grpo_step.py [--json] [--pairs 2]

Bars: the whole step at least 1.6 times faster, its training part (forward and backward pass) at least 2 times. Leaves
with status 1 when one is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace
from typing import Any

import torch
import transformers
from rollout import compact, noise
from torch import Tensor

from grpo_ptr import LossInputs, grpo_loss
from policy import Rollout, Sampler, sequence_logprobs
from speech_records import PAPER_9, Emotion, MeasuredUtterance, ProsodyProfile, Utterance
from speechlm import SpeechLM
from trainer.grpo import GRPOModule
from trainer.packed_loss import MicroBatch, packed_loss
from trainer.settings import Algorithm, GRPOSettings

K, SECONDS, TOKENS = 8, 10, 96
MIN_STEP, MIN_TRAINING = 1.6, 2.0


class Repeating(Sampler):
    """Gives the sampler every clip and prompt K times."""

    def sample(self, features: list[Tensor], questions: list[str], *, k: int = 1, **options: Any) -> Rollout:
        """K answers to each, as `Sampler.sample` gives them."""
        options["seeds"] = options["seeds"].reshape(-1, 1)
        copies = [clip for clip in features for _ in range(k)]
        rollout = super().sample(copies, [q for q in questions for _ in range(k)], **options)
        texts = [text for (text,) in rollout.texts]
        tensors = ("tokens", "mask", "logprobs", "ended", "seeds")
        grouped = {
            name: getattr(rollout, name).view(len(features), k, *getattr(rollout, name).shape[2:]) for name in tensors
        }
        return replace(rollout, texts=tuple(tuple(texts[i : i + k]) for i in range(0, len(texts), k)), **grouped)


def unpacked_loss(model: SpeechLM, micro: MicroBatch) -> Tensor:
    """The loss of a row for every answer, each after a copy of clip and prompt."""
    rows = [t[m].tolist() for t, m in zip(micro.tokens.flatten(0, 1), micro.mask.flatten(0, 1), strict=True)]
    batch = model.collate(
        [c for c in micro.clips for _ in range(K)], [q for q in micro.questions for _ in range(K)], rows
    )
    scores = sequence_logprobs(model, batch)
    return grpo_loss(LossInputs(scores, batch.completion_mask, micro.advantages[..., 0].flatten()), beta=0.0).loss


def module(model: SpeechLM, *, repeated: bool) -> GRPOModule:
    """A training of one prompt a step."""
    settings = GRPOSettings(
        algorithm=Algorithm.GRPO, prompts_per_step=1, group_size=K, max_new_tokens=TOKENS, kl_coefficient=0.0
    )
    made = GRPOModule(model, settings, label_set=PAPER_9, features={"u1": noise(1, SECONDS)[0]}, reward_model=None)
    if repeated:
        made.sampler = Repeating(model)
    return made.train()


def step(made: GRPOModule, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """CPU seconds of one step and of its training part."""
    of = Utterance("u1", "made", "u1.wav", "s", Emotion.SAD)
    batch = [MeasuredUtterance(of, ProsodyProfile(duration_s=SECONDS, sample_rate=16_000))]
    began = time.process_time()
    optimizer.zero_grad()
    (micro,) = made._experience(batch, 1).micro_batches  # noqa: SLF001
    sampled = time.process_time()
    if isinstance(made.sampler, Repeating):
        loss = unpacked_loss(made.model, micro)
    else:
        loss = packed_loss(made.model, micro, made.settings).result.loss
    loss.backward()
    trained = time.process_time()
    optimizer.step()
    return {"step": time.process_time() - began, "training": trained - sampled, "sampling": sampled - began}


def measure(model: SpeechLM, pairs: int) -> dict[str, Any]:
    """The seconds of both in each pair, and the medians of their ratios."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-9, fused=True)
    made = {"once": module(model, repeated=False), "repeated": module(model, repeated=True)}
    seconds: dict[str, list[dict[str, float]]] = {name: [] for name in made}
    for pair in range(pairs):
        for name, training in made.items():
            seconds[name].append(step(training, optimizer))
            print(f"pair {pair + 1}/{pairs}, {name}: {seconds[name][-1]}", file=sys.stderr)
    ratios = {
        part: statistics.median(b[part] / a[part] for a, b in zip(seconds["once"], seconds["repeated"], strict=True))
        for part in ("step", "training", "sampling")
    }
    bars = {"step": MIN_STEP, "training": MIN_TRAINING}
    return {
        "cpu_seconds": seconds,
        "faster": ratios,
        "bars": {
            f"{name} (≥ {bar:g})": {"value": ratios[name], "met": ratios[name] >= bar} for name, bar in bars.items()
        },
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "threads": torch.get_num_threads(),
    }


def main() -> int:
    """Print timings and the bars; status 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--pairs", type=int, default=2, help="paired steps, about a minute each")
    arguments = parser.parse_args()
    result = measure(compact(), arguments.pairs)
    print(json.dumps(result) if arguments.json else json.dumps(result["bars"], indent=2))
    return int(not all(bar["met"] for bar in result["bars"].values()))


if __name__ == "__main__":
    sys.exit(main())
