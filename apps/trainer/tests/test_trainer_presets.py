"""Every `model=` of the command line is a preset of speechlm, with settings that it takes and what it hears."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from speechlm import (
    PRESETS,
    FeatureSpec,
    PartError,
    PocketSize,
    PresetError,
    SpeechLM,
    count_parts,
    has_lora,
    load_preset,
    pocket,
    save_checkpoint,
    train_tokenizer,
)
from speechlm.presets import ALLOWED
from trainer import stages
from trainer.errors import ConfigError
from trainer.parts import choose_parts

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
    assert set(options) <= set(ALLOWED[name])
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


def tiny() -> SpeechLM:
    size = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
    return pocket(train_tokenizer(["It sounds sad."], vocab_size=300), seed=0, size=size)


@pytest.mark.parametrize("parts", [["adapter"], ["audio_encoder", "llm"], ["adapter", "lora"]])
def test_the_named_parts_are_trained_and_no_others(parts: list[str]) -> None:
    model = tiny()
    choose_parts(model, parts, lora_rank=4)
    assert set(count_parts(model).trainable) == set(parts)
    assert has_lora(model) is ("lora" in parts)


def test_without_names_everything_is_trained_as_before() -> None:
    model = tiny()
    choose_parts(model, None, lora_rank=4)
    assert all(weight.requires_grad for weight in model.parameters())
    with pytest.raises(PartError, match="'ear' is not a part"):
        choose_parts(model, ["ear"], lora_rank=4)


def test_a_policy_that_hears_something_else_is_refused(tmp_path: Path) -> None:
    """Pocket's 128 mel bins are those of Qwen2.5-Omni in number, but not in length: nothing else would notice."""
    model = tiny()
    save_checkpoint(model, tmp_path / "policy")
    pocket_features = settings_of("pocket")["model"]
    with pytest.raises(ConfigError, match=r"policy .*/policy hears .*num_mel_bins=16.*, but model= extracts"):
        stages._policy({"policy": str(tmp_path / "policy"), "model": pocket_features})
    same = {"num_mel_bins": 16, "window_samples": 1_024, "hop_samples": 320}
    hears = stages._policy({"policy": str(tmp_path / "policy"), "model": same}).features
    assert hears == model.features == FeatureSpec(**same)
