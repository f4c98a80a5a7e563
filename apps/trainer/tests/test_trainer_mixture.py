"""Weights of the families that follow what is still to be learnt."""

from __future__ import annotations

from collections import Counter

import pytest

from cotgen.tasks import SFTExample, Task
from trainer.curriculum import Phase, plan_batches
from trainer.errors import ConfigError
from trainer.metrics import Estimate
from trainer.mixture import FACTOR, Plan, needs
from trainer.perception_scores import PerceptionColumn
from trainer.settings import SFTSettings

TASKS = (Task.ATTRIBUTE, Task.LABEL)
EXAMPLES = [SFTExample(f"{t}-{i}", t, f"u{i}", f"u{i}.wav", "what?", "this", "train") for t in TASKS for i in range(50)]
PHASES = [Phase("a", 60, 2, {Task.ATTRIBUTE: 0.5, Task.LABEL: 0.5}), Phase("b", 60, 2, {Task.ATTRIBUTE: 1.0})]


def column(name: str, accuracy: float, chance: float) -> PerceptionColumn:
    return PerceptionColumn(name, 10, 2, Estimate(accuracy, None, None), chance)


def test_a_change_leaves_what_was_before_it() -> None:
    """A label that needs nothing any more is not drawn after the change (factor 0); 20 steps before it are the same
    examples as without, and the sizes and the phase without labels too."""
    plain = plan_batches(EXAMPLES, PHASES, seed=1)
    changed = plan_batches(EXAMPLES, PHASES, seed=1, changes=[(20, {Task.LABEL: 0.0})])
    assert changed[:20] == plain[:20]
    assert Counter(e.task for batch in changed[20:] for e in batch) == {Task.ATTRIBUTE: 200}
    assert [len(batch) for batch in changed] == [2] * 120


def test_a_training_that_goes_on_has_the_same_plan() -> None:
    """One plan sees two validations, after steps 13 and 33 of a training with three steps before its texts, as they
    come; another is made when both are in the history, as after a stop."""
    rows: list[dict[str, float]] = [{"step": 13, f"{FACTOR}label": 0.2, f"{FACTOR}attribute": 1.0}, {"step": 20},
                                    {"step": 33, f"{FACTOR}label": 1.0, f"{FACTOR}attribute": 1e-9}]  # fmt: skip
    history: list[dict[str, float]] = []
    seen = Plan(EXAMPLES, PHASES, history, seed=0, before=3)
    found = []
    for step in range(3, 63):
        history.extend(row for row in rows if row["step"] == step)
        found.append(seen(step))
    stopped = Plan(EXAMPLES, PHASES, rows, seed=0, before=3)
    assert found == [stopped(step) for step in range(3, 63)]
    assert {e.task for batch in found[30:] for e in batch} == {Task.LABEL}
    assert found[:10] == plan_batches(EXAMPLES, PHASES, seed=0)[:10]


def test_what_is_needed_is_the_distance_from_all_right() -> None:
    """By hand: pitch 0.6 of three is 0.4 / (2/3) = 0.6 from all right, rate below chance counts 1; order 0.95 of six
    is 0.06, raised to a fifth, as is reasoning without fault; a label at 0.5 of nine is 0.5625. No stress was asked, so
    it keeps its weight."""
    order = column("order of pitch", 0.95, 1 / 6)
    columns = (column("pitch", 0.6, 1 / 3), column("rate", 0.2, 1 / 3))
    found = needs([*columns, order, column("label", 0.5, 1 / 9), column("reasoning", 1.0, 1 / 9)])
    wanted = {Task.ATTRIBUTE: 0.8, Task.COMPARATIVE: 0.2, Task.LABEL: 0.5625, Task.REASONING: 0.2}
    assert found == pytest.approx(wanted)


def test_nothing_to_follow_is_refused() -> None:
    """Without validations there is nothing that weights could follow."""
    with pytest.raises(ConfigError, match="adaptive_weights"):
        SFTSettings(phases=tuple(PHASES), adaptive_weights=True)
