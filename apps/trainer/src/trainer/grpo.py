"""Reinforcement: GRPO and GRPO-PTR on emotion questions.

Strictly on-policy: every batch of rollouts makes one optimiser step, so the importance ratio is 1 and no old-policy
forward is run. The two algorithms differ in one thing: GRPO-PTR's schedule may let reasoning rewards in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from grpo_ptr import (
    LossInputs,
    LossResult,
    ProgressiveSchedule,
    RewardBreakdown,
    ScheduleState,
    group_advantages,
    grpo_loss,
    rewards,
)
from policy import Reference, Rollout, Sampler, sequence_logprobs
from rewardmodel import RewardModel
from speech_records import AnswerFormatError, Emotion, LabelSet, MeasuredUtterance, emotion_question, parse_answer
from speechlm import SpeechLM
from trainer.checkpoint import PolicyCard, save_policy
from trainer.dataset import TRAIN, AnnotatedCorpus
from trainer.features import as_float
from trainer.fit import fit
from trainer.modules import Batches, StageModule


class Algorithm(StrEnum):
    """Which rewards the policy is trained on."""

    GRPO = "grpo"
    GRPO_PTR = "grpo_ptr"


@dataclass(frozen=True, slots=True)
class GRPOSettings:
    """Settings of one reinforcement run. K is `group_size`; β is `kl_coefficient`."""

    algorithm: Algorithm
    steps: int
    prompts_per_step: int = 4
    group_size: int = 8
    temperature: float = 1.0
    max_new_tokens: int = 160
    learning_rate: float = 1e-4
    warmup_steps: int = 5
    kl_coefficient: float = 0.04
    schedule: ProgressiveSchedule = ProgressiveSchedule()  # noqa: RUF009 - frozen
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rule-based rewards see of a rollout: both `bool[B, K]`."""

    format_ok: Tensor
    correct: Tensor


def judge_outcome(texts: Sequence[Sequence[str]], labels: Sequence[Emotion], label_set: LabelSet) -> Outcome:
    """Whether each of `texts[B][K]` has the think/answer form, and whether its answer means `labels[B]`.

    Both strictly (`parse_answer`, `LabelSet.parse`): a reward for what can only be read with good will
    (`speech_records.read_answer`, `read_label`) would teach the policy to write it.
    """
    format_ok = torch.zeros(len(texts), len(texts[0]), dtype=torch.bool)
    correct = torch.zeros_like(format_ok)
    for i, (group, label) in enumerate(zip(texts, labels, strict=True)):
        for j, text in enumerate(group):
            try:
                answer = parse_answer(text).answer
            except AnswerFormatError:
                continue
            format_ok[i, j] = True
            correct[i, j] = label_set.parse(answer) is label_set.map(label)
    return Outcome(format_ok, correct)


class Frozen:
    """The models that judge and are not trained; no `nn.Module` itself, so the optimiser and Lightning pass it by."""

    def __init__(self, reference: Reference | None, reward_model: RewardModel | None) -> None:
        self.reference, self.reward_model = reference, reward_model
        if reward_model is not None:
            reward_model.eval().requires_grad_(False)

    def to(self, device: torch.device) -> None:
        """Move both to `device`."""
        for model in (self.reference, self.reward_model):
            if model is not None:
                model.to(device)


