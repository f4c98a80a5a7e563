"""Judging reasoning about speech on four criteria.

- `rewardmodel.rubric` — what the criteria mean, and the anchors of their scores
- `rewardmodel.corruption` — verified traces with graded faults, and the scores these deserve
- `rewardmodel.alteration` — wrong facts: traces written from altered measurements
- `rewardmodel.build` — a whole graded data set
- `rewardmodel.reading` — a text as the model reads it: tokens, and claims with the tokens they end at
- `rewardmodel.factual` — the faithfulness that is expected of claims that hold with a probability
- `rewardmodel.model` — `RewardModel`: a speech LLM with heads on claims and texts; their loss
- `rewardmodel.calibration` — whether probabilities order claims and mean what they say
- `rewardmodel.report` — agreement of scores with targets (`rewardmodel report`)
- `rewardmodel.agreement` — agreement with the ratings of people
- `rewardmodel.probes` — hacking probes: what may gain no points
"""

from rewardmodel.agreement import CriterionAgreement, Rating, agreement, krippendorff_alpha
from rewardmodel.alteration import Rewriter
from rewardmodel.build import GradedSet, build
from rewardmodel.calibration import auroc, expected_calibration_error, fit_temperature, reliability
from rewardmodel.corruption import corrupt, mismatch
from rewardmodel.errors import CheckpointError, CorruptionError, RewardModelError, ScoreShapeError, TraceError
from rewardmodel.factual import OFFERED, expected_faithfulness
from rewardmodel.graded import MAX_SEVERITY, Fault, GradedTrace, ScoredTrace
from rewardmodel.model import Judgement, Logits, RewardModel, States, ordinal_loss
from rewardmodel.probes import MAX_GAIN, PROBES
from rewardmodel.reading import Reading, read
from rewardmodel.report import MIN_GAP, CalibrationBin, CriterionQuality, criterion_quality, quality
from rewardmodel.rubric import RUBRIC, Criterion

__all__ = [
    "MAX_GAIN",
    "MAX_SEVERITY",
    "MIN_GAP",
    "OFFERED",
    "PROBES",
    "RUBRIC",
    "CalibrationBin",
    "CheckpointError",
    "CorruptionError",
    "Criterion",
    "CriterionAgreement",
    "CriterionQuality",
    "Fault",
    "GradedSet",
    "GradedTrace",
    "Judgement",
    "Logits",
    "Rating",
    "Reading",
    "RewardModel",
    "RewardModelError",
    "Rewriter",
    "ScoreShapeError",
    "ScoredTrace",
    "States",
    "TraceError",
    "agreement",
    "auroc",
    "build",
    "corrupt",
    "criterion_quality",
    "expected_calibration_error",
    "expected_faithfulness",
    "fit_temperature",
    "krippendorff_alpha",
    "mismatch",
    "ordinal_loss",
    "quality",
    "read",
    "reliability",
]
