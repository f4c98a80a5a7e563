"""What gives reasoning, seen from a build: `Generator`; the rules, and a file of traces, as two of them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cotgen.errors import CotgenError, GenerationError
from cotgen.rules import Style, generate
from speech_records import LabelSet, MeasuredUtterance, ReasoningTrace, SpeechRecordsError, file_sha256, from_json
from speech_records.shards import ShardReader
from speech_records.streams import temporary_database


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one utterance: its trace, or the error that says why there is none.

    `counts` go into the data card: what happened on the way, by name, in whole numbers.
    """

    measured: MeasuredUtterance
    result: ReasoningTrace | CotgenError | SpeechRecordsError
    counts: Mapping[str, int] = field(default_factory=Counter)


class Generator(Protocol):
    """Writes one trace for each utterance, or says why not."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that decides what is written: for the card, and so that no generator continues another one's build."""
        ...

    def generate(self, utterances: Iterable[MeasuredUtterance]) -> Iterator[Outcome]:
        """One outcome for each utterance, in their order.

        May read some utterances ahead, but a number that does not grow with how many there are, and reads them in the
        thread that asks for the outcomes. An error that it raises ends the build, which can be continued later.
        """
        ...


class RuleGenerator:
    """The rules of `cotgen.rules`: offline, and always the same for the same seed and style."""

    def __init__(self, label_set: LabelSet, *, seed: int, style: Style = Style.PLAIN) -> None:
        self._label_set, self._seed, self._style = label_set, seed, style

    @property
    def identity(self) -> Mapping[str, Any]:
        """The style that was asked for; the card counts which rules wrote how many rows."""
        return {"name": "rules", "style": self._style}

    def generate(self, utterances: Iterable[MeasuredUtterance]) -> Iterator[Outcome]:
        """One after the other."""
        for measured in utterances:
            try:
                result: ReasoningTrace | CotgenError | SpeechRecordsError = generate(
                    measured, label_set=self._label_set, seed=self._seed, style=self._style
                )
            except (CotgenError, SpeechRecordsError) as error:
                result = error
            yield Outcome(measured, result)


class StoredTraces:
    """Traces that somebody wrote before, such as those that `cotgen screen` admitted, found by utterance id."""

    def __init__(self, lines: ShardReader, db: sqlite3.Connection, label_set: LabelSet) -> None:
        self._lines, self._db, self._label_set = lines, db, label_set

    @property
    def identity(self) -> Mapping[str, Any]:
        """The content of the files."""
        return {"name": "traces", "sha256": [file_sha256(path) for path in self._lines.paths]}

    def generate(self, utterances: Iterable[MeasuredUtterance]) -> Iterator[Outcome]:
        """The first trace of each utterance, in their order."""
        for measured in utterances:
            try:
                yield Outcome(measured, self._trace(measured.utterance.utterance_id))
            except (CotgenError, SpeechRecordsError) as error:
                yield Outcome(measured, error)

    def _trace(self, name: str) -> ReasoningTrace:
        found = self._db.execute("SELECT place FROM traces WHERE name = ?", (name,)).fetchone()
        if found is None:
            raise GenerationError(f"utterance {name!r} has no trace in {self._lines.paths[0].name}")
        trace = from_json(ReasoningTrace, self._lines.at(found[0]).decode())
        if trace.answer not in self._label_set.labels:
            raise GenerationError(f"trace of {name!r}: {trace.answer.value!r} is not a label of {self._label_set.name}")
        return trace


@contextmanager
def stored_traces(path: Path, label_set: LabelSet) -> Iterator[StoredTraces]:
    """The traces of a file or of its shards, indexed on disk. Raises `GenerationError` at a broken line."""
    with ShardReader(path) as lines, temporary_database() as db:
        db.execute("CREATE TABLE traces (name TEXT PRIMARY KEY, place INTEGER) WITHOUT ROWID")
        for where, place, raw in lines:
            try:
                name = from_json(ReasoningTrace, raw.decode()).utterance_id
            except (SpeechRecordsError, UnicodeDecodeError) as error:
                raise GenerationError(f"{path.parent / where}: {error}") from error
            db.execute("INSERT OR IGNORE INTO traces VALUES (?, ?)", (name, place))
        yield StoredTraces(lines, db, label_set)
