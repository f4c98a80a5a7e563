"""Which weights are trained: float32 ones, so that a learning rate as small as the paper's moves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from policy import Rollout, Sampler
from rewardmodel import ClipTargets, RewardModel, hear
from speech_records import (
    PAPER_9,
    Emotion,
    Level,
    LevelReading,
    MeasuredUtterance,
    PolicyCard,
    ProsodyLevels,
    ProsodyProfile,
    Utterance,
    format_answer,
)
from speechlm import PocketSize, SpeechLM, load_checkpoint, pocket, train_tokenizer
from trainer import stages
from trainer.checkpoint import save_policy
from trainer.fit import fit
from trainer.grpo import GRPOModule
from trainer.modules import Batches, MicroBatches, StageModule
from trainer.reward import HeardBatch, RewardModule
from trainer.settings import Algorithm, GRPOSettings, OptimizerSettings, RewardSettings, SFTSettings, SFTStage
from trainer.sft import SFTModule
from trainer.weighting import WeightedBatch

SIZE = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
STEPS = 50
SMALL: dict[str, Any] = {"learning_rate": 1e-6, "warmup_steps": 0, "bf16": True}


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A policy whose file holds bfloat16, as released ones do."""
    model = pocket(train_tokenizer(["It sounds sad."], vocab_size=290), seed=0, size=SIZE).to(torch.bfloat16)
    (tmp_path / "scale.json").write_text('{"name": "demo"}')
    card = PolicyCard("PAPER_9", "demo", synthetic=True, stage="sft", seed=0, data_sha256="ab" * 32, versions={})
    save_policy(model, card, tmp_path / "scale.json", tmp_path / "released")
    assert load_checkpoint(tmp_path / "released").head.weight.dtype is torch.bfloat16
    return tmp_path / "released"


def released_policy(folder: Path) -> SpeechLM:
    """What every stage trains, as it loads it."""
    settings = SFTStage(
        name="sft",
        data="d",
        out="o",
        policy=str(folder),
        phases=(),
        model=stages.model_defaults()["pocket"] | {"num_mel_bins": 16},
    )
    return stages._policy(settings)


def clips() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(16, 60, generator=generator) for _ in range(2)]


def sft(model: SpeechLM) -> tuple[StageModule, Any, OptimizerSettings]:
    settings = SFTSettings(phases=(), **SMALL)
    speech = model.collate(clips(), ["what?", "what?"], ["It sounds sad.", "sad"])
    batch = MicroBatches((WeightedBatch(speech, speech.completion_mask.float() / 8),))
    return SFTModule(model, settings), batch, settings


def reward(model: SpeechLM) -> tuple[StageModule, Any, OptimizerSettings]:
    """The clip head, in the precision of the model."""
    settings = RewardSettings(**SMALL)
    of = MeasuredUtterance(
        Utterance("u1", "made", "a.wav", "s1", Emotion.SAD),
        ProsodyProfile(duration_s=1.0, sample_rate=16_000),
        ProsodyLevels("made", "0", energy=LevelReading(Level.HIGH, 1.0, 90.0)),
    )
    head, precision = RewardModel(model).heads.clip, model.head.weight.dtype
    assert {weight.dtype for weight in head.parameters()} == {torch.float32}
    with torch.no_grad():
        states = hear(model, clips()).to(precision)
    batch = MicroBatches((HeardBatch(states, ClipTargets.of([of, of])),))
    return RewardModule(head.to(precision), settings, steps=STEPS), batch, settings


class Scripted(Sampler):
    """Gives one right and one wrong answer."""

    def sample(self, features: list[Tensor], questions: list[str], **options: Any) -> Rollout:
        texts = (format_answer("Low.", "sad"), format_answer("High.", "angry"))
        rows = [torch.tensor([*self.model.tokenizer(text).input_ids, self.model.end_id]) for text in texts]
        tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.model.pad_id)[None]
        mask = (torch.arange(tokens.shape[-1]) < torch.tensor([len(row) for row in rows])[:, None])[None]
        seeds = torch.zeros(1, 2, dtype=torch.long)
        return Rollout((texts,), tokens, mask, torch.zeros(tokens.shape), seeds == 0, seeds)


def grpo(model: SpeechLM) -> tuple[StageModule, Any, OptimizerSettings]:
    settings = GRPOSettings(
        algorithm=Algorithm.GRPO, steps=STEPS, prompts_per_step=1, group_size=2, kl_coefficient=0.0, **SMALL
    )
    module = GRPOModule(model, settings, label_set=PAPER_9, features={"u1": clips()[0]}, reward_model=None)
    module.sampler = Scripted(model)
    of = Utterance("u1", "made", "a.wav", "s1", Emotion.SAD)
    return module, [MeasuredUtterance(of, ProsodyProfile(duration_s=1.0, sample_rate=16_000))], settings


TRAININGS = {"sft": sft, "reward": reward, "grpo": grpo}


def moved(kind: str, model: SpeechLM, out: Path) -> float:
    """Share of the trained weights of 0.001 and more, with a gradient, that 50 steps of AdamW at 1e-6 changed."""
    module, batch, settings = TRAININGS[kind](model)
    before = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    fit(module, Batches([batch] * STEPS, lambda b: b), settings, what=kind, out=out, run_name=kind, data={})
    changed = total = 0
    for name, weight in module.named_parameters():
        if weight.grad is not None:
            felt = (weight.grad != 0) & (before[name].abs() >= 1e-3)
            changed += int(((weight != before[name]) & felt).sum())
            total += int(felt.sum())
    assert total > 1000
    return changed / total


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
@pytest.mark.parametrize("kind", TRAININGS)
def test_a_small_learning_rate_moves_float32_weights_and_none_of_the_file(
    kind: str, released: Path, tmp_path: Path
) -> None:
    """A step of AdamW is about the learning rate, 1e-6. bfloat16 has 8 binary digits, so numbers near 0.001 are 7.6e-6
    apart and larger ones more: no step reaches half of that, and what is rounded away is not remembered. float32
    resolves 1e-7 of a weight, and these are below 1: fifty steps move all but a few that come back.
    """
    model = released_policy(released)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert moved(kind, model, tmp_path / "a") > 0.99
    assert moved(kind, load_checkpoint(released), tmp_path / "b") == 0.0
