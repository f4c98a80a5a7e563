"""Balanced classes: how many of each class are kept, and which.

Counts come first and draws second, so a stream that can be read twice is balanced in memory that grows with the
number of classes only.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cotgen.errors import TaskError
from cotgen.tasks.records import SFTExample


@dataclass(frozen=True, slots=True)
class Class:
    """Which class, of the classes that are balanced against each other, an answer belongs to."""

    group: str
    name: str


@dataclass(frozen=True, slots=True)
class LabelledExample:
    """An example and the class of its answer; `None` where an answer has no class (all attributes at once)."""

    example: SFTExample
    of: Class | None


def quotas(counts: Mapping[Class, int], ratio: float) -> dict[Class, int]:
    """How many of each class are kept, so that none has more than `ratio` times the smallest class of its group.

    Classes that do not occur do not count. Raises `TaskError` when `ratio` is below 1 or not a number.

    >>> found = {Class("pitch", "low"): 10, Class("pitch", "high"): 4, Class("rate", "slow"): 7}
    >>> [n for n in quotas(found, 1.5).values()]
    [6, 4, 7]
    """
    if not 1.0 <= ratio < math.inf:
        raise TaskError(f"balance {ratio} must be a number of at least 1: the largest class over the smallest")
    smallest: dict[str, int] = {}
    for key, count in counts.items():
        smallest[key.group] = min(count, smallest.get(key.group, count))
    return {key: min(count, int(smallest[key.group] * ratio)) for key, count in counts.items()}


class Selection:
    """Keeps exactly the quota of every class, each member equally likely, in one pass (Knuth's selection sampling).

    >>> one = Class("pitch", "low")
    >>> draw = Selection({one: 4}, {one: 2}, seed=0)
    >>> sum(draw.keeps(one) for _ in range(4))
    2
    """

    def __init__(self, counts: Mapping[Class, int], kept: Mapping[Class, int], *, seed: int) -> None:
        self._left, self._wanted, self._seed = dict(counts), dict(kept), seed
        self._rng: dict[Class, random.Random] = {}

    def keeps(self, key: Class) -> bool:
        """Whether the next member of this class is kept."""
        rng = self._rng.setdefault(key, random.Random(f"balance:{self._seed}:{key.group}:{key.name}"))
        left, wanted = self._left[key], self._wanted[key]
        kept = rng.random() * left < wanted
        self._left[key], self._wanted[key] = left - 1, wanted - kept
        return kept


def selection(
    draw: Callable[[], Iterable[LabelledExample]], *, balance: float | None, seed: int
) -> Callable[[LabelledExample], bool]:
    """What says of each example that `draw` yields, in that order, whether it is kept; `balance` as in `quotas`.

    Without `balance` all are kept. Otherwise `draw` is called once to count, and examples without a class are dropped.
    Raises `TaskError` when `balance` is below 1.
    """
    if balance is None:
        return lambda _: True
    counts = Counter(drawn.of for drawn in draw() if drawn.of is not None)
    chosen = Selection(counts, quotas(counts, balance), seed=seed)
    return lambda drawn: drawn.of is not None and chosen.keeps(drawn.of)
