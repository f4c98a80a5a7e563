"""The settings of reinforcement."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from grpo_ptr import (
    ADVANTAGES,
    CRITERIA,
    KL_ESTIMATORS,
    LOSSES,
    Deviation,
    Factual,
    ProgressiveSchedule,
    RewardWeights,
    Unparseable,
)
from trainer.errors import ConfigError
from trainer.settings.checks import check, check_positive
from trainer.settings.stage import OptimizerSettings, PolicyStage, StageSettings

VLLM_CAP = 2.0
"""Largest importance weight of a token that vLLM sampled, unless specified."""


class Algorithm(StrEnum):
    """Which rewards the policy is trained on."""

    GRPO = "grpo"
    GRPO_PTR = "grpo_ptr"


class SamplerKind(StrEnum):
    """Which program samples the rollouts: the policy itself, or vLLM in this process, which is given its weights."""

    IN_PROCESS = "in_process"
    VLLM = "vllm"


class GateAccuracy(StrEnum):
    """Whose accuracy opens the gate: that of each step's rollouts, or of the sampled answers to validation clips."""

    TRAIN = "train"
    VALIDATION = "validation"


class ClaimBaseline(StrEnum):
    """Which claims a single claim is compared with: those of its cue in the group of answers, or all of the group."""

    CUE = "cue"
    GROUP = "group"


class OnCollapse(StrEnum):
    """What to do when a policy collapses (`trainer.validation.collapse_of`)."""

    WARN = "warn"
    STOP = "stop"
    IGNORE = "ignore"


