"""`speechlm inspect`: the numbers of `summarize` (checked by hand in its own test); one line for bad input."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from torch import Tensor

from speechlm import (
    LoraSettings,
    Provenance,
    SpeechLM,
    add_lora,
    cli,
    read_record,
    save_checkpoint,
    summarize,
    trainable_parts,
)

ClipMaker = Callable[..., list[Tensor]]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["speechlm", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_json_is_the_summary(
    model: SpeechLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_checkpoint(model, tmp_path)
    assert run(monkeypatch, "inspect", str(tmp_path), "--json") in (0, None)
    found = json.loads(capsys.readouterr().out)
    summary = asdict(summarize(model))
    assert {name: found[name] for name in summary} == summary
    assert found.keys() - summary.keys() == {"checkpoint"}
    record = read_record(tmp_path)
    assert record is not None
    assert found["checkpoint"] == json.loads(json.dumps(asdict(record)))
    assert found["parts"] == trainable_parts(model)


def test_lines_say_what_a_person_asks(
    model: SpeechLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_checkpoint(model, tmp_path)
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
    assert printed.err == f"speechlm: {tmp_path / 'nowhere'}: no such folder\n"


def test_what_was_trained_is_shown(
    model: SpeechLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the caller said when the checkpoint was saved, and what `add_lora` was given."""
    add_lora(model, LoraSettings(rank=2, targets=("q_proj",)))
    given = Provenance(stage="sft", label_set="PAPER_9", data={"dataset.json": "ab" * 32}, synthetic=True)
    save_checkpoint(model, tmp_path / "a", provenance=given)
    assert run(monkeypatch, "inspect", str(tmp_path / "a")) in (0, None)
    lines = {line[:16].strip(): line[16:] for line in capsys.readouterr().out.splitlines()}
    assert lines["base"] == "built in memory"
    assert lines["trained parts"] == "llm"
    assert lines["LoRA"] == "rank 2, alpha 32, on q_proj, merged"
    assert (lines["stage"], lines["label set"]) == ("sft", "PAPER_9")
    assert lines["data"] == "synthetic; dataset.json abababababab"
