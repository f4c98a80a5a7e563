"""The settings of the reward model."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.settings.checks import check, check_positive
from trainer.settings.stage import OptimizerSettings, StageSettings, TrainStage


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
        check_positive(self, "head_steps", "steps", "clips_per_step", "texts_per_clip", "train_clips", "test_clips")
        check("filter_augment_db", self.filter_augment_db, self.filter_augment_db >= 0, ">= 0")


@dataclass(frozen=True, kw_only=True)
class RewardStage(RewardSettings, TrainStage):
    """The reward model, from the weights of an SFT policy; `ratings` is a file of people's ratings to compare with."""

    ratings: str | None = None

    def __post_init__(self) -> None:
        RewardSettings.__post_init__(self)
        StageSettings.__post_init__(self)
