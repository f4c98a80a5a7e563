"""Examples from files of any size: measurements and traces are joined through an index on disk.

The index is an SQLite file in a temporary folder, some hundred bytes a line, which knows where each record stands;
records are read again one by one as they are needed. So the files may be in any order, and memory does not grow with
them; a file that was written in shards is read as one. What cannot be used is reported with its line, and the rest is
done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from cotgen.errors import TaskError
from cotgen.tasks.balancing import Selection, count, quotas
from cotgen.tasks.examples import Asking, Drawn, draw, draw_order, heard_stress, stray_stress
from cotgen.tasks.records import ComparativeClip, SFTExample
from speech_records import LabelSet, MeasuredUtterance, ReasoningTrace
from speech_records.failures import FailedItem, Report
from speech_records.shards import ShardReader
from speech_records.streams import good, record_at, temporary_database

_TABLES = """
CREATE TABLE measured (place INTEGER PRIMARY KEY, name TEXT UNIQUE, stands TEXT, synthetic INTEGER);
CREATE TABLE traces (name TEXT, place INTEGER, PRIMARY KEY (name, place)) WITHOUT ROWID;
CREATE TABLE clips (place INTEGER PRIMARY KEY, clip TEXT UNIQUE, synthetic INTEGER);
"""


def stream(
    profiles: Path, traces: Path, asking: Asking, *, comparative: Path | None = None, report: Report
) -> Iterator[SFTExample]:
    """The examples that `build` makes of the same records, in the same order, from JSON Lines files.

    `report` is called for every line that is broken, repeats an id, belongs to no measured utterance, or is a trace
    whose answer is outside the label set; and for a stressed word that is not in the transcript, whose utterance then
    gives no stress example. Raises `CotgenError` when a file is missing, `TaskError` when `asking.balance` is below 1.
    """
    with _joined(profiles, traces, comparative, asking.label_set, report) as files:
        if asking.balance is None:
            for drawn in files.draw(asking):
                yield drawn.example
            return
        counts = count(drawn.of for drawn in files.draw(asking))
        selection = Selection(counts, quotas(counts, asking.balance), seed=asking.seed)
        for drawn in files.draw(asking):
            if drawn.of is not None and selection.keeps(drawn.of):
                yield drawn.example


def measured_lines(profiles: Path, report: Report, *, check_stress: bool) -> Iterator[MeasuredUtterance]:
    """The measured utterances of a file, one at a time: broken lines and repeated ids are reported and left out.

    An utterance with a stressed word that is not in its transcript comes without stressed words, which is reported
    where the caller wants to use them (`check_stress`).
    """
    with _index() as db, ShardReader(profiles) as lines:
        for item in _index_measured(db, lines, report, check_stress=check_stress):
            yield _without_stray(item)


class _Joined:
    """Open files and the index of what is good in them."""

    def __init__(
        self, db: sqlite3.Connection, profiles: ShardReader, traces: ShardReader, clips: ShardReader | None
    ) -> None:
        self._db, self._profiles, self._traces, self._clips = db, profiles, traces, clips

    def draw(self, asking: Asking) -> Iterator[Drawn]:
        """Everything that could be asked, by utterance, then the comparative clips."""
        pairs = self._db.execute(
            "SELECT m.place, t.place FROM measured m LEFT JOIN traces t ON t.name = m.name ORDER BY m.place, t.place"
        )
        for place, group in groupby(pairs, key=lambda pair: pair[0]):
            found = [record_at(self._traces, trace, ReasoningTrace) for _, trace in group if trace is not None]
            item = _without_stray(record_at(self._profiles, place, MeasuredUtterance))
            yield from draw(item, found, asking)
        if self._clips is not None:
            for place, synthetic in self._db.execute("SELECT place, synthetic FROM clips ORDER BY place"):
                yield draw_order(record_at(self._clips, place, ComparativeClip), asking, synthetic=bool(synthetic))


@contextmanager
def _joined(profiles: Path, traces: Path, clips: Path | None, label_set: LabelSet, report: Report) -> Iterator[_Joined]:
    with ExitStack() as stack:
        db = stack.enter_context(_index())
        first, second = stack.enter_context(ShardReader(profiles)), stack.enter_context(ShardReader(traces))
        third = None if clips is None else stack.enter_context(ShardReader(clips))
        for _ in _index_measured(db, first, report, check_stress=True):
            pass
        _index_traces(db, second, label_set, report)
        if third is not None:
            _index_clips(db, third, report)
        yield _Joined(db, first, second, third)


@contextmanager
def _index() -> Iterator[sqlite3.Connection]:
    with temporary_database() as db:
        db.executescript(_TABLES)
        yield db


def _index_measured(
    db: sqlite3.Connection, lines: ShardReader, report: Report, *, check_stress: bool
) -> Iterator[MeasuredUtterance]:
    """Remember where each good measurement stands, and yield it."""
    for where, place, item in good(lines, MeasuredUtterance, report):
        utterance = item.utterance
        row = (place, utterance.utterance_id, where, utterance.synthetic)
        if not db.execute("INSERT OR IGNORE INTO measured VALUES (?, ?, ?, ?)", row).rowcount:
            earlier = db.execute("SELECT stands FROM measured WHERE name = ?", (utterance.utterance_id,)).fetchone()
            report(_failure(where, f"utterance {utterance.utterance_id!r} stands in {earlier[0]} already", "read"))
            continue
        stray = stray_stress(utterance.transcript, heard_stress(item))
        if stray is not None and check_stress:
            why = f"stressed word {stray!r} is not in its transcript; it gives no example about stress"
            report(_failure(where, f"utterance {utterance.utterance_id!r}: {why}"))
        yield item


def _index_traces(db: sqlite3.Connection, lines: ShardReader, label_set: LabelSet, report: Report) -> None:
    for where, place, trace in good(lines, ReasoningTrace, report):
        if _is_measured(db, trace.utterance_id) is None:
            report(_failure(where, f"trace of {trace.utterance_id!r}: no measured utterance has this id"))
        elif trace.answer not in label_set.labels:
            label = (
                f"{trace.answer.value!r} is no label of {label_set.name}: name the label set that it was written for"
            )
            report(_failure(where, f"trace of {trace.utterance_id!r}: {label}"))
        else:
            db.execute("INSERT INTO traces VALUES (?, ?)", (trace.utterance_id, place))


def _index_clips(db: sqlite3.Connection, lines: ShardReader, report: Report) -> None:
    for where, place, clip in good(lines, ComparativeClip, report):
        synthetic = _is_measured(db, clip.utterance_id)
        row = (place, clip.clip_id, synthetic)
        if synthetic is None:
            message = f"clip {clip.clip_id!r}: no measured utterance has the id {clip.utterance_id!r}"
            report(_failure(where, message))
        elif not db.execute("INSERT OR IGNORE INTO clips VALUES (?, ?, ?)", row).rowcount:
            report(_failure(where, f"clip {clip.clip_id!r} stands in the file twice"))


def _is_measured(db: sqlite3.Connection, name: str) -> bool | None:
    """Whether the utterance of this id is synthetic; `None` when none is measured."""
    row = db.execute("SELECT synthetic FROM measured WHERE name = ?", (name,)).fetchone()
    return None if row is None else bool(row[0])


def _failure(where: str, message: str, stage: str = "tasks") -> FailedItem:
    return FailedItem(where, stage, TaskError.__name__, message)


def _without_stray(item: MeasuredUtterance) -> MeasuredUtterance:
    """Without stressed words where one of them is not in the transcript."""
    if stray_stress(item.utterance.transcript, heard_stress(item)) is None:
        return item
    return replace(
        item,
        utterance=replace(item.utterance, stressed_words=None),
        profile=replace(item.profile, stressed_words=None),
    )
