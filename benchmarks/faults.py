"""Whether anything is lost, or done differently, when everything fails: workers, queue, store and disk.

One corpus is annotated through workers undisturbed, then once for every seed while faults drawn by it happen: children
of workers and whole workers are killed, the queue is killed, the store is killed or stopped (both come back after some
seconds; until then connections are refused), and the workers' disk is full for a while. At the end the collected data
set must be the undisturbed one, byte for byte: every clip is in it exactly once.

    python benchmarks/faults.py [--rounds 20] [--faults 6] [--clips 400] [--first-seed 0] [--json]

Leaves with status 1 when one round differs or does not end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile
from annotation import ANNOTATOR, load_local

from annotator_worker.errors import StoreUnavailableError
from annotator_worker.jobfiles import JobFiles
from annotator_worker.status import Progress, status
from annotator_worker.store import open_store

RATE = 16_000
WORKERS = 2
LIMIT_S = 600.0
"""A round that takes longer has lost something."""
FULL_DISK = """
import builtins, errno, io, os

opened = builtins.open

def open_on_full_disk(file, mode="r", *arguments, **more):
    on_disk = isinstance(file, (str, os.PathLike)) and not os.fspath(file).startswith("/dev/")
    if on_disk and os.path.exists(os.environ["FULL_DISK"]) and set("wax+") & set(mode):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
    return opened(file, mode, *arguments, **more)

