"""What the released sizes cost on one GPU: sampling, and a training step, packed against unpacked.

Random weights in the shape of Qwen2.5-Omni-7B's Thinker, bfloat16, SDPA; one prompt with 10 s of audio, K = 8 answers
of 256 tokens. Speed does not know what the weights mean.

1. Tokens a second of `policy.Sampler`.
2. Seconds and peak memory of a step of training (log-probabilities of all answers, gradients, AdamW) with LoRA or all
   weights, with gradient checkpointing, on one `PackedGroup` and on K rows with a copy of clip and prompt each.

MFU is the share of the card's bfloat16 peak that goes into what the model must compute: two operations for each weight
and token, four for each pair of tokens that see one another and each channel, twice that again in the backward (once
for LoRA, which has no gradients for frozen weights, and none for the frozen audio tower); recomputation is not counted.
Medians of repeated runs, after one that does not count. There is no bar yet: figures become
`benchmarks/baselines/<card>.json`, with versions.

    python benchmarks/omni_scale.py [--json] [--preset omni7b|omni3b] [--train lora|full] [--repeats 5] [--out FILE]
    python benchmarks/omni_scale.py --preset tiny --device cpu     (to see that it runs)

Without CUDA it says so, measures nothing and leaves with status 0.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from policy import MemoryLimitError, Sampler, sequence_logprobs
from speechlm import (
    PackedGroup,
    Part,
    PocketSize,
    SpeechBatch,
    SpeechLM,
    add_lora,
    enable_gradient_checkpointing,
    pocket,
    train_only,
    train_tokenizer,
)
from speechlm.released import SHAPES, random_released

QUESTION = "Which emotion do you hear: neutral, happy, sad, angry? Reason from the sound, then answer."
FRAMES_PER_SECOND = 100
LOWEST_ORDINARY, ORDINARY = 20, 200
"""Ids that are no special token in any of the vocabularies."""
PEAK_TFLOPS = {"H200": 989.0, "H100": 989.0, "A100": 312.0}
"""Dense bfloat16 of NVIDIA's data sheets, SXM."""
BASELINES = Path(__file__).parent / "baselines"
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Load:
    """What is measured: K answers of `tokens` tokens to one clip of `seconds`."""

    k: int
    seconds: float
    tokens: int


def build(preset: str, device: torch.device) -> SpeechLM:
    """The model, with random weights, on its device."""
    if preset in SHAPES:
        return random_released(preset, device=device).eval()
    size = PocketSize(audio_width=64, audio_layers=2, text_width=64, text_layers=2, hop_samples=160)
    return pocket(train_tokenizer([QUESTION], vocab_size=300), seed=0, size=size).to(device, torch.bfloat16).eval()


def clip(model: SpeechLM, seconds: float) -> Tensor:
    """Log-mel frames of random numbers, always the same."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(model.features.num_mel_bins, round(seconds * FRAMES_PER_SECOND), generator=generator)


def answers(load: Load) -> list[list[int]]:
    """K answers of random ordinary tokens, always the same."""
    generator = torch.Generator().manual_seed(2)
    shape = (load.k, load.tokens)
    return [row.tolist() for row in torch.randint(LOWEST_ORDINARY, ORDINARY, shape, generator=generator)]


def weights(module: torch.nn.Module) -> int:
    """How many weights a module has."""
    return sum(w.numel() for w in module.parameters())


def operations(model: SpeechLM, batch: SpeechBatch, pairs: int, *, trained: str | None) -> float:
    """Floating-point operations that a pass over `batch` must do; `trained` is `lora`, `full` or none: no backward."""
    text = model.thinker.config.text_config
    tower = weights(model.text_tower) - weights(model.thinker.get_input_embeddings())
    forward = 2.0 * tower * int(batch.attention_mask.sum()) + 4.0 * text.num_hidden_layers * text.hidden_size * pairs
    forward += 2.0 * weights(model.head) * int(batch.completion_mask.sum())
    audio = 2.0 * weights(model.audio_tower) * int(batch.feature_lengths.sum()) / 2  # the first halving comes early
    passes = {None: (1, 1), "lora": (2, 1), "full": (3, 3)}[trained]
    return passes[0] * forward + passes[1] * audio


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def forget_peak(device: torch.device) -> None:
    """Reset the count of peak memory."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        with suppress(OSError):  # some containers forbid it; the peak then covers the whole process
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak(device: torch.device) -> int:
    """Bytes allocated at most since `forget_peak`: of the card, or of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    (kib,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return 1024 * int(kib)


def measured(run: Callable[[], object], device: torch.device, repeats: int) -> dict[str, Any]:
    """Median seconds and peak memory of `run`, or that memory ran out."""
    seconds = []
    try:
        run()
        forget_peak(device)
        for _ in range(repeats):
            synchronize(device)
            start = time.perf_counter()
            run()
            synchronize(device)
            seconds.append(time.perf_counter() - start)
    except (torch.OutOfMemoryError, MemoryLimitError) as error:
        return {"out_of_memory": str(error).splitlines()[0]}
    return {"seconds": statistics.median(seconds), "all_seconds": seconds, "peak_bytes": peak(device)}


def sampling(model: SpeechLM, load: Load, repeats: int) -> dict[str, Any]:
    """Tokens a second of K answers to one prompt."""
    written = 0

    def run() -> None:
        nonlocal written
        rollout = Sampler(model).sample(
            [clip(model, load.seconds)], [QUESTION], k=load.k, max_new_tokens=load.tokens, seeds=0
        )
        written = int(rollout.mask.sum())

    row = measured(run, model.device, repeats)
    if "seconds" in row:
        row |= {"tokens": written, "tokens_per_second": written / row["seconds"]}
    return row


def steps(model: SpeechLM, load: Load, repeats: int, trained: str) -> dict[str, dict[str, Any]]:
    """A training step on one packed group, and on K rows."""
    one = clip(model, load.seconds)
    group = model.pack([one], [QUESTION], [answers(load)])
    rows = model.collate([one] * load.k, [QUESTION] * load.k, answers(load))
    lengths = rows.attention_mask.sum(1)
    pairs = {"packed": int(group.visible().sum()), "unpacked": int((lengths * (lengths + 1) // 2).sum())}
    if trained == "lora":
        add_lora(model)
    else:
        train_only(model, [Part.AUDIO_ENCODER, Part.ADAPTER, Part.LLM])
    enable_gradient_checkpointing(model)
    model.train()
    optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=1e-6)
    batches: dict[str, PackedGroup | SpeechBatch] = {"packed": group, "unpacked": rows}

    def step(batch: PackedGroup | SpeechBatch) -> None:
        optimizer.zero_grad(set_to_none=True)
        (-sequence_logprobs(model, batch).sum() / load.k).backward()
        optimizer.step()

    found = {}
    for name, batch in batches.items():
        found[name] = measured(lambda batch=batch: step(batch), model.device, repeats)  # type: ignore[misc]
        plain = batch.batch if isinstance(batch, PackedGroup) else batch
        found[name]["operations"] = operations(model, plain, pairs[name], trained=trained)
        found[name]["tokens"] = int(plain.attention_mask.sum())
        optimizer.zero_grad(set_to_none=True)
        if model.device.type == "cuda":
            torch.cuda.empty_cache()
    return found


def card(device: torch.device) -> str:
    """The name of the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()


