"""Judging reasoning about speech on four criteria.

- `rewardmodel.rubric` — what the criteria mean, and the anchors of their scores
- `rewardmodel.corruption` — verified traces with graded faults, and the scores these deserve
- `rewardmodel.alteration` — wrong facts: traces written from altered measurements
- `rewardmodel.build` — a whole graded data set
- `rewardmodel.judging` — the protocol `Judge`, what it is given and what it gives back
- `rewardmodel.reading` — a text as the model reads it: tokens, and claims with the tokens of their values
- `rewardmodel.hearing` — what a clip sounds like: a small network on the states of its audio tokens
- `rewardmodel.states`, `rewardmodel.heads` — what the backbone makes of texts, and what the heads make of that
- `rewardmodel.factual` — the faithfulness that is expected of claims that hold with a probability
- `rewardmodel.model` — `RewardModel`: a speech LLM with these heads
- `rewardmodel.rules` — `RuleJudge`, which compares with the measurements
- `rewardmodel.llm_judge`, `rewardmodel.completion` — `LLMJudge`: a language model reads the measurements
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
from rewardmodel.errors import (
    CheckpointError,
    CompletionError,
    CorruptionError,
    RewardModelError,
    ScoreShapeError,
    TraceError,
)
from rewardmodel.factual import OFFERED, expected_faithfulness
from rewardmodel.graded import MAX_SEVERITY, Fault, GradedTrace, ScoredTrace
from rewardmodel.heads import Heads, Logits, ordinal_loss
from rewardmodel.hearing import EMOTIONS, VALUES, ClipHead, ClipLogits, ClipTargets, clip_loss, hear
from rewardmodel.judging import Clip, Judge, Judgement
from rewardmodel.llm_judge import LLMJudge
from rewardmodel.model import RewardModel
from rewardmodel.probes import MAX_GAIN, PROBES
from rewardmodel.reading import ParsedText, Reading, parse_text, read
from rewardmodel.report import MIN_GAP, CalibrationBin, CriterionQuality, criterion_quality, quality
from rewardmodel.rubric import RUBRIC, Criterion
from rewardmodel.rules import RuleJudge
from rewardmodel.states import States

__all__ = [
    "EMOTIONS",
    "MAX_GAIN",
    "MAX_SEVERITY",
    "MIN_GAP",
    "OFFERED",
    "PROBES",
    "RUBRIC",
    "VALUES",
    "CalibrationBin",
    "CheckpointError",
    "Clip",
    "ClipHead",
    "ClipLogits",
    "ClipTargets",
    "CompletionError",
    "CorruptionError",
    "Criterion",
    "CriterionAgreement",
    "CriterionQuality",
    "Fault",
    "GradedSet",
    "GradedTrace",
    "Heads",
    "Judge",
    "Judgement",
    "LLMJudge",
    "Logits",
    "ParsedText",
    "Rating",
    "Reading",
    "RewardModel",
    "RewardModelError",
    "Rewriter",
    "RuleJudge",
    "ScoreShapeError",
    "ScoredTrace",
    "States",
    "TraceError",
    "agreement",
    "auroc",
    "build",
    "clip_loss",
    "corrupt",
    "criterion_quality",
    "expected_calibration_error",
    "expected_faithfulness",
    "fit_temperature",
    "hear",
    "krippendorff_alpha",
    "mismatch",
    "ordinal_loss",
    "parse_text",
    "quality",
    "read",
    "reliability",
]