class GRPOModule(StageModule):
    """One training step: roll out, judge, reward, update."""

    def __init__(
        self,
        model: SpeechLM,
        settings: GRPOSettings,
        *,
        label_set: LabelSet,
        features: Mapping[str, Tensor],
        reward_model: RewardModel | None,
    ) -> None:
        super().__init__(learning_rate=settings.learning_rate, steps=settings.steps, warmup_steps=settings.warmup_steps)
        self.model = model
        self.settings = settings
        self.label_set = label_set
        self.features = features
        self.question = emotion_question(label_set)
        reference = Reference.of(model) if settings.kl_coefficient else None
        self.frozen = Frozen(reference, reward_model)
        self.schedule_state = ScheduleState()
        self.rollout_rng = torch.Generator().manual_seed(settings.seed)

    def on_fit_start(self) -> None:
        """Bring the judges to where the policy is trained."""
        self.frozen.to(self.device)

    def training_step(self, batch: list[MeasuredUtterance], batch_idx: int) -> Tensor:
        """Sample K answers to each prompt, turn them into advantages, and return the GRPO loss."""
        clips = as_float(self.features[m.utterance.utterance_id] for m in batch)
        rollout = self._roll_out(clips)
        labels = [m.utterance.emotion for m in batch if m.utterance.emotion is not None]
        outcome = judge_outcome(rollout.texts, labels, self.label_set)
        accuracy = float(outcome.correct.float().mean())
        breakdown = self._rewards(clips, rollout, outcome, accuracy=accuracy, step=batch_idx + 1)
        result = self.loss(clips, rollout.tokens, rollout.mask, group_advantages(breakdown.total))
        self.record(batch_idx + 1, **self._figures(outcome, breakdown, result, rollout))
        return result.loss

    def _roll_out(self, clips: list[Tensor]) -> Rollout:
        s = self.settings
        return Sampler(self.model).sample(
            clips,
            [self.question] * len(clips),
            k=s.group_size,
            temperature=s.temperature,
            max_new_tokens=s.max_new_tokens,
            seeds=torch.randint(2**63 - 1, (len(clips), s.group_size), generator=self.rollout_rng),
        )

    def _rewards(
        self, clips: list[Tensor], rollout: Rollout, outcome: Outcome, *, accuracy: float, step: int
    ) -> RewardBreakdown:
        if self.settings.algorithm is Algorithm.GRPO_PTR:
            self.schedule_state = self.settings.schedule.update(self.schedule_state, accuracy, step=step)
        scores = self._score(clips, rollout) if self.schedule_state.is_open else None
        return rewards(outcome.format_ok, outcome.correct, scores, reasoning_enabled=self.schedule_state.is_open)

    def _score(self, clips: list[Tensor], rollout: Rollout) -> Tensor:
        if self.frozen.reward_model is None:
            raise ValueError("the schedule opened but no reward model was given")
        k = self.settings.group_size
        texts = [text for group in rollout.texts for text in group]
        audio_index = [i for i in range(len(clips)) for _ in range(k)]
        scores = self.frozen.reward_model.score(clips, [self.question] * len(texts), texts, audio_index=audio_index)
        return scores.view(len(clips), k, -1).cpu()

    def loss(self, clips: list[Tensor], tokens: Tensor, mask: Tensor, advantages: Tensor) -> LossResult:
        """GRPO's loss over answers `tokens[B, K, T]` to B clips, each group packed behind one prompt."""
        groups = [
            [answer[real].tolist() for answer, real in zip(group, group_mask, strict=True)]
            for group, group_mask in zip(tokens, mask, strict=True)
        ]
        packed = self.model.pack(clips, [self.question] * len(clips), groups)
        temperature, reference = self.settings.temperature, None
        if self.frozen.reference is not None:
            reference = packed.unpack(self.frozen.reference.logprobs(packed, temperature=temperature))
        inputs = LossInputs(
            logprobs=packed.unpack(sequence_logprobs(self.model, packed, temperature=temperature)),
            mask=mask.flatten(0, 1).to(self.device),
            advantages=advantages.flatten().to(self.device),
            ref_logprobs=reference,
        )
        return grpo_loss(inputs, beta=self.settings.kl_coefficient)

    def _figures(
        self, outcome: Outcome, breakdown: RewardBreakdown, result: LossResult, rollout: Rollout
    ) -> dict[str, float]:
        figures = {
            "accuracy": outcome.correct.float().mean(),
            "format": breakdown.format.mean(),
            "reward": breakdown.total.mean(),
            "loss": result.loss.detach(),
            "tokens": rollout.mask.sum(-1).float().mean(),
            "gate": torch.tensor(float(self.schedule_state.is_open)),
        }
        if result.kl is not None:
            figures["kl"] = result.kl
        if breakdown.reasoning is not None and breakdown.trust is not None:
            figures["reasoning"] = breakdown.reasoning.mean()
            figures["trust_mean"] = breakdown.trust.mean()
            figures["trust_min"] = breakdown.trust.min()
            figures["distrusted_groups"] = (breakdown.trust < 1).float().mean()
        return {name: float(value) for name, value in figures.items()}


def train_grpo(
    model: SpeechLM,
    corpus: AnnotatedCorpus,
    features: Mapping[str, Tensor],
    settings: GRPOSettings,
    *,
    reward_model: RewardModel | None,
    out: Path,
) -> GRPOModule:
    """Reinforce `model` in place on the training split and save it as a policy checkpoint in `out`.

    `features` maps utterance ids to log-mel clips. GRPO-PTR needs `reward_model`.
    """
    torch.manual_seed(settings.seed)
    batches = prompt_batches(corpus.split(TRAIN), settings)
    module = GRPOModule(model, settings, label_set=corpus.label_set, features=features, reward_model=reward_model)
    name = settings.algorithm.value
    fit(module, Batches(batches, list), what=name.upper().replace("_", "-"), out=out, run_name=name)
    save_policy(model, PolicyCard.of(corpus, stage=name, seed=settings.seed), corpus.folder / "scale.json", out)
    return module


def prompt_batches(clips: Sequence[MeasuredUtterance], settings: GRPOSettings) -> list[list[MeasuredUtterance]]:
    """The prompts of every step, shuffled; no clip comes again before all have come."""
    rng = np.random.default_rng(settings.seed)
    needed = settings.steps * settings.prompts_per_step
    order: list[int] = []
    while len(order) < needed:
        order.extend(rng.permutation(len(clips)).tolist())
    size = settings.prompts_per_step
    return [[clips[i] for i in order[n * size : (n + 1) * size]] for n in range(settings.steps)]
