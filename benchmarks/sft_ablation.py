"""What each part of the recipe of SFT is worth: `pocket` on the demo corpus, short runs, one table.

    OMP_NUM_THREADS=1 python benchmarks/sft_ablation.py --data runs/demo/demo/annotated --out runs/sft_ablation

A row is one training and one evaluation on the test voices; a row that has finished is kept, and one that was stopped
goes on. Rows `from random weights` have 600 steps of auxiliary heads and 600 of texts, as `stage=full_sft` has fewer or
more of; without heads they have as many more steps of texts as the heads take time. Rows `from the cold start` go on
from the policy of `--policy` with 600 steps of texts and without heads: parts of a model of random weights that can
neither hear nor write are not worth training alone. Differences to the first row of each group are paired by clip.
One seed: `--seed` makes another table.

`--rows` names some of the rows; the table is of those that have finished. `recipe` is the measure of the first three
minutes: its bar is 0.53 of reasoned answers, label alone within 3 points; status 1 where it is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from rl_demo import interval, right, run_once

from speech_records import read_jsonl
from trainer.evaluate import ANSWERS, RESULT
from trainer.predict import Answer
from trainer.tracking import HISTORY, read_history

BAR, GAP = 0.53, 0.03
TEXT_STEPS = 600
HEADS: dict[str, Any] = {"perception_steps": 600, "perception_batch_size": 16, "learning_rates": {"heads": 2e-3}}
RECIPE = {"attribute": 0.1, "reasoning": 0.7, "label": 0.2}
FAMILIES = {"attribute": 0.15, "reasoning": 0.55, "label": 0.15, "stress": 0.1, "comparative": 0.05}
NEW_PARTS = 1e-3
"""Learning rate where few weights are trained, from a policy."""


def _texts(weights: dict[str, float], steps: int = TEXT_STEPS) -> dict[str, Any]:
    return {"phases": [{"name": "texts", "steps": steps, "batch_size": 8, "weights": weights}]}


def _progress(**own: int) -> dict[str, Any]:
    return {"adaptive_weights": True, "validate_every": 150, "validation_questions": 8, "validation_clips": 90} | own


RANDOM: dict[str, dict[str, Any]] = {
    "recipe": HEADS | _texts(RECIPE),
    "all families": HEADS | _texts(FAMILIES),
    **{f"without {family}": HEADS | _texts(FAMILIES) | {"without": [family]} for family in FAMILIES},
    "weights by progress": HEADS | _texts(FAMILIES) | _progress(),
    "encoder frozen": HEADS | _texts(FAMILIES) | {"train": ["adapter", "llm"]},
    "without heads": _texts(FAMILIES, steps=TEXT_STEPS + 180),
}
FROM_POLICY: dict[str, dict[str, Any]] = {
    "everything": _texts(RECIPE) | {"learning_rate": 4e-4},
    "policy, encoder frozen": _texts(RECIPE) | {"learning_rate": 4e-4, "train": ["adapter", "llm"]},
    "adapter and LoRA": _texts(RECIPE) | {"learning_rate": NEW_PARTS, "train": ["adapter", "lora"]},
    "LoRA only": _texts(RECIPE) | {"learning_rate": NEW_PARTS, "train": ["lora"]},
    "adapter only": _texts(RECIPE) | {"learning_rate": NEW_PARTS, "train": ["adapter"]},
}
GROUPS = {"from random weights": RANDOM, "from the cold start": FROM_POLICY}
COLUMNS = ("pitch", "rate", "energy", "intonation", "stress")


def folder(out: Path, name: str) -> Path:
    """Where a row's policy is."""
    return out / name.replace(", ", "_").replace(" ", "_")


def make(name: str, own: dict[str, Any], *, data: str, out: Path, seed: int, limit: int) -> None:
    """Train and evaluate a row."""
    home = folder(out, name)
    run_once({"name": "sft", "data": data, "seed": seed, "out": str(home)} | own)
    asked = {"name": "evaluate", "data": data, "policies": {"policy": str(home)}, "limit": limit, "perception": 20}
    run_once(asked | {"out": str(home.with_name(f"{home.name}_evaluation"))}, RESULT)


def row(out: Path, name: str, first: str) -> dict[str, Any] | None:
    """What a row that has finished found; `first` is the row that it is compared with."""
    evaluation = folder(out, name).with_name(f"{folder(out, name).name}_evaluation")
    if not (evaluation / RESULT).is_file():
        return None
    policy = json.loads((evaluation / RESULT).read_text())["policies"][0]
    reasoned, alone, perceived = policy["evaluation"], policy["label_only"], policy["perception"]
    history = read_history(folder(out, name) / HISTORY)
    columns = {c["name"]: c["accuracy"]["value"] for c in perceived["columns"]}
    base = folder(out, first).with_name(f"{folder(out, first).name}_evaluation") / f"policy{ANSWERS}"
    found = {
        "seconds": round(sum(step["seconds_step"] + step["seconds_data"] for step in history)),
        "reasoned": reasoned["accuracy"]["value"],
        "alone": alone["accuracy"]["value"],
        "supported": reasoned["claims"]["supported"]["value"] if reasoned["claims"] else None,
        "macro": perceived["macro"]["value"],
        **{column: columns.get(column) for column in COLUMNS},
        "order": float(np.mean([c["accuracy"]["value"] for c in perceived["order"]])),
    }
    if name != first and base.is_file():
        ours, theirs = (list(read_jsonl(path, Answer)) for path in (evaluation / f"policy{ANSWERS}", base))
        found["gain"] = interval(right(ours) - right(theirs))
    return found


def table(found: dict[str, dict[str, dict[str, Any]]]) -> str:
    """The rows as Markdown, a table for each group."""
    names = ("reasoned", "alone", "supported", "macro", *COLUMNS, "order", "seconds")
    lines = []
    for group, rows in found.items():
        head = [group, *names, "reasoned, points over the first row"]
        lines += [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        for name, of in rows.items():
            cells = ["–" if of[n] is None else f"{of[n]:g}" if n == "seconds" else f"{of[n]:.3f}" for n in names]
            gain = "{:+.1f} ({:+.1f} to {:+.1f})".format(*(100 * x for x in of["gain"])) if "gain" in of else "–"
            lines.append(f"| {name} | {' | '.join(cells)} | {gain} |")
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("runs/demo/demo/annotated"), help="of `make demo`")
    parser.add_argument("--policy", type=Path, default=Path("runs/demo/demo/cold_start"), help="of `make demo`")
    parser.add_argument("--out", type=Path, default=Path("runs/sft_ablation"))
    parser.add_argument("--rows", nargs="+", default=[*RANDOM, *FROM_POLICY], choices=[*RANDOM, *FROM_POLICY])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=480, help="test clips, evenly of voices and emotions")
    arguments = parser.parse_args()
    data, out = str(arguments.data.resolve()), arguments.out.resolve()
    given = {"policy": str(arguments.policy.resolve())}
    for name in arguments.rows:
        own = RANDOM[name] if name in RANDOM else FROM_POLICY[name] | given
        make(name, own, data=data, out=out, seed=arguments.seed, limit=arguments.limit)
    found = {
        group: {name: of for name in rows if (of := row(out, name, next(iter(rows)))) is not None}
        for group, rows in GROUPS.items()
    }
    (out / "result.json").write_text(json.dumps(found, indent=2) + "\n")
    print(table(found))
    recipe = found["from random weights"].get("recipe")
    met = recipe is None or (recipe["reasoned"] >= BAR and abs(recipe["alone"] - recipe["reasoned"]) <= GAP)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
