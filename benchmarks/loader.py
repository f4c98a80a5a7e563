"""How long training steps wait for their batches, from features in shards that are read where they lie.

    python benchmarks/loader.py                        # made features and a pocket model
    python benchmarks/loader.py --history runs/sft/history.jsonl runs/compact/history.jsonl

Without files, `--clips` clips of three seconds are written as shards into a temporary folder and read in random order
as SFT reads them, filters included; beside it the memory that the process holds of its own for it (anonymous memory,
without mapped pages). With files, the share of the steps' time that was spent waiting, from what trainings recorded.
Bar: 5 %.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from trainer.augment import random_eq_bands
from trainer.features import CLIPS_PER_SHARD, StoredFeatures, as_float

BAR = 0.05
BATCH, FRAMES, BINS, DB = 16, 300, 128, 9.0
"""A batch of SFT: clips, frames and mel bins of each, spread of the filters."""


def made(folder: Path, clips: int) -> StoredFeatures:
    """Features of noise, a shard at a time."""
    shards: dict[str, Path] = {}
    for number in range(-(-clips // CLIPS_PER_SHARD)):
        path = folder / f"{number}.safetensors"
        names = [f"{number}-{i}" for i in range(min(CLIPS_PER_SHARD, clips - number * CLIPS_PER_SHARD))]
        save_file({name: torch.rand(BINS, FRAMES).half() for name in names}, path)
        shards |= dict.fromkeys(names, path)
    return StoredFeatures(shards)


def own_memory_mb() -> float:
    """Memory of this process that is no mapped file, as Linux counts it."""
    rows = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(rows["RssAnon"].split()[0]) / 1024


def waited(history: Path) -> float:
    """Share of the time of a training's steps that they waited for their batches."""
    rows = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
    data, steps = (sum(row[name] for row in rows) for name in ("seconds_data", "seconds_step"))
    return float(data / (data + steps))


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=Path, nargs="*", default=[], help="history.jsonl of trainings")
    parser.add_argument("--clips", type=int, default=8 * CLIPS_PER_SHARD, help="clips to make")
    parser.add_argument("--batches", type=int, default=200, help="batches to read")
    arguments = parser.parse_args()
    if arguments.history:
        shares = {path: waited(path) for path in arguments.history}
        for path, share in shares.items():
            print(f"{path}: steps waited {100 * share:.1f} % of their time")
        return 0 if max(shares.values()) <= BAR else 1
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        features = made(Path(folder), arguments.clips)
        keys, before, began = list(features), own_memory_mb(), time.perf_counter()
        for _ in range(arguments.batches):
            chosen = as_float(features[keys[i]] for i in rng.integers(len(keys), size=BATCH))
            _ = [random_eq_bands(clip, DB, generator) for clip in chosen]
        seconds, more = time.perf_counter() - began, own_memory_mb() - before
        size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6
    print(
        f"{size:.0f} MB of features: {1e3 * seconds / arguments.batches:.1f} ms a batch of {BATCH}, {more:.0f} MB held"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
