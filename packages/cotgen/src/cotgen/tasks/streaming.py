"""Examples from files of any size: measurements and traces are joined through an index on disk.

The index is an SQLite file in a temporary folder, some hundred bytes a line, which knows where each record stands;
records are read again one by one as they are needed. So the files may be in any order, and memory does not grow with
them. What cannot be used is reported with its line, and the rest is done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from cotgen.batch import Failure
from cotgen.errors import CotgenError, TaskError
from cotgen.tasks.balancing import Selection, count, quotas
from cotgen.tasks.examples import Asking, Drawn, draw, draw_order, heard_stress, stray_stress
from cotgen.tasks.records import ComparativeClip, SFTExample
from speech_records import LabelSet, MeasuredUtterance, ReasoningTrace, SpeechRecordsError, from_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RecordT = TypeVar("RecordT", bound="DataclassInstance")
Report = Callable[[Failure], None]
"""Called with each record that is left out."""

_CACHE_KIB = 2048
_TABLES = f"""
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{_CACHE_KIB};
CREATE TABLE measured (place INTEGER PRIMARY KEY, name TEXT UNIQUE, line INTEGER, synthetic INTEGER);
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
    with _index() as db:
        for item in _index_measured(db, profiles, report, check_stress=check_stress):
            yield _without_stray(item)


class _Joined:
    """Open files and the index of what is good in them."""

    def __init__(self, db: sqlite3.Connection, profiles: BinaryIO, traces: BinaryIO, clips: BinaryIO | None) -> None:
        self._db, self._profiles, self._traces, self._clips = db, profiles, traces, clips

    def draw(self, asking: Asking) -> Iterator[Drawn]:
        """Everything that could be asked, by utterance, then the comparative clips."""
        pairs = self._db.execute(
            "SELECT m.place, t.place FROM measured m LEFT JOIN traces t ON t.name = m.name ORDER BY m.place, t.place"
        )
        for place, group in groupby(pairs, key=lambda pair: pair[0]):
            found = [_at(self._traces, trace, ReasoningTrace) for _, trace in group if trace is not None]
            item = _without_stray(_at(self._profiles, place, MeasuredUtterance))
            yield from draw(item, found, asking)
        if self._clips is not None:
            for place, synthetic in self._db.execute("SELECT place, synthetic FROM clips ORDER BY place"):
                yield draw_order(_at(self._clips, place, ComparativeClip), asking, synthetic=bool(synthetic))


@contextmanager
def _joined(profiles: Path, traces: Path, clips: Path | None, label_set: LabelSet, report: Report) -> Iterator[_Joined]:
    with _index() as db, _open(profiles) as first, _open(traces) as second:
        for _ in _index_measured(db, profiles, report, check_stress=True):
            pass
        _index_traces(db, traces, label_set, report)
        if clips is None:
            yield _Joined(db, first, second, None)
            return
        with _open(clips) as third:
            _index_clips(db, clips, report)
            yield _Joined(db, first, second, third)


@contextmanager
def _index() -> Iterator[sqlite3.Connection]:
    with (
        TemporaryDirectory(prefix="cotgen-") as folder,
        closing(sqlite3.connect(Path(folder) / "index.sqlite", isolation_level=None)) as db,
    ):
        db.executescript(_TABLES)
        yield db


def _index_measured(
    db: sqlite3.Connection, path: Path, report: Report, *, check_stress: bool
) -> Iterator[MeasuredUtterance]:
    """Remember where each good measurement stands, and yield it."""
    for line, place, item in good_lines(path, MeasuredUtterance, report):
        utterance = item.utterance
        row = (place, utterance.utterance_id, line, utterance.synthetic)
        if not db.execute("INSERT OR IGNORE INTO measured VALUES (?, ?, ?, ?)", row).rowcount:
            earlier = db.execute("SELECT line FROM measured WHERE name = ?", (utterance.utterance_id,)).fetchone()
            message = f"utterance {utterance.utterance_id!r} stands in line {earlier[0]} already"
            report(Failure(f"{path.name}:{line}", "read", TaskError.__name__, message))
            continue
        stray = stray_stress(utterance.transcript, heard_stress(item))
        if stray is not None and check_stress:
            message = (
                f"utterance {utterance.utterance_id!r}: stressed word {stray!r} is not in its transcript; "
                "it gives no example about stress"
            )
            report(Failure(f"{path.name}:{line}", "tasks", TaskError.__name__, message))
        yield item


def _index_traces(db: sqlite3.Connection, path: Path, label_set: LabelSet, report: Report) -> None:
    for line, place, trace in good_lines(path, ReasoningTrace, report):
        if _is_measured(db, trace.utterance_id) is None:
            message = f"trace of {trace.utterance_id!r}: no measured utterance has this id"
        elif trace.answer not in label_set.labels:
            message = f"trace of {trace.utterance_id!r}: {trace.answer.value!r} is no label of {label_set.name}"
        else:
            db.execute("INSERT INTO traces VALUES (?, ?)", (trace.utterance_id, place))
            continue
        report(Failure(f"{path.name}:{line}", "tasks", TaskError.__name__, message))


def _index_clips(db: sqlite3.Connection, path: Path, report: Report) -> None:
    for line, place, clip in good_lines(path, ComparativeClip, report):
        synthetic = _is_measured(db, clip.utterance_id)
        row = (place, clip.clip_id, synthetic)
        if synthetic is None:
            message = f"clip {clip.clip_id!r}: no measured utterance has the id {clip.utterance_id!r}"
        elif not db.execute("INSERT OR IGNORE INTO clips VALUES (?, ?, ?)", row).rowcount:
            message = f"clip {clip.clip_id!r} stands in the file twice"
        else:
            continue
        report(Failure(f"{path.name}:{line}", "tasks", TaskError.__name__, message))


def _is_measured(db: sqlite3.Connection, name: str) -> bool | None:
    """Whether the utterance of this id is synthetic; `None` when none is measured."""
    row = db.execute("SELECT synthetic FROM measured WHERE name = ?", (name,)).fetchone()
    return None if row is None else bool(row[0])


def good_lines(path: Path, cls: type[RecordT], report: Report) -> Iterator[tuple[int, int, RecordT]]:
    """Line number, byte offset and record of every line that can be read; the others are reported."""
    with _open(path) as file:
        place = 0
        for line, raw in enumerate(file, start=1):
            if raw.strip():
                try:
                    yield line, place, from_json(cls, raw.decode(), line=line)
                except (SpeechRecordsError, UnicodeDecodeError) as error:
                    report(Failure(f"{path.name}:{line}", "read", type(error).__name__, str(error)))
            place += len(raw)


def _without_stray(item: MeasuredUtterance) -> MeasuredUtterance:
    """Without stressed words where one of them is not in the transcript."""
    if stray_stress(item.utterance.transcript, heard_stress(item)) is None:
        return item
    return replace(
        item,
        utterance=replace(item.utterance, stressed_words=None),
        profile=replace(item.profile, stressed_words=None),
    )


def _at(file: BinaryIO, place: int, cls: type[RecordT]) -> RecordT:
    file.seek(place)
    return from_json(cls, file.readline().decode())


def _open(path: Path) -> BinaryIO:
    if not path.is_file():
        raise CotgenError(f"{path} does not exist")
    return path.open("rb")
