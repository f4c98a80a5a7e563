"""Settings: each default once, the demo's values, and refusals of what is unknown or cannot be right."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from cotgen.tasks import Task
from grpo_ptr import ProgressiveSchedule
from speechlm import PRESETS, FeatureSpec, PocketSize, PresetError, load_preset
from trainer import stages
from trainer.cli import compose_and_run, compose_settings
from trainer.curriculum import Phase
from trainer.errors import ConfigError
from trainer.settings import (
    STAGE_SETTINGS,
    Algorithm,
    GRPOSettings,
    GRPOStage,
    RewardSettings,
    RewardStage,
    SFTStage,
    read_settings,
)

EXPERIMENTS = sorted((Path(stages.__file__).parent / "conf" / "experiment").glob("*.yaml"))

GIVEN = {
    "demo_corpus": ["out=o"],
    "sft": ["data=d", "out=o"],
    "reward": ["data=d", "out=o", "policy=p"],
    "grpo": ["data=d", "out=o", "policy=p", "reward_model=r"],
    "evaluate": ["data=d", "out=o"],
    "predict": ["data=d", "policy=p", "out=o"],
    "corpora": ["out=o"],
    "ablation": ["data=d", "out=o"],
    "report": ["run=r", "out=o"],
    "track": ["out=o"],
}


def settings_of(stage: str, *overrides: str) -> Any:
    values = compose_settings([f"stage={stage}", *GIVEN[stage], *overrides])
    return read_settings(STAGE_SETTINGS[stage], values)


@pytest.mark.parametrize("stage", STAGE_SETTINGS)
def test_every_stage_has_a_configuration_without_anything_unknown(stage: str) -> None:
    """What Hydra composes is what the stage takes; its name is in it, and the rest of `GIVEN` is required."""
    assert settings_of(stage).name == stage
    for left_out in GIVEN[stage]:
        given = [word for word in GIVEN[stage] if word != left_out]
        values = compose_settings([f"stage={stage}", *given])
        with pytest.raises(ConfigError, match=f"needs.*{left_out.split('=')[0]}="):
            read_settings(STAGE_SETTINGS[stage], values)


def test_the_demo_trains_with_these_values() -> None:
    """Written out by hand: what `make demo` trains with."""
    sft, reward, grpo = settings_of("sft"), settings_of("reward"), settings_of("grpo")
    few = {Task.STRESS: 0.01, Task.COMPARATIVE: 0.01}
    first = {Task.ATTRIBUTE: 0.7, Task.REASONING: 0.28, **few}
    second = {Task.ATTRIBUTE: 0.2, Task.REASONING: 0.68, Task.LABEL: 0.1, **few}
    assert sft == SFTStage(
        name="sft", data="d", out="o", learning_rate=8e-4, warmup_steps=30, vocab_size=1024, decision_share=0.35,
        claim_share=0.35, filter_augment_db=9.0, model=stages.model_defaults()["pocket"],
        phases=(
            Phase("prosody", 2200, 8, first),
            Phase("reasoning", 1800, 8, second),
        ),
    )  # fmt: skip
    assert reward == RewardStage(
        name="reward", data="d", out="o", policy="p", epochs=30, batch_size=128, text_clips=160, learning_rate=3e-3,
        warmup_steps=50, model=stages.model_defaults()["pocket"],
    )  # fmt: skip
    assert grpo == GRPOStage(
        name="grpo", data="d", out="o", policy="p", reward_model="r", algorithm=Algorithm.GRPO_PTR, steps=40,
        prompts_per_step=4, group_size=8, temperature=1.0, max_new_tokens=160, learning_rate=3e-5, warmup_steps=5,
        kl_coefficient=0.04, schedule=ProgressiveSchedule(threshold=0.3, window=4, tolerance=0.15),
        model=stages.model_defaults()["pocket"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"learnin_rate": 1.0}, "has no field 'learnin_rate'"),
        ({"schedule": {"source": "validation"}}, "has no field 'source'"),
        ({"learning_rate": "fast"}, "learning_rate must be a number, got 'fast'"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0, expected > 0"),
        ({"steps": 0}, "steps is 0, expected >= 1"),
        ({"group_size": 1}, "group_size is 1, expected >= 2: advantages compare the answers of a group"),
        ({"micro_batch_size": 0}, "micro_batch_size is 0, expected >= 1"),
        ({"sampling_rounds": 0}, "sampling_rounds is 0, expected >= 1"),
        ({"kl_estimator": "k4"}, "kl_estimator is k4, expected one of k1, k2, k3"),
        ({"importance_cap": 0.0}, "importance_cap is 0.0, expected > 0"),
        ({"criterion_weights": [0.5, 0.5]}, r"criterion_weights is .*, expected 4 numbers >= 0 that sum to 1"),
        ({"overlong_buffer": 161}, "overlong_buffer is 161, expected 0 to max_new_tokens=160"),
        ({"deviation": "biased"}, "deviation must be one of population, sample, got 'biased'"),
        ({"factual": "guessed"}, "factual must be one of judged, verified, both, got 'guessed'"),
        ({"temperature": 0.0}, "temperature is 0.0, expected > 0"),
        ({"kl_coefficient": -1.0}, "kl_coefficient is -1.0, expected >= 0"),
        ({"loss": "ppo"}, "loss is ppo, expected one of grpo, dr_grpo, dapo, gspo, cispo"),
        ({"advantages": "gae"}, "advantages is gae, expected one of grpo, dr_grpo, leave_one_out, gdpo"),
        ({"clip_low": 1.5}, r"clip_low is 1.5, expected in \[0, 1\]"),
        ({"degenerate": 2.0}, r"degenerate is 2.0, expected a trust weight in \[0, 1\]"),
        ({"claim_credit": -1.0}, "claim_credit is -1.0, expected >= 0"),
        ({"claim_credit": float("nan")}, "claim_credit must be a finite number, got nan"),
        ({"reward_weights": {"format": -1.0}}, "reward weight format is -1.0"),
        ({"algorithm": "ppo"}, "algorithm must be one of grpo, grpo_ptr, got 'ppo'"),
        ({"reward_model": None}, "algorithm=grpo_ptr needs reward_model=DIR"),
        ({"workers": 0}, "workers is 0, expected >= 1"),
        ({"micro_batch_tokens": 0}, "micro_batch_tokens is 0, expected >= 1"),
        ({"advantages": "gdpo", "devices": 2}, "advantages is gdpo, expected others than gdpo with several devices"),
    ],
)
def test_what_is_unknown_or_cannot_be_right_is_refused(change: dict[str, Any], said: str) -> None:
    """From a file or from the command line alike: this is the plain configuration that both become."""
    values = compose_settings(["stage=grpo", *GIVEN["grpo"]])
    with pytest.raises(ConfigError, match=said):
        stages.run("grpo", values | change)


def test_the_reward_stage_validates_too() -> None:
    assert replace(RewardSettings(), epochs=0).epochs == 0
    for name in ("batch_size", "text_clips"):
        with pytest.raises(ConfigError, match=f"{name} is 0, expected >= 1"):
            replace(RewardSettings(), **{name: 0})


@pytest.mark.parametrize("name", ["ratings", "graded"])
def test_a_file_that_is_not_there_is_said_before_any_work(name: str) -> None:
    """The policy, which is not there either, is not looked for."""
    values = compose_settings(["stage=reward", *GIVEN["reward"]])
    with pytest.raises(ConfigError, match=r"nowhere\.jsonl does not exist"):
        stages.run("reward", values | {name: "nowhere.jsonl"})


def test_plain_grpo_needs_no_reward_model() -> None:
    assert settings_of("grpo", "algorithm=grpo", "reward_model=null").reward_model is None


def test_the_command_says_at_once_that_a_reward_model_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing that it names exists: the error is about the setting, so nothing was loaded before it."""
    assert compose_and_run(["stage=grpo", "data=nowhere", "out=o", "policy=nowhere"]) == 2
    assert "algorithm=grpo_ptr needs reward_model=DIR" in capsys.readouterr().err


