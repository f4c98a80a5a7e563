"""Answers of a model to the items of a file, joined by id, and their scores as one table.

```
{"item_id": "a1/perception-pitch", "answer": "high"}
```

Items are SFT examples, perception items or conflict items; the first line of the file says which. An item without an
answer counts as answered with nothing: wrong and invalid.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from cotgen.errors import TaskError
from cotgen.tasks.conflict import ConflictItem, score_conflict
from cotgen.tasks.perception import PerceptionItem, score_perception
from cotgen.tasks.records import SFTExample
from cotgen.tasks.scoring import score, summarise
from speech_records import LabelSet
from speech_records.failures import FailedItem, Report
from speech_records.shards import ShardReader
from speech_records.streams import good_lines

ItemT = TypeVar("ItemT", bound=SFTExample | PerceptionItem | ConflictItem)
_KINDS: Mapping[str, type[SFTExample | PerceptionItem | ConflictItem]] = MappingProxyType(
    {"task": SFTExample, "column": PerceptionItem, "kind": ConflictItem}
)
"""What the items of a file are, by a field that only they have."""


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What a model answered to the item (or example) of this id."""

    item_id: str
    answer: str


@dataclass(frozen=True, slots=True)
class Scored:
    """A table of scores: for each row (a family, a column, a kind) its scores by name; floats are shares in [0, 1]."""

    rows: Mapping[str, Mapping[str, Any]]
    unanswered: int


def score_file(items: Path, answers: Path, *, label_set: LabelSet | None = None, report: Report) -> Scored:
    """Score the answers in one file to the items in another, in memory that grows with the answers only.

    With `label_set` labels of reasoning examples are mapped into it before they are compared.

    Broken lines, a second answer to an item and answers to no item of the file go to `report`. Raises `TaskError` when
    the items are none of the known kinds, `CotgenError` when a file is missing.
    """
    join = _Join(items, answers, report)
    kind = _kind(items)
    scores: Mapping[Any, Any]
    if kind is SFTExample:
        scores = summarise(score(e, answer, label_set=label_set) for e, answer in join.pairs(SFTExample))
    elif kind is PerceptionItem:
        scores = score_perception(join.pairs(PerceptionItem))
    else:
        scores = score_conflict(join.pairs(ConflictItem))
    join.report_left()
    return Scored({name.value: asdict(found) for name, found in scores.items()}, join.unanswered)


def table(scored: Scored) -> str:
    """The scores as lines of equal columns, shares in per cent.

    >>> print(table(Scored({"pitch": {"answers": 4, "accuracy": 0.5, "chance": 1 / 3}}, 0)))
            answers  accuracy    chance
    pitch         4    50.0 %    33.3 %
    """
    if not scored.rows:
        return "no items"
    names = list(next(iter(scored.rows.values())))
    first = max(map(len, scored.rows))
    lines = [" " * first + "".join(f"{name:>10}" for name in names)]
    for row, found in scored.rows.items():
        cells = (f"{100 * value:.1f} %" if isinstance(value, float) else str(value) for value in found.values())
        lines.append(f"{row:<{first}}" + "".join(f"{cell:>10}" for cell in cells))
    return "\n".join(lines)


class _Join:
    """Answers by item id, and what of them was used."""

    def __init__(self, items: Path, answers: Path, report: Report) -> None:
        self._items, self._report = items, report
        self._given: dict[str, str] = {}
        self.unanswered = 0
        for where, one in good_lines(answers, GivenAnswer, report):
            if one.item_id in self._given:
                message = f"item {one.item_id!r} is answered twice; the first answer counts"
                report(FailedItem(where, "score", TaskError.__name__, message))
            else:
                self._given[one.item_id] = one.answer
        self._left = dict.fromkeys(self._given)

    def pairs(self, cls: type[ItemT]) -> Iterator[tuple[ItemT, str]]:
        """Every item of the file and its answer, which is empty where there is none."""
        for _, item in good_lines(self._items, cls, self._report):
            name = item.example_id if isinstance(item, SFTExample) else item.item_id
            self._left.pop(name, None)
            self.unanswered += name not in self._given
            yield item, self._given.get(name, "")

    def report_left(self) -> None:
        """Report the answers that no item asked for."""
        for name in self._left:
            message = f"{self._items.name} has no such item"
            self._report(FailedItem(f"answer to {name!r}", "score", TaskError.__name__, message))


def _kind(path: Path) -> type[SFTExample | PerceptionItem | ConflictItem]:
    """What the first line of a file of items holds."""
    with ShardReader(path) as lines:
        first = next((raw for _, _, raw in lines), None)
    if first is None:
        raise TaskError(f"{path} is empty: items are expected, one a line")
    try:
        fields = json.loads(first)
    except ValueError as error:
        raise TaskError(f"{path}: its first line is not JSON: {error}") from error
    for field, kind in _KINDS.items():
        if isinstance(fields, dict) and field in fields:
            return kind
    raise TaskError(f"{path}: its first line is not an SFT example, perception item or conflict item")
