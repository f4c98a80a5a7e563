"""`trainer stage=NAME [setting=value …]`: Hydra composes the configuration, the stage runs, MLflow tracks.

The defaults of all settings are in `trainer.settings`; `trainer/conf` holds only what the demo sets otherwise. Both
stages and settings are imported when they are needed: every process that a stage starts imports this module again.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from speech_records import SpeechRecordsError
from trainer.errors import ConfigError, TrainerError

CONFIGURATION = "trainer.conf"
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
    from trainer.stages import STAGES

    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        stages = "\n".join(f"  stage={name:<12} {(STAGES[name].__doc__ or '').splitlines()[0]}" for name in STAGES)
        print(HELP.format(stages=stages, tracking=DEFAULT_TRACKING))
        return
    sys.exit(compose_and_run(arguments))


def compose_and_run(arguments: list[str]) -> int:
    """Run the stage that `arguments` name, or show its configuration; the exit status."""
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from trainer.stages import run

    show = arguments[-2:] == ["--cfg", "job"]
    try:
        settings = compose_settings(arguments[:-2] if show else arguments)
        if show:
            print(OmegaConf.to_yaml(OmegaConf.create(settings)))
            return 0
        _configure_tracking(settings["tracking_uri"])
        run(settings["name"], settings)
    except (HydraException, OmegaConfBaseException, TrainerError, SpeechRecordsError, ValueError, OSError) as error:
        print(f"trainer: {str(error).strip().splitlines()[0]}", file=sys.stderr)
        return 2
    return 0


def compose_settings(overrides: Sequence[str]) -> dict[str, Any]:
    """The configuration of a stage: defaults of `trainer.settings`, then `conf/`, then Hydra's `overrides`."""
    from hydra import compose, initialize_config_module
    from hydra.errors import ConfigCompositionException
    from omegaconf import OmegaConf

    from trainer.settings import STAGE_SETTINGS, plain_defaults, refuse_unknown
    from trainer.stages import STAGES, model_defaults

    stage = next((override for override in overrides if override.startswith("stage=")), None)
    if stage is None:
        raise ConfigError(f"say which stage: stage={'|'.join(STAGES)}")
    for name, kind in STAGE_SETTINGS.items():
        values = plain_defaults(kind) | {"name": name}
        del values["model"]
        _store_defaults("stage", name, values, package="_global_")
    for preset, values in model_defaults().items():
        _store_defaults("model", preset, values, package="model")
    with initialize_config_module(CONFIGURATION, version_base="1.2"):
        try:
            composed = compose("config", overrides=list(overrides))
        except ConfigCompositionException as error:
            if unknown := re.match("Could not override '(.+)'", str(error)):
                raise ConfigError(f"unknown setting {unknown[1]}; `trainer {stage} --cfg job` shows all") from error
            raise
        settings: Any = OmegaConf.to_container(composed, resolve=True)
    refuse_unknown(STAGE_SETTINGS[settings["name"]], settings)
    return dict(settings)


def _store_defaults(group: str, name: str, values: dict[str, Any], *, package: str) -> None:
    """Give Hydra the defaults that `conf/GROUP/NAME.yaml` builds on, or that take its place where there is none."""
    from hydra.core.config_store import ConfigStore

    has_file = (files(CONFIGURATION) / group / f"{name}.yaml").is_file()
    ConfigStore.instance().store(name, values, group=f"{group}/defaults" if has_file else group, package=package)


def _configure_tracking(uri: str | None) -> None:
    os.environ.setdefault("MLFLOW_TRACKING_URI", uri or DEFAULT_TRACKING)
    if os.environ["MLFLOW_TRACKING_URI"] == DEFAULT_TRACKING:
        Path("runs").mkdir(exist_ok=True)