@dataclass(frozen=True, kw_only=True)
class GRPOSettings(OptimizerSettings):
    """One reinforcement run.

    - `algorithm`: `grpo` for format and outcome rewards only, `grpo_ptr` with reasoning rewards and trust
    - `group_size`: K answers to each prompt; `kl_coefficient`: β, 0 for no reference policy; `kl_estimator`: k1, k2 or
      k3
    - `loss`: one of `grpo_ptr.LOSSES`; `advantages`: one of `grpo_ptr.ADVANTAGES`, those of that loss unless specified;
      `clip_low`, `clip_high`: those of that loss unless specified; `deviation`: which standard deviation divides
      advantages, see `grpo_ptr.Deviation`
    - `sampler`: `in_process` or `vllm`, see `policy.VLLMSampler`
    - `importance_cap`: C of the truncated importance weights (equation 9), from the log-probabilities that the sampler
      reported; unless specified 2 with vLLM and none in process, where the sampler is the policy being trained;
      `importance_by_answer`: the ratio of the whole answer in every weight
    - `reward_weights`: of format, outcome and reasoning; `criterion_weights`: of the four scores g_j, a quarter each
      unless specified; `unparseable`: see `grpo_ptr.Unparseable`; `degenerate`: τ of groups that are all right or all
      wrong, 0 to 1; `trust`: whether τ weighs R_t at all
    - `factual`: whose word the factual score is, the reward model's (`judged`), the measurement's (`verified`) or both;
      `verified` with `criterion_weights=[1,0,0,0]` needs no reward model
    - `claim_credit`: weight of what each claim earns by itself, at its own tokens, beside the advantage of its answer
      (`trainer.claim_credit`), once the gate is open; 0 for none; `claim_baseline`: what it is compared with. By `cue`
      nothing is earned by saying more or less, by `group` also by leaving out the cues that are often wrong
    - `overlong_buffer`: over how many tokens below `max_new_tokens` DAPO's length penalty grows, 0 for none
    - `sampling_rounds`: above 1, DAPO's dynamic sampling: groups that are all right or all wrong are left out, and up
      to this many times `prompts_per_step` prompts are sampled until that many groups are mixed
    - `inner_epochs`: optimiser steps on the answers of each step; above 1 the ratio to the policy that gave them is
      clipped
    - `schedule`: when reasoning rewards enter (equation 4); `gate_accuracy`: whose accuracy it sees, of the rollouts or
      of validation clips, whose every measurement then is one observation
    - `filter_augment_db`: spread of the random EQ augmentation of each prompt's clip, as in SFT; its answers, its loss
      and its reward are all of the clip so filtered
    - `reasoning_share`: that of the SFT policy; the clips that it was shown with reasoning are not prompted again. 0
      prompts all training clips
    - `validate_every`: every so many optimiser steps, 0 for never, `validation_clips` of the validation split are
      answered, greedily and sampled; the policy of the highest greedy accuracy is kept in `best/`
    - `on_collapse`: whether to warn or to stop when answers lose their form, their labels or their entropy, or the
      sampler is not the policy
    - `micro_batch_tokens`: most tokens, clips and padding included, that take part in one backward pass, of whole
      groups; all of a step, or `micro_batch_size` prompts, unless specified
    """

    algorithm: Algorithm = Algorithm.GRPO_PTR
    learning_rate: float = 3e-5
    warmup_steps: int = 5
    save_every: int = 20
    steps: int = 40
    prompts_per_step: int = 4
    group_size: int = 8
    temperature: float = 1.0
    max_new_tokens: int = 160
    kl_coefficient: float = 0.04
    kl_estimator: str = "k3"
    loss: str = "grpo"
    advantages: str | None = None
    deviation: Deviation = Deviation.POPULATION
    clip_low: float | None = None
    clip_high: float | None = None
    sampler: SamplerKind = SamplerKind.IN_PROCESS
    importance_cap: float | None = None
    importance_by_answer: bool = False
    reward_weights: RewardWeights = RewardWeights()  # noqa: RUF009 - frozen
    criterion_weights: tuple[float, ...] | None = None
    unparseable: Unparseable = Unparseable.EXCLUDE
    degenerate: float = 1.0
    trust: bool = True
    factual: Factual = Factual.JUDGED
    claim_credit: float = 0.0
    claim_baseline: ClaimBaseline = ClaimBaseline.CUE
    overlong_buffer: int = 0
    sampling_rounds: int = 1
    inner_epochs: int = 1
    schedule: ProgressiveSchedule = ProgressiveSchedule()  # noqa: RUF009 - frozen
    gate_accuracy: GateAccuracy = GateAccuracy.TRAIN
    filter_augment_db: float = 0.0
    reasoning_share: float = 0.0
    validate_every: int = 0
    validation_clips: int = 180
    on_collapse: OnCollapse = OnCollapse.WARN
    micro_batch_tokens: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "steps", "prompts_per_step", "max_new_tokens", "sampling_rounds", "inner_epochs")
        check_positive(self, "validation_clips")
        check("validate_every", self.validate_every, self.validate_every >= 0, ">= 0, 0 for never")
        ranks = self.devices * self.nodes
        fits = self.prompts_per_step % ranks == 0
        check("prompts_per_step", self.prompts_per_step, fits, f"a multiple of devices × nodes = {ranks}")
        fits = ranks == 1 or self.sampler is SamplerKind.IN_PROCESS
        check("sampler", self.sampler, fits, "in_process with several devices: vLLM takes one process")
        fits = ranks == 1 or self.sampling_rounds == 1
        check("sampling_rounds", self.sampling_rounds, fits, "1 with several devices: each fills its own share")
        check("group_size", self.group_size, self.group_size >= 2, ">= 2: advantages compare the answers of a group")
        check("temperature", self.temperature, self.temperature > 0, "> 0: rollouts are sampled")
        check("kl_coefficient", self.kl_coefficient, self.kl_coefficient >= 0, ">= 0")
        check("degenerate", self.degenerate, 0 <= self.degenerate <= 1, "a trust weight in [0, 1]")
        check("claim_credit", self.claim_credit, self.claim_credit >= 0, ">= 0")
        known = self.kl_estimator in KL_ESTIMATORS
        check("kl_estimator", self.kl_estimator, known, f"one of {', '.join(KL_ESTIMATORS)}")
        cap = self.importance_cap
        check("importance_cap", cap, cap is None or cap > 0, "> 0, or null for no importance weights")
        w = self.criterion_weights
        fits = w is None or (len(w) == CRITERIA and min(w) >= 0 and abs(sum(w) - 1) <= 1e-6)
        check("criterion_weights", w, fits, f"{CRITERIA} numbers >= 0 that sum to 1")
        fits = 0 <= self.overlong_buffer <= self.max_new_tokens
        check("overlong_buffer", self.overlong_buffer, fits, f"0 to max_new_tokens={self.max_new_tokens}")
        check("loss", self.loss, self.loss in LOSSES, f"one of {', '.join(LOSSES)}")
        known = self.advantages is None or self.advantages in ADVANTAGES
        check("advantages", self.advantages, known, f"one of {', '.join(ADVANTAGES)}")
        check("clip_low", self.clip_low, self.clip_low is None or 0 <= self.clip_low <= 1, "in [0, 1]")
        sees = self.gate_accuracy is GateAccuracy.TRAIN or self.validate_every > 0
        check("validate_every", self.validate_every, sees, "> 0 with gate_accuracy=validation")
        fits = ranks == 1 or self.advantages != "gdpo"
        check(
            "advantages", self.advantages, fits, "others than gdpo with several devices: it divides by the batch's std"
        )
        n = self.micro_batch_tokens
        check("micro_batch_tokens", n, n is None or n >= 1, ">= 1, or null for all of a step")
        check("clip_high", self.clip_high, self.clip_high is None or self.clip_high >= 0, ">= 0")
        check("filter_augment_db", self.filter_augment_db, self.filter_augment_db >= 0, ">= 0")
        share = self.reasoning_share
        check("reasoning_share", share, 0 <= share < 1, "in [0, 1): the share that SFT saw with reasoning")

    @property
    def cap(self) -> float | None:
        """C of the importance weights that are applied, `None` for no weights."""
        return VLLM_CAP if self.importance_cap is None and self.sampler is SamplerKind.VLLM else self.importance_cap

    @property
    def needs_reward_model(self) -> bool:
        """Whether a reward model is asked: not for outcomes alone, nor where all weight is on what is measured."""
        only_factual = self.criterion_weights is not None and not any(self.criterion_weights[1:])
        measured = self.factual is Factual.VERIFIED and only_factual
        return self.algorithm is Algorithm.GRPO_PTR and not measured


@dataclass(frozen=True, kw_only=True)
class GRPOStage(GRPOSettings, PolicyStage):
    """Reinforcement of an SFT policy; `grpo_ptr` needs a `reward_model`, unless all weight is on what is measured."""

    reward_model: str | None = None

    def __post_init__(self) -> None:
        GRPOSettings.__post_init__(self)
        StageSettings.__post_init__(self)
        if self.needs_reward_model and self.reward_model is None:
            raise ConfigError(
                "algorithm=grpo_ptr needs reward_model=DIR, which stage=reward makes; algorithm=grpo needs none, nor "
                "does factual=verified with criterion_weights=[1,0,0,0]"
            )
