"""The settings of every stage. Each default is here and nowhere else; `conf/` holds only what the demo sets otherwise.

`STAGE_SETTINGS` maps a stage to the dataclass of its whole configuration, `read_settings` builds that from plain
values, and refuses what it does not know or what cannot be right, and `plain_defaults` gives the defaults back as plain
values, for the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import Any, TypeVar

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
from speech_records import RecordFormatError, from_dict
from trainer.curriculum import Phase
from trainer.errors import ConfigError

VLLM_CAP = 2.0
"""Largest importance weight of a token that vLLM sampled, unless specified."""
REQUIRED = "???"
"""How a composed configuration marks a setting that must be given."""

TRAINED_PARTS = ("audio_encoder", "adapter", "llm", "lora", "heads")
"""What may have a learning rate of its own: the parts of `speechlm.Part`, and the auxiliary heads."""

SettingsT = TypeVar("SettingsT", bound="StageSettings")


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """Linear warm-up to `learning_rate` over `warmup_steps`, then a cosine to a tenth of it.

    Every `save_every` steps, 0 for never, the state of the training is kept, from which the same command goes on.
    `devices` of each of `nodes` machines share every step; on several machines torchrun starts the command.
    """

    learning_rate: float
    warmup_steps: int
    seed: int = 0
    save_every: int = 200
    devices: int = 1
    nodes: int = 1

    def __post_init__(self) -> None:
        _check("learning_rate", self.learning_rate, self.learning_rate > 0, "> 0")
        _check("warmup_steps", self.warmup_steps, self.warmup_steps >= 0, ">= 0")
        _check("seed", self.seed, self.seed >= 0, ">= 0")
        _check("save_every", self.save_every, self.save_every >= 0, ">= 0, 0 for never")
        _check_positive(self, "devices", "nodes")


@dataclass(frozen=True, kw_only=True)
class SFTSettings(OptimizerSettings):
    """One SFT run: `phases` are trained in order under one learning-rate schedule.

    - `learning_rate` suits the random weights of `pocket`; pretrained ones need about 1e-5
    - `vocab_size` of the tokenizer that a pocket model gets
    - `decision_share`, `claim_share`: weights of the words that first say what it sounds like, and of the claims about
      the sound, in a reasoning example, see `sft_loss_weights`; the rest of the text has what remains of 1
    - `bf16`: compute products in bfloat16 (autocast), for processors that are fast at it; the weights stay float32
    - `filter_augment_db`: spread of the random EQ augmentation, see `random_eq_bands`; it closes most of the gap to
      unseen voices; `time_mask_share`: longest stretch of a clip that is masked, see `mask_time`
    - `reasoning_share`: of the training clips, how many are learnt with reasoning and label, see `is_reasoned`; the
      prosody of all is. Below 1 it is a cold start, which leaves the other clips to reinforcement
    - `perception_steps`: before the phases, so many steps of `perception_batch_size` clips train the audio side alone
      by auxiliary heads, which learn the label, the cues and the measurements (`trainer.perception`)
    - `learning_rates`: of single parts (audio_encoder, adapter, llm, lora, heads) where they differ
    """

    phases: tuple[Phase, ...]
    learning_rate: float = 8e-4
    warmup_steps: int = 30
    vocab_size: int = 1024
    decision_share: float = 0.35
    claim_share: float = 0.35
    bf16: bool = False
    filter_augment_db: float = 9.0
    reasoning_share: float = 1.0
    time_mask_share: float = 0.0
    perception_steps: int = 0
    perception_batch_size: int = 32
    learning_rates: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        share = self.reasoning_share
        _check("reasoning_share", share, 0 < share <= 1, "a share of the training clips, above 0 and at most 1")
        _check("perception_steps", self.perception_steps, self.perception_steps >= 0, ">= 0")
        _check_positive(self, "perception_batch_size")
        _check("time_mask_share", self.time_mask_share, 0 <= self.time_mask_share < 1, "in [0, 1)")
        for part, rate in self.learning_rates.items():
            _check("learning_rates", part, part in TRAINED_PARTS, f"parts among {', '.join(TRAINED_PARTS)}")
            _check(f"learning_rates.{part}", rate, rate > 0, "> 0")
        if min(self.decision_share, self.claim_share) < 0 or self.decision_share + self.claim_share >= 1:
            raise ConfigError(
                f"decision_share {self.decision_share} and claim_share {self.claim_share} must be >= 0, "
                "together below 1"
            )
        _check("filter_augment_db", self.filter_augment_db, self.filter_augment_db >= 0, ">= 0")

    @property
    def steps(self) -> int:
        """Optimiser steps: those of perception, and of all phases."""
        return self.perception_steps + sum(phase.steps for phase in self.phases)


@dataclass(frozen=True, kw_only=True)
class RewardSettings(OptimizerSettings):
    """One reward-model run.

    - `learning_rate` suits the pocket model; pretrained ones need about 1e-5
    - `head_steps`: steps whose texts all that is not the backbone is fitted to before
    - `steps` of `clips_per_step` clips with `texts_per_clip` texts each, which share audio and prompt
    - `train_clips`: the clips of the training split that texts are made for; the policy answers each twice
    - `test_clips`: clips of the validation voices that calibrate it, and as many of the test voices that measure it
    - `filter_augment_db`: spread of the random EQ augmentation, see `random_eq_bands`
    """

    learning_rate: float = 5e-4
    warmup_steps: int = 20
    head_steps: int = 30
    steps: int = 150
    clips_per_step: int = 12
    texts_per_clip: int = 3
    train_clips: int = 800
    test_clips: int = 80
    filter_augment_db: float = 9.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive(self, "head_steps", "steps", "clips_per_step", "texts_per_clip", "train_clips", "test_clips")
        _check("filter_augment_db", self.filter_augment_db, self.filter_augment_db >= 0, ">= 0")


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


class OnCollapse(StrEnum):
    """What to do when a policy collapses (`trainer.validation.collapse_of`)."""

    WARN = "warn"
    STOP = "stop"
    IGNORE = "ignore"


@dataclass(frozen=True, kw_only=True)
class GRPOSettings(OptimizerSettings):
    """One reinforcement run.

    - `algorithm`: `grpo` for format and outcome rewards only, `grpo_ptr` with reasoning rewards and trust
    - `prompts_per_backward`: of a step's prompts, how many take part in one backward pass, all unless specified; fewer
      take less memory, and the step's loss and gradient are the same
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
    - `on_collapse`: whether to warn or to stop when answers lose their form, their labels or their entropy
    """

    algorithm: Algorithm = Algorithm.GRPO_PTR
    learning_rate: float = 3e-5
    warmup_steps: int = 5
    save_every: int = 20
    steps: int = 40
    prompts_per_step: int = 4
    prompts_per_backward: int | None = None
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

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive(self, "steps", "prompts_per_step", "max_new_tokens", "sampling_rounds", "inner_epochs")
        _check_positive(self, "validation_clips")
        _check("validate_every", self.validate_every, self.validate_every >= 0, ">= 0, 0 for never")
        ranks = self.devices * self.nodes
        fits = self.prompts_per_step % ranks == 0
        _check("prompts_per_step", self.prompts_per_step, fits, f"a multiple of devices × nodes = {ranks}")
        fits = ranks == 1 or self.sampler is SamplerKind.IN_PROCESS
        _check("sampler", self.sampler, fits, "in_process with several devices: vLLM takes one process")
        fits = ranks == 1 or self.sampling_rounds == 1
        _check("sampling_rounds", self.sampling_rounds, fits, "1 with several devices: each fills its own share")
        part = self.prompts_per_backward
        _check("prompts_per_backward", part, part is None or part >= 1, ">= 1, or null for all of a step")
        _check("group_size", self.group_size, self.group_size >= 2, ">= 2: advantages compare the answers of a group")
        _check("temperature", self.temperature, self.temperature > 0, "> 0: rollouts are sampled")
        _check("kl_coefficient", self.kl_coefficient, self.kl_coefficient >= 0, ">= 0")
        _check("degenerate", self.degenerate, 0 <= self.degenerate <= 1, "a trust weight in [0, 1]")
        known = self.kl_estimator in KL_ESTIMATORS
        _check("kl_estimator", self.kl_estimator, known, f"one of {', '.join(KL_ESTIMATORS)}")
        cap = self.importance_cap
        _check("importance_cap", cap, cap is None or cap > 0, "> 0, or null for no importance weights")
        w = self.criterion_weights
        fits = w is None or (len(w) == CRITERIA and min(w) >= 0 and abs(sum(w) - 1) <= 1e-6)
        _check("criterion_weights", w, fits, f"{CRITERIA} numbers >= 0 that sum to 1")
        fits = 0 <= self.overlong_buffer <= self.max_new_tokens
        _check("overlong_buffer", self.overlong_buffer, fits, f"0 to max_new_tokens={self.max_new_tokens}")
        _check("loss", self.loss, self.loss in LOSSES, f"one of {', '.join(LOSSES)}")
        known = self.advantages is None or self.advantages in ADVANTAGES
        _check("advantages", self.advantages, known, f"one of {', '.join(ADVANTAGES)}")
        _check("clip_low", self.clip_low, self.clip_low is None or 0 <= self.clip_low <= 1, "in [0, 1]")
        sees = self.gate_accuracy is GateAccuracy.TRAIN or self.validate_every > 0
        _check("validate_every", self.validate_every, sees, "> 0 with gate_accuracy=validation")
        _check("clip_high", self.clip_high, self.clip_high is None or self.clip_high >= 0, ">= 0")
        _check("filter_augment_db", self.filter_augment_db, self.filter_augment_db >= 0, ">= 0")
        share = self.reasoning_share
        _check("reasoning_share", share, 0 <= share < 1, "in [0, 1): the share that SFT saw with reasoning")

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
class StageSettings:
    """What every stage takes; `workers` processes synthesise or load audio, `tracking_uri` names an MLflow store."""

    name: str
    seed: int = 0
    workers: int = 2
    tracking_uri: str | None = None
    model: Mapping[str, Any] = field(default_factory=lambda: {"preset": "pocket"})

    def __post_init__(self) -> None:
        _check_positive(self, "workers")


@dataclass(frozen=True, kw_only=True)
class CorpusStage(StageSettings):
    """Where the demo corpus goes, and how large it is."""

    out: str
    voices: int = 20
    sentences: int = 40


@dataclass(frozen=True, kw_only=True)
class TrainStage(StageSettings):
    """`data` is an annotated data set, `out` the checkpoint's folder, `policy` the checkpoint to start from."""

    data: str
    out: str
    policy: str


