"""How fast a corpus goes through workers, against the plain library in as many processes; how fast, and in how much
memory, a manifest of a million lines is submitted.

Real servers on this machine (`infra/local.py`), which share its cores with the workers. Every way starts warm and
measures the same clips with stressed words. Rates are clips per CPU second of everything that takes part, servers and
`submit` too, so that other work on the machine does not count; seconds on the clock stand beside them.

    python benchmarks/annotation.py [--root ../shared/data/ravdess] [--clips 1200] [--lines 1000000] [--json]

Bars: at least 0.70 of the library's rate through S3 and 0.85 with audio in place; a second run sends nothing; 20 000
lines per second of the submitting process (its CPU time, so that other work on the machine does not count) in at most
200 MiB. Leaves with status 1 when one is missed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import Popen, check_output
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np
import soundfile

import speech_corpora
from annotator_worker.jobfiles import JobFiles
from annotator_worker.status import status
from annotator_worker.store import open_store
from prosody.batch import Extras, measure_one

MIN_THROUGH_S3, MIN_IN_PLACE = 0.70, 0.85
MIN_LINES_PER_S, MAX_MIB = 20_000, 200
RECORDINGS = 64
WARM_CLIPS = 24
STRESSED = Extras(language="en", align="pocketsphinx")
ANNOTATOR = [sys.executable, "-m", "annotator_worker"]


@dataclass(frozen=True, slots=True)
class Way:
    """One way of measuring: what it took on the clock, and CPU seconds by what spent them.

    `again` is how many items a second run over the same corpus sends.
    """

    name: str
    clips: int
    seconds: float
    cpu: dict[str, float]
    again: int = 0

    def rate_of(self, other: Way) -> float:
        """Clips per CPU second, in those of another way."""
        return self.clips / sum(self.cpu.values()) / (other.clips / sum(other.cpu.values()))


@dataclass(frozen=True, slots=True)
class Submitting:
    """A synthetic manifest on its way to the queue."""

    lines: int
    lines_per_s: float
    lines_per_cpu_s: float
    peak_mib: float
    messages: int


def main() -> int:
    """Print the results; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--root", type=Path, default=Path("../shared/data/ravdess"))
    parser.add_argument("--clips", type=int, default=1200, help="0: leave throughput out")
    parser.add_argument("--lines", type=int, default=1_000_000, help="0: leave submitting out")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is stopped
    rows: list[tuple[str, float, float, str]] = []
    found: dict[str, Any] = {}
    os.environ["OMP_NUM_THREADS"] = "1"
    if given.clips:
        plain, in_place, through_s3 = ways = throughput(given.root, given.clips, given.processes)
        found["ways"] = [asdict(way) for way in ways]
        rows += [
            ("through S3, of the library's rate", through_s3.rate_of(plain), MIN_THROUGH_S3, "≥"),
            ("with audio in place", in_place.rate_of(plain), MIN_IN_PLACE, "≥"),
            ("items that a second run sends", in_place.again + through_s3.again, 0, "≤"),
        ]
    if given.lines:
        submitting = submit_synthetic(given.lines)
        found["submitting"] = asdict(submitting)
        rows += [
            ("manifest lines submitted per CPU second", submitting.lines_per_cpu_s, MIN_LINES_PER_S, "≥"),
            ("peak memory of submitting, MiB", submitting.peak_mib, MAX_MIB, "≤"),
        ]
    passed = all(value >= bar if sign == "≥" else value <= bar for _, value, bar, sign in rows)
    if given.json:
        print(json.dumps(found | {"passed": passed}))
    else:
        for name, value, bar, sign in rows:
            print(f"{name:<40} {value:>12,.2f}   bar {sign} {bar:g}")
        print(json.dumps(found, indent=1))
    return 0 if passed else 1


def throughput(root: Path, clips: int, processes: int) -> list[Way]:
    """What each way of measuring the same clips takes: the library, workers with audio in place, and through S3."""
    ways = [library(root, clips, processes)]
    with services() as (queue, store, folder):
        corpus = ["--corpus", "ravdess", "--root", str(root)]
        for name, more, uri in (
            ("in place", ["--in-place"], f"file://{folder}/store"),
            ("S3", [], store.variables["ANNOTATOR_STORE"]),
        ):
            used = {**queue.variables, **store.variables, "ANNOTATOR_STORE": uri, "OMP_NUM_THREADS": "1"}
            used["ANNOTATOR_AUDIO_ROOT"] = str(root.resolve())
            with worker(used, folder, processes) as working:
                annotator(used, "submit", *corpus, *more, "--limit", str(WARM_CLIPS), "--job", "warm")
                wait(used, "warm")
                programs = {"workers": working, "queue": queue, "store": store}
                before = {part: cpu_s(program.pid) for part, program in programs.items()}
                submitting, start = os.times(), time.perf_counter()
                annotator(used, "submit", *corpus, *more, "--limit", str(clips), "--job", "all")
                submitted = os.times()
                wait(used, "all")
                took = time.perf_counter() - start
                spent = {part: cpu_s(program.pid) - before[part] for part, program in programs.items()}
                spent["submit"] = submitted.children_user + submitted.children_system
                spent["submit"] -= submitting.children_user + submitting.children_system
                again = annotator(used, "submit", *corpus, *more, "--limit", str(clips), "--job", "all")
                ways.append(Way(name, clips, took, spent, again=int(again.split()[0])))
    return ways


