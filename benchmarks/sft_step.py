"""A step of SFT of `compact` in bfloat16 on a CPU: as torch and peft would run it, as it is run here, and compiled.

Forward and backward pass of rows of noise, a question and an answer, at the size of Whisper-base and SmolLM2-135M with
random weights; encoder, adapter and LoRA are trained. *plain* is autocast's own attention and peft's own LoRA layer,
*ours* attends to short rows in float32 and has LoRA layers that move less (`speechlm.attention`, `speechlm.lora`),
*compiled* is ours with `compile_layers`. CPU seconds in turn, medians of their ratios.

    OMP_NUM_THREADS=1 python benchmarks/sft_step.py [--json] [--rounds 5] [--tokens 4 100]

Bar: compiled takes at most 0.85 of plain's time, for short and for long answers. Leaves with status 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
import transformers
from peft.tuners.lora import Linear as LoraLinear
from rollout import compact, noise

from policy import sequence_logprobs
from speechlm import LoraSettings, SpeechBatch, SpeechLM, add_lora, train_only
from speechlm.lora import NarrowLora

ROWS, SECONDS = 16, 3
QUESTION = "Which emotion does the speaker express: neutral, calm, happy, sad, angry, fearful, disgusted or surprised?"
BAR = 0.85
KINDS = ("plain", "ours", "compiled")


@contextmanager
def running(kind: str, compiled: list[Any], layers: list[Any]) -> Iterator[None]:
    """The model as one of `KINDS`."""
    attention = patch("speechlm.model.float32_attention", lambda _: nullcontext()) if kind == "plain" else nullcontext()
    adapters = patch.object(NarrowLora, "forward", LoraLinear.forward) if kind == "plain" else nullcontext()
    for layer, call in zip(layers, compiled, strict=True):
        layer._compiled_call_impl = call if kind == "compiled" else None  # noqa: SLF001 - what `compile` sets
    with attention, adapters:
        yield


def step(model: SpeechLM, batch: SpeechBatch) -> float:
    """CPU seconds of a forward and a backward pass."""
    began = time.process_time()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = -sequence_logprobs(model, batch).sum() / batch.completion_mask.sum()
    loss.backward()
    return time.process_time() - began


def measure(model: SpeechLM, tokens: int, rounds: int) -> dict[str, Any]:
    """Seconds of every kind with answers of so many tokens, in each round, and the medians of ratios to the first."""
    answer = torch.randint(300, 400, (tokens,), generator=torch.Generator().manual_seed(0)).tolist()
    batch = model.collate(noise(ROWS, SECONDS), [QUESTION] * ROWS, [answer] * ROWS)
    layers: list[Any] = list(model.text_tower.layers)  # type: ignore[union-attr, arg-type]
    for layer in layers:
        layer.compile(dynamic=True)
    compiled = [layer._compiled_call_impl for layer in layers]  # noqa: SLF001
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(rounds + 1):  # the first compiles, and is not counted
        for kind in KINDS:
            with running(kind, compiled, layers):
                taken = step(model, batch)
            if number:
                seconds[kind].append(taken)
        print(f"{tokens} tokens: round {number} of {rounds}", file=sys.stderr)
    first = seconds[KINDS[0]]
    shares = {kind: statistics.median(b / a for a, b in zip(first, seconds[kind], strict=True)) for kind in KINDS}
    return {"cpu_seconds": seconds, "share": shares, "rows": list(batch.input_ids.shape)}


def main() -> int:
    """Print shares of plain's time; status 1 when the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of three steps")
    parser.add_argument("--tokens", type=int, nargs="+", default=[4, 100], help="lengths of answers")
    arguments = parser.parse_args()
    model = compact()
    add_lora(model, LoraSettings(rank=8, alpha=16.0))
    train_only(model, ["audio_encoder", "adapter", "lora"])
    model.train()
    found = {tokens: measure(model, tokens, arguments.rounds) for tokens in arguments.tokens}
    if arguments.json:
        versions = {"torch": torch.__version__, "transformers": transformers.__version__}
        print(json.dumps({"answers": found, "threads": torch.get_num_threads(), "versions": versions}))
    else:
        for tokens, result in found.items():
            shares = ", ".join(f"{kind} {share:.2f}" for kind, share in result["share"].items())
            print(f"answers of {tokens} tokens, rows × tokens {result['rows']}: {shares} of plain's time")
    return int(any(result["share"]["compiled"] > BAR for result in found.values()))


if __name__ == "__main__":
    sys.exit(main())
