"""Files of any size, a record at a time: what cannot be used is reported with its place, and the rest is done."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from speech_records.errors import RecordFileError, SpeechRecordsError
from speech_records.failures import FailedItem, Report
from speech_records.jsonio import from_json
from speech_records.records import MeasuredUtterance
from speech_records.shards import ShardReader

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RecordT = TypeVar("RecordT", bound="DataclassInstance")

_CACHE_KIB = 2048
_ID = re.compile(rb'"utterance_id": ?"([^"\\]+)"')


def records(path: Path, cls: type[RecordT], report: Report) -> Iterator[RecordT]:
    """The good records of a JSON Lines file or of its shards. Raises `RecordFileError` when there is no such file."""
    for _, record in good_lines(path, cls, report):
        yield record


def good_lines(path: Path, cls: type[RecordT], report: Report) -> Iterator[tuple[str, RecordT]]:
    """As `records`, each with its location (`file:line`)."""
    with ShardReader(path) as lines:
        for where, _, record in good(lines, cls, report):
            yield where, record


def good(lines: ShardReader, cls: type[RecordT], report: Report) -> Iterator[tuple[str, int, RecordT]]:
    """As `good_lines`, each with the place from which `record_at` reads it again."""
    for where, place, raw in lines:
        record = parse_line(cls, where, raw, report)
        if record is not None:
            yield where, place, record


def record_at(lines: ShardReader, place: int, cls: type[RecordT]) -> RecordT:
    """The record at a place that `good` gave."""
    return from_json(cls, lines.at(place).decode())


class MeasuredIndex:
    """The measured utterances of a file or of its shards, found by id or by audio path without being held."""

    def __init__(self, db: sqlite3.Connection, lines: ShardReader) -> None:
        self._db, self._lines = db, lines

    def by_id(self, name: str) -> MeasuredUtterance | None:
        """The utterance of this id, or `None`."""
        return self._found("SELECT place FROM measured WHERE name = ?", name)

    def by_audio(self, path: str) -> MeasuredUtterance | None:
        """The first utterance with this `audio_path`, or `None`; also where several are parts of that file.

        Turns of a conversation share its path, and nothing says which of them a path means.
        """
        audio = os.fsencode(path)
        found = self._found("SELECT place FROM measured WHERE audio = ? ORDER BY place LIMIT 1", audio)
        if found is None or not found.utterance.is_segment:
            return found
        (count,) = self._db.execute("SELECT count(*) FROM measured WHERE audio = ?", (audio,)).fetchone()
        return found if count == 1 else None

    def __iter__(self) -> Iterator[MeasuredUtterance]:
        for (place,) in self._db.execute("SELECT place FROM measured ORDER BY place"):
            yield record_at(self._lines, place, MeasuredUtterance)

    def _found(self, query: str, key: str | bytes) -> MeasuredUtterance | None:
        row = self._db.execute(query, (key,)).fetchone()
        return None if row is None else record_at(self._lines, row[0], MeasuredUtterance)


@contextmanager
def measured_index(path: Path, report: Report) -> Iterator[MeasuredIndex]:
    """Index the measurements at `path` in a temporary file; of one that stands there twice the first."""
    with temporary_database() as db, ShardReader(path) as lines:
        db.execute("CREATE TABLE measured (place INTEGER PRIMARY KEY, name TEXT UNIQUE, audio BLOB)")
        for where, place, item in good(lines, MeasuredUtterance, report):
            utterance = item.utterance
            row = (place, utterance.utterance_id, os.fsencode(utterance.audio_path))
            if not db.execute("INSERT OR IGNORE INTO measured VALUES (?, ?, ?)", row).rowcount:
                message = f"utterance {utterance.utterance_id!r} stands twice in {path.name}"
                report(FailedItem(where, "read", RecordFileError.__name__, message))
        db.execute("CREATE INDEX by_audio ON measured (audio)")
        yield MeasuredIndex(db, lines)


@contextmanager
def temporary_database() -> Iterator[sqlite3.Connection]:
    """An SQLite file that is gone afterwards, with a small cache: what it holds does not count as memory."""
    with (
        TemporaryDirectory(prefix="records-") as folder,
        closing(sqlite3.connect(Path(folder) / "index.sqlite", isolation_level=None)) as db,
    ):
        db.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{_CACHE_KIB}")
        yield db


def parse_line(cls: type[RecordT], where: str, raw: bytes, report: Report) -> RecordT | None:
    """The record that one line holds; `None`, reported with its place, when it holds none."""
    try:
        return from_json(cls, raw.decode())
    except (SpeechRecordsError, UnicodeDecodeError) as error:
        report(FailedItem(where, "read", type(error).__name__, _with_id(str(error), raw)))
        return None


def _with_id(message: str, raw: bytes) -> str:
    """`message` with the utterance that a line is about, as far as one can be read there."""
    found = _ID.search(raw)
    name = "" if found is None else found.group(1).decode(errors="replace")
    return message if name in message else f"{name}: {message}"
