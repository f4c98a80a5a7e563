"""Reading a data set: its description, and its records as streams that hold one at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cotgen.errors import DataSetError
from cotgen.tasks.records import ComparativeClip, SFTExample, Task
from speech_records import (
    LABEL_SETS,
    FailedItem,
    LabelSet,
    MeasuredUtterance,
    ReasoningTrace,
    SpeechRecordsError,
    file_sha256,
    from_json,
)
from speech_records.shards import ShardReader, shard_paths

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RecordT = TypeVar("RecordT", bound="DataclassInstance")

SCHEMA_VERSION = "2.0"
DESCRIPTION, SCALE, CLIPS = "dataset.json", "scale.json", "clips.jsonl"
UNLABELLED = "unlabelled"
"""What the utterances without a label are called: the name of their file, and of their number by split."""
_FIELDS = ("audio_root", "corpus", "counts", "files", "label_set", "measuring", "question", "synthetic")
_AGAIN = "write it again with `annotator run` or `cotgen build`"


@dataclass(frozen=True, slots=True)
class DataSet:
    """A complete data set in `folder`; `description` is its `dataset.json`. `open` reads it.

    Every method that gives records reads them from the files as they are asked for, and raises `DataSetError` naming
    file and line where one is broken.
    """

    folder: Path
    description: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path, *, check_files: bool = True) -> DataSet:
        """The data set in `folder`, with the SHA-256 of every file checked unless `check_files` is false.

        Raises `DataSetError` in one line when there is none, it is of another major schema version, or a file is
        missing or was changed.
        """
        path = Path(folder) / DESCRIPTION
        try:
            description = json.loads(path.read_text(encoding="utf-8"))
            version = str(description["schema_version"])
        except OSError as error:
            raise DataSetError(f"{folder} is not a data set: {DESCRIPTION} is missing; {_AGAIN}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise DataSetError(f"{path} is not valid: {error!r}; {_AGAIN}") from error
        if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
            raise DataSetError(f"{path} has schema version {version}, this release reads {SCHEMA_VERSION}: {_AGAIN}")
        found = cls(Path(folder), description)
        if problem := found._problem(check_files=check_files):
            raise DataSetError(f"{folder}: {problem}; {_AGAIN}")
        return found

    @classmethod
    def finished(cls, folder: Path, inputs: str) -> DataSet | None:
        """The data set in `folder` if it is complete and of these `inputs`, the hash of all that decides its bytes."""
        try:
            found = cls.open(folder)
        except DataSetError:
            return None
        return found if found.description.get("inputs") == inputs else None

    @property
    def corpus(self) -> str:
        """The name of the corpus, or of several."""
        return str(self.description["corpus"])

    @property
    def audio_root(self) -> Path | None:
        """The folder that audio paths are relative to, if it is known; those of comparative clips are in `folder`."""
        root = self.description["audio_root"]
        return None if root is None else Path(root)

    @property
    def label_set(self) -> LabelSet:
        """The labels that traces answer with."""
        return LABEL_SETS[self.description["label_set"]]

    @property
    def question(self) -> str:
        """What reasoning examples ask."""
        return str(self.description["question"])

    @property
    def files(self) -> Mapping[str, str]:
        """The SHA-256 of every file but `dataset.json`, by its path in the folder."""
        files: Mapping[str, str] = self.description["files"]
        return files

    @property
    def scale(self) -> Path:
        """The file of the level scale. Raises `DataSetError` when the data set has none."""
        if SCALE not in self.files:
            raise DataSetError(f"{self.folder} has no {SCALE}: build it with `--scale FILE`")
        return self.folder / SCALE

    def rows(self, split: str | None = None) -> Iterator[tuple[MeasuredUtterance, ReasoningTrace]]:
        """The rows, of one split or of all: an utterance with its measurements, and the reasoning about it."""
        with ShardReader(self.folder / "traces.jsonl") as traces, ShardReader(self.folder / "measured.jsonl") as clips:
            for (where, _, raw), (place, _, line) in zip(traces, clips, strict=True):
                measured = self._record(MeasuredUtterance, place, line) if _names(split, line) else None
                if measured is not None and (split is None or measured.utterance.split == split):
                    yield measured, self._record(ReasoningTrace, where, raw)

    def measured(self, split: str | None = None) -> Iterator[MeasuredUtterance]:
        """The measured utterances of the rows."""
        found = self._records("measured", MeasuredUtterance, naming=split)
        return (m for m in found if split is None or m.utterance.split == split)

    def unlabelled(self, split: str | None = None) -> Iterator[MeasuredUtterance]:
        """The measured utterances without a label: their attributes and stress are asked, nobody reasons about them."""
        found = self._records(UNLABELLED, MeasuredUtterance, naming=split)
        return (m for m in found if split is None or m.utterance.split == split)

    def examples(self, split: str | None = None, *, task: Task | None = None) -> Iterator[SFTExample]:
        """The training examples, of one split and task or of all."""
        found = self._records("sft", SFTExample, naming=split if task is None else task.value)
        return (e for e in found if (split is None or e.split == split) and (task is None or e.task is task))

    def clips(self) -> Iterator[ComparativeClip]:
        """The comparative clips; their paths are relative to the folder."""
        return self._records(Path(CLIPS).stem, ComparativeClip)

    def failed(self) -> Iterator[FailedItem]:
        """What was left out, at whatever stage."""
        return self._records("errors", FailedItem)

    def card(self) -> Mapping[str, Any]:
        """The data card."""
        card: Mapping[str, Any] = json.loads((self.folder / "card.json").read_text(encoding="utf-8"))
        return card

    def split_error(self, split: str) -> DataSetError:
        """The error for a split without any row, which names the splits that there are."""
        counts = self.description["counts"]["splits"]
        there = ", ".join(f"{name} ({count} rows)" for name, count in counts.items()) or "none at all"
        return DataSetError(
            f"{self.folder} has no row in split {split!r}; its splits are: {there}. Make folds with `speech-corpora"
            f" manifest {self.corpus} ROOT -o ROOT/manifest.jsonl --fold 1/5` and annotate again with"
            " `--corpus manifest`"
        )

    def _records(self, stem: str, cls: type[RecordT], *, naming: str | None = None) -> Iterator[RecordT]:
        """The records of a file; with `naming` only those that hold this text, which is quicker than to parse them."""
        path = self.folder / f"{stem}.jsonl"
        if not shard_paths(path):
            return
        with ShardReader(path) as lines:
            for where, _, raw in lines:
                if _names(naming, raw):
                    yield self._record(cls, where, raw)

    def _record(self, cls: type[RecordT], where: str, raw: bytes) -> RecordT:
        try:
            return from_json(cls, raw.decode())
        except (SpeechRecordsError, UnicodeDecodeError) as error:
            raise DataSetError(f"{self.folder / where}: {error}") from error

    def _problem(self, *, check_files: bool) -> str | None:
        """The first thing that is wrong with the description or, where asked for, with a file."""
        if lacking := [name for name in _FIELDS if name not in self.description]:
            return f"{DESCRIPTION} lacks {', '.join(lacking)}"
        if self.description["label_set"] not in LABEL_SETS:
            return f"unknown label set {self.description['label_set']!r}"
        for name, sha256 in self.files.items():
            path = self.folder / name
            if not path.is_file():
                return f"{name} is missing"
            if check_files and file_sha256(path) != sha256:
                return f"{name} differs from the SHA-256 that {DESCRIPTION} names"
        return None


def _names(text: str | None, line: bytes) -> bool:
    """Whether a line of JSON may hold `text` as a value; without a text, or one beyond ASCII, any may."""
    return text is None or not text.isascii() or json.dumps(text).encode() in line
