"""Corpora on disk, as lists of utterances.

- `manifest`: a plain JSON Lines manifest, and the demo corpus, which is one
- `ravdess`, `emodb`: two public corpora, labels read from file names
- `emotioncot`: the published EmotionCoT JSON Lines, in and out
- `listing`: what reading a corpus gives, with what was rejected and why

A new corpus is a module with a `load(root)` and a row in `CORPORA`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from types import MappingProxyType

from cotgen.corpora import emodb, emotioncot, manifest, ravdess
from cotgen.corpora.listing import CorpusListing, RejectedRecord
from cotgen.errors import CorpusError
from speech_records import EMODB_7, PAPER_9, RAVDESS_8, LabelSet


@dataclass(frozen=True, slots=True)
class Corpus:
    """How one corpus is read, which label set it asks for, and what stands below its root."""

    load: Callable[[Path], CorpusListing]
    label_set: LabelSet
    layout: str


CORPORA: Mapping[str, Corpus] = MappingProxyType(
    {
        "demo": Corpus(partial(manifest.load, corpus="demo"), PAPER_9, "manifest.jsonl (trainer stage=demo_corpus)"),
        "ravdess": Corpus(ravdess.load, RAVDESS_8, "Actor_##/MM-VV-EE-II-SS-RR-AA.wav or .flac"),
        "emodb": Corpus(emodb.load, EMODB_7, "wav/03a01Fa.wav or .flac"),
        "manifest": Corpus(manifest.load, PAPER_9, "manifest.jsonl, or the path of one"),
    }
)
"""Every corpus by its name, as configurations spell it."""


def load(name: str, root: str | PathLike[str]) -> CorpusListing:
    """The utterances of corpus `name` below `root`, in a fixed order, and what was rejected.

    Raises `CorpusError` when the name is unknown, the root is missing or nothing in it is usable.
    """
    return _corpus(name).load(Path(root))


def label_set(name: str) -> LabelSet:
    """The label set that corpus `name` is judged by.

    >>> label_set("emodb").name
    'EMODB_7'
    """
    return _corpus(name).label_set


def _corpus(name: str) -> Corpus:
    if name not in CORPORA:
        raise CorpusError(f"unknown corpus {name!r}; known are {', '.join(CORPORA)}")
    return CORPORA[name]


__all__ = [
    "CORPORA",
    "Corpus",
    "CorpusListing",
    "RejectedRecord",
    "emodb",
    "emotioncot",
    "label_set",
    "load",
    "manifest",
    "ravdess",
]
