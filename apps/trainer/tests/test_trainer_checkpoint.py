"""A policy's folder: the model, its card and scale, and what the run left there before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from speech_records import PolicyCard
from speechlm import PocketSize, SpeechLM, load_checkpoint, pocket, read_record, train_tokenizer
from trainer.checkpoint import save_policy

CARD = PolicyCard(
    label_set="PAPER_9",
    corpus="demo",
    synthetic=True,
    stage="sft",
    seed=3,
    data_sha256="ab" * 32,
    versions={"torch": torch.__version__},
)


@pytest.fixture
def model() -> SpeechLM:
    size = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
    return pocket(train_tokenizer(["It sounds sad."], vocab_size=270), seed=0, size=size)


@pytest.fixture
def scale(tmp_path: Path) -> Path:
    (tmp_path / "scale.json").write_text('{"name": "demo"}')
    return tmp_path / "scale.json"


def test_a_policy_comes_with_what_it_was_trained_for_and_on(model: SpeechLM, scale: Path, tmp_path: Path) -> None:
    """The run's history was there first and stays; a second save takes the place of the first."""
    out = tmp_path / "sft"
    out.mkdir()
    (out / "history.jsonl").write_text("{}\n")
    for seed in (2, 3):
        torch.nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(seed))
        save_policy(model, CARD, scale, out)
    assert load_checkpoint(out).head.weight.equal(model.head.weight)
    assert json.loads((out / "policy.json").read_text())["data_sha256"] == "ab" * 32
    assert (out / "scale.json").read_bytes() == scale.read_bytes()
    assert (out / "history.jsonl").read_text() == "{}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scale.json", "sft"]


def test_the_model_card_says_so_too(model: SpeechLM, scale: Path, tmp_path: Path) -> None:
    save_policy(model, CARD, scale, tmp_path / "sft")
    record = read_record(tmp_path / "sft")
    assert record is not None
    assert (record.provenance.stage, record.provenance.label_set) == ("sft", "PAPER_9")
    assert record.provenance.data == {"dataset.json": "ab" * 32}
    card = (tmp_path / "sft" / "README.md").read_text()
    assert "trained on demo" in card
    assert "Its training data is synthetic" in card
