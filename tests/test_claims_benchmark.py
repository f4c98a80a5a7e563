"""`benchmarks/claims.py` on a file of one's own."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest


def test_the_benchmark_scores_a_file_of_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence that is read right passes; one that no lexicon reads misses the bar, with status 1."""
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "claims.py"
    spec = importlib.util.spec_from_file_location("benchmark_claims", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, script)  # dataclasses look their module up
    spec.loader.exec_module(script)
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text('{"text": "He is loud.", "claims": [{"cue": "energy", "value": "high"}]}\n')
    bad.write_text('{"text": "Blorp.", "claims": [{"cue": "energy", "value": "high"}]}\n')
    assert script.main([str(good), "--json"]) == 0
    ratios = json.loads(capsys.readouterr().out)
    assert ratios["sets"]["good.jsonl"]["f1"] == 1.0
    assert script.main([str(bad)]) == 1
