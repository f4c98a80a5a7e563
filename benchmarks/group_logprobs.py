"""What a training step's log-probabilities cost, packed against unpacked, and chunked against full scores.

1. Forward and backward of the log-probabilities of K = 8 answers of 96 tokens (200 reported too) to a clip of 10 s, as
   a `PackedGroup` against eight rows with a copy of clip and prompt each; the model of `benchmarks/rollout.py`.
2. Forward and backward of the log-probabilities of 768 hidden states under a random head of 152 064 tokens, in blocks
   against the logits of all of them at once.

CPU time in interleaved pairs. Memory is the peak resident size of a process that does nothing else: of 1 all of it,
model and gradients included; of 2 what it grows by beyond the head, its gradient and the states.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/group_logprobs.py [--json] [--pairs 3]

Bars: 1. at least 2 times faster in at most 0.6 times the memory at 96 tokens; 2. at most 1.2 times the time in at most
0.35 times the memory. Leaves with status 1 when one is missed.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from rollout import QUESTION, compact, cpu_seconds, noise
from torch import Tensor, nn

from policy import sequence_logprobs
from policy.vocabulary import head_logprobs
from speechlm import SpeechLM

K, SECONDS, LENGTHS = 8, 10, (96, 200)
VOCABULARY, WIDTH, STATES = 152_064, 576, 768
MIN_SPEEDUP, MAX_MEMORY = 2.0, 0.6
MAX_HEAD_TIME, MAX_HEAD_MEMORY = 1.2, 0.35
MIB = 2**20


def answers(length: int) -> list[list[int]]:
    """K answers of random tokens, always the same."""
    generator = torch.Generator().manual_seed(2)
    return [row.tolist() for row in torch.randint(300, 49_000, (K, length), generator=generator)]


def packed(model: SpeechLM, length: int) -> None:
    """One pass with clip and prompt once, and its gradients."""
    model.zero_grad(set_to_none=False)
    group = model.pack(noise(1, SECONDS), [QUESTION], [answers(length)])
    sequence_logprobs(model, group).sum().backward()


def unpacked(model: SpeechLM, length: int) -> None:
    """The same with a copy of clip and prompt for each answer."""
    model.zero_grad(set_to_none=False)
    batch = model.collate(noise(1, SECONDS) * K, [QUESTION] * K, answers(length))
    sequence_logprobs(model, batch).sum().backward()


def scored(length: int) -> tuple[nn.Linear, Tensor, Tensor]:
    """A random head, `length` hidden states and the tokens whose log-probabilities are asked for."""
    torch.manual_seed(3)
    head = nn.Linear(WIDTH, VOCABULARY, bias=False)
    return head, torch.randn(length, WIDTH, requires_grad=True), torch.randint(VOCABULARY, (length,))


def chunked(head: nn.Linear, states: Tensor, target: Tensor) -> None:
    """Scores of a block of the vocabulary at a time."""
    head_logprobs(head, states, target).sum().backward()


def full(head: nn.Linear, states: Tensor, target: Tensor) -> None:
    """Scores of all tokens at once."""
    head(states).log_softmax(-1).gather(-1, target[:, None]).sum().backward()


PASSES: dict[str, Callable[[SpeechLM, int], None]] = {"packed": packed, "unpacked": unpacked}
HEADS: dict[str, Callable[[nn.Linear, Tensor, Tensor], None]] = {"chunked": chunked, "full": full}


def resident(what: str) -> int:
    """Bytes of this process, `VmRSS` now or `VmHWM` at most."""
    (kib,) = re.findall(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return 1024 * int(kib)


def peak(name: str, length: int) -> int:
    """The peak memory of one variant in bytes, measured in this process."""
    if name in PASSES:
        PASSES[name](compact(), length)
        return resident("VmHWM")
    head, states, target = scored(length)
    head.weight.grad, states.grad = torch.ones_like(head.weight), torch.ones_like(states)
    start = resident("VmRSS")
    HEADS[name](head, states, target)
    return resident("VmHWM") - start


def peak_alone(name: str, length: int) -> int:
    """`peak` in a process of its own."""
    command = [sys.executable, __file__, "--peak", name, "--length", str(length)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def paired(functions: dict[str, Callable[[], object]], pairs: int) -> dict[str, list[float]]:
    """CPU seconds of each function in every pair, after a run that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for pair in range(pairs + 1):
        for name, function in functions.items():
            taken = cpu_seconds(function)
            if pair:
                seconds[name].append(taken)
        print(
            f"pair {pair}/{pairs}: {' '.join(f'{n} {s[-1]:.1f} s' for n, s in seconds.items() if s)}", file=sys.stderr
        )
    return seconds


