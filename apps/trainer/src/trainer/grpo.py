"""Reinforcement: GRPO and GRPO-PTR on emotion questions.

Strictly on-policy: every batch of rollouts makes one optimiser step, so the importance ratio is 1 and no old-policy
forward is run. The two algorithms differ in one thing: GRPO-PTR's schedule may let reasoning rewards in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from grpo_ptr import (
    ADVANTAGES,
    CRITERIA,
    LOSS_ADVANTAGES,
    LOSSES,
    SCORE_MIN,
    Factual,
    LossInputs,
    LossResult,
    RewardBreakdown,
    ScheduleState,
    factual_scores,
    mixed_groups,
    overlong_penalty,
    rewards,
)
from policy import Reference, Sampler, importance_weights, sequence_logprobs
from rewardmodel import RewardModel
from speech_records import LabelSet, MeasuredUtterance, emotion_question
from speechlm import SpeechLM
from trainer.augment import random_eq_bands
from trainer.checkpoint import data_identity, policy_card, save_policy
from trainer.dataset import TRAIN, AnnotatedCorpus, is_reasoned
from trainer.errors import ConfigError
from trainer.features import as_float
from trainer.fit import fit
from trainer.grpo_metrics import loss_metrics, reward_metrics
from trainer.modules import Batches, StageModule
from trainer.predict import expected_label
from trainer.resume import remove_state
from trainer.rollouts import Groups, rule_rewards, verified_reward
from trainer.settings import Algorithm, GRPOSettings


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
        if settings.needs_reward_model and reward_model is None:
            raise ConfigError("algorithm=grpo_ptr needs a reward model, unless all weight is on the verified criterion")
        self.model = model
        self.sampler = Sampler(model)
        self.settings = settings
        self.label_set = label_set
        self.features = features
        self.question = emotion_question(label_set)
        reference = Reference.of(model) if settings.kl_coefficient else None
        self.frozen = FrozenModels(reference, reward_model)
        self._loss = _loss_of(settings)
        self._later, self._results = list[Callable[[], LossResult]](), list[LossResult]()
        self.schedule_state = ScheduleState()
        self.generators = {name: torch.Generator().manual_seed(settings.seed) for name in ("rollouts", "equalizer")}

    def on_fit_start(self) -> None:
        """Move the frozen models to where the policy is trained."""
        self.frozen.to(self.device)

    def state(self) -> dict[str, Any]:
        """The gate."""
        return {"schedule": self.schedule_state.to_dict()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """The gate as `state` returned it."""
        self.schedule_state = ScheduleState.from_dict(state["schedule"])

    def training_step(self, batch: list[MeasuredUtterance], batch_idx: int) -> Tensor | None:
        """Roll out, judge, reward, advantage, loss; `None` where no group is left to learn from."""
        s = self.settings
        self._results = list[LossResult]()
        sampled = self._roll_out(batch)
        accuracy = float(sampled.correct.float().mean())
        if s.algorithm is Algorithm.GRPO_PTR:
            self.schedule_state = s.schedule.update(self.schedule_state, accuracy, step=self.done + batch_idx + 1)
        kept = sampled.select(self._trained_on(sampled))
        breakdown = self._rewards(kept) if kept.batch else None
        metrics = {"accuracy": accuracy, "format": float(sampled.format_ok.float().mean())}
        metrics |= {"gate": float(self.schedule_state.is_open), "one_sided_groups": sampled.one_sided_share}
        if breakdown is None or not breakdown.usable.any():
            unscored = 0 if breakdown is None else len(kept.batch)
            self.record(batch_idx + 1, **metrics, groups=0, unscored_groups=unscored)
            return None
        metrics |= {"groups": int(breakdown.usable.sum()), "unscored_groups": int((~breakdown.usable).sum())}
        kept, breakdown = kept.select(breakdown.usable), breakdown.select(breakdown.usable)
        advantages = ADVANTAGES[s.advantages or LOSS_ADVANTAGES[s.loss]](breakdown, s.deviation)
        self.record(batch_idx + 1, **metrics, **reward_metrics(breakdown, advantages, kept))
        self._later = self._parts(kept, advantages)
        return self._learn(self._later.pop(0))

    def _parts(self, groups: Groups, advantages: Tensor) -> list[Callable[[], LossResult]]:
        """The losses, yet to be computed, that add up to that of the step, each of `prompts_per_backward` groups."""
        n = len(groups.batch)
        size = self.settings.prompts_per_backward or n
        counts = None if size >= n else (float(groups.correct.numel()), float(groups.mask.sum()))
        parts = list[Callable[[], LossResult]]()
        for start in range(0, n, size):
            chosen = torch.zeros(n, dtype=torch.bool)
            chosen[start : start + size] = True
            part = groups.select(chosen)
            given = (part.clips, part.tokens, part.mask, advantages[chosen])
            parts.append(partial(self.loss, *given, sampled=part.logprobs, counts=counts))
        return parts

    def _learn(self, part: Callable[[], LossResult]) -> Tensor:
        """The loss of a part of the step, added to what the step has recorded."""
        result = part()
        self._results.append(result.detach())
        self.history[-1] |= loss_metrics(self._results)
        return result.loss

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """The backward pass of the first part of a step, and loss and backward pass of the others after it."""
        super().backward(loss, *args, **kwargs)
        while self._later:
            super().backward(self._learn(self._later.pop(0)), *args, **kwargs)

    def _roll_out(self, batch: list[MeasuredUtterance]) -> Groups:
        """K answers to each prompt; under dynamic sampling only as many prompts as are needed, in rounds."""
        s, rounds = self.settings, list[Groups]()
        for start in range(0, len(batch), s.prompts_per_step):
            rounds.append(self._answers(batch[start : start + s.prompts_per_step]))
            if sum(int(mixed_groups(groups.correct).sum()) for groups in rounds) >= s.prompts_per_step:
                break
        return Groups.join(rounds)

    def _answers(self, batch: list[MeasuredUtterance]) -> Groups:
        s = self.settings
        recorded = as_float(self.features[m.utterance.utterance_id] for m in batch)
        clips = [random_eq_bands(clip, s.filter_augment_db, self.generators["equalizer"]) for clip in recorded]
        rollout = self.sampler.sample(
            clips,
            [self.question] * len(clips),
            k=s.group_size,
            temperature=s.temperature,
            max_new_tokens=s.max_new_tokens,
            seeds=torch.randint(2**63 - 1, (len(clips), s.group_size), generator=self.generators["rollouts"]),
        )
        rules = rule_rewards(rollout.texts, [expected_label(m, self.label_set) for m in batch], self.label_set)
        return Groups.of(batch, clips, rollout, rules)

    def _trained_on(self, sampled: Groups) -> Tensor:
        """Which groups the step learns from, bool [B]: all, or under dynamic sampling the first mixed ones."""
        if self.settings.sampling_rounds == 1:
            return torch.ones(len(sampled.batch), dtype=torch.bool)
        mixed = mixed_groups(sampled.correct)
        return mixed & (mixed.cumsum(0) <= self.settings.prompts_per_step)

    def _rewards(self, groups: Groups) -> RewardBreakdown:
        """Equation (3), with reasoning rewards once the gate is open."""
        s, is_open = self.settings, self.schedule_state.is_open
        penalty = None
        if s.overlong_buffer:
            lengths = groups.mask.sum(-1).cpu()
            penalty = overlong_penalty(lengths, max_tokens=s.max_new_tokens, buffer=s.overlong_buffer)
        return rewards(
            groups.format_ok,
            groups.correct,
            self._scores(groups) if is_open else None,
            weights=s.criterion_weights,
            coefficients=s.reward_weights,
            reasoning_enabled=is_open,
            unparseable=s.unparseable,
            degenerate=s.degenerate,
            length_penalty=penalty,
        )

    def _scores(self, groups: Groups) -> Tensor:
        """The four scores g_j of every answer: judged by the reward model, the first measured where so set."""
        b, k = groups.correct.shape
        if self.settings.needs_reward_model and self.frozen.reward_model is not None:
            texts = [text for group in groups.texts for text in group]
            audio_index = [i for i in range(b) for _ in range(k)]
            scores = self.frozen.reward_model.score(
                groups.clips, [self.question] * len(texts), texts, audio_index=audio_index
            )
            scores = scores.view(b, k, CRITERIA).cpu()
        else:
            scores = torch.full((b, k, CRITERIA), SCORE_MIN)
        if self.settings.factual is Factual.JUDGED:
            return scores
        earned = [[verified_reward(m, t) for t in texts] for m, texts in zip(groups.batch, groups.texts, strict=True)]
        return factual_scores(scores, torch.tensor(earned), self.settings.factual)

    def loss(
        self,
        clips: list[Tensor],
        tokens: Tensor,
        mask: Tensor,
        advantages: Tensor,
        *,
        sampled: Tensor | None = None,
        counts: tuple[float, float] | None = None,
    ) -> LossResult:
        """The loss over answers `tokens[B, K, T]` to B clips, each group packed behind one prompt.

        `sampled` are the log-probabilities that the sampler reported, for importance weights; `counts` the answers and
        tokens of the whole step, where these are only a part of it.
        """
        s = self.settings
        groups = [
            [answer[real].tolist() for answer, real in zip(group, group_mask, strict=True)]
            for group, group_mask in zip(tokens, mask, strict=True)
        ]
        packed = self.model.pack(clips, [self.question] * len(clips), groups)
        reference, weights = None, None
        if self.frozen.reference is not None:
            reference = packed.unpack(self.frozen.reference.logprobs(packed, temperature=s.temperature))
        logprobs = packed.unpack(sequence_logprobs(self.model, packed, temperature=s.temperature))
        if s.importance_cap is not None and sampled is not None:
            trainer = logprobs.detach().view(mask.shape)
            engine, real = sampled.to(trainer.device), mask.to(trainer.device)
            weights = importance_weights(
                engine, trainer, real, cap=s.importance_cap, by_answer=s.importance_by_answer
            ).flatten(0, 1)
        inputs = LossInputs(
            logprobs=logprobs,
            mask=mask.flatten(0, 1).to(self.device),
            advantages=advantages.flatten().to(self.device),
            ref_logprobs=reference,
            token_weights=weights,
            step_completions=None if counts is None else counts[0],
            step_tokens=None if counts is None else counts[1],
        )
        return self._loss(inputs, beta=s.kl_coefficient, kl=s.kl_estimator)


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
    remove_state(out)
    return module


def prompt_batches(clips: Sequence[MeasuredUtterance], settings: GRPOSettings) -> list[list[MeasuredUtterance]]:
    """The prompts of every step, shuffled; every clip is drawn once before any is drawn again.

    Clips that SFT was shown with reasoning are none of them (`is_reasoned`).

    Dynamic sampling has `sampling_rounds` times as many to choose from, and asks only those it needs.
    """
    clips = [m for m in clips if not is_reasoned(m.utterance.utterance_id, settings.reasoning_share)]
    if not clips:
        raise ConfigError(f"reasoning_share {settings.reasoning_share} leaves no training clip to prompt: lower it")
    rng = np.random.default_rng(settings.seed)
    size = settings.prompts_per_step * settings.sampling_rounds
    needed = settings.steps * size
    order: list[int] = []
    while len(order) < needed:
        order.extend(rng.permutation(len(clips)).tolist())
    return [[clips[i] for i in order[n * size : (n + 1) * size]] for n in range(settings.steps)]
