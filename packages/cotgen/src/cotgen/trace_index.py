"""Traces of a file of any size, found by utterance id through an index on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cotgen.errors import TaskError
from speech_records import FailedItem, LabelSet, ReasoningTrace
from speech_records.failures import Report
from speech_records.shards import ShardReader
from speech_records.streams import good, record_at, temporary_database


def outside(label_set: LabelSet, trace: ReasoningTrace) -> str | None:
    """What is wrong with a trace whose answer is outside the label set; `None` where it is not."""
    if trace.answer in label_set.labels:
        return None
    return f"{trace.answer.value!r} is not a label of {label_set.name}: name the label set it was written for"


class TraceIndex:
    """The traces of the files `paths` by utterance id."""

    def __init__(self, lines: ShardReader, db: sqlite3.Connection) -> None:
        self.paths, self._lines, self._db = lines.paths, lines, db

    def of(self, name: str) -> list[ReasoningTrace]:
        """The traces about one utterance, in the order of the files."""
        found = self._db.execute("SELECT place FROM traces WHERE name = ? ORDER BY place", (name,))
        return [record_at(self._lines, place, ReasoningTrace) for (place,) in found.fetchall()]


@contextmanager
def trace_index(path: Path, report: Report, *, problem: Callable[[ReasoningTrace], str | None]) -> Iterator[TraceIndex]:
    """Index the traces of a file or of its shards; broken lines and traces with a `problem` are reported, with line."""
    with ShardReader(path) as lines, temporary_database() as db:
        db.execute("CREATE TABLE traces (name, place, PRIMARY KEY (name, place)) WITHOUT ROWID")
        for where, place, trace in good(lines, ReasoningTrace, report):
            if why := problem(trace):
                report(FailedItem(where, "tasks", TaskError.__name__, f"trace of {trace.utterance_id!r}: {why}"))
            else:
                db.execute("INSERT INTO traces VALUES (?, ?)", (trace.utterance_id, place))
        yield TraceIndex(lines, db)
