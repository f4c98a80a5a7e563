"""Which weights are trained: float32 ones, so that a learning rate as small as the paper's moves them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from speech_records import PolicyCard
from speechlm import PocketSize, SpeechLM, load_checkpoint, pocket, train_tokenizer
from trainer import stages
from trainer.checkpoint import save_policy
from trainer.fit import fit
from trainer.modules import Batches, MicroBatches
from trainer.settings import SFTSettings, SFTStage
from trainer.sft import SFTModule, WeightedBatch

SIZE = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
STEPS = 5
SETTINGS = SFTSettings(phases=(), learning_rate=1e-6, warmup_steps=0, bf16=True)


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A policy whose file holds bfloat16, as released ones do."""
    model = pocket(train_tokenizer(["It sounds sad."], vocab_size=270), seed=0, size=SIZE).to(torch.bfloat16)
    (tmp_path / "scale.json").write_text('{"name": "demo"}')
    card = PolicyCard("PAPER_9", "demo", synthetic=True, stage="sft", seed=0, data_sha256="ab" * 32, versions={})
    save_policy(model, card, tmp_path / "scale.json", tmp_path / "released")
    assert load_checkpoint(tmp_path / "released").head.weight.dtype is torch.bfloat16
    return tmp_path / "released"


def moved(model: SpeechLM, out: Path) -> float:
    """Share of the weights with a gradient that `STEPS` steps of AdamW at 1e-6 changed, under bfloat16 autocast."""
    clip = torch.randn(16, 60, generator=torch.Generator().manual_seed(0))
    speech = model.collate([clip, clip], ["what?", "what?"], ["It sounds sad.", "sad"])
    batch = WeightedBatch(speech, speech.completion_mask.float() / 8)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    module = SFTModule(model, SETTINGS)
    plan = Batches([batch] * STEPS, lambda b: MicroBatches((b,)))
    fit(module, plan, SETTINGS, what="SFT", out=out, run_name="sft", data={})
    assert all(abs(row["loss"]) < 100 for row in module.history)
    changed = total = 0
    for name, weight in model.named_parameters():
        if weight.grad is not None and weight.grad.any():
            felt = weight.grad != 0
            changed += int(((weight != before[name]) & felt).sum())
            total += int(felt.sum())
    return changed / total


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_a_small_learning_rate_moves_float32_weights_and_not_those_of_the_file(released: Path, tmp_path: Path) -> None:
    """A step of AdamW is about the learning rate, 1e-6, whatever the gradient. float32 resolves 1e-7 of a weight, and
    nearly all weights here are below 1: most must move. bfloat16 resolves 4e-3: only weights near 0 can.
    """
    settings = SFTStage(
        name="sft",
        data="d",
        out="o",
        policy=str(released),
        phases=(),
        model=stages.model_defaults()["pocket"] | {"num_mel_bins": 16},
    )
    model = stages._policy(settings)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert moved(model, tmp_path / "a") > 0.9
    assert moved(load_checkpoint(released), tmp_path / "b") < 0.2
