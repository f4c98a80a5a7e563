"""The data set that a stage works on: `cotgen.dataset.DataSet`, and where its audio is.

Records are read from the files as they are asked for, one split at a time; nothing is held that a stage does not need.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from cotgen import DataSetError as CotgenDataSetError
from cotgen.dataset import DataSet
from cotgen.dataset.reading import DESCRIPTION
from cotgen.tasks import Phrasing, SFTExample, Task
from speech_records import (
    LabelSet,
    MeasuredUtterance,
    ReasoningTrace,
    Utterance,
    emotion_question,
    file_sha256,
    label_question,
)
from trainer.errors import DataSetError

TRAIN, VALIDATION, TEST = "train", "validation", "test"


@dataclass(frozen=True, slots=True)
class AudioClip:
    """The part of a file that one clip is: see `speech_records.Utterance`; `sha256` is of what the file held."""

    path: Path
    start_s: float | None = None
    end_s: float | None = None
    channel: int | None = None
    sha256: str = ""

    @property
    def part(self) -> str:
        """Which part, as text; empty for a whole file."""
        named = (self.start_s, self.end_s, self.channel)
        return "" if named == (None, None, None) else repr(named)


@dataclass(frozen=True, slots=True)
class AnnotatedCorpus:
    """An annotated data set; clips and examples whose features are `left_out` do not belong to it."""

    data: DataSet
    audio_root: Path
    scale: Path
    left_out: frozenset[str] = field(default=frozenset())

    @classmethod
    def read(cls, folder: Path) -> AnnotatedCorpus:
        """Open a data-set folder and check its files. Raises `DataSetError` naming what is missing or wrong."""
        with _clear_errors():
            data = DataSet.open(Path(folder))
            if data.audio_root is None:
                raise DataSetError(f"{folder} does not say where its audio is: build it with `--audio-root DIR`")
            return cls(data, data.audio_root, data.scale)

    @property
    def folder(self) -> Path:
        """Where the data set is."""
        return self.data.folder

    @property
    def corpus(self) -> str:
        """The name of the corpus."""
        return self.data.corpus

    @property
    def label_set(self) -> LabelSet:
        """The labels that it answers with."""
        return self.data.label_set

    @property
    def joined(self) -> bool:
        """Whether it joins data sets, each of which asks for its own labels."""
        return "parts" in self.data.description

    @property
    def synthetic(self) -> bool:
        """Whether any of its speech is synthetic."""
        return bool(self.data.description["synthetic"])

    @property
    def phrasing(self) -> Phrasing:
        """How its questions are asked."""
        return Phrasing(self.data.description.get("phrasing", Phrasing.SHORT))

    @property
    def sha256(self) -> str:
        """The hash of `dataset.json`, which vouches for the whole data set, whose hashes that file holds."""
        return file_sha256(self.folder / DESCRIPTION)

    def split(self, name: str) -> list[MeasuredUtterance]:
        """The clips of one split, in order of their ids. Raises `DataSetError` when there is none."""
        with _clear_errors():
            chosen = [m for m in self.data.measured(name) if m.utterance.utterance_id not in self.left_out]
        if not chosen:
            raise DataSetError(str(self.data.split_error(name)))
        return sorted(chosen, key=lambda m: m.utterance.utterance_id)

    def unlabelled(self, split: str) -> list[MeasuredUtterance]:
        """The clips of one split that have no label, and so no reasoning, in order of their ids."""
        with _clear_errors():
            found = [m for m in self.data.unlabelled(split) if m.utterance.utterance_id not in self.left_out]
        return sorted(found, key=lambda m: m.utterance.utterance_id)

    def has(self, split: str) -> bool:
        """Whether there are clips of a split."""
        with _clear_errors():
            return any(m.utterance.utterance_id not in self.left_out for m in self.data.measured(split))

    def traces(self, split: str) -> Iterator[ReasoningTrace]:
        """The reasoning about the clips of one split."""
        with _clear_errors():
            for measured, trace in self.data.rows(split):
                if measured.utterance.utterance_id not in self.left_out:
                    yield trace

    def examples(self, split: str) -> list[SFTExample]:
        """The examples of one split. Raises `DataSetError` when there is none."""
        with _clear_errors():
            chosen = [e for e in self.data.examples(split) if feature_key(e) not in self.left_out]
        if not chosen:
            raise DataSetError(str(self.data.split_error(split)))
        return chosen

    def questions(self, clips: Iterable[MeasuredUtterance], task: Task = Task.REASONING) -> Mapping[str, str]:
        """What `task`, of reasoning or label, asks about the emotion of each of `clips`: with the labels of the data
        set or, where several were joined, with those of its own corpus, as its examples do.
        """
        with _clear_errors():
            own = {e.utterance_id: e.question for e in self.data.examples(task=task)} if self.joined else {}
        asked = label_question(self.label_set) if task is Task.LABEL else emotion_question(self.label_set)
        return {name: own.get(name, asked) for name in (m.utterance.utterance_id for m in clips)}

    def utterance(self, name: str) -> Utterance:
        """The utterance of this id, which must be in the data set."""
        with _clear_errors():
            return next(m.utterance for m in self.data.measured() if m.utterance.utterance_id == name)

    def audio_clip(self, utterance: Utterance) -> AudioClip:
        """Where the speech of an utterance is."""
        path = self.audio_root / utterance.audio_path
        return AudioClip(path, utterance.start_s, utterance.end_s, utterance.channel)

    def audio_clips(self) -> Mapping[str, AudioClip]:
        """The speech behind every feature key."""
        with _clear_errors():
            unknown = self.sha256  # where it was not written down what a file held, the data set vouches for it
            clips = {
                m.utterance.utterance_id: replace(self.audio_clip(m.utterance), sha256=m.audio_sha256 or unknown)
                for m in chain(self.data.measured(), self.data.unlabelled())
            }
            varied = self.data.examples(task=Task.COMPARATIVE)
            hashes = self.data.files
            return clips | {
                feature_key(e): AudioClip(self.folder / e.audio_path, sha256=hashes.get(e.audio_path, ""))
                for e in varied
            }


def feature_key(example: SFTExample) -> str:
    """What the features of an example's clip are kept under: its utterance id, or a comparative clip's own path."""
    return example.audio_path if example.task is Task.COMPARATIVE else example.utterance_id


def is_reasoned(utterance_id: str, share: float) -> bool:
    """Whether a clip is of the `share` of training clips whose reasoning a cold start is shown.

    A hash of its id decides: a clip is on the same side in every stage, and a larger share holds a smaller one's clips.

    >>> [is_reasoned("clip-1", share) for share in (0.1, 0.5, 1.0)]
    [False, True, True]
    """
    return int.from_bytes(hashlib.sha256(utterance_id.encode()).digest()[:8]) < share * 2**64


@contextmanager
def _clear_errors() -> Iterator[None]:
    """The reader's errors as this application's."""
    try:
        yield
    except CotgenDataSetError as error:
        raise DataSetError(str(error)) from error
