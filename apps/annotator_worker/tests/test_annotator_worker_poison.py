"""A clip that kills the process that measures it, as a crash in native code or a lack of memory does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from cotgen.dataset import DataSet

POISON = """
import io, multiprocessing, os, signal

opened = io.open

def open_or_die(file, *arguments, **more):
    if str(file).endswith("003.flac") and multiprocessing.parent_process() is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    return opened(file, *arguments, **more)

io.open = open_or_die
"""
"""Python runs it at the start of every process that finds it as `sitecustomize`."""


def test_a_clip_that_kills_its_process_costs_itself(tmp_path: Path, kit) -> None:
    """Of eight clips seven are annotated, the eighth is named; a second run keeps the seven and fails on it again."""
    root = kit.write_corpus(tmp_path / "corpus", clips=8)
    (tmp_path / "poison").mkdir()
    (tmp_path / "poison" / "sitecustomize.py").write_text(POISON)
    command = [sys.executable, "-m", "annotator_worker", "run", "--local", "--corpus", "manifest", "--root", str(root)]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "poison"), "OMP_NUM_THREADS": "1"}
    written = []
    for _ in range(2):
        done = subprocess.run(
            [*command, "-o", str(tmp_path / "out"), "--workers", "2"], env=environment, capture_output=True, check=False
        )
        assert done.returncode == 1, done.stderr.decode()[-2000:]
        (line,) = (tmp_path / "out" / "errors.jsonl").read_text().splitlines()
        failed = json.loads(line)
        assert (failed["id"], failed["stage"], failed["error"]) == ("made-003", "measure", "WorkerDiedError")
        written.append([m.utterance.utterance_id for m in DataSet.open(tmp_path / "out").measured()])
    assert written[0] == written[1] == [f"made-{i:03}" for i in range(8) if i != 3]