@dataclass(frozen=True, kw_only=True)
class PolicyStage(TrainStage):
    """`train` names the parts to train, of audio_encoder, adapter, llm and lora, everything unless specified.

    New LoRA adapters have `lora_rank`. `gradient_checkpointing` takes less memory and more time.
    """

    train: tuple[str, ...] | None = None
    lora_rank: int = 16
    gradient_checkpointing: bool = False


@dataclass(frozen=True, kw_only=True)
class SFTStage(SFTSettings, PolicyStage):
    """Supervised fine-tuning; without `policy` it starts from the preset of `model`."""

    policy: str | None = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        SFTSettings.__post_init__(self)
        StageSettings.__post_init__(self)


@dataclass(frozen=True, kw_only=True)
class RewardStage(RewardSettings, TrainStage):
    """The reward model, from the weights of an SFT policy; `ratings` is a file of people's ratings to compare with."""

    ratings: str | None = None

    def __post_init__(self) -> None:
        RewardSettings.__post_init__(self)
        StageSettings.__post_init__(self)


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


@dataclass(frozen=True, kw_only=True)
class EvaluateStage(StageSettings):
    """`policies` are checkpoints by the name they get in the table; `null` leaves one out.

    `predictions` is a file of another system's answers, see `trainer.evaluate`. `perception` questions of each family
    about the prosody are asked, 0 for none. `limit` clips of `split` are drawn evenly over speakers and emotions, all
    of it unless specified. Settings are chosen on `validation`, results are reported on `test`.
    """

    data: str
    out: str
    policies: Mapping[str, str | None] = field(default_factory=lambda: dict.fromkeys(("sft", "grpo", "grpo_ptr")))
    predictions: str | None = None
    perception: int = 0
    reward_model: str | None = None
    limit: int | None = None
    split: str = "test"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check("perception", self.perception, self.perception >= 0, ">= 0, 0 for no questions about the prosody")
        _check("limit", self.limit, self.limit is None or self.limit >= 1, ">= 1, or null for all clips")