builtins.open = io.open = open_on_full_disk
"""
"""Every process of a worker runs it at its start: no file can be written while the file FULL_DISK is there."""


@dataclass(frozen=True, slots=True)
class Round:
    """What happened in one round, and whether its data set is the undisturbed one."""

    seed: int
    faults: dict[str, int]
    seconds: float
    equal: bool
    why: str = ""


class Cluster:
    """Queue, store and workers, and what can happen to them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.local = load_local()
        self.folder = folder
        self.full = folder / "full"
        self.queue = stack.enter_context(self.local.valkey(folder))
        self.store = stack.enter_context(self.local.s3_gateway(folder, bucket="annotation"))
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(FULL_DISK)
        self.environment = {
            **self.queue.variables, **self.store.variables, "PYTHONPATH": str(folder / "site"),
            "FULL_DISK": str(self.full), "ANNOTATOR_VISIBILITY_S": "15", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        self.workers: list[Any] = []
        self.faults: dict[str, Callable[[random.Random], None]] = {
            "child killed": self.kill_child, "worker killed": self.kill_worker, "queue killed": self.kill_queue,
            "store killed": self.kill_store, "store stopped": self.stop_store, "disk full": self.fill_disk,
        }  # fmt: skip

    @contextmanager
    def working(self, name: str) -> Iterator[None]:
        """Workers for the store below the prefix `name`."""
        self.environment["ANNOTATOR_STORE"] = f"s3://annotation/{name}"
        for i in range(WORKERS):
            command = [*ANNOTATOR, "worker", "--processes", "1"]
            self.workers.append(self.local.Program(f"worker {i} of {name}", command, self.folder, self.environment))
            self.workers[-1].start()
        try:
            yield
        finally:
            for worker in self.workers:
                worker.kill()
            self.workers.clear()

    def annotator(self, *arguments: str) -> str:
        """What the command prints."""
        environment = os.environ | self.environment | {"PYTHONPATH": ""}
        done = subprocess.run([*ANNOTATOR, *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"annotator {arguments[0]} ended with {done.returncode}: {done.stderr[-500:]}")
        return done.stdout

    def kill_child(self, rng: random.Random) -> None:
        """SIGKILL to a child of a worker's pool."""
        parent = rng.choice(self.workers).pid
        found = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False)
        for child in found.stdout.split()[:1]:
            try:
                os.kill(int(child), signal.SIGKILL)
            except ProcessLookupError:
                continue

    def kill_worker(self, rng: random.Random) -> None:
        """SIGKILL to a worker and its children; another one comes."""
        worker = rng.choice(self.workers)
        worker.kill()
        worker.start()

    def kill_queue(self, rng: random.Random) -> None:
        """SIGKILL to the queue."""
        self.queue.kill()
        time.sleep(rng.uniform(0.5, 3.0))
        self.queue.start()

    def kill_store(self, rng: random.Random) -> None:
        """SIGKILL to the store."""
        self.store.kill()
        time.sleep(rng.uniform(0.5, 3.0))
        self.store.start()

    def stop_store(self, rng: random.Random) -> None:
        """The store is stopped as it should be."""
        self.store.stop()
        time.sleep(rng.uniform(0.5, 3.0))
        self.store.start()

    def fill_disk(self, rng: random.Random) -> None:
        """No worker can write a file."""
        self.full.touch()
        time.sleep(rng.uniform(0.5, 3.0))
        self.full.unlink()


def main() -> int:
    """Print a line for every round; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--faults", type=int, default=6)
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is stopped
    with TemporaryDirectory(prefix="faults-") as name, ExitStack() as stack:
        folder = Path(name)
        write_corpus(folder / "corpus", given.clips)
        cluster = Cluster(folder, stack)
        undisturbed = annotate(cluster, "undisturbed", random.Random(0), faults=0)[0]
        rounds = []
        for seed in range(given.first_seed, given.first_seed + given.rounds):
            rounds.append(play(cluster, seed, undisturbed, faults=given.faults))
            if not given.json:
                print(json.dumps(asdict(rounds[-1])), flush=True)
    passed = all(played.equal for played in rounds)
    if given.json:
        print(json.dumps({"rounds": [asdict(played) for played in rounds], "passed": passed}))
    return 0 if passed else 1


def play(cluster: Cluster, seed: int, undisturbed: dict[str, bytes], *, faults: int) -> Round:
    """One round."""
    start = time.monotonic()
    try:
        made, happened = annotate(cluster, f"round-{seed}", random.Random(seed), faults=faults)
    except TimeoutError as error:
        return Round(seed, {}, time.monotonic() - start, equal=False, why=str(error))
    differing = sorted(name for name in undisturbed.keys() | made.keys() if undisturbed.get(name) != made.get(name))
    seconds = round(time.monotonic() - start, 1)
    return Round(seed, dict(happened), seconds, equal=not differing, why=", ".join(differing))


def annotate(cluster: Cluster, name: str, rng: random.Random, *, faults: int) -> tuple[dict[str, bytes], Counter[str]]:
    """The files of the data set that is collected, and which faults happened meanwhile."""
    happened: Counter[str] = Counter()
    out = cluster.folder / f"out-{name}"
    asked = ("--corpus", "manifest", "--root", str(cluster.folder / "corpus"), "--comparative", "2")
    with cluster.working(name):
        cluster.annotator("submit", *asked, "--job", name)
        wait_out(cluster, name, "measure", rng, happened, faults=faults - faults // 3)
        cluster.annotator("calibrate", "--job", name)
        cluster.annotator("reason", "--job", name)
        for stage in ("reason", "compare"):
            wait_out(cluster, name, stage, rng, happened, faults=faults)
        cluster.annotator("collect", "--job", name, "-o", str(out))
    files = (path for path in sorted(out.rglob("*")) if path.is_file() and ".work" not in path.parts)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}, happened


def wait_out(
    cluster: Cluster, name: str, stage: str, rng: random.Random, happened: Counter[str], *, faults: int
) -> None:
    """Wait until nothing of a stage is pending, and until so many faults have happened, the first one at once."""
    end = time.monotonic() + LIMIT_S
    while (left := pending(cluster, name, stage)) or happened.total() < faults:
        if time.monotonic() > end:
            raise TimeoutError(f"{stage}: {left} items are to be done after {LIMIT_S:g} s")
        if happened.total() < faults:
            fault = rng.choice(sorted(cluster.faults))
            cluster.faults[fault](rng)
            happened[fault] += 1
        time.sleep(rng.uniform(0.2, 1.0))
        for worker in cluster.workers:
            if worker.has_ended():  # as whatever keeps services running would
                worker.start()


def pending(cluster: Cluster, job: str, stage: str) -> int:
    """How many items of a stage are still to be done; one while the store cannot be asked."""
    files = JobFiles(open_store(cluster.environment["ANNOTATOR_STORE"], environ=cluster.environment), job)
    try:
        progress: Progress = getattr(status(files), stage)
    except StoreUnavailableError:
        return 1
    return progress.pending


def write_corpus(root: Path, clips: int) -> None:
    """Eight synthetic voices, each of whose files many utterances share; one utterance in forty has none."""
    (root / "audio").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(8):
        times = np.arange(2 * RATE) / RATE
        phase = 2 * np.pi * 110 * 2 ** (i / 8) * times
        voice = sum(np.sin(k * phase) / k for k in range(1, 20)) * (0.02 + np.sin(2 * np.pi * 2 * times) ** 2)
        soundfile.write(root / "audio" / f"{i}.flac", 0.1 * voice + 1e-4 * rng.standard_normal(len(times)), RATE)
    emotions = ("neutral", "happy", "sad", "angry")
    lines = [
        {
            "utterance_id": f"utterance-{i:05}", "audio_path": f"audio/{i % 8 if i % 40 else 9}.flac",
            "speaker_id": f"made-{i % 8}", "emotion": emotions[i % 4], "split": "test" if i % 4 == 3 else "train",
            "transcript": "The parcel came today", "stressed_words": ["parcel"], "synthetic": True,
        }
        for i in range(clips)
    ]  # fmt: skip
    (root / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


if __name__ == "__main__":
    sys.exit(main())
