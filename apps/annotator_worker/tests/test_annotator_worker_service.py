"""The same annotation through real servers: one Celery worker, Valkey, an S3 gateway, each with a random secret."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from annotator_worker import jobfiles, store
from annotator_worker.cli import cli
from annotator_worker.errors import ObjectNotFoundError, StoreAccessError, StoreError, StoreUnavailableError

pytestmark = pytest.mark.service

SERVICES = Path(__file__).parents[3] / "infra" / "services" / "loopback.py"
CLIPS = 8
WAIT_S = 120
CORPUS = ("--corpus", "manifest", "--seed", "5", "--comparative", "1")


class Program(Protocol):
    """What `infra/services` tells of a program that it started."""

    pid: int
    log: Path


@dataclass(frozen=True)
class Servers:
    environment: dict[str, str]
    folder: Path
    loopback: ModuleType


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    if not SERVICES.is_file():
        pytest.skip("infra/services is not part of this installation")
    spec = importlib.util.spec_from_file_location("loopback", SERVICES)
    assert spec is not None
    assert spec.loader is not None
    loopback = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loopback
    spec.loader.exec_module(loopback)
    folder = tmp_path_factory.mktemp("services")
    with loopback.valkey(folder) as broker, loopback.s3_gateway(folder, bucket="annotation") as s3:
        names = {"CELERY_BROKER_URL": broker, "ANNOTATOR_STORE": "s3://annotation/runs"}
        yield Servers(names | dict(s3.environment), folder, loopback)


@pytest.fixture(scope="module")
def worker(servers: Servers) -> Iterator[Program]:
    """A worker as it runs in production, with one child process."""
    command = [sys.executable, "-m", "celery", "-A", "annotator_worker", "worker", "-c", "1", "--loglevel", "INFO"]
    with servers.loopback.running("worker", command, servers.folder, environment=servers.environment) as program:
        yield program


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    """Eight good clips, a missing one, a damaged one and a line that is rejected."""
    root = kit.write_corpus(tmp_path_factory.mktemp("service") / "corpus", clips=CLIPS)
    (root / "text.wav").write_text("no sound")
    bad = [kit.line("missing", "missing.wav"), kit.line("text", "text.wav"), kit.line("up", "../up.wav")]
    with (root / "manifest.jsonl").open("a") as manifest:
        manifest.writelines(bad)
    return root


@pytest.fixture
def annotator(servers: Servers) -> Callable[..., tuple[int, str, str]]:
    def invoke(*arguments: str, **environment: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(cli, arguments, env=servers.environment | environment)
        return result.exit_code, result.stdout, result.stderr

    return invoke


def wait_for(
    annotator: Callable[..., tuple[int, str, str]], stage: str, worker: Program, job: str = "made"
) -> dict[str, int]:
    end = time.monotonic() + WAIT_S
    while True:
        status, out, err = annotator("status", "--job", job)
        assert status == 0, err
        progress = json.loads(out)[stage]
        if progress["pending"] == 0:
            return progress
        assert time.monotonic() < end, f"{progress}\n{worker.log.read_text()[-2000:]}"
        time.sleep(0.2)


def test_collected_equals_local(
    annotator: Callable[..., tuple[int, str, str]], worker: Program, corpus: Path, tmp_path: Path, kit
) -> None:
    """Byte for byte, failed items, comparative clips and `dataset.json` included."""
    annotate = [*CORPUS, "--root", str(corpus)]
    local = annotator("run", "--local", *annotate, "-o", str(tmp_path / "local"))
    assert local[0] == 1

    submitted = annotator("submit", *annotate, "--job", "made")
    assert (submitted[0], submitted[1].split(" in ")[0]) == (0, f"{CLIPS + 1} items sent")
    assert wait_for(annotator, "measure", worker) == {"total": CLIPS + 1, "done": CLIPS, "failed": 1, "pending": 0}
    early = annotator("collect", "--job", "made", "-o", str(tmp_path / "early"))
    assert (early[0], "run calibrate" in early[2]) == (2, True)
    calibrated = annotator("calibrate", "--job", "made")
    assert (calibrated[0], calibrated[2].split(" in ")[0]) == (0, "2 items sent")
    wait_for(annotator, "compare", worker)
    collected = annotator("collect", "--job", "made", "-o", str(tmp_path / "collected"))

    assert collected[0] == 1
    assert collected[1].splitlines()[1:] == local[1].splitlines()[1:]
    assert kit.contents(tmp_path / "collected") == kit.contents(tmp_path / "local")
    assert len((tmp_path / "local" / "errors.jsonl").read_text().splitlines()) == 3


def test_asking_again_sends_only_what_failed(
    annotator: Callable[..., tuple[int, str, str]], worker: Program, corpus: Path
) -> None:
    """Everything was done above, so submitting it again sends nothing; `retry` sends what failed, until it is right.

    The damaged clip that was mended is another content: only its batch is new.
    """
    annotate = [*CORPUS, "--root", str(corpus), "--job", "made"]
    assert annotator("submit", *annotate)[1] == "0 items sent in 0 messages\n"
    (dead,) = map(json.loads, annotator("dead-letters", "--job", "made")[1].splitlines())
    assert (dead["id"], dead["error"], dead["attempt"], dead["retries"]) == ("text", "UnreadableAudioError", 1, 0)
    assert annotator("retry", "--job", "made")[1] == "1 items sent in 1 messages\n"
    assert wait_for(annotator, "measure", worker)["failed"] == 1
    (dead,) = map(json.loads, annotator("dead-letters", "--job", "made")[1].splitlines())
    assert dead["retries"] == 1
    soundfile.write(corpus / "text.wav", soundfile.read(corpus / "audio" / "000.flac")[0], 16_000)
    assert int(annotator("submit", *annotate)[1].split()[0]) in range(1, CLIPS + 2)
    assert wait_for(annotator, "measure", worker) == {"total": 9, "done": 9, "failed": 0, "pending": 0}


def test_status_is_live(annotator: Callable[..., tuple[int, str, str]], worker: Program) -> None:
    """The one worker has done every item that was ever sent, and says how fast."""
    status = json.loads(annotator("status", "--job", "made")[1])
    assert (status["submitted"], status["cancelled"], status["rejected"]) == (True, False, 2)
    assert status["rate"] > 0
    assert status["eta_s"] == 0
    assert sum(status["workers"].values()) >= CLIPS + 4


def test_a_cancelled_job_stops_and_is_taken_up_again(
    annotator: Callable[..., tuple[int, str, str]], worker: Program, tmp_path: Path, kit
) -> None:
    root = kit.write_corpus(tmp_path / "corpus", clips=10)
    assert annotator("cancel", "--job", "stopped")[0] == 0
    queue = ("submit", "--corpus", "manifest", "--root", str(root), "--job", "stopped", "--limit", "10")
    assert annotator(*queue)[0] == 0  # submitting takes it up
    wait_for(annotator, "measure", worker, "stopped")
    assert json.loads(annotator("status", "--job", "stopped")[1])["cancelled"] is False
    assert annotator("cancel", "--job", "stopped")[0] == 0
    assert json.loads(annotator("status", "--job", "stopped")[1])["cancelled"] is True


def test_secrets_are_nowhere_in_the_log(servers: Servers, worker: Program) -> None:
    """Neither the S3 secret nor the broker's password, in a log that shows the worker at work."""
    log = worker.log.read_text()
    assert "annotator_worker.tasks.annotate" in log
    assert servers.environment["AWS_SECRET_ACCESS_KEY"] not in log
    assert servers.environment["CELERY_BROKER_URL"].split("@")[0].removeprefix("redis://:") not in log


