"""The runner of `make demo`: order, lanes side by side, what is kept, and what a failure leaves.

Stages here are one-line Python programs; the real ones are in `test_pipeline.py`.
"""

from __future__ import annotations

import os
import runpy
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from explainer.checkpoint import DEMO as DEFAULT_CHECKPOINT
from trainer.cli import compose_settings
from trainer.settings import STAGE_SETTINGS, read_settings

DEMO: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "infra" / "demo" / "pipeline.py"))
Runner, Stage, pipeline, stages_of = (DEMO[name] for name in ("Runner", "Stage", "pipeline", "stages_of"))


def noted(name: str, run: Path, *, status: int = 0, said: str = "", seconds: float = 0.0) -> Any:
    """A stage that takes `seconds`, appends its name and its number of threads to a file, and ends with `status`."""
    code = (
        f"import os, sys, time; time.sleep({seconds}); threads = os.environ.get('OMP_NUM_THREADS', '-');"
        f" open({str(run / 'ran')!r}, 'a').write({name!r} + ' ' + threads + chr(10)); print({said!r});"
        f" sys.exit({status})"
    )
    return Stage(name, ["python", "-c", code], 1)


def ran(run: Path) -> list[str]:
    """What ran since this was last asked, in order."""
    file = run / "ran"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def test_steps_are_in_order_and_lanes_have_a_core_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step waits for both lanes of the one before; within a lane stages wait for each other. A stage that runs alone
    has the threads that it had, one of a lane has one, and its words are in a log.
    """
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    first, last = noted("first", tmp_path), noted("last", tmp_path)
    lanes = [[noted("a", tmp_path, said="hello"), noted("b", tmp_path)], [noted("c", tmp_path), noted("d", tmp_path)]]
    Runner([[[first]], lanes, [[last]]], tmp_path).run()
    order = ran(tmp_path)
    assert (order[0], order[-1]) == ("first -", "last -")
    assert sorted(order[1:-1]) == ["a 1", "b 1", "c 1", "d 1"]
    assert order.index("a 1") < order.index("b 1")
    assert order.index("c 1") < order.index("d 1")
    assert (tmp_path / "logs" / "a.log").read_text() == "hello\n"


def test_what_has_finished_is_kept_until_something_before_it_changes(tmp_path: Path) -> None:
    """After a failure in one lane the other lane's stages are kept and the same command goes on; another command for a
    stage runs it and what follows it anew, not the lane beside it.
    """

    def steps(status: int, said: str = "") -> list[Any]:
        beside = [noted("a", tmp_path), noted("b", tmp_path, status=status)]
        return [[[noted("first", tmp_path)]], [beside, [noted("c", tmp_path, said=said)]], [[noted("last", tmp_path)]]]

    with pytest.raises(SystemExit) as failed:
        Runner(steps(3), tmp_path).run()
    assert failed.value.code == 3
    assert "last -" not in [line.split()[0] + " -" for line in ran(tmp_path)]
    Runner(steps(0), tmp_path).run()
    assert [line.split()[0] for line in ran(tmp_path)] == ["b", "last"]
    Runner(steps(0), tmp_path).run()
    assert ran(tmp_path) == []
    Runner(steps(0, said="other"), tmp_path).run()
    assert [line.split()[0] for line in ran(tmp_path)] == ["c", "last"]


def test_a_stage_waits_for_one_of_the_other_lane(tmp_path: Path) -> None:
    """*d* comes after *a* though its own lane is done at once; where *a* fails neither it nor *b* runs, but *c* does,
    and another command for *a* runs *d* anew.
    """

    def steps(status: int, said: str = "") -> list[Any]:
        last = replace(noted("d", tmp_path), after="a")
        slow = noted("a", tmp_path, status=status, said=said, seconds=0.5)
        return [[[slow, noted("b", tmp_path)], [noted("c", tmp_path), last]]]

    with pytest.raises(SystemExit) as failed:
        Runner(steps(3), tmp_path).run()
    assert failed.value.code == 3
    assert sorted(ran(tmp_path)) == ["a 1", "c 1"]
    Runner(steps(0), tmp_path).run()
    order = ran(tmp_path)
    assert sorted(order) == ["a 1", "b 1", "d 1"]
    assert order[0] == "a 1"
    Runner(steps(0, said="other"), tmp_path).run()
    assert sorted(ran(tmp_path)) == ["a 1", "b 1", "d 1"]


def test_changed_code_runs_everything_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has finished came from other code."""
    steps = [[[noted("first", tmp_path)]], [[noted("last", tmp_path)]]]
    Runner(steps, tmp_path).run()
    assert len(ran(tmp_path)) == 2
    monkeypatch.setitem(Runner.run.__globals__, "code_hash", lambda: "other")
    Runner(steps, tmp_path).run()
    assert [line.split()[0] for line in ran(tmp_path)] == ["first", "last"]


def test_a_stopped_run_stops_its_stages(tmp_path: Path) -> None:
    """SIGTERM while both lanes run a stage that writes its number: the status is 143, and neither process is left."""
    wait = "import os, pathlib, time; pathlib.Path({!r}).write_text(str(os.getpid())); time.sleep(600)"
    files = [tmp_path / name for name in ("a.pid", "b.pid")]
    stages = [(file.stem, ["python", "-c", wait.format(str(file))]) for file in files]
    program = f"""
import pathlib, runpy, signal
demo = runpy.run_path({DEMO["__file__"]!r})
lanes = [[demo["Stage"](name, command, 1)] for name, command in {stages!r}]
runner = demo["Runner"]([lanes], pathlib.Path({str(tmp_path)!r}))
signal.signal(signal.SIGTERM, runner.stop)
runner.run()
"""
    runner = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    while not all(file.exists() and file.read_text() for file in files):
        assert runner.poll() is None
        time.sleep(0.05)
    runner.terminate()
    assert runner.wait() == 128 + signal.SIGTERM
    for file in files:
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.read_text()), 0)


@pytest.mark.parametrize("corpus", ["demo", "ravdess"])
def test_every_command_of_the_demo_is_one_that_the_trainer_takes(corpus: str, tmp_path: Path) -> None:
    """Composed and read as the command line does; each stage is given once, and its policy is one made before it."""
    stages = stages_of(pipeline(corpus, tmp_path / "corpus", tmp_path, seed=0))
    assert len({stage.name for stage in stages}) == len(stages)
    made = {str(tmp_path / "corpus"), str(tmp_path / "annotated")}
    for stage in stages:
        if stage.command[0] != "trainer":
            continue
        values = compose_settings(stage.command[1:])
        settings = read_settings(STAGE_SETTINGS[values["name"]], values)
        needed = {getattr(settings, name, None) for name in ("data", "policy", "reward_model", "evaluator")}
        needed |= set(getattr(settings, "policies", {}).values())
        assert needed - {None} <= made, shlex.join(stage.command)
        made.add(str(getattr(settings, "out", "")))


def test_the_last_lines_name_the_checkpoint_that_explainer_takes_by_default() -> None:
    """So that the line that is printed and `explainer explain FILE` without an option are the same policy."""
    assert f"--checkpoint {DEFAULT_CHECKPOINT}\n" in DEMO["_next_steps"](Path("runs/demo/demo"), "demo")
