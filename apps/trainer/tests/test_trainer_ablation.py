"""The ablation: what its rows share, that it goes on where it stopped, and its table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from trainer.ablation import run_ablation, stages
from trainer.errors import ConfigError
from trainer.settings import AblationStage, read_settings

PHASES = [{"name": "all", "steps": 2, "batch_size": 2, "weights": {"attribute": 1, "reasoning": 1}}]


def settings(out: Path, **changes: Any) -> AblationStage:
    values = {"name": "ablation", "data": "d", "out": str(out), "seeds": [3, 5], "sft": {"phases": PHASES}}
    return read_settings(AblationStage, values | {"grpo": {"steps": 7}} | changes)


def named(made: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {Path(stage["out"]).name: stage for stage in made}


def test_rows_differ_in_what_the_paper_names_and_share_the_rest(tmp_path: Path) -> None:
    """V2 to V6 start from the same SFT policy; V4 to V6 ask the same reward model. Against V6, V4 has no τ, V5 an open
    gate, V3 another judge, and V2 none; baseline 2 has no reasoning to learn."""
    found = named(stages(settings(tmp_path), 3))
    home = tmp_path / "3"
    assert {found[row]["policy"] for row in ("v2", "v3", "v4", "v5", "v6")} == {str(home / "v1")}

    def difference(row: str) -> dict[str, Any]:
        return {key: value for key, value in found[row].items() if key != "out" and found["v6"].get(key) != value}

    assert found["v6"]["reward_model"] == str(home / "reward")
    assert difference("v2") == {"algorithm": "grpo"}
    assert "reward_model" not in found["v2"]
    assert difference("v3") == {"reward_model": str(home / "untrained")}
    assert difference("v4") == {"trust": False}
    assert difference("v5") == {"schedule": {"threshold": 0.0, "window": 1}}
    assert found["base"]["phases"] == [PHASES[0] | {"weights": {"attribute": 1}}]
    assert found["untrained"]["epochs"] == 0
    assert {stage["seed"] for stage in found.values()} == {3}


def test_the_judge_of_quality_is_of_another_seed(tmp_path: Path) -> None:
    """In a circle over the seeds; of one seed alone there is none."""
    made = [named(stages(settings(tmp_path, seeds=[3, 5, 8]), seed))["evaluate"]["evaluator"] for seed in (3, 5, 8)]
    assert made == [str(tmp_path / other / "reward") for other in ("5", "8", "3")]
    assert "evaluator" not in named(stages(settings(tmp_path, seeds=[3]), 3))["evaluate"]


def test_what_has_finished_is_not_run_again(tmp_path: Path) -> None:
    """Nine trainings for each of two seeds, then two evaluations; one fails, and the same call goes on with it."""
    ran: list[str] = []
    failing = {"v4"}

    def run(name: str, values: Mapping[str, Any]) -> None:
        folder = Path(values["out"])
        if folder.name in failing:
            raise ConfigError("stopped")
        ran.append(folder.name)
        folder.mkdir(parents=True)
        if name == "evaluate":
            row = {"accuracy": {"value": 0.5}, "claims": None, "faithfulness": {"value": 0.25}}
            assert Path(values["evaluator"]).is_dir()
            rows = [{"name": name, "evaluation": row, "evaluator_score": 3.5} for name in values["policies"]]
            (folder / "evaluation.json").write_text(json.dumps({"policies": rows}))

    with pytest.raises(ConfigError, match="stopped"):
        run_ablation(settings(tmp_path), run)
    before = ["base", "v1", "reward", "untrained", "v2", "v3"]
    assert ran == before
    failing.clear()
    text = run_ablation(settings(tmp_path), run)
    assert ran == [*before, "v4", "v5", "v6", *before, "v4", "v5", "v6", "evaluate", "evaluate"]
    assert "| V6: GRPO-PTR | 68.89 | 3.98 | 50.0 (50.0–50.0) | 3.50 (3.50–3.50) | – | 25.0 (25.0–25.0) |" in text
    assert (tmp_path / "ablation.md").read_text() == text + "\n"
    assert run_ablation(settings(tmp_path), run) == text
    assert len(ran) == 20


def test_a_mistake_in_a_late_stage_is_said_before_an_early_one_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="stepz"):
        run_ablation(settings(tmp_path, grpo={"stepz": 1}), lambda *_: pytest.fail("nothing may run"))
    with pytest.raises(ConfigError, match="seeds"):
        settings(tmp_path, seeds=[])
