"""The paper's ablation on one configuration: eight rows, some of which share their SFT and their reward model.

```
OUT/SEED/NAME/          what each stage writes; NAME.json its settings, kept when it has finished
OUT/ablation.json       every row's metrics by seed
OUT/ablation.md         the table, beside the paper's
```

A stage that has finished with the same settings is not run again, and one that was stopped goes on. Reasoning quality
is the score of the next seed's reward model, which rewarded none of the policies and comes from another SFT policy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from speech_records import atomic_write
from trainer.settings import STAGE_SETTINGS, AblationStage, read_settings

Run = Callable[[str, Mapping[str, Any]], None]
TABLE, RESULT = "ablation.md", "ablation.json"
OPEN = {"threshold": 0.0, "window": 1}
"""A schedule whose gate is open from the first step."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the paper's table: its name, and the accuracy and reasoning quality that the paper reports."""

    policy: str
    name: str
    accuracy: float
    quality: float


ROWS = (
    Row("start", "baseline 1: the model itself", 50.83, 2.87),
    Row("base", "baseline 2: SFT on prosody", 52.63, 3.41),
    Row("v1", "V1: SFT", 53.91, 3.78),
    Row("v2", "V2: GRPO", 62.91, 3.45),
    Row("v3", "V3: GRPO-PTR, untrained reward model", 66.67, 3.36),
    Row("v4", "V4: GRPO-PTR without τ", 67.71, 3.74),
    Row("v5", "V5: GRPO-PTR without the schedule", 62.80, 3.76),
    Row("v6", "V6: GRPO-PTR", 68.89, 3.98),
)
PERCEPTION = ("attribute", "stress", "comparative")
"""Tasks of baseline 2."""


def stages(settings: AblationStage, seed: int) -> list[dict[str, Any]]:
    """The settings of every stage of one seed, in order, the evaluation last; baseline 1 is only evaluated, where it
    exists (`policy`).
    """
    home = Path(settings.out) / str(seed)
    shared = {"data": settings.data, "model": dict(settings.model), "workers": settings.workers, "seed": seed}

    def stage(name: str, folder: str, *parts: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {"name": name} | shared | {"out": str(home / folder)}
        for part in parts:
            made |= part
        return made

    start = {"policy": settings.policy} if settings.policy else {}
    trained = {"policy": str(home / "v1")}

    def reinforced(folder: str, judge: str | None, own: Mapping[str, Any]) -> dict[str, Any]:
        given = {} if judge is None else {"reward_model": str(home / judge)}
        return stage("grpo", folder, trained, {"algorithm": "grpo_ptr"}, settings.grpo, given, own)

    base = dict(settings.sft) | {"phases": _perception(settings.sft.get("phases", ()))}
    policies = {row.policy: str(home / row.policy) for row in ROWS[1:]} | {"start": settings.policy}
    other = settings.seeds[(settings.seeds.index(seed) + 1) % len(settings.seeds)]
    judged: dict[str, Any] = {"policies": policies}
    if other != seed:
        judged["evaluator"] = str(home.with_name(str(other)) / "reward")
    return [
        stage("sft", "base", start, base),
        stage("sft", "v1", start, settings.sft),
        stage("reward", "reward", trained, settings.reward),
        stage("reward", "untrained", trained, settings.reward, {"epochs": 0}),
        reinforced("v2", None, {"algorithm": "grpo"}),
        reinforced("v3", "untrained", {}),
        reinforced("v4", "reward", {"trust": False}),
        reinforced("v5", "reward", {"schedule": dict(settings.grpo.get("schedule", {})) | OPEN}),
        reinforced("v6", "reward", {}),
        stage("evaluate", "evaluate", judged, settings.evaluate),
    ]


def _perception(phases: Any) -> list[dict[str, Any]]:
    """The phases with the tasks about prosody alone, as many steps."""
    made = []
    for phase in phases:
        weights = {task: weight for task, weight in phase["weights"].items() if task in PERCEPTION}
        made.append({**phase, "weights": weights or {PERCEPTION[0]: 1.0}})
    return made


def run_ablation(settings: AblationStage, run: Run) -> str:
    """Run what has not been run, with `run` for a stage by name and settings; the table, which is also written."""
    out = Path(settings.out)
    results: dict[str, Any] = {}
    for stage in stages(settings, settings.seeds[0]):  # what is wrong late is said before anything runs
        read_settings(STAGE_SETTINGS[stage["name"]], stage)
    for seed in settings.seeds:
        for stage in stages(settings, seed)[:-1]:
            _run_once(stage, run)
    for seed in settings.seeds:
        _run_once(stages(settings, seed)[-1], run)
        evaluation = json.loads((out / str(seed) / "evaluate" / "evaluation.json").read_text(encoding="utf-8"))
        results[str(seed)] = {policy["name"]: _measures(policy) for policy in evaluation["policies"]}
    text = table(results)
    for name, content in ((RESULT, json.dumps(results, indent=2)), (TABLE, text)):
        with atomic_write(out / name) as file:
            file.write(content + "\n")
    return text


def _run_once(settings: Mapping[str, Any], run: Run) -> None:
    receipt = Path(settings["out"]).with_suffix(".json")
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    if receipt.is_file() and receipt.read_text(encoding="utf-8") == text:
        return
    run(settings["name"], settings)
    with atomic_write(receipt) as file:
        file.write(text)


def _measures(policy: Mapping[str, Any]) -> dict[str, float | None]:
    evaluation = policy["evaluation"]
    claims, faithful = evaluation["claims"], evaluation["faithfulness"]
    return {
        "accuracy": evaluation["accuracy"]["value"],
        "supported": None if claims is None else claims["supported"]["value"],
        "faithfulness": None if faithful is None else faithful["value"],
        "quality": policy["evaluator_score"],
    }


def table(results: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> str:
    """The rows in Markdown: the paper's figures, and the mean over seeds of ours, with the lowest and highest.

    >>> seeds = {"0": {"v1": {"accuracy": 0.5, "quality": None}}, "1": {"v1": {"accuracy": 0.6, "quality": 3.25}}}
    >>> print(table(seeds).splitlines()[4])
    | V1: SFT | 53.91 | 3.78 | 55.0 (50.0–60.0) | 3.25 (3.25–3.25) | – | – |
    """
    lines = [
        "| | paper: accuracy | quality | here: accuracy, % | quality | supported claims, % | faithfulness, % |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        cells = [
            _cell([seed.get(row.policy, {}).get(m) for seed in results.values()], share=m != "quality")
            for m in ("accuracy", "quality", "supported", "faithfulness")
        ]
        lines.append(f"| {row.name} | {row.accuracy:.2f} | {row.quality:.2f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(values: list[float | None], *, share: bool) -> str:
    scale, digits = (100, 1) if share else (1, 2)
    known = [scale * value for value in values if value is not None]
    return "{:.{d}f} ({:.{d}f}–{:.{d}f})".format(fmean(known), min(known), max(known), d=digits) if known else "–"
