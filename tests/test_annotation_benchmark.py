"""The benchmarks of annotation, small: real servers, a manifest of some thousand lines, one round of faults."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import annotation
import faults
import pytest

pytestmark = pytest.mark.service
LINES = 20_000


@pytest.mark.timeout(900)
def test_a_long_manifest_is_submitted_in_bounded_memory() -> None:
    """The bound is the bar of a million lines, in a process of its own, since a peak is never forgotten; a batch has 64
    clips on average, so messages are that many times fewer than lines, give or take a half."""
    words = [sys.executable, annotation.__file__, "--clips", "0", "--lines", str(LINES), "--json"]
    submitted = json.loads(subprocess.run(words, check=False, capture_output=True, text=True).stdout)["submitting"]
    assert submitted["peak_mib"] <= annotation.MAX_MIB
    assert LINES / 64 / 1.5 < submitted["messages"] < LINES / 64 * 1.5


@pytest.mark.timeout(900)
def test_a_round_of_faults_changes_nothing(tmp_path: Path) -> None:
    """Each of three faults, drawn by seed 5, and the data set of the undisturbed run: every file, byte for byte."""
    with ExitStack() as stack:
        faults.write_corpus(tmp_path / "corpus", 80)
        cluster = faults.Cluster(tmp_path, stack)
        undisturbed = faults.annotate(cluster, "undisturbed", random.Random(0), faults=0)[0]
        assert undisturbed["traces.jsonl"].count(b"\n") == 78
        assert faults.play(cluster, 5, undisturbed, faults=3).why == ""
