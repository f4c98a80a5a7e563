"""`speechlm inspect`: the figures of `summarize` (checked by hand in its own test); `merge`; one line for bad input."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import Tensor

from speechlm import LoraSettings, Provenance, SpeechLM, add_lora, cli, count_parts, read_record, summarize

ClipMaker = Callable[..., list[Tensor]]


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
    found = json.loads(capsys.readouterr().out)
    summary = asdict(summarize(model))
    assert {name: found[name] for name in summary} == summary
    assert found.keys() - summary.keys() == {"parts", "checkpoint"}
    record = read_record(tmp_path)
    assert record is not None
    assert found["checkpoint"] == json.loads(json.dumps(asdict(record)))
    assert found["parts"] == dict(count_parts(model).trainable)


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
    assert printed.err == f"speechlm: {tmp_path / 'nowhere'}: no such folder\n"


@pytest.fixture
def adapters(model: SpeechLM, tmp_path: Path) -> Path:
    """Adapters that change something, of a base beside them."""
    model.save(tmp_path / "base")
    policy = SpeechLM.load(tmp_path / "base")
    add_lora(policy, LoraSettings(rank=2, targets=("q_proj",)))
    with torch.no_grad():
        for weight in policy.parameters():
            if weight.requires_grad:
                weight.fill_(0.05)
    given = Provenance(stage="sft", label_set="PAPER_9", data={"dataset.json": "ab" * 32}, synthetic=True)
    policy.save(tmp_path / "adapters", adapter_only=True, provenance=given)
    return tmp_path / "adapters"


def test_adapters_are_shown_with_what_was_trained(
    adapters: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rank 2 beside two layers of 64 × 64: 2 · 2 · (64 + 64) weights."""
    assert run(monkeypatch, "inspect", str(adapters)) in (0, None)
    lines = {line[:16].strip(): line[16:] for line in capsys.readouterr().out.splitlines()}
    assert lines["checkpoint"] == "adapters over a base"
    assert lines["base"] == str(adapters.parent / "base")
    assert lines["trainable"] == "512 lora"
    assert lines["trained parts"] == "lora"
    assert lines["LoRA"] == "rank 2, alpha 32, on q_proj"
    assert (lines["stage"], lines["label set"]) == ("sft", "PAPER_9")
    assert lines["data"] == "synthetic; dataset.json abababababab"


@torch.no_grad()
def test_merge_writes_the_whole_model(
    adapters: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clips: ClipMaker
) -> None:
    """It computes what base and adapters do, in shards as asked, and what is known of it is kept."""
    out = adapters.parent / "whole"
    assert run(monkeypatch, "merge", str(adapters), "-o", str(out), "--max-shard-size", "200KB") in (0, None)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"speechlm: wrote {out}, ")
    laid, merged = SpeechLM.load(adapters).eval(), SpeechLM.load(out).eval()
    batch = laid.collate(clips(40), ["How?"], ["Sad."])
    torch.testing.assert_close(merged.hidden_states(batch), laid.hidden_states(batch), atol=1e-5, rtol=0)
    assert merged.lora is None
    assert len(list(out.glob("model-*.safetensors"))) > 1
    before, after = read_record(adapters), read_record(out)
    assert before is not None
    assert after is not None
    assert (after.provenance, after.lora, after.kind) == (before.provenance, before.lora, "full")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["base", "-o", "new"], "base holds no adapters: a whole model needs no merging"),
        (["adapters", "-o", "base"], "base exists already; name another folder or remove it"),
        (["nowhere", "-o", "new"], "nowhere: no such folder"),
        (["adapters", "-o", "new", "--base", "nowhere"], "nowhere: no such folder"),
        (["adapters", "-o", "new", "--max-shard-size", "lots"], "max_shard_size must be bytes or a size such as 500MB"),
    ],
    ids=["whole", "taken", "nothing", "no base", "no size"],
)
def test_what_cannot_be_merged_is_one_line(
    adapters: Path,
    arguments: list[str],
    message: str,
    *,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(adapters.parent)
    assert run(monkeypatch, "merge", *arguments) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("speechlm: ")
    assert printed.count("\n") == 1
    assert message in printed
    assert not (adapters.parent / "new").exists()
