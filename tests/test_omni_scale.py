"""The benchmark of the released sizes, in small on the CPU: what it measures there says nothing, but all of it runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "omni_scale.py"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("trained", ["lora", "full"])
def test_everything_is_measured_and_kept(trained: str, tmp_path: Path) -> None:
    """3 answers of 5 tokens: packed, the clip and the prompt are there once instead of thrice."""
    small = ["--k", "3", "--seconds", "1", "--tokens", "5", "--repeats", "1", "--peak-tflops", "1"]
    out = tmp_path / "figures.json"
    run("--preset", "tiny", "--device", "cpu", "--train", trained, *small, "--out", str(out))
    kept = json.loads(out.read_text())
    packed, unpacked = kept["step"]["packed"], kept["step"]["unpacked"]
    prompt = packed["tokens"] - 3 * 5
    assert unpacked["tokens"] == 3 * (prompt + 5)
    assert 0 < packed["operations"] < unpacked["operations"]
    assert 0 < kept["sampling"]["tokens"] <= 3 * 5
    assert kept["load"]["train"] == trained
    assert all(row["seconds"] > 0 and row["peak_bytes"] > 0 and row["mfu"] > 0 for row in (packed, unpacked))
    assert kept["versions"]["torch"] == torch.__version__


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_cuda_nothing_is_measured_and_that_is_said() -> None:
    assert "no CUDA device: nothing was measured" in run().stderr
