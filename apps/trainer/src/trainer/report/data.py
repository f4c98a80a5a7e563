"""What a report shows, as plain frozen data: filled by `trainer stage=report` from the files of a finished run.

Shares lie in [0, 1]; reward-model scores in [1, 5]; times in seconds; steps keep the numbers they were recorded under.
What was not measured is `None` or left out, and the page says so. `collect` makes it from what stages leave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from prosody.page import ClipView
from trainer.errors import TrainerError
from trainer.metrics import Estimate


class ReportError(TrainerError):
    """The parts of a report do not fit together."""


class System(StrEnum):
    """What is compared, in the order of the headline table."""

    MAJORITY = "majority"
    LOGISTIC_REGRESSION = "logistic_regression"
    COLD_START = "cold_start"
    GRPO = "grpo"
    GRPO_PTR = "grpo_ptr"
    SFT = "sft"

    @property
    def display(self) -> str:
        """How tables and sentences write it."""
        return _SYSTEM_NAMES[self]


_SYSTEM_NAMES = {
    System.MAJORITY: "majority class",
    System.LOGISTIC_REGRESSION: "logistic regression on prosody",
    System.COLD_START: "cold start",
    System.GRPO: "GRPO",
    System.GRPO_PTR: "GRPO-PTR",
    System.SFT: "SFT",
}


class Measure(StrEnum):
    """What is measured of each system. All are shares but the scores of reward models, which lie in [1, 5]."""

    ACCURACY = "accuracy"
    LABEL_ONLY = "label_only"
    UAR = "uar"
    MACRO_F1 = "macro_f1"
    VALID_FORMAT = "valid_format"
    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    SOUND_SUPPORTED = "sound_supported"
    FAITHFULNESS = "faithfulness"
    REWARD_SCORE = "reward_score"
    EVALUATOR_SCORE = "evaluator_score"

    @property
    def display(self) -> str:
        """How tables and sentences write it."""
        return _MEASURE_NAMES[self]

    @property
    def is_share(self) -> bool:
        """Whether it lies in [0, 1] and is printed in per cent."""
        return self not in (Measure.REWARD_SCORE, Measure.EVALUATOR_SCORE)


_MEASURE_NAMES = {
    Measure.ACCURACY: "accuracy",
    Measure.LABEL_ONLY: "accuracy, label alone",
    Measure.UAR: "unweighted average recall",
    Measure.MACRO_F1: "macro-F1",
    Measure.VALID_FORMAT: "valid format",
    Measure.SUPPORTED: "supported claims",
    Measure.CONTRADICTED: "contradicted claims",
    Measure.SOUND_SUPPORTED: "supported claims about the sound, each once",
    Measure.FAITHFULNESS: "faithfulness",
    Measure.REWARD_SCORE: "reward-model score",
    Measure.EVALUATOR_SCORE: "score by a reward model that rewarded none of them",
}


@dataclass(frozen=True, slots=True)
class SystemResult:
    """One row of the headline table.

    `confusion[i][j]` counts held-out clips of label i that were answered with label j, in the order of
    `ReportData.labels`; one further column counts answers that name no label.
    """

    system: System
    measures: Mapping[Measure, Estimate]
    confusion: tuple[tuple[int, ...], ...] | None = None

    def recalls(self) -> tuple[float | None, ...]:
        """The share of each label's clips that was answered right; `None` for a label without clips.

        >>> SystemResult(System.SFT, {}, ((3, 1, 0), (0, 0, 0))).recalls()
        (0.75, None)
        """
        rows = self.confusion or ()
        return tuple(row[i] / sum(row) if sum(row) else None for i, row in enumerate(rows))


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """`system` minus `reference` in one measure, on the same clips, with its interval over speakers."""

    system: System
    reference: System
    measure: Measure
    difference: Estimate


@dataclass(frozen=True, slots=True)
class SanityCheck:
    """A classifier that must not work (text alone, shuffled audio), and how far it came."""

    name: str
    meaning: str
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class Curve:
    """A value over steps, such as the loss of one SFT stage."""

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.steps) != len(self.values):
            raise ReportError(f"curve {self.name!r}: {len(self.steps)} steps but {len(self.values)} values")


@dataclass(frozen=True, slots=True)
class RLStep:
    """One update of GRPO: means over the rollouts of its batch.

    `format`, `outcome` and `reasoning` are the mean rewards (`reasoning` before τ); `tau_*` describe the trust
    weights of the batch's groups. `None`: not computed in this run or step.
    """

    step: int
    format: float
    outcome: float
    reasoning: float | None = None
    tau_mean: float | None = None
    tau_min: float | None = None
    tau_below_one_share: float | None = None
    gate_open: bool = False


@dataclass(frozen=True, slots=True)
class RLRun:
    """One GRPO run. `gated` says whether a progressive schedule holds the reasoning reward back at first."""

    system: System
    steps: tuple[RLStep, ...]
    gated: bool

    @property
    def gate_step(self) -> int | None:
        """The first step at which the reasoning reward counted; `None` when the gate stayed shut."""
        return next((s.step for s in self.steps if s.gate_open), None) if self.gated else None


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedClip:
    """One held-out clip and what the policy `system` said of it; `emotion` is `None` where it named no label."""

    view: ClipView
    speaker_id: str
    system: System
    label: str
    emotion: str | None
    transcript: str | None


@dataclass(frozen=True, slots=True)
class JudgeRow:
    """How well the reward model tells true claims of one kind of text from false ones (areas under the ROC curve).

    With the right sound, with another clip's and with silence; `factual` is Spearman of the factual score.
    """

    texts: str
    claims: int
    right: float | None
    shuffled: float | None
    silent: float | None
    factual: float | None


@dataclass(frozen=True, slots=True)
class Provenance:
    """What one needs to make the same report again."""

    seeds: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    data_sha256: Mapping[str, str] = field(default_factory=dict)
    durations_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """Everything on the page.

    `labels` are the answers offered, as the label set writes them; `chance` is the accuracy of guessing one of them.
    """

    corpus: str
    synthetic: bool
    labels: tuple[str, ...]
    clips: int
    speakers: int
    chance: float
    systems: tuple[SystemResult, ...]
    differences: tuple[PairedDifference, ...] = ()
    sanity: tuple[SanityCheck, ...] = ()
    sft_curves: tuple[Curve, ...] = ()
    rl_runs: tuple[RLRun, ...] = ()
    judge: tuple[JudgeRow, ...] = ()
    clip: ExplainedClip | None = None
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        width = len(self.labels)
        for result in self.systems:
            rows = result.confusion
            if rows is not None and (len(rows) != width or any(len(row) != width + 1 for row in rows)):
                raise ReportError(
                    f"{result.system.value}: confusion must have {width} rows of {width} labels and one column for "
                    f"answers that name none"
                )