def test_a_wrong_secret_is_refused(annotator: Callable[..., tuple[int, str, str]]) -> None:
    status, out, err = annotator("status", "--job", "made", AWS_SECRET_ACCESS_KEY="not-the-secret")
    assert (status, out) == (2, "")
    assert "refused (SignatureDoesNotMatch)" in err
    assert "not-the-secret" not in err


def test_a_killed_child_costs_nothing(
    annotator: Callable[..., tuple[int, str, str]], servers: Servers, worker: Program, tmp_path: Path, kit
) -> None:
    """Killed over eight minutes of audio: the message comes again, marked as such, and the clip is measured."""
    (tmp_path / "manifest.jsonl").write_text(kit.line("long", "long.flac"))
    speech = kit.speechlike(150.0, syllables=80, rate_sps=4.0, peak=0.4)
    soundfile.write(tmp_path / "long.flac", np.tile(speech, 24), 16_000)
    before = worker.log.read_text().count("received")
    assert annotator("submit", "--corpus", "manifest", "--root", str(tmp_path), "--job", "long")[0] == 0
    end = time.monotonic() + WAIT_S
    while worker.log.read_text().count("received") == before:
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.3)
    for child in subprocess.run(
        ["pgrep", "-P", str(worker.pid)], check=True, capture_output=True, text=True
    ).stdout.split():
        os.kill(int(child), signal.SIGKILL)
    assert wait_for(annotator, "measure", worker, "long")["done"] == 1


def test_a_wrong_broker_password_is_refused(
    annotator: Callable[..., tuple[int, str, str]], servers: Servers, tmp_path: Path, kit
) -> None:
    corpus = kit.write_corpus(tmp_path / "corpus", clips=9)  # the ninth clip is not measured yet
    address = servers.environment["CELERY_BROKER_URL"].split("@")[1]
    broker = f"redis://:not-the-password@{address}"
    status, _, err = annotator("submit", *CORPUS, "--root", str(corpus), "--job", "other", CELERY_BROKER_URL=broker)
    assert status == 2
    assert "CELERY_BROKER_URL" in err
    assert "not-the-password" not in err


def test_s3_store_keeps_the_protocol(servers: Servers, tmp_path: Path) -> None:
    """Put, get, list, delete, files, and what is missing; listings do not show folders that deletes left empty."""
    objects = store.open_store("s3://annotation/protocol", environ=servers.environment)
    objects.put("a/b/one", b"1")
    objects.put("a/two", b"2")
    objects.put("a/two", b"22")
    assert sorted(objects.keys("a/")) == ["a/b/one", "a/two"]
    assert objects.get("a/two") == b"22"
    objects.delete("a/b/one")
    objects.delete("a/b/one")
    assert list(objects.keys("a/")) == ["a/two"]
    assert (objects.exists("a/two"), objects.exists("a/b/one")) == (True, False)
    (tmp_path / "file").write_bytes(b"file")
    objects.upload("c", tmp_path / "file")
    objects.download("c", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"file"
    with pytest.raises(ObjectNotFoundError):
        objects.get("a/b/one")
    with pytest.raises(StoreError, match="bucket 'elsewhere' does not exist"):
        store.open_store("s3://elsewhere", environ=servers.environment).put("a", b"")
    with pytest.raises(StoreAccessError, match="AWS_SECRET_ACCESS_KEY"):
        store.open_store("s3://annotation", environ=servers.environment | {"AWS_SECRET_ACCESS_KEY": ""})


def test_a_store_that_is_away_is_worth_another_try(servers: Servers) -> None:
    """Port 9 (discard) of the loopback interface has no listener: the error is the one that tasks retry."""
    away = store.open_store("s3://annotation", environ=servers.environment | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    with pytest.raises(StoreUnavailableError):
        jobfiles.JobFiles(away, "made").spec()
