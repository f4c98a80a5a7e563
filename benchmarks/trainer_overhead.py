"""What trainings spend outside forward pass, backward pass and sampling.

Trains a few steps of SFT, of the reward model, of GRPO and of GRPO-PTR with verified claims, from an SFT policy, with
the batches of the demo, and reads the seconds of each phase from `history.jsonl`. What is left of the clock between two
steps is everything else: making batches, random filters, rules and verified claims, the optimiser, metrics, files. The
first step is left out.

    OMP_NUM_THREADS=1 python benchmarks/trainer_overhead.py --data runs/demo/demo/annotated --policy runs/demo/demo/sft
    python benchmarks/trainer_overhead.py --history runs/demo/demo/grpo_ptr/history.jsonl

The second trains nothing and reads what a finished training recorded; steps with a validation are left out.

Bar: at most 5 % of each training's time. Leaves with status 1 where it is missed. The machine should be idle.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from trainer.stages import run
from trainer.tracking import HISTORY, read_history

MOST = 0.05
NAMED = ("rollout", "forward", "backward")
ELSE = ("data", "reward")
"""Of what is left, the phases that have a name of their own."""
VALIDATED = ("greedy_accuracy", "validation_")
"""How the metrics of a step begin that a validation followed."""
GATE = {"threshold": 0.0, "window": 1, "tolerance": 0.15}
TRAININGS: dict[str, dict[str, Any]] = {
    "sft": {
        "name": "sft",
        "phases": [{"name": "both", "steps": 60, "batch_size": 8, "weights": {"attribute": 0.5, "reasoning": 0.5}}],
    },
    "reward": {"name": "reward", "epochs": 2, "text_clips": 4},
    "grpo": {"name": "grpo", "algorithm": "grpo", "steps": 8, "prompts_per_step": 8, "kl_coefficient": 0.0},
    "grpo_ptr": {
        "name": "grpo", "algorithm": "grpo_ptr", "steps": 8, "prompts_per_step": 8, "kl_coefficient": 0.0,
        "factual": "verified", "criterion_weights": [1.0, 0.0, 0.0, 0.0], "schedule": GATE, "filter_augment_db": 6.0,
        "claim_credit": 1.0,
    },
}  # fmt: skip


def overhead(history: list[dict[str, float]]) -> dict[str, float]:
    """Shares of the clock, of all steps but the first and those that were followed by a validation: everything that is
    not `NAMED`, and its parts.
    """
    rows = [row for row in history[1:] if not any(name.startswith(VALIDATED) for name in row)]
    total = sum(row["seconds_wall"] for row in rows)
    share = {name: sum(row.get(f"seconds_{name}", 0.0) for row in rows) / total for name in (*NAMED, *ELSE)}
    return {"overhead": 1.0 - sum(share[name] for name in NAMED), "seconds_a_step": total / len(rows)} | share


def main() -> int:
    """Print the shares; status 1 when the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="an annotated data set")
    parser.add_argument("--policy", help="a policy that was trained on it")
    parser.add_argument("--history", nargs="*", default=[], help="history.jsonl of finished trainings")
    parser.add_argument("--only", nargs="*", default=list(TRAININGS), help="some of the trainings")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()
    if not (arguments.history or (arguments.data and arguments.policy)):
        parser.error("give --data and --policy, or --history")
    found = {name: overhead(read_history(Path(name))) for name in arguments.history}
    with tempfile.TemporaryDirectory() as folder:
        for name in [] if arguments.history else arguments.only:
            out = Path(folder) / name
            values = TRAININGS[name] | {"data": arguments.data, "policy": arguments.policy, "out": str(out)}
            run(values["name"], values)
            found[name] = overhead(read_history(out / HISTORY))
    for name, row in found.items():
        shares = ", ".join(f"{part} {100 * row[part]:.1f} %" for part in (*NAMED, *ELSE))
        print(
            f"{name}: {row['seconds_a_step']:.2f} s a step, overhead {100 * row['overhead']:.1f} % ({shares})",
            file=sys.stderr,
        )
    if arguments.json:
        print(json.dumps(found))
    return int(any(row["overhead"] > MOST for row in found.values()))


if __name__ == "__main__":
    sys.exit(main())
