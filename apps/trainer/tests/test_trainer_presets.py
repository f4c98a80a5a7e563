"""Every `model=` of the command line is a preset of speechlm, with settings that it takes and what it hears."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from speechlm import PRESETS, FeatureSpec, PocketSize, PresetError, load_preset
from speechlm.presets import TAKEN
from trainer import stages

CONFIGS = Path(stages.__file__).parent / "conf" / "model"


def settings_of(model: str, *overrides: str) -> Any:
    with initialize_config_module("trainer.conf", version_base=None):
        config = compose("config", overrides=["stage=sft", "data=d", "out=o", f"model={model}", *overrides])
    return OmegaConf.to_object(config)


def test_there_is_a_configuration_for_every_preset() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_settings_are_those_that_the_preset_takes(name: str) -> None:
    preset, options = stages._preset(settings_of(name)["model"])
    assert preset == name
    assert set(options) <= set(TAKEN[name])
    heard = stages._build(FeatureSpec, settings_of(name)["model"])
    assert heard == (
        FeatureSpec(128, 1_024, 320)
        if name == "pocket"
        else FeatureSpec(80 if name == "compact" else 128, silence_behind=True)
    )


def test_pocket_has_the_size_of_its_configuration() -> None:
    _, options = stages._preset(settings_of("pocket", "model.text_layers=2")["model"])
    assert options == {"size": PocketSize(128, 3, 160, 2, 128, 1_024, 320)}


def test_an_older_resolved_configuration_means_pocket() -> None:
    """Before presets had names in it, the settings of `model` were pocket's."""
    assert stages._preset({"audio_width": 32}) == ("pocket", {"size": PocketSize(audio_width=32)})


def test_a_compact_model_needs_its_donors() -> None:
    preset, options = stages._preset(settings_of("compact")["model"])
    with pytest.raises(PresetError, match="preset compact needs audio=…, text=…"):
        load_preset(preset, **options)
