"""A cold start: which clips SFT is shown with reasoning, and which are left to reinforcement."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cotgen.tasks import SFTExample, Task
from speech_records import Emotion, MeasuredUtterance, ProsodyProfile, Utterance
from trainer.cli import compose_settings
from trainer.curriculum import with_reasoning
from trainer.dataset import is_reasoned
from trainer.errors import ConfigError
from trainer.reinforcement import prompt_batches
from trainer.settings import GRPOSettings, GRPOStage, SFTStage, read_settings

NAMES = [f"clip-{i}" for i in range(2000)]


def clip(name: str) -> MeasuredUtterance:
    return MeasuredUtterance(
        Utterance(name, "made", f"{name}.wav", "s", Emotion.SAD), ProsodyProfile(duration_s=1.0, sample_rate=16_000)
    )


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_a_share_has_its_size_and_larger_ones_hold_it(share: float) -> None:
    """2 000 independent clips: within four standard deviations of the binomial, sqrt(2000 p (1 - p))."""
    chosen = {name for name in NAMES if is_reasoned(name, share)}
    assert abs(len(chosen) - 2000 * share) <= 4 * (2000 * share * (1 - share)) ** 0.5
    assert chosen <= {name for name in NAMES if is_reasoned(name, min(1.0, share + 0.2))}


def test_sft_and_reinforcement_share_the_clips_between_them() -> None:
    """Of every clip SFT sees the attributes; of each either SFT sees reasoning and label, or GRPO prompts it."""
    shown = with_reasoning(
        [SFTExample(f"{n}/{t}", t, n, f"{n}.wav", "?", ".", None, False) for n in NAMES for t in Task], 0.3
    )
    by_task = {task: {e.utterance_id for e in shown if e.task is task} for task in Task}
    settings = GRPOSettings(algorithm="grpo", steps=100, prompts_per_step=20, reasoning_share=0.3)  # type: ignore[arg-type]
    prompted = {m.utterance.utterance_id for batch in prompt_batches(list(map(clip, NAMES)), settings) for m in batch}
    assert by_task[Task.ATTRIBUTE] == set(NAMES)
    assert by_task[Task.REASONING] == by_task[Task.LABEL] == set(NAMES) - prompted
    assert 0 < len(prompted) < len(NAMES)


def test_the_recipe_is_that_of_the_benchmark() -> None:
    """`trainer stage=cold_start`, then `stage=cold_start_grpo`, train with what `benchmarks/rl_demo.py` writes down."""
    path = Path(__file__).resolve().parents[3] / "benchmarks" / "rl_demo.py"
    benchmark: dict[str, Any] = runpy.run_path(str(path))
    start, given = {"data": "d", "out": "o"}, {"data": "d", "out": "o", "policy": "p"}
    composed = compose_settings(["stage=cold_start", "data=d", "out=o"])
    assert read_settings(SFTStage, composed) == read_settings(
        SFTStage, benchmark["COLD_START"] | start | {"model": composed["model"]}
    )
    composed = compose_settings(["stage=cold_start_grpo", "data=d", "out=o", "policy=p"])
    values = benchmark["REINFORCEMENT"] | benchmark["ALGORITHMS"]["grpo_ptr"] | given | {"model": composed["model"]}
    assert read_settings(GRPOStage, composed) == read_settings(GRPOStage, values)


def test_the_rows_of_the_ablation_can_be_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows of `benchmarks/sft_ablation.py` are settings of SFT; `recipe` is that of `trainer stage=full_sft`, with
    its own number of steps of texts."""
    folder = Path(__file__).resolve().parents[3] / "benchmarks"
    monkeypatch.syspath_prepend(folder)
    rows: dict[str, Any] = runpy.run_path(str(folder / "sft_ablation.py"))
    composed = compose_settings(["stage=full_sft", "data=d", "out=o"])
    given = {"name": "sft", "data": "d", "out": "o", "model": composed["model"]}
    named = rows["RANDOM"] | rows["FROM_POLICY"]
    read = {name: read_settings(SFTStage, row | given) for name, row in named.items()}
    recipe, full = read["recipe"], read_settings(SFTStage, composed)
    assert replace(recipe, name=full.name, phases=()) == replace(full, phases=())
    assert recipe.phases == tuple(replace(phase, steps=rows["TEXT_STEPS"]) for phase in full.phases)


def test_a_share_that_leaves_nothing_to_prompt_is_refused() -> None:
    """ "clip-3" is of every share from 0.1 on, so of one clip nothing is left."""
    assert is_reasoned("clip-3", 0.1)
    with pytest.raises(ConfigError, match="leaves no training clip to prompt"):
        prompt_batches([clip("clip-3")], GRPOSettings(reasoning_share=0.1))