@dataclass(frozen=True, kw_only=True)
class AblationStage(StageSettings):
    """The paper's ablation: `sft`, `reward`, `grpo` and `evaluate` are what its rows have in common of those stages'
    settings; every row is trained once for each of `seeds`. `policy` is what SFT starts from, the preset of `model`
    unless specified.
    """

    data: str
    out: str
    policy: str | None = None
    seeds: tuple[int, ...] = (0, 1, 2)
    sft: Mapping[str, Any] = field(default_factory=dict)
    reward: Mapping[str, Any] = field(default_factory=dict)
    grpo: Mapping[str, Any] = field(default_factory=dict)
    evaluate: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        seeds = self.seeds
        _check("seeds", seeds, seeds and len(set(seeds)) == len(seeds) and min(seeds) >= 0, "different numbers >= 0")


@dataclass(frozen=True, kw_only=True)
class ReportStage(StageSettings):
    """`run` is the output directory of a pipeline run, `out` the page to write."""

    run: str
    out: str


@dataclass(frozen=True, kw_only=True)
class TrackStage(StageSettings):
    """`out` is the output directory of a training whose metrics were not sent."""

    out: str


STAGE_SETTINGS: Mapping[str, type[StageSettings]] = {
    "demo_corpus": CorpusStage,
    "sft": SFTStage,
    "reward": RewardStage,
    "grpo": GRPOStage,
    "evaluate": EvaluateStage,
    "ablation": AblationStage,
    "report": ReportStage,
    "track": TrackStage,
}


