"""Judging reasoning about speech on four criteria.

- `rewardmodel.rubric` — what the criteria mean, and the anchors of their scores
- `rewardmodel.corruption` — verified traces with graded faults, and the scores these deserve
- `rewardmodel.alteration` — wrong facts: traces written from altered measurements
- `rewardmodel.build` — a whole graded data set
- `rewardmodel.model` — `RewardModel`: a speech LLM with four heads; its loss
- `rewardmodel.report` — agreement of scores with targets (`rewardmodel report`)
"""

from rewardmodel.alteration import Rewriter
from rewardmodel.build import GradedSet, build
from rewardmodel.corruption import corrupt, mismatch
from rewardmodel.errors import CheckpointError, CorruptionError, RewardModelError, ScoreShapeError
from rewardmodel.graded import Fault, GradedTrace, ScoredTrace
from rewardmodel.model import RewardModel, score_loss
from rewardmodel.report import CalibrationBin, CriterionQuality, quality
from rewardmodel.rubric import RUBRIC, Criterion

__all__ = [
    "RUBRIC",
    "CalibrationBin",
    "CheckpointError",
    "CorruptionError",
    "Criterion",
    "CriterionQuality",
    "Fault",
    "GradedSet",
    "GradedTrace",
    "RewardModel",
    "RewardModelError",
    "Rewriter",
    "ScoreShapeError",
    "ScoredTrace",
    "build",
    "corrupt",
    "mismatch",
    "quality",
    "score_loss",
]
