"""What a data set is built from: measured utterances, and what only those who measured them know."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from cotgen.dataset.reading import DESCRIPTION, SCALE, DataSet
from cotgen.errors import CotgenError
from cotgen.tasks.records import ComparativeClip
from speech_records import FailedItem, read_jsonl
from speech_records.shards import ShardReader

BEFORE_REASONING = frozenset({"list", "measure", "compare"})
"""Stages whose failed items a build from another data set takes over: their utterances are missing in it, too."""


@dataclass(frozen=True, slots=True)
class Source:
    """Measured utterances (JSON Lines or shards, in the order of the rows) and where they come from.

    `audio_root` is the folder that audio paths are relative to, `scale` the file of the level scale that was used.
    `label_set` and `question` are those of another data set of the same utterances. `clips` have paths relative to
    `clips_folder`. `failed` says what was left out before, `measuring` how it was
    measured; both go into the data set.
    """

    measured: Path
    corpus: str | None = None
    audio_root: str | None = None
    scale: Path | None = None
    label_set: str | None = None
    question: str | None = None
    clips: tuple[ComparativeClip, ...] = ()
    clips_folder: Path | None = None
    failed: tuple[FailedItem, ...] = ()
    measuring: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, measured: Path) -> Source:
        """`measured` and, where it is that of a data set, what is known there: corpus, audio, scale, clips, failures.

        Raises `DataSetError` when the `dataset.json` beside it cannot be read.
        """
        folder = measured.parent
        if not (folder / DESCRIPTION).is_file():
            return cls(measured, scale=_if_there(folder / SCALE))
        known = DataSet.open(folder, check_files=False)
        return cls(
            measured,
            corpus=known.corpus,
            audio_root=None if known.audio_root is None else str(known.audio_root),
            scale=_if_there(folder / SCALE),
            label_set=known.label_set.name,
            question=known.question,
            clips=tuple(known.clips()),
            clips_folder=folder,
            failed=tuple(f for f in known.failed() if f.stage in BEFORE_REASONING),
            measuring=known.description["measuring"],
        )

    def with_clips(self, path: Path) -> Source:
        """The same with the comparative clips that `annotator compare` lists in the file `path`."""
        return replace(self, clips=tuple(read_jsonl(path, ComparativeClip)), clips_folder=path.parent)

    def identity(self) -> tuple[int, str]:
        """How many utterances there are and the SHA-256 of their lines, the same for one file and for shards."""
        state, count = hashlib.sha256(), 0
        with ShardReader(self.measured) as lines:
            for _, _, raw in lines:
                state.update(raw if raw.endswith(b"\n") else raw + b"\n")
                count += 1
        if not count:
            raise CotgenError(f"{self.measured} is empty: measured utterances are expected, one a line")
        return count, state.hexdigest()

    def shards(self, rows: int) -> Iterator[Iterator[tuple[str, bytes]]]:
        """The lines in groups of `rows`, each with where it is; a group is left behind when the next is asked for."""
        with ShardReader(self.measured) as reader:
            lines = ((where, raw) for where, _, raw in reader)
            for first in lines:
                group = chain([first], islice(lines, rows - 1))
                yield group
                deque(group, maxlen=0)


def _if_there(path: Path) -> Path | None:
    return path if path.is_file() else None