def peak_operations(name: str, given: float | None) -> float | None:
    """Operations a second at the card's bfloat16 peak, if it is known."""
    known = given or next((value for key, value in PEAK_TFLOPS.items() if key in name), None)
    return None if known is None else known * 1e12


def measure(arguments: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Everything, as it goes into the file."""
    load = Load(arguments.k, arguments.seconds, arguments.tokens)
    model = build(arguments.preset, device)
    sampled = sampling(model, load, arguments.repeats)
    trained = steps(model, load, arguments.repeats, arguments.train)
    top = peak_operations(card(device), arguments.peak_tflops)
    for row in trained.values():
        if top is not None and "seconds" in row:
            row["mfu"] = row["operations"] / row["seconds"] / top
    result: dict[str, Any] = {
        "device": card(device),
        "preset": arguments.preset,
        "load": {"k": load.k, "seconds_of_audio": load.seconds, "tokens": load.tokens, "train": arguments.train},
        "peak_operations_per_second": top,
        "sampling": sampled,
        "step": trained,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "cuda": torch.version.cuda,
        },
    }
    packed, unpacked = trained["packed"], trained["unpacked"]
    if "seconds" in packed and "seconds" in unpacked:
        result["packed_faster"] = unpacked["seconds"] / packed["seconds"]
        result["packed_memory"] = packed["peak_bytes"] / unpacked["peak_bytes"]
    return result


def report(result: dict[str, Any]) -> None:
    """One line for each measurement."""
    for name, row in {"sampling": result["sampling"], **result["step"]}.items():
        if "out_of_memory" in row:
            print(f"{name:10}{row['out_of_memory']} (lower --k, --tokens or --seconds, or --train lora)")
            continue
        speed = f"{row['tokens'] / row['seconds']:10.0f} tokens/s"
        mfu = f"  MFU {row['mfu']:.2f}" if "mfu" in row else ""
        print(f"{name:10}{row['seconds']:9.3f} s{speed}{row['peak_bytes'] / GIB:8.2f} GiB{mfu}")
    if "packed_faster" in result:
        print(f"packed: {result['packed_faster']:.2f} times faster in {result['packed_memory']:.2f} of the memory")


def parsed() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--preset", choices=[*SHAPES, "tiny"], default="omni7b")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--train", choices=["lora", "full"], default="lora")
    parser.add_argument("--k", type=int, default=8, help="answers")
    parser.add_argument("--seconds", type=float, default=10.0, help="of audio")
    parser.add_argument("--tokens", type=int, default=256, help="of an answer")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peak-tflops", type=float, help="bfloat16 peak of a card that is not known here")
    parser.add_argument("--out", type=Path, help="file to write; for CUDA by default baselines/<card>.json")
    return parser.parse_args()


def main() -> int:
    """Measure, print, and keep."""
    arguments = parsed()
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print(
            "no CUDA device: nothing was measured; the 7B weights alone are 17 GB in bfloat16. "
            "`--preset tiny --device cpu` shows that the script runs",
            file=sys.stderr,
        )
        return 0
    result = measure(arguments, device)
    out = arguments.out
    if out is None and device.type == "cuda":
        out = BASELINES / f"{card(device).removeprefix('NVIDIA ').lower().replace(' ', '-')}.json"
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print(f"wrote {out}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(result))
    else:
        report(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
