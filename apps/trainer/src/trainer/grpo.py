"""Reinforcement: GRPO and GRPO-PTR on emotion questions.

Every batch of rollouts makes one optimiser step, whose importance ratio is 1, or `inner_epochs` of them, clipped around
the policy that the first of them found. The two algorithms differ in one thing: GRPO-PTR's schedule may let reasoning
rewards in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from grpo_ptr import ADVANTAGES, LOSS_ADVANTAGES, RewardBreakdown, ScheduleState, mixed_groups
from policy import Reference, Sampler, VLLMSampler
from rewardmodel import RewardModel
from speech_records import LabelSet, MeasuredUtterance, emotion_question
from speechlm import SpeechLM
from trainer.augment import random_eq_bands
from trainer.claim_credit import claim_credit
from trainer.distributed import max_over_ranks, place, sum_over_ranks
from trainer.errors import ConfigError
from trainer.features import as_float
from trainer.group_rewards import ReasoningScores, group_rewards, reasoning_scores, score_metrics
from trainer.grpo_metrics import loss_metrics, reward_metrics, rollout_metrics
from trainer.modules import StageModule, share_of
from trainer.packed_loss import MicroBatch, PackedLoss, micro_batches, packed_loss
from trainer.predict import expected_label
from trainer.rollouts import Groups, rule_rewards
from trainer.settings import Algorithm, GateAccuracy, GRPOSettings, SamplerKind


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


@dataclass(frozen=True, slots=True)
class Experience:
    """The answers of a step, and what is learnt from them.

    - `all_groups`: all of them; `groups`: those that are learnt from, of which there may be none
    - `advantages` [B, K]: of the answers of these groups
    - `micro_batches`: the groups again, with the advantages of their tokens
    - `step_answers`, `step_tokens`: by how many the means of the loss divide, see `packed_loss`
    - `metrics`: of answers, rewards and advantages
    """

    all_groups: Groups
    groups: Groups
    advantages: Tensor
    micro_batches: list[MicroBatch]
    step_answers: float
    step_tokens: float
    metrics: dict[str, float]


class GRPOModule(StageModule):
    """GRPO and GRPO-PTR: `training_step` is one optimiser step.

    Several processes draw the same random numbers for all prompts, and each goes on with those of its share, so that
    together they are one.
    """

    shares_batches = True

    def __init__(
        self,
        model: SpeechLM,
        settings: GRPOSettings,
        *,
        label_set: LabelSet,
        features: Mapping[str, Tensor],
        reward_model: RewardModel | None,
        questions: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(settings, steps=settings.steps * settings.inner_epochs)
        if settings.needs_reward_model and reward_model is None:
            raise ConfigError("algorithm=grpo_ptr needs a reward model, unless all weight is on the verified criterion")
        self.model = model
        self.sampler: Sampler = Sampler(model)
        self.settings = settings
        self.label_set = label_set
        self.features = features
        self.question, self.questions = emotion_question(label_set), questions or {}
        reference = Reference.of(model) if settings.kl_coefficient else None
        self.frozen = FrozenModels(reference, reward_model)
        self.experience: Experience
        self.schedule_state = ScheduleState()
        self.generators = {name: torch.Generator().manual_seed(settings.seed) for name in ("rollouts", "equalizer")}

    def training_step(self, batch: list[MeasuredUtterance], batch_idx: int) -> Tensor:
        """Roll out, judge, reward, advantage, loss; after the first inner epoch only the loss, of the same answers."""
        step = self.done + batch_idx + 1
        if (step - 1) % self.settings.inner_epochs == 0:
            self.experience = self._experience(batch, step)
        self.record(batch_idx + 1, **self.experience.metrics)
        results = list[PackedLoss]()
        losses = [partial(self._loss, micro, results) for micro in self.experience.micro_batches]
        passes = int(max_over_ranks(len(losses)))  # of all processes, whose passes meet where weights are sharded
        return self.add_up([*losses, *[self._idle] * (passes - len(losses))])

    def _experience(self, batch: list[MeasuredUtterance], step: int) -> Experience:
        """Roll out, judge, reward, advantage."""
        all_groups = self._roll_out(batch)
        gate_open = self._gate(all_groups, step)
        selected = self._to_learn_from(all_groups)
        with self.clock("reward"):
            reasoning = self._judge(selected) if gate_open else None
            groups, rewards = self._reward(selected, reasoning)
            advantages = self._advantages(groups, rewards)
            credited, metrics = self._credit_claims(groups, advantages, gate_open=gate_open)
        metrics |= rollout_metrics(all_groups, self.label_set) | {"gate": float(gate_open)}
        metrics |= {"groups": len(groups.batch), "unscored_groups": len(selected.batch) - len(groups.batch)}
        metrics |= {} if reasoning is None else score_metrics(reasoning, selected.format_ok)
        metrics |= {} if rewards is None else reward_metrics(rewards, advantages, groups)
        # of all processes, a share for each, as gradients are averaged over them
        answers, tokens = (sum_over_ranks(float(n)) / place()[1] for n in (groups.correct.numel(), groups.mask.sum()))
        parts = micro_batches(self.model, groups, self._questions_about(groups.batch), credited, self.settings)
        return Experience(all_groups, groups, advantages, parts, answers, tokens, metrics)

    def _roll_out(self, batch: list[MeasuredUtterance]) -> Groups:
        """K answers to each prompt; under dynamic sampling only as many prompts as are needed, in rounds."""
        s, rounds = self.settings, list[Groups]()
        with self.clock("rollout"), self.whole_model(self.model) as model:
            if isinstance(self.sampler, VLLMSampler):
                self.sampler.update_weights()
            elif isinstance(self.sampler, Sampler):
                self.sampler.model = model
            for start in range(0, len(batch), s.prompts_per_step):
                rounds.append(self._roll_out_round(batch[start : start + s.prompts_per_step]))
                if sum(int(mixed_groups(groups.correct).sum()) for groups in rounds) >= s.prompts_per_step:
                    break
        return Groups.join(rounds)

    def _roll_out_round(self, batch: list[MeasuredUtterance]) -> Groups:
        """K answers to each of this process's share of `batch`; random numbers are drawn for all of it."""
        s, (rank, ranks) = self.settings, place()
        recorded = as_float(self.features[m.utterance.utterance_id] for m in batch)
        filtered = [random_eq_bands(clip, s.filter_augment_db, self.generators["equalizer"]) for clip in recorded]
        seeds = torch.randint(2**63 - 1, (len(batch), s.group_size), generator=self.generators["rollouts"])
        batch, clips = share_of(batch, rank, ranks), share_of(filtered, rank, ranks)
        rollout = self.sampler.sample(
            clips,
            self._questions_about(batch),
            k=s.group_size,
            temperature=s.temperature,
            max_new_tokens=s.max_new_tokens,
            seeds=seeds[rank::ranks],
        )
        rules = rule_rewards(rollout.texts, [expected_label(m, self.label_set) for m in batch], self.label_set)
        return Groups.of(batch, clips, rollout, rules)

    def _gate(self, all_groups: Groups, step: int) -> bool:
        """Whether reasoning rewards enter, once the accuracy of this step, or of validation, has been seen."""
        s = self.settings
        accuracy: float | None = sum_over_ranks(float(all_groups.correct.float().mean())) / place()[1]
        if s.gate_accuracy is GateAccuracy.VALIDATION:
            accuracy = self._validation_accuracy()
        if s.algorithm is Algorithm.GRPO_PTR and accuracy is not None:
            self.schedule_state = s.schedule.update(self.schedule_state, accuracy, step=step)
        return self.schedule_state.is_open

    def _validation_accuracy(self) -> float | None:
        """The accuracy that the first process measured after the step before this one, if it did."""
        accuracy = self.history[-1].get("sampled_accuracy") if self.history else None
        count = sum_over_ranks(float(accuracy is not None))
        total = sum_over_ranks(accuracy or 0.0)
        return total / count if count else None

    def _to_learn_from(self, all_groups: Groups) -> Groups:
        """All groups, or under dynamic sampling the first mixed ones, as many as a step has prompts."""
        if self.settings.sampling_rounds == 1:
            return all_groups
        mixed = mixed_groups(all_groups.correct)
        return all_groups.select(mixed & (mixed.cumsum(0) <= self.settings.prompts_per_step))

    def _judge(self, groups: Groups) -> ReasoningScores | None:
        """What reward model and measurement say of the reasoning; `None` where there is none."""
        if not groups.batch:
            return None
        questions, judge = self._questions_about(groups.batch), self.frozen.reward_model
        return reasoning_scores(groups, self.settings, questions=questions, judge=judge)

    def _reward(self, groups: Groups, reasoning: ReasoningScores | None) -> tuple[Groups, RewardBreakdown | None]:
        """Those groups whose rewards are all numbers, and their rewards; `None` where there are none."""
        if not groups.batch:
            return groups, None
        rewards = group_rewards(groups, self.settings, reasoning=reasoning)
        usable = rewards.usable
        return groups.select(usable), rewards.select(usable) if usable.any() else None

    def _advantages(self, groups: Groups, rewards: RewardBreakdown | None) -> Tensor:
        """Of every answer, [B, K]."""
        if rewards is None:
            return torch.zeros(groups.correct.shape)
        name = self.settings.advantages or LOSS_ADVANTAGES[self.settings.loss]
        return ADVANTAGES[name](rewards, self.settings.deviation)

    def _credit_claims(self, groups: Groups, advantages: Tensor, *, gate_open: bool) -> tuple[Tensor, dict[str, float]]:
        """The advantages of the answers' tokens [B, K, T], with credit for single claims where it is set; and which
        share of these claims is true.
        """
        by_token = advantages[..., None].expand(groups.mask.shape)
        if not (groups.batch and gate_open and self.settings.claim_credit):
            return by_token, {}
        credit, supported = claim_credit(groups, self.model.tokenizer, baseline=self.settings.claim_baseline)
        by_token = by_token + self.settings.claim_credit * credit.to(by_token)
        return by_token, {} if supported is None else {"supported_claims": supported}

    def _loss(self, micro: MicroBatch, results: list[PackedLoss]) -> Tensor:
        """The loss of a part of the step, added to the `results` of the step, of which the metrics are recorded."""
        computed = self._packed_loss(micro)
        if self.settings.inner_epochs > 1 and micro.old_logprobs is None:
            micro.old_logprobs = computed.logprobs
        results.append(replace(computed, result=computed.result.detach()))
        self.history[-1] |= loss_metrics(results, step_tokens=self.experience.step_tokens)
        return computed.result.loss

    def _idle(self) -> Tensor:
        """A pass that teaches nothing, where this process has less to learn from than another."""
        all_groups = self.experience.all_groups
        one = all_groups.select(torch.arange(len(all_groups.batch)) == 0)
        questions, advantages = self._questions_about(one.batch), torch.zeros(one.mask.shape)
        micro = MicroBatch(one.clips, questions, one.tokens, one.mask, advantages)
        return 0.0 * self._packed_loss(micro).result.loss

    def _packed_loss(self, micro: MicroBatch) -> PackedLoss:
        step = {"step_answers": self.experience.step_answers, "step_tokens": self.experience.step_tokens}
        return packed_loss(self.model, micro, self.settings, reference=self.frozen.reference, **step)

    def _questions_about(self, batch: Sequence[MeasuredUtterance]) -> list[str]:
        """The question about each clip: with all labels, but where it is specified."""
        return [self.questions.get(m.utterance.utterance_id, self.question) for m in batch]

    def sample(self) -> list[dict[str, Any]]:
        """The answers to the first prompt of the step, and what they earned; none where nothing is learnt from."""
        groups, advantages = self.experience.groups, self.experience.advantages
        if not groups.batch:
            return []
        measured = groups.batch[0]
        expected = expected_label(measured, self.label_set).value
        about = {"utterance_id": measured.utterance.utterance_id, "expected": expected}
        answers = zip(groups.texts[0], groups.correct[0].tolist(), advantages[0].tolist(), strict=True)
        return [about | {"text": text, "correct": right, "advantage": round(a, 4)} for text, right, a in answers]

    def configure_gradient_clipping(self, *args: Any, **kwargs: Any) -> None:
        """Clip the gradient, after which all phases of the step are over: how fast it sampled is recorded."""
        super().configure_gradient_clipping(*args, **kwargs)
        spent = self.history[-1].get("seconds_rollout")
        if spent is not None:
            self.history[-1]["tokens_per_second"] = round(
                int(self.experience.all_groups.mask.sum()) / max(spent, 1e-9), 1
            )

    def on_fit_start(self) -> None:
        """Move the frozen models to where the policy is trained, and start vLLM where it is to sample."""
        self.frozen.to(self.device)
        if self.settings.sampler is SamplerKind.VLLM:
            self.sampler = VLLMSampler(self.model)

    @property
    def frozen_models(self) -> Mapping[str, nn.Module]:
        """The reward model."""
        judge = self.frozen.reward_model
        return {} if judge is None else {"reward model": judge}

    def sharded(self) -> Iterable[SpeechLM]:
        """The policy, and a reference that is another model."""
        reference = self.frozen.reference
        return (self.model,) if reference is None or reference.shared else (self.model, reference.model)

    def on_fit_end(self) -> None:
        """Give back what vLLM holds."""
        if isinstance(self.sampler, VLLMSampler):
            self.sampler.close()

    def state(self) -> dict[str, Any]:
        """The gate."""
        return {"schedule": self.schedule_state.to_dict()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """The gate as `state` returned it."""
        self.schedule_state = ScheduleState.from_dict(state["schedule"])

    @property
    def can_stop(self) -> bool:
        """Not between the inner epochs of a step, whose rollouts are not kept."""
        return int(self.history[-1]["step"]) % self.settings.inner_epochs == 0
