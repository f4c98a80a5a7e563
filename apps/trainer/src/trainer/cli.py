"""`trainer stage=NAME [setting=value …]`: Hydra composes the configuration, the stage runs, MLflow tracks.

Each stage's settings and their defaults stand in `trainer/conf/stage/NAME.yaml`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from speech_records import SpeechRecordsError
from trainer.errors import ConfigError, TrainerError
from trainer.stages import STAGES, run

DEFAULT_TRACKING = "sqlite:///runs/mlflow.db"

HELP = """usage: trainer stage=NAME [setting=value …]

Training and evaluation of EmotionThinker, one stage a command:

{stages}

Settings of a stage:  trainer stage=NAME --cfg job        (Hydra prints the whole configuration)
Another seed:         trainer stage=sft seed=1 …
Tracking:             MLFLOW_TRACKING_URI, by default {tracking}; look with `mlflow ui --backend-store-uri …`
"""


def main() -> None:
    """Console entry point."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        stages = "\n".join(f"  stage={name:<12} {(STAGES[name].__doc__ or '').splitlines()[0]}" for name in STAGES)
        print(HELP.format(stages=stages, tracking=DEFAULT_TRACKING))
        return
    sys.exit(_compose_and_run(arguments))


def _compose_and_run(arguments: list[str]) -> int:
    from hydra import compose, initialize_config_module
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    show = arguments[-2:] == ["--cfg", "job"]
    overrides = arguments[:-2] if show else arguments
    try:
        if not any(argument.startswith("stage=") for argument in overrides):
            raise ConfigError(f"say which stage: stage={'|'.join(STAGES)}")
        with initialize_config_module("trainer.conf", version_base=None):
            config = compose("config", overrides=overrides)
        if show:
            print(OmegaConf.to_yaml(config))
            return 0
        settings: Any = OmegaConf.to_object(config)
        _configure_tracking(settings["tracking_uri"])
        run(settings["name"], settings)
    except (HydraException, OmegaConfBaseException, TrainerError, SpeechRecordsError, ValueError, OSError) as error:
        print(f"trainer: {str(error).strip().splitlines()[0]}", file=sys.stderr)
        return 2
    return 0


def _configure_tracking(uri: str | None) -> None:
    os.environ.setdefault("MLFLOW_TRACKING_URI", uri or DEFAULT_TRACKING)
    if os.environ["MLFLOW_TRACKING_URI"] == DEFAULT_TRACKING:
        Path("runs").mkdir(exist_ok=True)
