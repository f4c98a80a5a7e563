"""The settings of the reward model."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.settings.checks import check, check_positive
from trainer.settings.stage import OptimizerSettings, StageSettings, TrainStage


@dataclass(frozen=True, kw_only=True)
class RewardSettings(OptimizerSettings):
    """One reward-model run.

    - `epochs` over the training clips, in steps of `batch_size`, that train the clip head; 0 for an untrained model
    - `text_clips`: of the validation voices, to whose texts scales are fitted, and of the test voices, on whose texts
      the model is measured
    """

    learning_rate: float = 3e-3
    warmup_steps: int = 50
    epochs: int = 30
    batch_size: int = 128
    text_clips: int = 160

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "batch_size", "text_clips")
        check("epochs", self.epochs, self.epochs >= 0, ">= 0, 0 for an untrained model")


@dataclass(frozen=True, kw_only=True)
class RewardStage(RewardSettings, TrainStage):
    """The reward model, on the weights of an SFT policy; `ratings` is a file of people's ratings to compare with,
    `graded` one of graded traces (`rewardmodel build`), where they are not to be made on the way.
    """

    ratings: str | None = None
    graded: str | None = None

    def __post_init__(self) -> None:
        RewardSettings.__post_init__(self)
        StageSettings.__post_init__(self)
