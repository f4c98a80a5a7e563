"""`speechlm inspect`: the figures of `summarize` (checked by hand in its own test), and one line for bad input."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from speechlm import SpeechLM, cli, summarize


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["speechlm", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_json_is_the_summary(
    model: SpeechLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model.save(tmp_path)
    assert run(monkeypatch, "inspect", str(tmp_path), "--json") in (0, None)
    assert json.loads(capsys.readouterr().out) == asdict(summarize(model))


def test_lines_say_what_a_person_asks(
    model: SpeechLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model.save(tmp_path)
    assert run(monkeypatch, "inspect", str(tmp_path)) in (0, None)
    lines = {line[:16].strip(): line[16:] for line in capsys.readouterr().out.splitlines()}
    assert lines["architecture"] == "qwen2_5_omni_thinker, float32"
    assert lines["vocabulary"] == "300 tokens, 300 embeddings"
    assert lines["audio tower"].startswith("2 layers, width 32, 1 heads")
    assert f"<|AUDIO|> {model.audio_id}" in lines["special tokens"]


def test_bad_input_is_one_line_and_a_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "inspect", str(tmp_path / "nowhere")) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"speechlm: {tmp_path / 'nowhere'}: no config.json")
    assert printed.err.count("\n") == 1
