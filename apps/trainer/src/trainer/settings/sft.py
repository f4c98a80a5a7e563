"""The settings of supervised fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cotgen.tasks import Attribute, Task
from trainer.curriculum import Phase
from trainer.errors import ConfigError
from trainer.settings.checks import check, check_positive
from trainer.settings.stage import OptimizerSettings, PolicyStage, StageSettings, Strategy

TRAINED_PARTS = ("audio_encoder", "adapter", "llm", "lora", "heads")
"""What may have a learning rate of its own: the parts of `speechlm.Part`, and the auxiliary heads."""


@dataclass(frozen=True, kw_only=True)
class SFTSettings(OptimizerSettings):
    """One SFT run: `phases` are trained in order under one learning-rate schedule.

    - `learning_rate` suits the random weights of `pocket`; pretrained ones need about 1e-5
    - `vocab_size` of the tokenizer that a pocket model gets
    - `decision_share`, `claim_share`: weights of the words that first say what it sounds like, and of the claims about
      the sound, in a reasoning example, see `sft_loss_weights`; the rest of the text has what remains of 1
    - `filter_augment_db`: spread of the random EQ augmentation, see `random_eq_bands`; it closes most of the gap to
      unseen voices; `time_mask_share`: longest stretch of a clip that is masked, see `mask_time`
    - `reasoning_share`: of the training clips, how many are learnt with reasoning and label, see `is_reasoned`; the
      prosody of all is, in words and by auxiliary heads. Below 1 it is a cold start, which leaves the other clips to
      reinforcement
    - `perception_steps`: before the phases, so many steps of `perception_batch_size` clips train the audio side alone
      by auxiliary heads, which learn the label, the cues and the measurements (`trainer.perception`); `heads_weight`:
      of their loss in the steps of text after that, in which they teach on; it is a mean over each part of a step, so
      that it depends a little on `micro_batch_size`
    - `comparisons`: by attribute (pitch, energy, rate), so many comparative examples are joined of recordings and as
      many of variants (`trainer.comparisons`), besides those of the data set, where the comparative family has a weight
    - `without`: families that no phase trains, whatever its weights: what each is worth
    - `validate_every`: every so many steps, 0 for never, the perception test of the validation split with
      `validation_questions` clear cases of each class, and the labels of `validation_clips`; the policy of the highest
      mean over families is kept in `best/`, and after `patience` validations without a better one, 0 for any number,
      the training ends
    - `adaptive_weights`: after every validation, multiply the weights of families by what they have still to learn
      (`trainer.mixture`); otherwise they are fixed
    - `texts`: a file of text examples, lines of JSON with `question` and `answer`, for the weight of `text` in phases
    - `compile_layers`: compile the layers of the language model (`torch.compile`): half a minute of one core at the
      start, then at the size of `compact` a tenth to a fifth less time a step; it does not pay for `pocket`
    - `learning_rates`: of single parts (audio_encoder, adapter, llm, lora, heads); null is `learning_rate`
    """

    phases: tuple[Phase, ...]
    learning_rate: float = 8e-4
    warmup_steps: int = 30
    vocab_size: int = 1024
    decision_share: float = 0.35
    claim_share: float = 0.35
    filter_augment_db: float = 9.0
    reasoning_share: float = 1.0
    time_mask_share: float = 0.0
    perception_steps: int = 0
    perception_batch_size: int = 32
    heads_weight: float = 0.0
    comparisons: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(map(str, Attribute), 0))
    without: tuple[Task, ...] = ()
    texts: str | None = None
    validate_every: int = 0
    validation_questions: int = 20
    validation_clips: int = 180
    patience: int = 0
    adaptive_weights: bool = False
    compile_layers: bool = False
    learning_rates: Mapping[str, float | None] = field(default_factory=lambda: dict.fromkeys(TRAINED_PARTS))

    def __post_init__(self) -> None:
        super().__post_init__()
        share = self.reasoning_share
        check("reasoning_share", share, 0 < share <= 1, "a share of the training clips, above 0 and at most 1")
        check("perception_steps", self.perception_steps, self.perception_steps >= 0, ">= 0")
        check_positive(self, "perception_batch_size")
        runs = self.perception_steps == 0 or self.strategy is Strategy.DDP
        check("perception_steps", self.perception_steps, runs, "0 with strategy=fsdp2: they run the encoder alone")
        follows = self.heads_weight == 0 or (self.heads_weight > 0 and self.perception_steps > 0)
        check("heads_weight", self.heads_weight, follows, ">= 0, and 0 without perception_steps")
        check("time_mask_share", self.time_mask_share, 0 <= self.time_mask_share < 1, "in [0, 1)")
        given = {part: rate for part, rate in self.learning_rates.items() if rate is not None}
        object.__setattr__(self, "learning_rates", given)
        for part, rate in given.items():
            check("learning_rates", part, part in TRAINED_PARTS, f"parts among {', '.join(TRAINED_PARTS)}")
            check(f"learning_rates.{part}", rate, rate > 0, "> 0, or null for learning_rate")
        if min(self.decision_share, self.claim_share) < 0 or self.decision_share + self.claim_share >= 1:
            raise ConfigError(
                f"decision_share {self.decision_share} and claim_share {self.claim_share} must be >= 0, "
                "together below 1"
            )
        for attribute, number in self.comparisons.items():
            check("comparisons", attribute, attribute in list(Attribute), f"attributes among {', '.join(Attribute)}")
            check(f"comparisons.{attribute}", number, number >= 0, ">= 0")
        check("validate_every", self.validate_every, self.validate_every >= 0, ">= 0, 0 for never")
        check_positive(self, "validation_questions", "validation_clips")
        check("patience", self.patience, self.patience >= 0, ">= 0, 0 for any number")
        known = not self.adaptive_weights or (self.validate_every > 0 and self.devices * self.nodes == 1)
        check("adaptive_weights", self.adaptive_weights, known, "false, unless validate_every > 0 and on one device")
        plain = not self.compile_layers or (self.validate_every == 0 and self.strategy is Strategy.DDP)
        check("compile_layers", self.compile_layers, plain, "false with validate_every or strategy=fsdp2")
        for phase in self.phases:
            left = _kept(phase.weights, self.without)
            check("without", ", ".join(self.without), left, f"to leave a family of phase {phase.name!r}")
        check("filter_augment_db", self.filter_augment_db, self.filter_augment_db >= 0, ">= 0")

    @property
    def mixture(self) -> list[Phase]:
        """The phases with the weights of the families that are trained."""
        return [replace(phase, weights=_kept(phase.weights, self.without)) for phase in self.phases]

    @property
    def steps(self) -> int:
        """Optimiser steps: those of perception, and of all phases."""
        return self.perception_steps + sum(phase.steps for phase in self.phases)


def _kept(weights: Mapping[Task, float], without: Sequence[Task]) -> dict[Task, float]:
    return {task: weight for task, weight in weights.items() if weight > 0 and task not in without}


@dataclass(frozen=True, kw_only=True)
class SFTStage(SFTSettings, PolicyStage):
    """Supervised fine-tuning; without `policy` it starts from the preset of `model`."""

    policy: str | None = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        SFTSettings.__post_init__(self)
        StageSettings.__post_init__(self)
