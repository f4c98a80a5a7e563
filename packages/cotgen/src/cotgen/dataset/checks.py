"""What a data set is checked for row by row, and what its card says of it: counts, speakers, near-duplicates.

Everything lies in SQLite tables of the connection that is given, so that it can be kept with a build's state, and
memory does not grow with the rows.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from cotgen.dataset import card
from cotgen.dataset.duplicates import THRESHOLD, DuplicateIndex
from speech_records import MeasuredUtterance, ReasoningTrace

MAX_NAMED = 20
"""Speakers who are in several splits that a card names."""
_TABLES = """
CREATE TABLE IF NOT EXISTS speakers (corpus, speaker, split, PRIMARY KEY (corpus, speaker, split)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS duplicates (record TEXT, kind TEXT, across INTEGER);
"""


class RowChecks:
    """The checks of one data set. `tally` counts the rows that this object has seen."""

    def __init__(self, db: sqlite3.Connection) -> None:
        for statement in filter(str.strip, _TABLES.split(";")):
            db.execute(statement)  # not as a script, which would end the caller's transaction
        self._db, self._texts = db, DuplicateIndex(db)
        self.tally: card.Tally = card.Tally()

    def learn_unlabelled(self, measured: MeasuredUtterance) -> None:
        """Count an utterance without a label and remember its speaker."""
        self.tally["unlabelled", measured.utterance.split or card.NO_SPLIT] += 1
        self._remember(measured)

    def learn(self, measured: MeasuredUtterance, trace: ReasoningTrace) -> None:
        """Count a row, remember its speaker, and compare its texts with the earlier ones."""
        utterance, split = measured.utterance, measured.utterance.split or card.NO_SPLIT
        self.tally.update(card.count(measured, trace))
        self._remember(measured)
        for kind, text in (("reasoning", trace.think), ("transcript", utterance.transcript or "")):
            found = self._texts.add(kind, text, name=utterance.utterance_id, split=split)
            if found is not None:
                row = (json.dumps(asdict(found), ensure_ascii=False), kind, found.split != found.first_split)
                self._db.execute("INSERT INTO duplicates VALUES (?, ?, ?)", row)

    def _remember(self, measured: MeasuredUtterance) -> None:
        of = measured.utterance
        if of.split is not None:
            self._db.execute("INSERT OR IGNORE INTO speakers VALUES (?, ?, ?)", (of.corpus, of.speaker_id, of.split))

    def duplicates(self) -> Iterator[str]:
        """Every near-duplicate as one line of JSON without its end, in the order of the rows."""
        for (record,) in self._db.execute("SELECT record FROM duplicates ORDER BY rowid"):
            yield record

    def found(self) -> dict[str, Any]:
        """What a card says of speakers and near-duplicates."""
        query = "SELECT kind, COUNT(*), SUM(across) FROM duplicates GROUP BY kind"
        repeats = {kind: {"rows": rows, "across_splits": across} for kind, rows, across in self._db.execute(query)}
        return {"speakers": self._speakers(), "near_duplicates": {"threshold": THRESHOLD, **repeats}}

    def _speakers(self) -> dict[str, Any]:
        """Speakers by split, and those who are in more than one: their number, and the first by name."""
        counts = dict(self._db.execute("SELECT split, COUNT(*) FROM speakers GROUP BY split").fetchall())
        query = (
            "SELECT corpus, speaker, group_concat(split, ', ') FROM speakers GROUP BY corpus, speaker"
            " HAVING COUNT(*) > 1"
        )
        shared, named = 0, list[str]()
        for corpus, speaker, splits in self._db.execute(query):
            shared += 1
            if len(named) < MAX_NAMED:
                named.append(f"{corpus} {speaker}: {splits}")
        return {"by_split": counts, "disjoint": not shared, "in_several_splits": shared, "first_of_them": named}
