"""When the queue hands out a message again: soon where its worker is no more, never while one works on it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.service

VISIBILITY_S = 8
SLOW_S = 3 * VISIBILITY_S
BACK_S = 60
"""The visibility timeout, a quarter of it, and what a busy machine needs; Kombu's own 100 s would be more."""
SLOW = """
import io, os, signal, time

opened, slept = io.open, []

def open_slowly(file, *arguments, **more):
    if signal.getitimer(signal.ITIMER_REAL)[0] > 0 and not slept:
        slept.append(True)
        time.sleep(float(os.environ["SLOW_S"]))
    return opened(file, *arguments, **more)

io.open = open_slowly
"""
"""Python runs it at the start of every process that finds it as `sitecustomize`. It acts once, where a clip is
measured."""


def test_a_killed_workers_batch_is_soon_done_by_another_and_by_one_only(services, tmp_path: Path, kit) -> None:
    """One clip, three workers: the first is killed over it; of the others one gets it, and although measuring takes
    three times the visibility timeout, the other one never does."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "sitecustomize.py").write_text(SLOW)
    root = kit.write_corpus(tmp_path / "corpus", clips=1)
    slow = {"PYTHONPATH": str(tmp_path / "slow"), "ANNOTATOR_VISIBILITY_S": str(VISIBILITY_S)}
    first = services.start_worker(**slow, SLOW_S="600")
    assert services.annotator("submit", "--corpus", "manifest", "--root", str(root), "--job", "lost")[0] == 0
    wait_until(lambda: received(first), 120)
    first.kill()
    killed = time.monotonic()
    command, environment = first.command, dict(first.environment) | {"SLOW_S": str(SLOW_S)}
    second, third = (services.local.Program(f"worker {n}", command, tmp_path, environment) for n in ("b", "c"))
    with services.local.running(second), services.local.running(third):
        wait_until(lambda: received(second) or received(third), 120)
        assert time.monotonic() - killed < BACK_S
        assert services.wait_for("measure", "lost")["done"] == 1
        assert received(second) + received(third) == 1


def received(worker) -> int:
    return worker.log.read_text().count("received")


def wait_until(condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
