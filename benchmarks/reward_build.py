"""The graded data set at the paper's size: `rewardmodel build` makes 101 400 graded traces of 20 280 clips.

The clips are made up (`instruments.made_up`, marked synthetic: nothing was recorded), their reasoning is the rule
generator's. The command runs as a process of its own on one core; its CPU time and peak memory, the counts by fault and
the mean scores are those of what it wrote.

    OMP_NUM_THREADS=1 python benchmarks/reward_build.py [--clips 20280] [--style salient] [--keep DIR] [--json]

Bars: at least 99 % of five graded traces a clip, peak memory of 1 GB. Leaves with status 1 when one is missed.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Any

from instruments.made_up import measured_utterances

from cotgen import Style, generate
from rewardmodel import GradedTrace
from speech_records import ALL_14, RewardScores, read_jsonl, write_jsonl

CLIPS, PER_CLIP = 20_280, 5
MIN_SHARE, MAX_MB = 0.99, 1024.0


def write_inputs(folder: Path, count: int, style: Style) -> None:
    """`measured.jsonl` and `traces.jsonl` of `count` clips."""
    write_jsonl(folder / "measured.jsonl", measured_utterances(count, seed=0))
    written = (generate(m, label_set=ALL_14, seed=0, style=style) for m in measured_utterances(count, seed=0))
    write_jsonl(folder / "traces.jsonl", written)


def build(folder: Path) -> dict[str, Any]:
    """Run the command in `folder`, and what it took."""
    command = [
        sys.executable, "-m", "rewardmodel.cli", "build", "--profiles", str(folder / "measured.jsonl"),
        "--traces", str(folder / "traces.jsonl"), "--label-set", ALL_14.name, "-o", str(folder / "graded.jsonl"),
    ]  # fmt: skip
    began = time.monotonic()
    subprocess.run(command, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": time.monotonic() - began,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
    }


def count(graded: Path) -> dict[str, Any]:
    """How many graded traces there are by fault, how many differ as texts, and their scores."""
    faults: Counter[str] = Counter()
    below: Counter[str] = Counter()
    scores: list[tuple[float, ...]] = []
    texts: set[int] = set()
    synthetic = 0
    for trace in read_jsonl(graded, GradedTrace):
        faults[trace.fault.value] += 1
        texts.add(hash(trace.think))
        scores.append(trace.scores.as_tuple())
        synthetic += trace.synthetic
        below.update(name for name, score in zip(RewardScores.CRITERIA, scores[-1], strict=True) if score < 5.0)
    means = {name: fmean(column) for name, column in zip(RewardScores.CRITERIA, zip(*scores, strict=True), strict=True)}
    return {
        "graded": faults.total(), "synthetic": synthetic, "texts": len(texts), "faults": dict(faults),
        "mean_score": means, "below_5": dict(below),
    }  # fmt: skip


def main() -> int:
    """Measure and print; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--style", type=Style, choices=list(Style), default=Style.SALIENT)
    parser.add_argument("--keep", type=Path, help="folder for the files, which are else thrown away")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as thrown_away:
        folder = chosen.keep or Path(thrown_away)
        folder.mkdir(parents=True, exist_ok=True)
        write_inputs(folder, chosen.clips, chosen.style)
        found = build(folder) | count(folder / "graded.jsonl")
    if chosen.json:
        print(json.dumps(found, indent=2))
    else:
        print(
            f"{found['graded']} graded traces of {chosen.clips} clips, {found['texts']} different texts: "
            f"{found['cpu_seconds']:.0f} s of CPU time, {found['peak_mb']:.0f} MB at most (bar {MAX_MB:.0f})"
        )
        for name, value in found["faults"].items():
            print(f"  {name}: {value}")
        for name, value in found["mean_score"].items():
            print(f"  {name}: {value:.2f} on average, {found['below_5'].get(name, 0)} below 5")
    good = found["graded"] >= MIN_SHARE * PER_CLIP * chosen.clips and found["peak_mb"] <= MAX_MB
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
