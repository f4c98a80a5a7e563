"""Reinforcement: GRPO and GRPO-PTR on emotion questions.

Strictly on-policy: every batch of rollouts makes one optimiser step, so the importance ratio is 1 and no old-policy
forward is run. The two algorithms differ in one thing: GRPO-PTR's schedule may let reasoning rewards in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from grpo_ptr import ADVANTAGES, LOSSES, LossInputs, LossResult, RewardBreakdown, ScheduleState, rewards
from policy import Reference, Rollout, Sampler, sequence_logprobs
from rewardmodel import RewardModel
from speech_records import AnswerFormatError, Emotion, LabelSet, MeasuredUtterance, emotion_question, parse_response
from speechlm import SpeechLM
from trainer.checkpoint import data_identity, policy_card, save_policy
from trainer.dataset import TRAIN, AnnotatedCorpus
from trainer.features import as_float
from trainer.fit import fit
from trainer.modules import Batches, StageModule
from trainer.predict import expected_label
from trainer.settings import Algorithm, GRPOSettings


@dataclass(frozen=True, slots=True)
class RuleRewards:
    """What the rule-based rewards see of a rollout: both `bool[B, K]`."""

    format_ok: Tensor
    correct: Tensor


def rule_rewards(texts: Sequence[Sequence[str]], labels: Sequence[Emotion], label_set: LabelSet) -> RuleRewards:
    """Whether each of `texts[B][K]` has the think/answer form, and whether its answer is `labels[B]`.

    Both strictly (`parse_response` with `strict`, `LabelSet.parse`): a reward for what a lenient reading can make of an
    answer would teach the policy to write it.
    """
    format_ok = torch.zeros(len(texts), len(texts[0]), dtype=torch.bool)
    correct = torch.zeros_like(format_ok)
    for i, (group, label) in enumerate(zip(texts, labels, strict=True)):
        for j, text in enumerate(group):
            try:
                answer = parse_response(text, strict=True).answer
            except AnswerFormatError:
                continue
            format_ok[i, j] = True
            correct[i, j] = label_set.parse(answer) is label_set.map(label)
    return RuleRewards(format_ok, correct)


class FrozenModels:
    """Reference and reward model; not an `nn.Module` itself, so that optimizer and Lightning leave them alone."""

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
    """One training step: sample, reward, update."""

    def __init__(
        self,
        model: SpeechLM,
        settings: GRPOSettings,
        *,
        label_set: LabelSet,
        features: Mapping[str, Tensor],
        reward_model: RewardModel | None,
    ) -> None:
        super().__init__(settings, steps=settings.steps)
        self.model = model
        self.sampler = Sampler(model)
        self.settings = settings
        self.label_set = label_set
        self.features = features
        self.question = emotion_question(label_set)
        reference = Reference.of(model) if settings.kl_coefficient else None
        self.frozen = FrozenModels(reference, reward_model)
        self._loss = _loss_of(settings)
        self.schedule_state = ScheduleState()
        self.rollout_rng = torch.Generator().manual_seed(settings.seed)

    def on_fit_start(self) -> None:
        """Move the frozen models to where the policy is trained."""
        self.frozen.to(self.device)

    def training_step(self, batch: list[MeasuredUtterance], batch_idx: int) -> Tensor:
        """Sample K answers to each prompt, turn them into advantages, and return the GRPO loss."""
        clips = as_float(self.features[m.utterance.utterance_id] for m in batch)
        rollout = self._roll_out(clips)
        labels = [expected_label(m, self.label_set) for m in batch]
        rules = rule_rewards(rollout.texts, labels, self.label_set)
        breakdown = self._rewards(clips, rollout, rules, step=batch_idx + 1)
        advantages = ADVANTAGES[self.settings.advantages or self.settings.loss](breakdown.total)
        result = self.loss(clips, rollout.tokens, rollout.mask, advantages)
        self.record(batch_idx + 1, **self._metrics(rules, breakdown, result, rollout))
        return result.loss

    def _roll_out(self, clips: list[Tensor]) -> Rollout:
        s = self.settings
        return self.sampler.sample(
            clips,
            [self.question] * len(clips),
            k=s.group_size,
            temperature=s.temperature,
            max_new_tokens=s.max_new_tokens,
            seeds=torch.randint(2**63 - 1, (len(clips), s.group_size), generator=self.rollout_rng),
        )

    def _rewards(self, clips: list[Tensor], rollout: Rollout, rules: RuleRewards, *, step: int) -> RewardBreakdown:
        """Equation (3): the step's own accuracy may open the gate, from which on reasoning rewards enter."""
        s = self.settings
        if s.algorithm is Algorithm.GRPO_PTR:
            accuracy = float(rules.correct.float().mean())
            self.schedule_state = s.schedule.update(self.schedule_state, accuracy, step=step)
        is_open = self.schedule_state.is_open
        return rewards(
            rules.format_ok,
            rules.correct,
            self._score(clips, rollout) if is_open else None,
            weights=s.criterion_weights,
            coefficients=s.reward_weights,
            reasoning_enabled=is_open,
            unparseable=s.unparseable,
            degenerate=s.degenerate,
        )

    def _score(self, clips: list[Tensor], rollout: Rollout) -> Tensor:
        if self.frozen.reward_model is None:
            raise ValueError("the schedule opened but no reward model was given")
        k = self.settings.group_size
        texts = [text for group in rollout.texts for text in group]
        audio_index = [i for i in range(len(clips)) for _ in range(k)]
        scores = self.frozen.reward_model.score(clips, [self.question] * len(texts), texts, audio_index=audio_index)
        return scores.view(len(clips), k, -1).cpu()

    def loss(self, clips: list[Tensor], tokens: Tensor, mask: Tensor, advantages: Tensor) -> LossResult:
        """The loss over answers `tokens[B, K, T]` to B clips, each group packed behind one prompt."""
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
        return self._loss(inputs, beta=self.settings.kl_coefficient)

    def _metrics(
        self, rules: RuleRewards, breakdown: RewardBreakdown, result: LossResult, rollout: Rollout
    ) -> dict[str, float]:
        metrics = {
            "accuracy": rules.correct.float().mean(),
            "format": breakdown.format.mean(),
            "reward": breakdown.total.mean(),
            "loss": result.loss.detach(),
            "tokens": rollout.mask.sum(-1).float().mean(),
            "gate": torch.tensor(float(self.schedule_state.is_open)),
        }
        if result.kl is not None:
            metrics["kl"] = result.kl
        if breakdown.reasoning is not None and breakdown.trust is not None:
            metrics["reasoning"] = breakdown.reasoning.mean()
            metrics["trust_mean"] = breakdown.trust.mean()
            metrics["trust_min"] = breakdown.trust.min()
            metrics["distrusted_groups"] = (breakdown.trust < 1).float().mean()
        return {name: float(value) for name, value in metrics.items()}


def _loss_of(settings: GRPOSettings) -> Callable[..., LossResult]:
    """The loss that the settings name, with what they specify of its options."""
    given = {"clip_low": settings.clip_low, "clip_high": settings.clip_high}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if settings.loss == "dr_grpo":
        options["max_tokens"] = settings.max_new_tokens
    return partial(LOSSES[settings.loss], **options)


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
    what, data = name.upper().replace("_", "-"), data_identity(corpus)
    card = policy_card(corpus, stage=name, seed=settings.seed)
    fit(module, Batches(batches, list), settings, what=what, out=out, run_name=name, data=data)
    save_policy(model, card, corpus.scale, out)
    return module


def prompt_batches(clips: Sequence[MeasuredUtterance], settings: GRPOSettings) -> list[list[MeasuredUtterance]]:
    """The prompts of every step, shuffled; every clip is used once before any is used again."""
    rng = np.random.default_rng(settings.seed)
    needed = settings.steps * settings.prompts_per_step
    order: list[int] = []
    while len(order) < needed:
        order.extend(rng.permutation(len(clips)).tolist())
    size = settings.prompts_per_step
    return [[clips[i] for i in order[n * size : (n + 1) * size]] for n in range(settings.steps)]
