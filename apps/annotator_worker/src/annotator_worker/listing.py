"""From a corpus on disk to the spec of an annotation and the utterances that it covers."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Final

import speech_corpora
from annotator_worker.errors import UnusableInputError
from annotator_worker.records import PLAIN, RULES, Dropped, JobSpec, MeasureConfig, Versions
from cotgen.reasoning import ReasoningConfig
from speech_corpora import manifest
from speech_corpora.listing import Entry
from speech_records import FailedItem, LabelSet, Utterance, emotion_question
from speech_records.streams import temporary_database

_CACHE_KIB: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Listing:
    """What is to be annotated: utterances sorted by id, their audio root, and what the corpus loader rejected."""

    spec: JobSpec
    root: Path
    utterances: tuple[Utterance, ...]
    rejected: tuple[FailedItem, ...]


@dataclass(frozen=True, slots=True)
class CorpusRequest:
    """What is asked for of a corpus below `root`; the fields are those of `JobSpec`.

    The first `limit` utterances (default: all) are taken, in the corpus's own order; `language` is that of utterances
    that do not say theirs.
    """

    corpus: str
    root: Path
    seed: int = 0
    comparative: int = 0
    limit: int | None = None
    question: str | None = None
    language: str | None = None
    measuring: MeasureConfig = PLAIN
    reasoning: ReasoningConfig = RULES

    @property
    def audio_root(self) -> Path:
        """The folder that audio paths are relative to."""
        return (self.root.parent if self.root.is_file() else self.root).resolve()

    def take(self, utterance: Utterance) -> Utterance:
        """The utterance as it is annotated."""
        return utterance if utterance.language else replace(utterance, language=self.language)

    def spec(self, label_set: LabelSet, dropped: Iterable[tuple[str, int]], *, in_place: bool = False) -> JobSpec:
        """The spec, now that the corpus was read."""
        return JobSpec(
            corpus=self.corpus,
            audio_root=self.audio_root.as_posix(),
            label_set=label_set.name,
            question=self.question or emotion_question(label_set),
            seed=self.seed,
            comparative=self.comparative,
            limit=self.limit,
            versions=Versions.installed(),
            language=self.language,
            measuring=self.measuring,
            reasoning=self.reasoning,
            dropped=tuple(Dropped(reason, count) for reason, count in dropped),
            in_place=in_place,
        )


def list_corpus(asked: CorpusRequest) -> Listing:
    """The whole corpus.

    Raises `UnusableInputError` when the corpus is unknown, its root is missing or nothing in it is usable.
    """
    with _corpus_errors():
        found = speech_corpora.load(asked.corpus, asked.root)
        label_set = speech_corpora.label_set(asked.corpus, found.utterances)
    chosen = sorted(map(asked.take, found.utterances[: asked.limit]), key=lambda u: u.utterance_id)
    return Listing(asked.spec(label_set, found.dropped), asked.audio_root, tuple(chosen), tuple(found.rejected))


class Reading:
    """A corpus while it is read, one utterance after the other, a manifest in memory that does not grow with it.

    Once it is read, `spec` says what was asked for, and `rejected` has been called with what was wrong.
    """

    def __init__(self, asked: CorpusRequest, rejected: Callable[[FailedItem], None]) -> None:
        self.asked = asked
        self._rejected = rejected
        self._sources: dict[str, Utterance] = {}
        self._dropped: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Utterance]:
        taken = 0
        with _corpus_errors():
            for utterance in self._stream() if self.asked.corpus == "manifest" else self._whole():
                self._sources.setdefault(utterance.corpus, utterance)
                if self.asked.limit is None or taken < self.asked.limit:
                    taken += 1
                    yield self.asked.take(utterance)
        if not taken:
            raise UnusableInputError(f"no usable utterance under {self.asked.root}")

    def spec(self, *, in_place: bool) -> JobSpec:
        """What was asked for."""
        with _corpus_errors():
            label_set = speech_corpora.label_set(self.asked.corpus, self._sources.values())
        return self.asked.spec(label_set, sorted(self._dropped.items()), in_place=in_place)

    def _stream(self) -> Iterator[Utterance]:
        with temporary_database() as db:
            for found in manifest.stream(self.asked.root, _SeenOnDisk(db)):
                if isinstance(found, Utterance):
                    yield found
                elif isinstance(found, FailedItem):
                    self._rejected(found)
                else:
                    self._dropped[str(found)] += 1

    def _whole(self) -> Iterator[Utterance]:
        listed = speech_corpora.load(self.asked.corpus, self.asked.root)
        for item in listed.rejected:
            self._rejected(item)
        self._dropped.update(dict(listed.dropped))
        yield from listed.utterances


class _SeenOnDisk:
    """Which entry gave each utterance id first, in a database: by 64 bits of a hash, of which two of a million ids
    are the same once in forty million manifests.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        db.execute("CREATE TABLE seen (id INTEGER PRIMARY KEY, place TEXT)")
        db.execute("BEGIN")
        self._db = db

    def setdefault(self, name: str, entry: Entry) -> Entry:
        """See `FirstSeen`."""
        key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True)
        if self._db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, entry.where)).rowcount:
            return entry
        (where,) = self._db.execute("SELECT place FROM seen WHERE id = ?", (key,)).fetchone()
        return Entry.rejected(where, "given before")


@contextmanager
def _corpus_errors() -> Iterator[None]:
    try:
        yield
    except speech_corpora.CorpusError as error:
        raise UnusableInputError(str(error)) from error
