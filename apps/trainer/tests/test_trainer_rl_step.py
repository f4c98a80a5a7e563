"""The RL step itself: answers from a script, everything behind them real. Numbers are worked from the equations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from grpo_ptr import ProgressiveSchedule, RewardWeights
from policy import Rollout, sequence_logprobs
from rewardmodel import RewardModel
from speech_records import (
    PAPER_9,
    Emotion,
    MeasuredUtterance,
    ProsodyProfile,
    Utterance,
    emotion_question,
    format_answer,
)
from speechlm import PocketSize, SpeechLM, pocket, train_tokenizer
from trainer.errors import DataSetError
from trainer.grpo import GRPOModule
from trainer.settings import Algorithm, GRPOSettings

TINY = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
RIGHT, WRONG, PRAISED = (
    format_answer("Low.", "sad"),
    format_answer("High.", "angry"),
    format_answer("High and loud.", "angry"),
)
FORMLESS = "sad, I think"


@dataclass
class ScriptedSampler:
    """Gives the answers of its script, a rollout a call, with their own tokens."""

    model: SpeechLM
    script: list[list[Sequence[str]]]

    def sample(self, features: list[Tensor], questions: list[str], **options: Any) -> Rollout:
        texts = self.script.pop(0)
        assert len(texts) == len(features) == len(questions)
        rows = [torch.tensor([*self.model.tokenizer(t).input_ids, self.model.end_id]) for g in texts for t in g]
        tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.model.pad_id)
        mask = torch.arange(tokens.shape[1]) < torch.tensor([len(row) for row in rows])[:, None]
        shape = (len(texts), len(texts[0]), -1)
        seeds = torch.zeros(shape[:2], dtype=torch.long)
        zeros = torch.zeros(tokens.shape).view(shape)
        return Rollout(tuple(map(tuple, texts)), tokens.view(shape), mask.view(shape), zeros, seeds == 0, seeds)


class ScriptedJudge(RewardModel):
    """Gives 5 to what is loud and 1 to the rest, on all criteria, and remembers what it was asked."""

    def __init__(self, backbone: SpeechLM) -> None:
        super().__init__(backbone)
        self.asked: list[list[str]] = []

    def score(self, features: list[Tensor], questions: list[str], texts: list[str], **options: Any) -> Tensor:
        self.asked.append(texts)
        return torch.tensor([[5.0 if "loud" in text else 1.0] * 4 for text in texts])


def model() -> SpeechLM:
    return pocket(train_tokenizer([RIGHT, WRONG, PRAISED, FORMLESS], vocab_size=300), seed=0, size=TINY)


def clip(name: str, emotion: Emotion | None = Emotion.SAD) -> MeasuredUtterance:
    utterance = Utterance(name, "made", f"{name}.wav", "s", emotion)
    return MeasuredUtterance(utterance, ProsodyProfile(duration_s=1.0, sample_rate=16_000))


def module(script: list[list[Sequence[str]]], **changes: Any) -> tuple[GRPOModule, ScriptedJudge]:
    gate = {"schedule": ProgressiveSchedule(threshold=0.5, window=2, tolerance=0.3)}
    settings = GRPOSettings(prompts_per_step=2, group_size=2, **(gate | changes))
    features = {name: torch.rand(16, 40, generator=torch.Generator().manual_seed(0)) for name in ("u1", "u2")}
    judge, trained = ScriptedJudge(model()), model()
    made = GRPOModule(trained, settings, label_set=PAPER_9, features=features, reward_model=judge)
    made.sampler = ScriptedSampler(trained, script)  # type: ignore[assignment]
    return made, judge


def test_the_gate_opens_and_reasoning_rewards_enter_weighed_by_trust() -> None:
    """Accuracies 1/4, 2/4 and 3/4 have the running means 0.375 and 0.625: the gate opens at step 3. There the first
    group's wrong answer is praised (R_t 1 against 0.2), so τ = e^-0.8; the second is all right, so τ = 1 and R_t 0.2.

    Rewards before: 0.3 R_f + R_o. Step 1: 1.3, 0.3, 0 and 0.3. Step 2: 1.3, 0.3, 1.3, 0.3.
    At step 3: 1.3 + 0.1 τ, 0.3 + 0.5 τ, 1.3 + 0.1 and 1.3 + 0.1.
    """
    script: list[list[Sequence[str]]] = [
        [[RIGHT, WRONG], [FORMLESS, WRONG]],
        [[RIGHT, WRONG], [RIGHT, WRONG]],
        [[RIGHT, PRAISED], [RIGHT, RIGHT]],
    ]
    made, judge = module(script, algorithm=Algorithm.GRPO_PTR)
    opened = []
    for step in range(3):
        loss = made.training_step([clip("u1"), clip("u2")], step)
        assert loss.isfinite()
        opened.append(made.schedule_state.opened_at)
    assert opened == [None, None, 3]
    assert judge.asked == [[RIGHT, PRAISED, RIGHT, RIGHT]]
    first, second, third = made.history
    tau = math.exp(-0.8)
    assert [row["accuracy"] for row in made.history] == [0.25, 0.5, 0.75]
    assert [row["format"] for row in made.history] == [0.75, 1.0, 1.0]
    assert first["reward"] == pytest.approx((1.3 + 0.3 + 0.0 + 0.3) / 4)
    assert second["reward"] == pytest.approx(0.8)
    assert third["reward"] == pytest.approx((1.3 + 0.1 * tau + 0.3 + 0.5 * tau + 1.4 + 1.4) / 4)
    assert (third["trust_min"], third["trust_mean"]) == pytest.approx((tau, (tau + 1) / 2))
    assert (third["reasoning"], third["distrusted_groups"]) == pytest.approx((0.4, 0.5))
    assert "trust_mean" not in second
    assert [row["gate"] for row in made.history] == [0.0, 0.0, 1.0]


def test_settings_reach_the_rewards() -> None:
    """Weights 0, 2, 1 with the gate open from the start: 2 + τ 0.2, τ 1.0, and for the group without opposites, whose
    τ is 0 now, 2 and 2."""
    made, _ = module(
        [[[RIGHT, PRAISED], [RIGHT, RIGHT]]],
        degenerate=0.0,
        reward_weights=RewardWeights(0.0, 2.0, 1.0),
        schedule=ProgressiveSchedule(threshold=0.0, window=1),
    )
    made.training_step([clip("u1"), clip("u2")], 0)
    tau = math.exp(-0.8)
    assert made.history[0]["reward"] == pytest.approx((2 + 0.2 * tau + tau + 2 + 2) / 4)
    assert made.history[0]["trust_min"] == 0.0


def test_plain_grpo_never_asks_the_reward_model() -> None:
    """Its gate does not exist, however high the accuracy."""
    script: list[list[Sequence[str]]] = [[[RIGHT, RIGHT], [RIGHT, RIGHT]] for _ in range(5)]
    made, judge = module(script, algorithm=Algorithm.GRPO)
    for step in range(5):
        made.training_step([clip("u1"), clip("u2")], step)
    assert judge.asked == []
    assert [row["reward"] for row in made.history] == pytest.approx([1.3] * 5)


@pytest.mark.parametrize("loss", ["grpo", "dr_grpo", "dapo"])
def test_steps_raise_the_probability_of_what_is_rewarded(loss: str) -> None:
    """Two answers of equal form, one of them right: after ten steps its log-odds against the other have risen."""
    script: list[list[Sequence[str]]] = [[[RIGHT, WRONG], [RIGHT, WRONG]] for _ in range(10)]
    made, _ = module(script, algorithm=Algorithm.GRPO, loss=loss, kl_coefficient=0.0)

    def log_odds() -> float:
        clips = [made.features["u1"]] * 2
        batch = made.model.collate(clips, [emotion_question(PAPER_9)] * 2, [RIGHT, WRONG])
        with torch.no_grad():
            right, wrong = sequence_logprobs(made.model, batch).sum(-1).tolist()
        return right - wrong

    before = log_odds()
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-3)
    for step in range(10):
        optimizer.zero_grad()
        made.training_step([clip("u1"), clip("u2")], step).backward()
        optimizer.step()
    assert log_odds() > before + 1.0


def test_a_clip_without_a_label_is_named_and_not_a_zip_error() -> None:
    made, _ = module([[[RIGHT, WRONG], [RIGHT, WRONG]]])
    with pytest.raises(DataSetError, match="u2 has no label of PAPER_9: it is not labelled"):
        made.training_step([clip("u1"), clip("u2", None)], 0)
