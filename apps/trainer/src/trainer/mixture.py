"""Weights of the families that follow what the policy has still to learn, in place of fixed ones.

After every validation the weight of a family in its phase is multiplied by how far its held-out accuracy is from 1,
as a share of how far guessing is (`needs`). The metrics of that step hold the factors, so that a training that was
stopped goes on with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from cotgen.tasks import SFTExample, Task
from trainer.curriculum import Changes, Phase, plan_batches
from trainer.perception_scores import PerceptionColumn

LEAST = 0.2
"""A family that is answered without fault keeps this share of its weight, so that it is not forgotten."""
FACTOR = "weight_factor_"
"""How the names of the factors in a history begin."""


def needs(columns: Sequence[PerceptionColumn]) -> dict[Task, float]:
    """Factors in [`LEAST`, 1] by family, the mean over what was asked of it, from accuracy against chance; a family
    that was not asked about has none.
    """
    found: dict[Task, list[float]] = {}
    for column in columns:
        found.setdefault(_family(column.name), []).append(_need(column.accuracy.value, column.chance))
    return {task: fmean(factors) for task, factors in found.items()}


def _family(column: str) -> Task:
    if column.startswith("order of "):
        return Task.COMPARATIVE
    return Task(column) if column in list(Task) else Task.ATTRIBUTE


def _need(accuracy: float, chance: float) -> float:
    return max(LEAST, min(1.0, (1 - accuracy) / (1 - chance)))


def changes_in(history: Sequence[Mapping[str, float]]) -> Changes:
    """The steps after which factors hold, and these, from the metrics of a training."""
    found = []
    for row in history:
        factors = {Task(n.removeprefix(FACTOR)): value for n, value in row.items() if n.startswith(FACTOR)}
        if factors:
            found.append((int(row["step"]), factors))
    return found


class Plan:
    """The batches of a training whose weights change with its `history`."""

    def __init__(
        self,
        examples: Sequence[SFTExample],
        phases: Sequence[Phase],
        history: Sequence[Mapping[str, float]],
        *,
        seed: int,
        before: int,
    ) -> None:
        self._given, self._history, self._seed, self._before = (examples, phases), history, seed, before
        self._changes: Changes = ()
        self.batches = plan_batches(examples, phases, seed=seed)
        """All that is planned as yet; `before` steps without text come first."""

    def __call__(self, step: int) -> list[SFTExample]:
        """The batch of a step, counted from 0 over the whole training."""
        changes = [(max(0, at - self._before), factors) for at, factors in changes_in(self._history)]
        if len(changes) != len(self._changes):
            self._changes = changes
            self.batches = plan_batches(*self._given, seed=self._seed, changes=changes)
        return self.batches[step - self._before]
