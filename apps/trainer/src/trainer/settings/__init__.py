"""The settings of every stage. Each default is here and nowhere else; `conf/` holds only what the demo sets otherwise.

A module for each kind of stage (`sft`, `reward`, `grpo`, `other_stages`) builds on what they share (`stage`).
`STAGE_SETTINGS` maps a stage to the dataclass of its whole configuration, `read_settings` builds that from plain
values, and refuses what it does not know or what cannot be right, and `plain_defaults` gives the defaults back as plain
values, for the command line (`reading`).
"""

from collections.abc import Mapping

from trainer.settings.grpo import (
    Algorithm,
    ClaimBaseline,
    GateAccuracy,
    GRPOSettings,
    GRPOStage,
    OnCollapse,
    SamplerKind,
)
from trainer.settings.other_stages import (
    AblationStage,
    CorporaStage,
    CorpusStage,
    EvaluateStage,
    PredictStage,
    ReportStage,
    TrackStage,
)
from trainer.settings.reading import flat, plain, plain_defaults, read_settings, refuse_unknown
from trainer.settings.reward import RewardSettings, RewardStage
from trainer.settings.sft import SFTSettings, SFTStage
from trainer.settings.stage import OptimizerSettings, PolicyStage, StageSettings, Strategy, TrainStage

STAGE_SETTINGS: Mapping[str, type[StageSettings]] = {
    "demo_corpus": CorpusStage,
    "sft": SFTStage,
    "reward": RewardStage,
    "grpo": GRPOStage,
    "evaluate": EvaluateStage,
    "predict": PredictStage,
    "corpora": CorporaStage,
    "ablation": AblationStage,
    "report": ReportStage,
    "track": TrackStage,
}

__all__ = [
    "STAGE_SETTINGS",
    "AblationStage",
    "Algorithm",
    "ClaimBaseline",
    "CorporaStage",
    "CorpusStage",
    "EvaluateStage",
    "GRPOSettings",
    "GRPOStage",
    "GateAccuracy",
    "OnCollapse",
    "OptimizerSettings",
    "PolicyStage",
    "PredictStage",
    "ReportStage",
    "RewardSettings",
    "RewardStage",
    "SFTSettings",
    "SFTStage",
    "SamplerKind",
    "StageSettings",
    "Strategy",
    "TrackStage",
    "TrainStage",
    "flat",
    "plain",
    "plain_defaults",
    "read_settings",
    "refuse_unknown",
]
