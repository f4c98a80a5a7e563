"""Graded traces: what a reward model learns from, and what its scores are checked against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar

from rewardmodel.errors import CorruptionError
from speech_records import Emotion, RewardScores

MAX_SEVERITY = 4
"""Severity of a fault that takes its criterion from 5 down to 1."""


class Fault(StrEnum):
    """What is wrong with a graded trace."""

    NONE = "none"
    WRONG_FACTS = "wrong_facts"
    WRONG_INFERENCE = "wrong_inference"
    MISSING_CUES = "missing_cues"
    BROKEN_LANGUAGE = "broken_language"
    MIXED = "mixed"
    MISMATCHED_AUDIO = "mismatched_audio"


@dataclass(frozen=True, slots=True)
class GradedTrace:
    """Reasoning about the clip `utterance_id` with the scores that it deserves.

    `severity` in 0..4 is what was asked for; `scores` say what was done, see `corruption`.
    """

    schema_version: ClassVar[str] = "1.0"

    utterance_id: str
    think: str
    answer: Emotion
    scores: RewardScores
    fault: Fault
    severity: int
    synthetic: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.severity <= MAX_SEVERITY:
            raise CorruptionError(f"{self.utterance_id}: severity is {self.severity}, expected 0 to {MAX_SEVERITY}")


@dataclass(frozen=True, slots=True)
class ScoredTrace:
    """A graded trace beside the scores that a reward model gave it."""

    schema_version: ClassVar[str] = "1.0"

    graded: GradedTrace
    predicted: RewardScores


@dataclass(frozen=True, slots=True)
class Penalty:
    """Points taken from each criterion, >= 0; those of several faults add up.

    >>> (Penalty(factual=3.0, interpretation=1.5) + Penalty(factual=2.0)).scores().as_tuple()
    (1.0, 3.5, 5.0, 5.0)
    """

    factual: float = 0.0
    interpretation: float = 0.0
    completeness: float = 0.0
    fluency: float = 0.0

    def __add__(self, other: Penalty) -> Penalty:
        return Penalty(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def worst(self) -> float:
        """The largest of the four, at most 4."""
        return min(4.0, float(max(astuple(self))))

    def scores(self) -> RewardScores:
        """What remains of 5 points, never less than 1."""
        return RewardScores(*(max(1.0, 5.0 - part) for part in astuple(self)))

    def times(self, share: float) -> Penalty:
        """The same share of every part."""
        return Penalty(*(share * part for part in astuple(self)))


COSTS: Mapping[Fault, Penalty] = MappingProxyType(
    {
        Fault.NONE: Penalty(),
        Fault.WRONG_FACTS: Penalty(factual=4.0, interpretation=2.0),
        Fault.WRONG_INFERENCE: Penalty(interpretation=4.0),
        Fault.MISSING_CUES: Penalty(completeness=4.0, interpretation=2.0),
        Fault.BROKEN_LANGUAGE: Penalty(fluency=4.0),
        Fault.MIXED: Penalty(4.0, 4.0, 4.0, 4.0),
        Fault.MISMATCHED_AUDIO: Penalty(factual=4.0, interpretation=4.0, completeness=4.0),
    }
)
"""What a fault that damages all that it can costs at most (our choice); a share of the damage costs that share."""


def scores_at(fault: Fault, severity: int) -> RewardScores:
    """What a fault of this severity is meant to leave, where it damages severity / `MAX_SEVERITY` of a trace.

    >>> scores_at(Fault.WRONG_FACTS, 2).as_tuple()
    (3.0, 4.0, 5.0, 5.0)
    """
    return COSTS[fault].times(severity / MAX_SEVERITY).scores()


def severity_markdown() -> str:
    """The table from fault and severity to scores."""
    lines = ["| fault | " + " | ".join(RewardScores.CRITERIA) + " |", "|---|---|---|---|---|"]
    for fault in Fault:
        by_severity = [scores_at(fault, severity).as_tuple() for severity in range(1, MAX_SEVERITY + 1)]
        cells = [
            ", ".join(f"{score:g}" for score in dict.fromkeys(scores)) for scores in zip(*by_severity, strict=True)
        ]
        lines.append(f"| {fault.value.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
