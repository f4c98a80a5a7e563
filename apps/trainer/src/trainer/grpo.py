"""Reinforcement: GRPO and GRPO-PTR on emotion questions.

Every batch of rollouts makes one optimiser step, whose importance ratio is 1, or `inner_epochs` of them, clipped around
the policy that the first of them found. The two algorithms differ in one thing: GRPO-PTR's schedule may let reasoning
rewards in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from grpo_ptr import (
    ADVANTAGES,
    LOSS_ADVANTAGES,
    LOSSES,
    LossInputs,
    LossResult,
    RewardBreakdown,
    ScheduleState,
    mixed_groups,
)
from policy import Reference, Sampler, VLLMSampler, importance_weights, logprob_mismatch, sequence_logprobs
from rewardmodel import RewardModel
from speech_records import LabelSet, MeasuredUtterance, emotion_question
from speechlm import SpeechLM, audio_token_count
from speechlm.prompt import prompt_ids
from trainer.augment import random_eq_bands
from trainer.claim_credit import claim_credit
from trainer.distributed import max_over_ranks, place, sum_over_ranks
from trainer.errors import ConfigError
from trainer.features import as_float
from trainer.group_rewards import group_rewards, reasoning_scores, score_metrics
from trainer.grpo_metrics import loss_metrics, reward_metrics, rollout_metrics
from trainer.modules import StageModule, share_of
from trainer.predict import expected_label
from trainer.rollouts import Groups, passes, rule_rewards
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


class GRPOModule(StageModule):
    """One training step: sample, reward, update.

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
        self._loss = _loss_of(settings)
        self._groups: tuple[Groups, Tensor, Tensor] | None = None
        self._old: dict[int, Tensor] = {}
        self._counts = (0.0, 0.0)
        self._sampled: Groups
        self._sampled_tokens = 0
        self._metrics: dict[str, float] = {}
        self._results = list[LossResult]()
        self.schedule_state = ScheduleState()
        self.generators = {name: torch.Generator().manual_seed(settings.seed) for name in ("rollouts", "equalizer")}

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

    def training_step(self, batch: list[MeasuredUtterance], batch_idx: int) -> Tensor:
        """Roll out, judge, reward, advantage, loss.

        Behind the first of the inner epochs only the loss, of the same answers.
        """
        step = self.done + batch_idx + 1
        if (step - 1) % self.settings.inner_epochs == 0:
            self._groups = self._judged(batch, step)
        self._results = list[LossResult]()
        self.record(batch_idx + 1, **self._metrics)
        parts = [] if self._groups is None else self._parts(*self._groups)
        losses = [partial(self._learn, part) for part in parts]
        passes = int(max_over_ranks(len(losses)))  # of all processes, whose passes meet where weights are sharded
        return self.add_up([*losses, *[self._idle] * (passes - len(losses))])

    def _judged(self, batch: list[MeasuredUtterance], step: int) -> tuple[Groups, Tensor, Tensor] | None:
        """The groups to learn from, the advantages of their answers [B, K], and those of the answers' tokens [B, K, T];
        `None` where there are none.
        """
        s = self.settings
        self._old.clear()
        sampled = self._roll_out(batch)
        gate_open = self._gate(sampled, step)
        self._metrics = rollout_metrics(sampled, self.label_set) | {"gate": float(gate_open)}
        groups, breakdown = self._rewarded(sampled.select(self._trained_on(sampled)), gate_open=gate_open)
        if breakdown is None:
            return None
        advantages = ADVANTAGES[s.advantages or LOSS_ADVANTAGES[s.loss]](breakdown, s.deviation)
        self._metrics |= reward_metrics(breakdown, advantages, groups)
        by_token = advantages[..., None].expand(groups.mask.shape)
        if gate_open and s.claim_credit:
            credit, supported = claim_credit(groups, self.model.tokenizer, baseline=s.claim_baseline)
            by_token = by_token + s.claim_credit * credit.to(by_token)
            self._metrics |= {} if supported is None else {"supported_claims": supported}
        return groups, advantages, by_token

    def _gate(self, sampled: Groups, step: int) -> bool:
        """Whether reasoning rewards enter, once the accuracy of this step, or of validation, has been seen."""
        s = self.settings
        seen: float | None = sum_over_ranks(float(sampled.correct.float().mean())) / place()[1]
        if s.gate_accuracy is GateAccuracy.VALIDATION:
            seen = self._validated()
        if s.algorithm is Algorithm.GRPO_PTR and seen is not None:
            self.schedule_state = s.schedule.update(self.schedule_state, seen, step=step)
        return self.schedule_state.is_open

    def _rewarded(self, groups: Groups, *, gate_open: bool) -> tuple[Groups, RewardBreakdown | None]:
        """Those groups whose rewards are all numbers, and their rewards; `None` where there are none."""
        asked, breakdown, judge = len(groups.batch), None, self.frozen.reward_model
        if groups.batch:
            with self.clock("reward"):
                reasoning = None
                if gate_open:
                    reasoning = reasoning_scores(
                        groups, self.settings, questions=self._asked(groups.batch), judge=judge
                    )
                    self._metrics |= score_metrics(reasoning, groups.format_ok)
                breakdown = group_rewards(groups, self.settings, reasoning=reasoning)
            usable = breakdown.usable
            groups, breakdown = groups.select(usable), breakdown.select(usable)
        found, ranks = len(groups.batch), place()[1]
        self._metrics |= {"groups": found, "unscored_groups": asked - found}
        # what the means of the loss divide by: of all processes, a share for each, as gradients are averaged over them
        self._counts = (
            sum_over_ranks(float(groups.correct.numel())) / ranks,
            sum_over_ranks(float(groups.mask.sum())) / ranks,
        )
        return groups, breakdown if found else None

    def _asked(self, batch: Sequence[MeasuredUtterance]) -> list[str]:
        """The question about each clip: with all labels, but where it is specified."""
        return [self.questions.get(m.utterance.utterance_id, self.question) for m in batch]

    def _validated(self) -> float | None:
        """The accuracy that the first process measured after the step before this one, if it did."""
        seen = self.history[-1].get("sampled_accuracy") if self.history else None
        measured = sum_over_ranks(float(seen is not None))
        total = sum_over_ranks(seen or 0.0)
        return total / measured if measured else None

    def sample(self) -> list[dict[str, Any]]:
        """The answers to the first prompt of the step, and what they earned; none where nothing is learnt from."""
        if self._groups is None:
            return []
        groups, advantages, _ = self._groups
        clip, found = (
            groups.batch[0],
            zip(groups.texts[0], groups.correct[0].tolist(), advantages[0].tolist(), strict=True),
        )
        about = {
            "utterance_id": clip.utterance.utterance_id,
            "expected": expected_label(clip, self.label_set).value,
        }
        return [about | {"text": text, "correct": right, "advantage": round(a, 4)} for text, right, a in found]

    def _parts(self, groups: Groups, _: Tensor, advantages: Tensor) -> list[Callable[[], LossResult]]:
        """The losses, yet to be computed, that add up to that of the step, each of whole groups."""
        s, lengths = self.settings, [0] * len(groups.batch)
        if s.micro_batch_tokens is not None:
            answers = groups.mask.sum((1, 2)).tolist()
            asked = zip(groups.clips, self._asked(groups.batch), answers, strict=True)
            lengths = [self._prompt_tokens(clip, question) + n for clip, question, n in asked]
        parts = list[Callable[[], LossResult]]()
        for passed in passes(lengths, count=s.micro_batch_size, tokens=s.micro_batch_tokens):
            chosen = torch.zeros(len(lengths), dtype=torch.bool)
            chosen[passed.start : passed.stop] = True
            part = groups.select(chosen)
            given = (part.clips, part.tokens, part.mask, advantages[chosen, :, : part.mask.shape[-1]])
            parts.append(
                partial(
                    self.loss,
                    *given,
                    questions=self._asked(part.batch),
                    sampled=part.logprobs,
                    counts=self._counts,
                    part=passed.start,
                )
            )
        return parts

    def _prompt_tokens(self, clip: Tensor, question: str) -> int:
        heard = audio_token_count(clip.shape[-1])
        return len(prompt_ids(self.model.tokenizer, heard, question, self.model.system))

    def _idle(self) -> Tensor:
        """A pass that teaches nothing, where this process has less to learn from than another."""
        one = self._sampled.select(torch.arange(len(self._sampled.batch)) == 0)
        advantages = torch.zeros(one.mask.shape)
        return 0.0 * self.loss(one.clips, one.tokens, one.mask, advantages, counts=self._counts, part=-1).loss

    def _learn(self, part: Callable[[], LossResult]) -> Tensor:
        """The loss of a part of the step, added to what the step has recorded."""
        result = part()
        self._results.append(result.detach())
        self.history[-1] |= loss_metrics(self._results, step_tokens=self._counts[1])
        return result.loss

    def configure_gradient_clipping(self, *args: Any, **kwargs: Any) -> None:
        """Clip the gradient, after which all phases of the step are over: how fast it sampled is recorded."""
        super().configure_gradient_clipping(*args, **kwargs)
        spent = self.history[-1].get("seconds_rollout")
        if spent is not None:
            self.history[-1]["tokens_per_second"] = round(self._sampled_tokens / max(spent, 1e-9), 1)

    def _roll_out(self, batch: list[MeasuredUtterance]) -> Groups:
        """K answers to each prompt; under dynamic sampling only as many prompts as are needed, in rounds."""
        s, rounds = self.settings, list[Groups]()
        with self.clock("rollout"), self.whole_model(self.model) as model:
            if isinstance(self.sampler, VLLMSampler):
                self.sampler.update_weights()
            elif isinstance(self.sampler, Sampler):
                self.sampler.model = model
            for start in range(0, len(batch), s.prompts_per_step):
                rounds.append(self._answers(batch[start : start + s.prompts_per_step]))
                if sum(int(mixed_groups(groups.correct).sum()) for groups in rounds) >= s.prompts_per_step:
                    break
        self._sampled = Groups.join(rounds)
        self._sampled_tokens = int(self._sampled.mask.sum())
        return self._sampled

    def _answers(self, batch: list[MeasuredUtterance]) -> Groups:
        s, here = self.settings, place()
        recorded = as_float(self.features[m.utterance.utterance_id] for m in batch)
        filtered = [random_eq_bands(clip, s.filter_augment_db, self.generators["equalizer"]) for clip in recorded]
        seeds = torch.randint(2**63 - 1, (len(batch), s.group_size), generator=self.generators["rollouts"])
        batch, clips = share_of(batch, *here), share_of(filtered, *here)
        rollout = self.sampler.sample(
            clips,
            self._asked(batch),
            k=s.group_size,
            temperature=s.temperature,
            max_new_tokens=s.max_new_tokens,
            seeds=seeds[here[0] :: here[1]],
        )
        rules = rule_rewards(rollout.texts, [expected_label(m, self.label_set) for m in batch], self.label_set)
        return Groups.of(batch, clips, rollout, rules)

    def _trained_on(self, sampled: Groups) -> Tensor:
        """Which groups the step learns from, bool [B]: all, or under dynamic sampling the first mixed ones."""
        if self.settings.sampling_rounds == 1:
            return torch.ones(len(sampled.batch), dtype=torch.bool)
        mixed = mixed_groups(sampled.correct)
        return mixed & (mixed.cumsum(0) <= self.settings.prompts_per_step)

    def loss(
        self,
        clips: list[Tensor],
        tokens: Tensor,
        mask: Tensor,
        advantages: Tensor,
        *,
        questions: list[str] | None = None,
        sampled: Tensor | None = None,
        counts: tuple[float, float] | None = None,
        part: int = 0,
    ) -> LossResult:
        """The loss over answers `tokens[B, K, T]` to B clips, each group packed after one prompt.

        `questions` are those about the clips, with all labels unless specified; `sampled` the log-probabilities that
        the sampler reported, for importance weights; `counts` the answers and tokens of the whole step, where these are
        only a part of it. The first loss of a step's `part` is on-policy; its log-probabilities are those around which
        the later inner epochs are clipped.
        """
        s = self.settings
        groups = [
            [answer[real].tolist() for answer, real in zip(group, group_mask, strict=True)]
            for group, group_mask in zip(tokens, mask, strict=True)
        ]
        packed = self.model.pack(clips, questions or [self.question] * len(clips), groups)
        reference = None
        if self.frozen.reference is not None:
            reference = packed.unpack(self.frozen.reference.logprobs(packed, temperature=s.temperature))
        logprobs = packed.unpack(sequence_logprobs(self.model, packed, temperature=s.temperature))
        old = logprobs.detach() if s.inner_epochs == 1 else self._old.setdefault(part, logprobs.detach())
        weights = None
        if sampled is not None:
            weights = self._compared(sampled.to(old.device), old.view(mask.shape), mask.to(old.device))
        inputs = LossInputs(
            logprobs=logprobs,
            mask=mask.flatten(0, 1).to(self.device),
            old_logprobs=None if s.inner_epochs == 1 else old,
            advantages=advantages.flatten(0, 1).to(self.device),
            ref_logprobs=reference,
            token_weights=weights,
            step_completions=None if counts is None else counts[0],
            step_tokens=None if counts is None else counts[1],
        )
        return self._loss(inputs, beta=s.kl_coefficient, kl=s.kl_estimator)

    def _compared(self, engine: Tensor, trainer: Tensor, mask: Tensor) -> Tensor | None:
        """Importance weights of the answers' tokens, where there are any; how far the sampler's log-probabilities are
        from the trainer's is recorded, in nats a token.
        """
        s = self.settings
        if self.history and self._counts[1]:
            found, row = logprob_mismatch(engine, trainer, mask), self.history[-1]
            row["mismatch"] = row.get("mismatch", 0.0) + found.mean_abs * found.tokens / self._counts[1]
        if s.cap is None:
            return None
        return importance_weights(engine, trainer, mask, cap=s.cap, by_answer=s.importance_by_answer).flatten(0, 1)


def _loss_of(settings: GRPOSettings) -> Callable[..., LossResult]:
    """The loss that the settings name, with what they specify of its options."""
    given = {"clip_low": settings.clip_low, "clip_high": settings.clip_high}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if settings.loss == "dr_grpo":
        options["max_tokens"] = settings.max_new_tokens
    return partial(LOSSES[settings.loss], **options)