def library(root: Path, clips: int, processes: int) -> Way:
    """`prosody` in processes that are warm."""
    utterances = speech_corpora.load("ravdess", root).utterances[:clips]
    paths = [str(root / u.audio_path) for u in utterances]
    said = [u.transcript for u in utterances]
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(_measure, paths[:WARM_CLIPS], said[:WARM_CLIPS]))
        start = time.perf_counter()
        spent = sum(pool.map(_measure, paths, said, chunksize=8))
        return Way("library", clips, time.perf_counter() - start, {"measuring": spent})


def _measure(path: str, transcript: str | None) -> float:
    start = time.process_time()
    measure_one(path, transcript=transcript, extras=STRESSED)
    return time.process_time() - start


def cpu_s(group: int) -> float:
    """CPU seconds of a process group, with its processes that have ended."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group:
            total += sum(map(int, fields[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def submit_synthetic(lines: int) -> Submitting:
    """Submit a manifest of turns of `RECORDINGS` conversations; no worker is there to take them."""
    with services() as (queue, store, folder):
        environment = {**queue.variables, **store.variables}
        root = folder / "corpus"
        (root / "audio").mkdir(parents=True)
        noise = np.random.default_rng(0)
        for i in range(RECORDINGS):
            soundfile.write(root / "audio" / f"{i:03}.flac", 0.1 * noise.standard_normal(16_000), 16_000)
        with (root / "manifest.jsonl").open("w") as manifest:
            for i in range(lines):
                manifest.write(synthetic_line(i, lines) + "\n")
        start = time.perf_counter()
        command = [*ANNOTATOR, "submit", "--corpus", "manifest", "--root", str(root), "--job", "synthetic"]
        with (folder / "sent").open("w+") as out:
            process = Popen(command, env=os.environ | environment, stdout=out)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            took = time.perf_counter() - start
            out.seek(0)
            items, _, _, _, messages, _ = out.read().split()
        if process.returncode or int(items) != lines:
            raise SystemExit(f"submitting ended with {process.returncode} after {items} of {lines} lines")
        cpu_s = used.ru_utime + used.ru_stime
        return Submitting(lines, lines / took, lines / cpu_s, used.ru_maxrss / 1024, int(messages))


def synthetic_line(number: int, lines: int) -> str:
    """One turn of a conversation; the turns of one follow each other."""
    recording = number * RECORDINGS // lines
    start = number % 1000 / 1000
    return json.dumps({
        "utterance_id": f"conversation-{recording:03}-turn-{number:07}", "audio_path": f"audio/{recording:03}.flac",
        "speaker_id": f"speaker-{number % 97}", "emotion": ("happy", "sad", "angry", "neutral")[number % 4],
        "transcript": "The parcel came today and nobody was at home", "split": "train", "language": "en",
        "start_s": start, "end_s": start + 0.5, "synthetic": True,
    })  # fmt: skip


@contextmanager
def services() -> Iterator[tuple[Any, Any, Path]]:
    """A queue, an object store, and a folder."""
    local = load_local()
    with TemporaryDirectory(prefix="annotation-") as name:
        folder = Path(name)
        with local.valkey(folder) as queue, local.s3_gateway(folder, bucket="annotation") as store:
            yield queue, store, folder


def load_local() -> ModuleType:
    """`infra/local.py`."""
    path = Path(__file__).parents[1] / "infra" / "local.py"
    spec = importlib.util.spec_from_file_location("local", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is missing")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def worker(environment: Mapping[str, str], folder: Path, processes: int) -> Iterator[Any]:
    """A worker that is ready."""
    local = load_local()
    command = [*ANNOTATOR, "worker", "--processes", str(processes)]
    with local.running(local.Program("worker", command, folder, environment)) as program:
        while " ready." not in program.log.read_text():
            time.sleep(0.2)
        yield program


def annotator(environment: Mapping[str, str], *arguments: str) -> str:
    """What the command prints."""
    return check_output([*ANNOTATOR, *arguments], env=os.environ | dict(environment), text=True)


def wait(environment: Mapping[str, str], job: str) -> None:
    """Until nothing of a job is pending."""
    files = JobFiles(open_store(environment["ANNOTATOR_STORE"], environ=environment), job)
    while status(files).measure.pending:
        time.sleep(0.2)


if __name__ == "__main__":
    raise SystemExit(main())
