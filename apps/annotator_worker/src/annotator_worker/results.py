"""What lies in the store of batches that were done: which ranges, what became of each item, what is still missing."""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from annotator_worker import keys
from annotator_worker.records import Batch, DeadLetter, Outcome, Stage
from annotator_worker.store import ObjectStore
from speech_records import MeasuredUtterance, from_json, to_json

_MEASURED: Final = '{"measured": {'
_WRITTEN: Final = (
    "INSERT INTO written VALUES (?, ?, ?) ON CONFLICT (id) "
    "DO UPDATE SET place = excluded.place, good = excluded.good WHERE NOT good"
)
_SHARD: Final = re.compile(re.escape(keys.SHARDS) + r"(\w+)/(\d+)-(\d+)-(\d+)\.jsonl", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """Items `start` to `stop` of a batch that are done, `failed` of them as dead letters."""

    start: int
    stop: int
    failed: int = 0


def done_ranges(store: ObjectStore, prefix: str = keys.SHARDS) -> Mapping[str, list[Range]]:
    """What is done of every batch by its key, from a listing alone.

    The ranges of a batch are disjoint and sorted: where a range was done as a whole and in parts, it is the whole.
    """
    found: dict[str, list[Range]] = defaultdict(list)
    for key in store.keys(prefix):
        if match := _SHARD.fullmatch(key):
            found[match[1]].append(Range(int(match[2]), int(match[3]), int(match[4])))
    return {batch: _disjoint(ranges) for batch, ranges in found.items()}


def missing(batch: Batch, ranges: Iterable[Range]) -> list[Range]:
    """The gaps of a batch.

    >>> missing(Batch("b", "batches/p.jsonl", 0, 1, 8), [Range(0, 2), Range(5, 8, 1)])
    [Range(start=2, stop=5, failed=0)]
    """
    gaps, end = [], 0
    for done in [*ranges, Range(batch.items, batch.items)]:
        if done.start > end:
            gaps.append(Range(end, done.start))
        end = max(end, done.stop)
    return gaps


def outcomes(
    store: ObjectStore, batch: str, ranges: Iterable[Range], *, only_failed: bool = False
) -> Iterator[Outcome]:
    """What became of the items in `ranges` of the batch of this key, or of those that failed."""
    for done in ranges:
        if only_failed and not done.failed:
            continue
        text = store.get(keys.shard(f"{batch}/{done.start}-{done.stop}", done.failed)).decode()
        # Lines end in \n only: other line separators may be inside JSON strings.
        for line in text.split("\n"):
            if line and not (only_failed and line.startswith(_MEASURED)):
                yield from_json(Outcome, line)


class Gathered:
    """What the shards of a job hold, in a file in `folder`: measurements by utterance id, without being held.

    Of an item that failed in one round and was done in another, what was done counts; of one that failed in several,
    the last. Closed when the context ends.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.made: set[str] = set()
        """Ids of comparative clips."""
        self._dead: dict[tuple[Stage, str], DeadLetter] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = (self._folder / "gathered.jsonl").open("w+b")
        self._places = sqlite3.connect("")  # a temporary file, gone when it is closed
        self._places.execute("CREATE TABLE measured (id TEXT PRIMARY KEY, place INTEGER) WITHOUT ROWID")
        self._places.execute("CREATE TABLE written (id TEXT PRIMARY KEY, place INTEGER, good INTEGER) WITHOUT ROWID")
        return self

    def __exit__(self, *_: object) -> None:
        self._places.close()
        self._file.close()
        (self._folder / "gathered.jsonl").unlink()

    def add(self, found: Iterable[Outcome], *, retries: int) -> None:
        """Take over the outcomes of a round of a job; rounds come in their order."""
        for outcome in found:
            if outcome.measured is not None:
                name, place = outcome.measured.utterance.utterance_id, self._file.seek(0, 2)
                if self._places.execute("INSERT OR IGNORE INTO measured VALUES (?, ?)", (name, place)).rowcount:
                    self._file.write(to_json(outcome.measured).encode() + b"\n")
            elif outcome.made is not None:
                self.made.add(outcome.made)
            if outcome.trace is not None:
                self._write(outcome.trace.utterance_id, outcome, good=True)
            if outcome.dead is not None:
                if outcome.dead.stage is Stage.REASON:
                    self._write(outcome.dead.item, outcome, good=False)
                self._dead[outcome.dead.stage, outcome.dead.item] = replace(outcome.dead, retries=retries)

    def measured(self) -> Iterator[MeasuredUtterance]:
        """The measurements, sorted by utterance id."""
        for (place,) in self._places.execute("SELECT place FROM measured ORDER BY id"):
            self._file.seek(place)
            yield from_json(MeasuredUtterance, self._file.readline().decode())

    def written(self, name: str) -> Outcome | None:
        """What became of the reasoning about an utterance; `None` where none was asked for."""
        found = self._places.execute("SELECT place FROM written WHERE id = ?", (name,)).fetchone()
        if found is None:
            return None
        self._file.seek(found[0])
        return from_json(Outcome, self._file.readline().decode())

    def _write(self, name: str, outcome: Outcome, *, good: bool) -> None:
        place = self._file.seek(0, 2)
        self._file.write(to_json(outcome).encode() + b"\n")
        self._places.execute(_WRITTEN, (name, place, good))

    def dead(self) -> list[DeadLetter]:
        """What failed and was not done in any round, sorted by item."""
        return sorted(
            (item for item in self._dead.values() if not self._is_done(item)), key=lambda item: (item.item, item.stage)
        )

    def _is_done(self, dead: DeadLetter) -> bool:
        if dead.stage is Stage.COMPARE:
            return dead.item in self.made
        if dead.stage is Stage.REASON:
            query = "SELECT 1 FROM written WHERE id = ? AND good"
        else:
            query = "SELECT 1 FROM measured WHERE id = ?"
        return self._places.execute(query, (dead.item,)).fetchone() is not None


def _disjoint(ranges: Iterable[Range]) -> list[Range]:
    kept: list[Range] = []
    for found in sorted(ranges, key=lambda r: (r.start, -r.stop, r.failed)):
        if not kept or found.start >= kept[-1].stop:
            kept.append(found)
    return kept