def test_what_is_measured_needs_no_reward_model() -> None:
    """All weight on the factual criterion, and that verified; one of the two alone does not do."""
    only = "criterion_weights=[1,0,0,0]"
    measured = settings_of("grpo", "reward_model=null", "factual=verified", only)
    assert not measured.needs_reward_model
    for half in ([only], ["factual=verified"], [only, "factual=both"]):
        with pytest.raises(ConfigError, match="needs reward_model=DIR"):
            settings_of("grpo", "reward_model=null", *half)


def test_every_choice_of_grpo_ptr_can_be_made_on_the_command_line() -> None:
    """Expected: the values themselves, each other than its default."""
    chosen = {
        "loss": "cispo", "advantages": "gdpo", "deviation": "sample", "kl_estimator": "k1", "clip_low": 0.9,
        "clip_high": 3.0, "importance_cap": 2.0, "importance_by_answer": True, "degenerate": 0.0, "factual": "both",
        "unparseable": "judge",
        "overlong_buffer": 20, "sampling_rounds": 3, "kl_coefficient": 0.1, "micro_batch_size": 2,
        "criterion_weights": (0.4, 0.3, 0.2, 0.1),
    }  # fmt: skip
    words = [f"{name}={list(value) if isinstance(value, tuple) else value}" for name, value in chosen.items()]
    settings = settings_of("grpo", *words, "reward_weights.reasoning=0.25", "schedule.window=7")
    for name, value in chosen.items():
        assert getattr(settings, name) == value, name
    assert (settings.reward_weights.reasoning, settings.schedule.window) == (0.25, 7)
    assert GRPOSettings(algorithm=Algorithm.GRPO).steps == 40


