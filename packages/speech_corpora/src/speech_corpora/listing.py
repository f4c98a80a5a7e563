"""What reading a corpus gives: the good utterances, and every file or line that was rejected, with its reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol, Self

from speech_corpora.errors import CorpusError
from speech_records import (
    Emotion,
    FailedItem,
    InvalidRecordError,
    SpeechRecordsError,
    UnknownEmotionError,
    Utterance,
    age_group,
    to_json,
)

STAGE = "list"
"""The stage of items that fail while a corpus is listed."""


@dataclass(frozen=True, slots=True)
class CorpusListing:
    """The utterances of a corpus in a fixed order, and what was left out of it.

    `rejected` is what is wrong. `dropped` is what is right but not for us: how often each reason occurred (a label that
    names no emotion, such as IEMOCAP's `xxx`; files that are not audio), sorted by reason.
    """

    utterances: tuple[Utterance, ...]
    rejected: tuple[FailedItem, ...] = ()
    dropped: tuple[tuple[str, int], ...] = ()


class Dropped(Exception):  # noqa: N818  (no error: the record is fine)
    """Raised by an entry that is left out on purpose; its text is the reason that is counted."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One candidate of a corpus: where it is found, and how it is read (raising `SpeechRecordsError` when bad)."""

    where: str
    read: Callable[[], Utterance]

    @classmethod
    def rejected(cls, where: str, reason: str) -> Self:
        """An entry that is known to be bad."""
        return cls(where, partial(_raise, InvalidRecordError(reason)))

    @classmethod
    def dropped(cls, where: str, reason: str) -> Self:
        """An entry that is known to be left out on purpose."""
        return cls(where, partial(_raise, Dropped(reason)))


class FirstSeen(Protocol):
    """Which entry gave each utterance id first: a dictionary, or what holds more than fits into memory."""

    def setdefault(self, name: str, entry: Entry, /) -> Entry:
        """The entry that gave `name` first: `entry` itself unless it was given before."""


def read(
    root: Path, entries: Iterable[Entry], first_seen: FirstSeen, *, linked_folders: bool = True, are_json: bool = False
) -> Iterator[Utterance | FailedItem | Dropped]:
    """Read one entry after the other: the good, the bad, the repeated and those whose audio is outside `root`.

    A folder below `root` may be a link to one elsewhere, unless `linked_folders` is false: for paths that a file gives.
    Of two entries with one utterance id the first is good. Entries that `are_json` can be written as such again.
    """
    inside = lru_cache(maxsize=64)(partial(_inside, root, linked_folders=linked_folders))
    for entry in entries:
        try:
            utterance = entry.read()
            key = utterance.utterance_id
            if not inside(utterance.audio_path):
                raise CorpusError(f"utterance {key!r}: {utterance.audio_path!r} leads out of the corpus root")
            if not are_json:
                to_json(utterance)  # raises where a manifest could not hold it
            if (first := first_seen.setdefault(key, entry)) is not entry:
                raise CorpusError(f"utterance_id {key!r} was already given by {first.where}")
        except Dropped as drop:
            yield drop
        except (SpeechRecordsError, CorpusError) as error:
            yield FailedItem.of(entry.where, STAGE, error)
        else:
            yield utterance


def collect(corpus: str, root: Path, entries: Iterable[Entry], *, linked_folders: bool = True) -> CorpusListing:
    """What `read` finds in all entries. Raises `CorpusError` when `root` is missing or nothing good is left."""
    if not root.is_dir():
        raise CorpusError(f"corpus {corpus!r}: root {root} does not exist or is not a directory")
    kept: list[Utterance] = []
    rejected: list[FailedItem] = []
    dropped: Counter[str] = Counter()
    first_seen: dict[str, Entry] = {}
    for found in read(root, entries, first_seen, linked_folders=linked_folders):
        if isinstance(found, Utterance):
            kept.append(found)
        elif isinstance(found, FailedItem):
            rejected.append(found)
        else:
            dropped[str(found)] += 1
    if not kept:
        first = f"; first of {len(rejected)} rejected: {rejected[0].id}: {rejected[0].message}" if rejected else ""
        raise CorpusError(f"corpus {corpus!r}: no usable utterance under {root}{first}")
    return CorpusListing(tuple(kept), tuple(rejected), tuple(sorted(dropped.items())))


def below(path: Path, root: Path) -> str:
    """`path` as it is found below `root`, with slashes."""
    return path.relative_to(root).as_posix()


def parse_label(label: str, name: str) -> Emotion:
    """The emotion that `label` names anywhere; `Dropped`, counted under `name`, when it names none of ours."""
    try:
        return Emotion.parse(label)
    except UnknownEmotionError:
        raise Dropped(name) from None


def parse_age(years: object) -> str | None:
    """The group of an age in years, or of a range within one group; `None` for anything else.

    >>> parse_age("27"), parse_age("36-45"), parse_age("26-35"), parse_age("")
    ('Young Adult', 'Middle-aged', None, None)
    """
    groups = {age_group(float(number)) for number in re.findall(r"\d+(?:\.\d+)?", str(years))}
    return groups.pop() if len(groups) == 1 else None


def _raise(error: Exception) -> Utterance:
    raise error


def _inside(root: Path, audio_path: str, *, linked_folders: bool) -> bool:
    """Whether `audio_path` stays below `root`, or in its own folder, once symbolic links are followed."""
    path = root / audio_path
    homes = (root, path.parent) if linked_folders else (root,)
    try:
        return any(path.resolve().is_relative_to(home.resolve()) for home in homes)
    except (OSError, RuntimeError):  # links in a circle
        return False
