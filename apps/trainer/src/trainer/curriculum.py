"""Which examples are in which batch of SFT: a plan made before training, from a seed alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from cotgen.tasks import SFTExample, Task
from trainer.dataset import is_reasoned
from trainer.errors import ConfigError

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Phase:
    """`steps` steps of `batch_size` examples each; every step draws its task by weight.

    All examples of a batch are of one task, so rows are about equally long and little is padded. The weight of a task
    without any example goes to the others (a corpus may know no stressed words).
    """

    name: str
    steps: int
    batch_size: int
    weights: Mapping[Task, float]

    def __post_init__(self) -> None:
        if self.steps < 0 or self.batch_size < 1:
            raise ConfigError(f"phase {self.name!r}: need steps >= 0, batch_size >= 1: {self.steps}, {self.batch_size}")
        if not self.weights or min(self.weights.values()) < 0 or sum(self.weights.values()) <= 0:
            raise ConfigError(f"phase {self.name!r}: task weights must be >= 0 and not all 0, got {dict(self.weights)}")


Changes = Sequence[tuple[int, Mapping[Task, float]]]
"""Steps, counted from 0 over all phases, and factors of the weights of tasks from each on."""


def plan_batches(
    examples: Sequence[SFTExample], phases: Sequence[Phase], *, seed: int, changes: Changes = ()
) -> list[list[SFTExample]]:
    """The batches of all phases in order. Inside a task every example is seen once before any is seen again.

    What comes before the first of the `changes` is as it is without them.
    """
    rng = np.random.default_rng(seed)
    by_task = {task: [e for e in examples if e.task is task] for task in Task}
    samplers = {task: EpochSampler(items, rng) for task, items in by_task.items() if items}
    batches: list[list[SFTExample]] = []
    for phase in phases:
        tasks = [task for task, weight in phase.weights.items() if weight > 0 and task in samplers]
        if not tasks:
            raise ConfigError(f"phase {phase.name!r}: no example of its tasks {[t.value for t in phase.weights]}")
        for drawn in rng.random(phase.steps):
            factors = next((factors for step, factors in reversed(changes) if step <= len(batches)), {})
            shares = np.cumsum([phase.weights[task] * factors.get(task, 1.0) for task in tasks])
            task = tasks[int(np.searchsorted(shares / shares[-1], drawn, side="right"))]
            batches.append([samplers[task].draw() for _ in range(phase.batch_size)])
    return batches


def with_reasoning(examples: Sequence[SFTExample], share: float) -> list[SFTExample]:
    """The examples of a cold start: reasoning and label of a `share` of the clips (`is_reasoned`), all else of all."""
    told = (Task.REASONING, Task.LABEL)
    return [e for e in examples if e.task not in told or is_reasoned(e.utterance_id, share)]


class EpochSampler(Generic[Item]):
    """Draws shuffled items, reshuffled when all were drawn."""

    def __init__(self, items: list[Item], rng: np.random.Generator) -> None:
        self._items, self._rng, self._left = items, rng, list[int]()

    def draw(self) -> Item:
        """The next item."""
        if not self._left:
            self._left = self._rng.permutation(len(self._items)).tolist()
        return self._items[self._left.pop()]