def test_an_unknown_key_in_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the configuration whose grpo.yaml has a misspelt key, composed as any other."""
    import sys

    package = tmp_path / "misspelt"
    source = Path(stages.__file__).parent / "conf"
    for path in source.rglob("*"):
        if path.suffix in (".yaml", ".py"):
            target = package / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    with (package / "stage" / "grpo.yaml").open("a") as file:
        file.write("clip_hihg: 0.3\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr("trainer.cli.CONFIGURATION", "misspelt")
    with pytest.raises(ConfigError, match="unknown setting clip_hihg; there are name, "):
        settings_of("grpo")


@pytest.mark.parametrize("word", ["schedule.source=validation", "gate=0.3"])
def test_an_unknown_setting_is_refused_before_it_is_shown(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Hydra takes what is added with `+`; the schedule has no source, since it sees the rollouts of each step."""
    assert compose_and_run(["stage=grpo", *GIVEN["grpo"], f"+{word}", "--cfg", "job"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"trainer: unknown setting {word.split('=', maxsplit=1)[0]}; there are ")


def test_a_mistyped_setting_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Hydra alone advises to add it with `+`, which the stage would refuse."""
    assert compose_and_run(["stage=sft", *GIVEN["sft"], "lerning_rate=1e-3"]) == 2
    assert capsys.readouterr().err == "trainer: unknown setting lerning_rate; `trainer stage=sft --cfg job` shows all\n"


def test_the_learning_rate_of_a_part_is_set_as_any_setting() -> None:
    """Without `+`, alone or as a mapping; the other parts keep `learning_rate`."""
    found = settings_of("sft", "learning_rates={adapter: 1e-3}", "learning_rates.heads=2e-3").learning_rates
    assert found == {"adapter": 1e-3, "heads": 2e-3}


@pytest.mark.parametrize(
    ("stage", "parts"), [("sft", ("audio_encoder", "adapter", "lora")), ("grpo", ("adapter", "lora"))]
)
def test_the_experiments_of_compact_compose(stage: str, parts: tuple[str, ...]) -> None:
    """Each is read as the stage reads it, takes the model of its name, and sets what is trained; a rate of an unknown
    part is refused.
    """
    found = settings_of(stage, f"+experiment=compact_{stage}")
    assert (found.model["preset"], found.train) == ("compact", parts)
    if stage == "sft":
        assert found.steps == 210 + 240 + 440  # perception, answers, reasoning, as docs/results.md reports it
        with pytest.raises(ConfigError, match="learning_rates is ears"):
            settings_of(stage, "+experiment=compact_sft", "+learning_rates.ears=1e-3")


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_composes(path: Path) -> None:
    """What its first comment says, but for the folders: a stage takes it."""
    command = next(line for line in path.read_text().splitlines() if line.startswith("# trainer stage="))
    stage = command.split("stage=")[1].split()[0]
    assert f"+experiment={path.stem}" in command
    assert settings_of(stage, f"+experiment={path.stem}").name == stage


def test_joint_training_sees_twice_the_clips_of_a_step() -> None:
    """`compact_joint` is `compact_perception` but for the sizes of its batches, its steps, the rank and comparisons."""
    one, joint = (settings_of("sft", f"+experiment=compact_{kind}") for kind in ("perception", "joint"))
    assert joint.perception_batch_size == 2 * one.perception_batch_size
    assert [p.batch_size for p in joint.phases] == [2 * p.batch_size for p in one.phases]
    assert [p.weights for p in joint.phases] == [p.weights for p in one.phases]
    assert (joint.learning_rates, joint.heads_weight) == (one.learning_rates, one.heads_weight)
    assert joint.lora_rank > one.lora_rank


@pytest.mark.parametrize("model", ["pocket", "compact", "omni3b", "omni7b"])
def test_both_stages_of_sft_compose_for_every_model(model: str) -> None:
    """Stage I trains the audio side with all families that the model can use, stage II adapters alone, on reasoning
    about a seventh of the clips; transcripts and texts have a fifth each where there is something to forget."""
    first, second = (settings_of("sft", f"+experiment={model}_stage{k}") for k in (1, 2))
    assert (first.model["preset"], second.model["preset"]) == (model, model)
    assert first.train is None or {"audio_encoder", "adapter"} <= set(first.train)
    (mixture,), (reasoning,) = first.mixture, second.mixture
    assert {Task.STRESS, Task.ATTRIBUTE, Task.COMPARATIVE, Task.REASONING, Task.LABEL} <= set(mixture.weights)
    shares = {task: mixture.weights.get(task, 0.0) for task in (Task.ASR, Task.TEXT)}
    assert set(shares.values()) == ({0.0} if model == "pocket" else {0.2})
    assert sum(mixture.weights.values()) == pytest.approx(1.0)
    assert (second.train, second.reasoning_share) == (("lora",), 0.15)
    assert set(reasoning.weights) == {Task.REASONING, Task.LABEL}


@pytest.mark.parametrize(
    ("overrides", "name", "value"),
    [
        (["without=[comparative]"], "without", (Task.COMPARATIVE,)),
        (["train=[adapter,llm]"], "train", ("adapter", "llm")),
        (["train=[adapter]"], "train", ("adapter",)),
        (["train=[lora]"], "train", ("lora",)),
        (["perception_steps=0"], "perception_steps", 0),
    ],
)
def test_ablations_are_one_setting_each(overrides: list[str], name: str, value: object) -> None:
    """As the README lists them: without a family, frozen encoder, adapter only, LoRA only, without heads."""
    assert getattr(settings_of("sft", "+experiment=pocket_stage1", *overrides), name) == value


def test_heads_that_never_learnt_have_no_weight() -> None:
    """They are made for perception steps: without these, a weight would be of heads that are not there."""
    assert settings_of("sft", "+experiment=compact_sft", "heads_weight=0.1").heads_weight == 0.1
    for words in (["heads_weight=0.1", "perception_steps=0"], ["heads_weight=-1"]):
        with pytest.raises(ConfigError, match=r"heads_weight is .*0 without perception_steps"):
            settings_of("sft", "+experiment=compact_sft", *words)


def test_the_recipe_for_perception_differs_from_compact_sft_in_what_it_names() -> None:
    """It changes the perception steps, comparisons, heads and phases alone; every phase asks for comparisons."""
    plain, perceiving = (settings_of("sft", f"+experiment={name}") for name in ("compact_sft", "compact_perception"))
    changed = {f.name for f in fields(plain) if getattr(plain, f.name) != getattr(perceiving, f.name)}
    assert changed == {"perception_steps", "comparisons", "heads_weight", "phases"}
    assert all(phase.weights[Task.COMPARATIVE] > 0.1 for phase in perceiving.phases)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"loudness": 5}, "comparisons is loudness, expected attributes among pitch, energy, rate"),
        ({"pitch": -1}, "comparisons.pitch is -1, expected >= 0"),
    ],
)
def test_comparisons_are_of_attributes_that_can_be_compared(numbers: dict[str, int], message: str) -> None:
    """Other names and negative numbers are refused before the run; an attribute that is not named has none."""
    plain = settings_of("sft", "+experiment=compact_sft", "comparisons={pitch: 5}")
    assert plain.comparisons == {"pitch": 5, "energy": 0, "rate": 0}
    with pytest.raises(ConfigError, match=re.escape(message)):
        replace(plain, comparisons=numbers)


def test_a_phase_keeps_a_family() -> None:
    """What is left out has no weight, and where nothing would be left the run is refused before it starts."""
    found = settings_of("sft", "+experiment=pocket_stage2", "without=[label]")
    assert [dict(phase.weights) for phase in found.mixture] == [{Task.REASONING: 0.8}]
    with pytest.raises(ConfigError, match="expected to leave a family of phase 'reasoning'"):
        settings_of("sft", "+experiment=pocket_stage2", "without=[label,reasoning]")


# model=


@pytest.mark.parametrize("name", PRESETS)
def test_settings_are_those_that_the_preset_takes(name: str) -> None:
    """Features as the released models' own extractors make them; pocket's are its own."""
    model = settings_of("sft", f"model={name}").model
    preset, options = stages.preset_options(model)
    assert preset == name
    assert all(value is None for key, value in options.items() if key != "size")
    assert stages.feature_spec(model) == (
        FeatureSpec(128, 1_024, 320)
        if name == "pocket"
        else FeatureSpec(80, silence_behind=True, trim_db=40.0)
        if name == "compact"
        else FeatureSpec(128, silence_behind=True)
    )


def test_pocket_has_the_size_of_its_configuration() -> None:
    _, options = stages.preset_options(settings_of("sft", "model.text_layers=2").model)
    assert options == {"size": PocketSize(128, 3, 160, 2, 128, 1_024, 320)}


def test_an_unknown_setting_of_a_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="model=pocket has no setting 'depth'; it has preset, audio_width"):
        stages.preset_options({"preset": "pocket", "depth": 3})
    with pytest.raises(ConfigError, match=r"model.preset is 'huge', expected one of pocket, compact"):
        stages.feature_spec({"preset": "huge"})


def test_a_compact_model_needs_its_source_checkpoints() -> None:
    preset, options = stages.preset_options(settings_of("sft", "model=compact").model)
    with pytest.raises(PresetError, match="preset compact needs audio=…, text=…"):
        load_preset(preset, **options)
