"""What reading a corpus gives: the good utterances, and every file or line that was rejected, with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from speech_corpora.errors import CorpusError
from speech_records import Emotion, FailedItem, SpeechRecordsError, UnknownEmotionError, Utterance

AUDIO_SUFFIXES = frozenset({".wav", ".flac"})
STAGE = "list"
"""The stage of items that fail while a corpus is listed."""


@dataclass(frozen=True, slots=True)
class CorpusListing:
    """The utterances of a corpus in a fixed order, and what was left out of it.

    `rejected` is what is wrong. `dropped` is what is right but not for us: how often each reason occurred (a label that
    names no emotion, such as IEMOCAP's `xxx`), sorted by reason.
    """

    utterances: tuple[Utterance, ...]
    rejected: tuple[FailedItem, ...] = ()
    dropped: tuple[tuple[str, int], ...] = ()


class Dropped(Exception):  # noqa: N818  (no error: the record is fine)
    """Raised by an entry that is left out on purpose; its text is the reason that is counted."""


class MissingAudioError(SpeechRecordsError):
    """A label file names a clip that is not on disk."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One candidate of a corpus: where it stands, and how it is read (raising `SpeechRecordsError` when it is bad)."""

    where: str
    read: Callable[[], Utterance]


def collect(corpus: str, root: Path, entries: Iterable[Entry]) -> CorpusListing:
    """Read every entry, keep the good ones, reject the bad, the repeated and those whose audio lies outside `root`.

    Of two entries with one utterance id the first is kept. Raises `CorpusError` when nothing good is left.
    """
    kept: dict[str, Utterance] = {}
    first_seen: dict[str, str] = {}
    rejected: list[FailedItem] = []
    dropped: Counter[str] = Counter()
    for entry in entries:
        try:
            utterance = entry.read()
        except Dropped as drop:
            dropped[str(drop)] += 1
            continue
        except SpeechRecordsError as error:
            rejected.append(FailedItem.of(entry.where, STAGE, error))
            continue
        key = utterance.utterance_id
        if key in kept:
            reason = f"utterance_id {key!r} was already given by {first_seen[key]}"
            rejected.append(FailedItem(entry.where, STAGE, CorpusError.__name__, reason))
        elif not _inside(root, utterance.audio_path):
            reason = f"utterance {key!r}: audio_path {utterance.audio_path!r} leads out of the corpus root"
            rejected.append(FailedItem(entry.where, STAGE, CorpusError.__name__, reason))
        else:
            kept[key] = utterance
            first_seen[key] = entry.where
    if not kept:
        first = f"; first of {len(rejected)} rejected: {rejected[0].id}: {rejected[0].message}" if rejected else ""
        raise CorpusError(f"corpus {corpus!r}: no usable utterance under {root}{first}")
    return CorpusListing(tuple(kept.values()), tuple(rejected), tuple(sorted(dropped.items())))


def require_directory(corpus: str, root: Path) -> Path:
    """`root` when it is a directory; otherwise `CorpusError` saying what was looked for."""
    if not root.is_dir():
        raise CorpusError(f"corpus {corpus!r}: root {root} does not exist or is no directory")
    return root


def audio_files(root: Path, pattern: str, suffixes: frozenset[str] = AUDIO_SUFFIXES) -> list[Path]:
    """Files below `root` that match the glob `pattern` and end in one of `suffixes`, sorted by path."""
    found = (p for p in root.glob(pattern) if p.suffix.lower() in suffixes and not p.name.startswith("."))
    return sorted(p for p in found if p.is_file())


def below(path: Path, root: Path) -> str:
    """`path` as it stands below `root`, with slashes."""
    return path.relative_to(root).as_posix()


def find_audio(root: Path, stem: str, suffixes: Iterable[str] = (".wav", ".flac")) -> str:
    """The clip `root/stem` with the first of `suffixes` that exists, below `root`; else `MissingAudioError`."""
    for suffix in suffixes:
        if (root / f"{stem}{suffix}").is_file():
            return f"{stem}{suffix}"
    raise MissingAudioError(f"audio {stem} ({' or '.join(suffixes)}) is missing")


def parse_label(label: str, name: str) -> Emotion:
    """The emotion that `label` names anywhere; `Dropped`, counted under `name`, when it names none of ours."""
    try:
        return Emotion.parse(label)
    except UnknownEmotionError:
        raise Dropped(name) from None


def _inside(root: Path, audio_path: str) -> bool:
    """Whether `audio_path` stays below `root` once symbolic links are followed."""
    return (root / audio_path).resolve().is_relative_to(root.resolve())