def ratio(seconds: dict[str, list[float]]) -> float:
    """Median over pairs of the second function's time in the first's."""
    first, second = seconds.values()
    return statistics.median(b / a for a, b in zip(first, second, strict=True))


def passes(pairs: int) -> list[dict[str, Any]]:
    """Packed against unpacked, at each length."""
    peaks = {length: {name: peak_alone(name, length) for name in PASSES} for length in LENGTHS}
    model, rows = compact(), []  # after the peaks, for this process keeps the memory that it once had
    for length in LENGTHS:
        reported_only = length != LENGTHS[0]
        functions = {name: partial(f, model, length) for name, f in PASSES.items()}
        seconds = paired(functions, max(1, pairs // 3) if reported_only else pairs)
        memory = peaks[length]
        speed, share = ratio(seconds), memory["packed"] / memory["unpacked"]
        rows.append({"what": f"{K} × {length} tokens", "seconds": seconds, "bytes": memory, "bars": {}})
        if not reported_only:
            rows[-1]["bars"] = {
                f"packed faster (≥ {MIN_SPEEDUP:g})": {"value": speed, "met": speed >= MIN_SPEEDUP},
                f"packed memory (≤ {MAX_MEMORY:g})": {"value": share, "met": share <= MAX_MEMORY},
            }
    return rows


def heads(pairs: int) -> dict[str, Any]:
    """Chunked against full scores."""
    memory = {name: peak_alone(name, STATES) for name in HEADS}
    given = scored(STATES)
    seconds = paired({name: partial(f, *given) for name, f in HEADS.items()}, pairs)
    time, share = 1 / ratio(seconds), memory["chunked"] / memory["full"]
    return {
        "what": f"{STATES} states, {VOCABULARY} tokens",
        "seconds": seconds,
        "bytes": memory,
        "bars": {
            f"chunked time (≤ {MAX_HEAD_TIME:g})": {"value": time, "met": time <= MAX_HEAD_TIME},
            f"chunked memory (≤ {MAX_HEAD_MEMORY:g})": {"value": share, "met": share <= MAX_HEAD_MEMORY},
        },
    }


def report(rows: list[dict[str, Any]]) -> None:
    """One line for each variant and each bar."""
    for row in rows:
        for name, seconds in row["seconds"].items():
            taken, memory = statistics.median(seconds), row["bytes"][name] / MIB
            print(f"{row['what']:30}{name:10}{taken:8.2f} CPU s{memory:8.0f} MiB")
        first, second = row["seconds"]
        print(f"{row['what']:30}{first} takes {1 / ratio(row['seconds']):.2f} of {second}'s time", end="")
        print(f" and {row['bytes'][first] / row['bytes'][second]:.2f} of its peak memory")
        for what, bar in row["bars"].items():
            print(f"{'ok' if bar['met'] else 'MISSED':8}{what:40}{bar['value']:6.2f}")


def main() -> int:
    """Print timings, memory and bars; status 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument(
        "--pairs", type=int, default=3, help="paired runs, about a minute each; a third of it at 200 tokens"
    )
    parser.add_argument("--peak", choices=[*PASSES, *HEADS], help="print the peak memory of this alone, in bytes")
    parser.add_argument("--length", type=int, default=LENGTHS[0], help="tokens or states of --peak")
    arguments = parser.parse_args()
    if arguments.peak:
        print(peak(arguments.peak, arguments.length))
        return 0
    rows = [heads(arguments.pairs), *passes(arguments.pairs)]
    if arguments.json:
        versions = {"torch": torch.__version__, "transformers": transformers.__version__}
        print(json.dumps({"rows": rows, "versions": versions, "threads": torch.get_num_threads()}))
    else:
        report(rows)
    return 0 if all(bar["met"] for row in rows for bar in row["bars"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
