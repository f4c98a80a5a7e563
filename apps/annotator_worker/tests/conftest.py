"""A corpus made for the tests, synthetic and labelled so, and the real servers of the tests marked `service`."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from typer.testing import CliRunner

from annotator_worker.cli import cli

RATE = 16_000
EMOTIONS = ("neutral", "happy", "sad", "angry")


def speechlike(
    f0_hz: float, *, syllables: int, rate_sps: float, peak: float, sample_rate: int = RATE
) -> NDArray[np.float64]:
    """Syllables as raised cosines over a gliding harmonic complex, with 0.15 s of faint noise at both ends."""
    count = round(syllables / rate_sps * sample_rate)
    times = np.arange(count) / sample_rate
    phase = 2 * np.pi * np.cumsum(f0_hz * 2 ** (-2 * times / times[-1] / 12)) / sample_rate
    harmonics = range(1, int(min(3500.0, 0.45 * sample_rate) / f0_hz))
    voice = sum(np.sin(k * phase) / k for k in harmonics) * (0.02 + np.sin(np.pi * rate_sps * times) ** 2)
    edge = np.zeros(round(0.15 * sample_rate))
    clip = np.concatenate([edge, peak * voice / np.max(np.abs(voice)), edge])
    return clip + 1e-4 * np.random.default_rng(0).standard_normal(len(clip))


def line(name: str, path: str, **fields: object) -> str:
    """One line of a manifest."""
    record = {"utterance_id": name, "audio_path": path, "speaker_id": "made", "emotion": "neutral", "synthetic": True}
    return json.dumps(record | fields) + "\n"


def write_corpus(root: Path, *, clips: int) -> Path:
    """A manifest of `clips` good utterances below `root`, three train to one test, all different."""
    (root / "audio").mkdir(parents=True)
    lines = []
    for i in range(clips):
        f0_hz, rate_sps = 110.0 * 2 ** (i % 7 / 7), 3.5 + i % 3
        samples = speechlike(f0_hz, syllables=5, rate_sps=rate_sps, peak=0.2 + 0.1 * (i % 4))
        soundfile.write(root / "audio" / f"{i:03}.flac", samples, RATE)
        fields = {
            "emotion": EMOTIONS[i % 4],
            "split": "test" if i % 4 == 3 else "train",
            "transcript": "The parcel came today",
            "stressed_words": ["parcel"],
        }
        lines.append(line(f"made-{i:03}", f"audio/{i:03}.flac", **fields))
    (root / "manifest.jsonl").write_text("".join(lines))
    return root


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a data set by its path, without the work file."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".work" not in path.parts
    }


@dataclass(frozen=True)
class Kit:
    """What tests make corpora with; handed over as a fixture, for test files do not import one another."""

    speechlike: Callable[..., NDArray[np.float64]] = speechlike
    line: Callable[..., str] = line
    write_corpus: Callable[..., Path] = write_corpus
    contents: Callable[[Path], dict[str, bytes]] = contents


@pytest.fixture(scope="session")
def kit() -> Kit:
    return Kit()


LOCAL = Path(__file__).parents[3] / "infra" / "local.py"
WAIT_S = 300


@dataclass
class Services:
    """Valkey and an S3 gateway, with what the command `annotator` and workers need to reach them."""

    local: ModuleType
    folder: Path
    queue: Any
    store: Any
    environment: dict[str, str]
    worker: Any = None

    def annotator(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """The command in this process: status, stdout, stderr."""
        result = CliRunner().invoke(cli, arguments, env=self.environment | environment)
        return result.exit_code, result.stdout, result.stderr

    def start_worker(self, *, processes: int = 1, **environment: str) -> Any:
        """A worker as it runs in production, instead of the one before."""
        if self.worker is not None:
            self.worker.stop()
        command = [sys.executable, "-m", "annotator_worker", "worker", "--processes", str(processes)]
        environment = self.environment | {"OMP_NUM_THREADS": "1"} | environment
        self.worker = self.local.Program("worker", command, self.folder, environment)
        self.worker.start()
        return self.worker

    def wait_for(self, stage: str, job: str = "made") -> dict[str, int]:
        """The progress of a stage when nothing of it is pending."""
        end = time.monotonic() + WAIT_S
        while True:
            status, out, err = self.annotator("status", "--job", job)
            assert status == 0, err
            progress: dict[str, int] = json.loads(out)[stage]
            if progress["pending"] == 0:
                return {name: progress[name] for name in ("total", "done", "failed", "pending")}
            assert time.monotonic() < end, f"{progress}\n{self.worker.log.read_text()[-2000:]}"
            time.sleep(0.3)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    if not LOCAL.is_file():
        pytest.skip("infra/local.py is not part of this installation")
    spec = importlib.util.spec_from_file_location("local", LOCAL)
    assert spec is not None
    assert spec.loader is not None
    local = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = local
    spec.loader.exec_module(local)
    folder = tmp_path_factory.mktemp("services")
    with local.valkey(folder) as queue, local.s3_gateway(folder, bucket="annotation") as store:
        environment = {**queue.variables, **store.variables, "ANNOTATOR_STORE": "s3://annotation/runs"}
        made = Services(local, folder, queue, store, environment)
        try:
            yield made
        finally:
            if made.worker is not None:
                made.worker.stop()