def read_settings(kind: type[SettingsT], values: Mapping[str, Any]) -> SettingsT:
    """The settings that plain `values` hold; a dataclass's defaults for what is not in them.

    Raises `ConfigError` for an unknown setting, a value of another type, and one that cannot be right.
    """
    missing = [key for key, value in values.items() if value == REQUIRED]
    if missing:
        raise ConfigError(f"stage {values.get('name')} needs {', '.join(f'{key}=…' for key in missing)}")
    try:
        return from_dict(kind, values, where=f"stage {values.get('name')}")
    except RecordFormatError as error:
        raise ConfigError(str(error)) from error


def refuse_unknown(kind: type[Any], values: Mapping[str, Any], path: str = "") -> None:
    """Raise `ConfigError` for a key of `values` that the settings dataclass does not have; missing ones are fine."""
    known = {f.name: f.default for f in fields(kind)}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"unknown setting {path}{key}; there are {', '.join(path + name for name in known)}")
        if is_dataclass(known[key]):
            refuse_unknown(type(known[key]), value, f"{path}{key}.")


def plain_defaults(kind: type[Any]) -> dict[str, Any]:
    """The defaults of a settings dataclass as plain values, `???` for what must be given."""
    values = {}
    for f in fields(kind):
        value = f.default_factory() if f.default_factory is not MISSING else f.default
        values[f.name] = REQUIRED if value is MISSING else plain(value)
    return values


def plain(value: Any) -> Any:
    """`value` in lists, dicts and scalars.

    >>> plain(ProgressiveSchedule(window=4))
    {'threshold': 0.5, 'window': 4, 'tolerance': 0.05}
    """
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value.value if isinstance(value, StrEnum) else value


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as `a.b` and their values.

    >>> dict(flat({"a": {"b": 1}, "c": [2]}))
    {'a.b': 1, 'c': [2]}
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _check_positive(settings: object, *names: str) -> None:
    for name in names:
        _check(name, getattr(settings, name), getattr(settings, name) >= 1, ">= 1")


def _check(name: str, value: object, holds: object, expected: str) -> None:
    if not holds:
        raise ConfigError(f"{name} is {value}, expected {expected}")
