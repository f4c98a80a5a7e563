"""The settings of the stages that train nothing themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trainer.settings.checks import check
from trainer.settings.stage import StageSettings

POLICIES = ("cold_start", "sft", "grpo", "grpo_ptr")
"""Policies of the demo's table, which `policies.NAME=` sets without a plus."""


@dataclass(frozen=True, kw_only=True)
class CorpusStage(StageSettings):
    """Where the demo corpus goes, and how large it is."""

    out: str
    voices: int = 20
    sentences: int = 40


@dataclass(frozen=True, kw_only=True)
class EvaluateStage(StageSettings):
    """`policies` are checkpoints by the name they get in the table; `null` leaves one out.

    `reward_model` and `evaluator` are reward models that score the reasoning; the second may have rewarded none of the
    policies, which is checked (`trainer.evaluators`).

    `predictions` is a file of another system's answers, see `trainer.evaluate`. `perception` is how many clear
    cases of each class its test of perception asks at most (`trainer.perception_scores`), 0 for no such test,
    `forgetting` how many clips it transcribes besides reading plain text (`trainer.forgetting`). `limit`
    clips of `split` are drawn evenly over speakers and emotions, all of it unless specified. Settings are chosen on
    `validation`, results are reported on `test`.
    """

    data: str
    out: str
    policies: Mapping[str, str | None] = field(default_factory=lambda: dict.fromkeys(POLICIES))
    predictions: str | None = None
    perception: int = 0
    forgetting: int = 0
    reward_model: str | None = None
    evaluator: str | None = None
    limit: int | None = None
    split: str = "test"

    def __post_init__(self) -> None:
        super().__post_init__()
        check("perception", self.perception, self.perception >= 0, ">= 0, 0 for no test of perception")
        check("forgetting", self.forgetting, self.forgetting >= 0, ">= 0, 0 for no check of what was forgotten")
        check("limit", self.limit, self.limit is None or self.limit >= 1, ">= 1, or null for all clips")


@dataclass(frozen=True, kw_only=True)
class PredictStage(StageSettings):
    """`policy` answers the clips of `split` of the data set `data`, labelled or not; `limit` of them, or all."""

    data: str
    policy: str
    out: str
    split: str = "test"
    limit: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check("limit", self.limit, self.limit is None or self.limit >= 1, ">= 1, or null for all clips")


@dataclass(frozen=True, kw_only=True)
class CorporaStage(StageSettings):
    """The same `policies` on several `corpora`, annotated data sets by name; `null` ones are said to be absent.
    `evaluate` holds further settings of that stage.
    """

    out: str
    policies: Mapping[str, str | None] = field(default_factory=lambda: dict.fromkeys(POLICIES))
    corpora: Mapping[str, str | None] = field(
        default_factory=lambda: dict.fromkeys(("iemocap", "meld", "ravdess", "savee"))
    )
    evaluate: Mapping[str, Any] = field(default_factory=dict)


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
        check("seeds", seeds, seeds and len(set(seeds)) == len(seeds) and min(seeds) >= 0, "different numbers >= 0")


@dataclass(frozen=True, kw_only=True)
class ReportStage(StageSettings):
    """`run` is the output directory of a pipeline run, `out` the page to write."""

    run: str
    out: str


@dataclass(frozen=True, kw_only=True)
class TrackStage(StageSettings):
    """`out` is the output directory of a training whose metrics were not sent."""

    out: str
