"""Files of any size, a record at a time: what cannot be used is reported with its place, and the rest is done."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from cotgen.corpora import emotioncot
from cotgen.errors import CotgenError
from cotgen.quoting import words
from cotgen.shards import Lines
from speech_records import MeasuredUtterance, ReasoningTrace, SpeechRecordsError, Utterance, from_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RecordT = TypeVar("RecordT", bound="DataclassInstance")

_CACHE_KIB = 2048


@dataclass(frozen=True, slots=True)
class Failure:
    """One record that was left out: where it stands, at which stage, the error's name and its message."""

    where: str
    stage: str
    error: str
    message: str


Report = Callable[[Failure], None]
"""Called with each record that is left out."""


def records(path: Path, cls: type[RecordT], report: Report) -> Iterator[RecordT]:
    """The good records of a JSON Lines file or of its shards. Raises `CotgenError` when there is no such file."""
    for _, record in good_lines(path, cls, report):
        yield record


def good_lines(path: Path, cls: type[RecordT], report: Report) -> Iterator[tuple[str, RecordT]]:
    """As `records`, each with where it stands (`file:line`)."""
    with Lines(path) as lines:
        for where, _, record in good(lines, cls, report):
            yield where, record


def good(lines: Lines, cls: type[RecordT], report: Report) -> Iterator[tuple[str, int, RecordT]]:
    """As `good_lines`, each with the place from which `record_at` reads it again."""
    for where, place, raw in lines:
        record = _read(cls, where, raw, report)
        if record is not None:
            yield where, place, record


def record_at(lines: Lines, place: int, cls: type[RecordT]) -> RecordT:
    """The record at a place that `good` gave."""
    return from_json(cls, lines.at(place).decode())


class MeasuredIndex:
    """The measured utterances of a file or of its shards, found by id or by audio path without being held."""

    def __init__(self, db: sqlite3.Connection, lines: Lines) -> None:
        self._db, self._lines = db, lines

    def by_id(self, name: str) -> MeasuredUtterance | None:
        """The utterance of this id, or `None`."""
        return self._found("SELECT place FROM measured WHERE name = ?", name)

    def by_audio(self, path: str) -> MeasuredUtterance | None:
        """The first utterance with this `audio_path`, or `None`; also where several are parts of that file.

        Turns of a conversation share its path, and nothing says which of them a path means.
        """
        found = self._found("SELECT place FROM measured WHERE audio = ? ORDER BY place LIMIT 1", path)
        if found is None or not _is_part(found.utterance):
            return found
        (count,) = self._db.execute("SELECT count(*) FROM measured WHERE audio = ?", (path,)).fetchone()
        return found if count == 1 else None

    def __iter__(self) -> Iterator[MeasuredUtterance]:
        for (place,) in self._db.execute("SELECT place FROM measured ORDER BY place"):
            yield record_at(self._lines, place, MeasuredUtterance)

    def _found(self, query: str, key: str) -> MeasuredUtterance | None:
        row = self._db.execute(query, (key,)).fetchone()
        return None if row is None else record_at(self._lines, row[0], MeasuredUtterance)


def _is_part(utterance: Utterance) -> bool:
    return (utterance.start_s, utterance.end_s, utterance.channel) != (None, None, None)


@contextmanager
def measured_index(path: Path, report: Report) -> Iterator[MeasuredIndex]:
    """Index the measurements at `path` in a temporary file; of one that stands there twice the first."""
    with temporary_database() as db, Lines(path) as lines:
        db.execute("CREATE TABLE measured (place INTEGER PRIMARY KEY, name TEXT UNIQUE, audio TEXT)")
        for where, place, item in good(lines, MeasuredUtterance, report):
            utterance = item.utterance
            row = (place, utterance.utterance_id, utterance.audio_path)
            if not db.execute("INSERT OR IGNORE INTO measured VALUES (?, ?, ?)", row).rowcount:
                message = f"utterance {utterance.utterance_id!r} stands twice in {path.name}"
                report(Failure(where, "read", CotgenError.__name__, message))
        db.execute("CREATE INDEX by_audio ON measured (audio)")
        yield MeasuredIndex(db, lines)


@contextmanager
def temporary_database() -> Iterator[sqlite3.Connection]:
    """An SQLite file that is gone afterwards, with a small cache: what it holds does not count as memory."""
    with (
        TemporaryDirectory(prefix="cotgen-") as folder,
        closing(sqlite3.connect(Path(folder) / "index.sqlite", isolation_level=None)) as db,
    ):
        db.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{_CACHE_KIB}")
        yield db


def texts(path: Path, measured: MeasuredIndex, report: Report) -> Iterator[tuple[ReasoningTrace, MeasuredUtterance]]:
    """Texts to verify, each with the measurements of its clip.

    Lines are stored traces, matched by utterance id, or published EmotionCoT rows, matched by audio path; a row whose
    transcript is not that of its measurement is reported, as is a text without measurements.
    """
    with Lines(path) as lines:
        for where, _, raw in lines:
            if b'"cot_analysis"' in raw:
                found = _published(where, raw, measured, report)
            else:
                trace = _read(ReasoningTrace, where, raw, report)
                found = None if trace is None else _matched(trace, measured, report)
            if found is not None:
                yield found


def _read(cls: type[RecordT], where: str, raw: bytes, report: Report) -> RecordT | None:
    try:
        return from_json(cls, raw.decode())
    except (SpeechRecordsError, UnicodeDecodeError) as error:
        report(Failure(where, "read", type(error).__name__, str(error)))
        return None


def _matched(
    trace: ReasoningTrace, measured: MeasuredIndex, report: Report
) -> tuple[ReasoningTrace, MeasuredUtterance] | None:
    item = measured.by_id(trace.utterance_id)
    if item is None:
        report(Failure(trace.utterance_id, "verify", CotgenError.__name__, "no measured utterance has this id"))
        return None
    return trace, item


def _published(
    where: str, raw: bytes, measured: MeasuredIndex, report: Report
) -> tuple[ReasoningTrace, MeasuredUtterance] | None:
    try:
        row = emotioncot.from_line(raw, f"line {where.rpartition(':')[2]}")
    except (SpeechRecordsError, UnicodeDecodeError) as error:
        report(Failure(where, "read", type(error).__name__, str(error)))
        return None
    item = measured.by_audio(row.audio_path)
    if item is None:
        reason = "no measured utterance has this audio_path, or several are parts of that file"
    elif _differ(item.utterance.transcript, row.transcription):
        reason = f"profile of another utterance: {row.transcription!r} was measured as {item.utterance.transcript!r}"
    else:
        name = item.utterance.utterance_id
        return ReasoningTrace(name, row.cot_analysis, row.emotion, generator="emotioncot"), item
    report(Failure(row.audio_path, "verify", CotgenError.__name__, reason))
    return None


def _differ(measured: str | None, published: str) -> bool:
    return bool(measured and published) and words(measured or "") != words(published)
