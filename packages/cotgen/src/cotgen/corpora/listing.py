"""What reading a corpus gives: the good utterances, and every file or line that was rejected, with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cotgen.errors import CorpusError
from speech_records import SpeechRecordsError, Utterance

AUDIO_SUFFIXES = frozenset({".wav", ".flac"})


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A file or line that was left out: `where` it stands (`manifest.jsonl:12`, a path below the root) and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class CorpusListing:
    """The utterances of a corpus in a fixed order, and what was left out of it."""

    utterances: tuple[Utterance, ...]
    rejected: tuple[RejectedRecord, ...] = ()


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
    rejected: list[RejectedRecord] = []
    for entry in entries:
        try:
            utterance = entry.read()
        except SpeechRecordsError as error:
            rejected.append(RejectedRecord(entry.where, str(error)))
            continue
        key = utterance.utterance_id
        if key in kept:
            rejected.append(RejectedRecord(entry.where, f"utterance_id {key!r} was already given by {first_seen[key]}"))
        elif not _inside(root, utterance.audio_path):
            reason = f"utterance {key!r}: audio_path {utterance.audio_path!r} leads out of the corpus root"
            rejected.append(RejectedRecord(entry.where, reason))
        else:
            kept[key] = utterance
            first_seen[key] = entry.where
    if not kept:
        first = f"; first of {len(rejected)} rejected: {rejected[0].where}: {rejected[0].reason}" if rejected else ""
        raise CorpusError(f"corpus {corpus!r}: no usable utterance under {root}{first}")
    return CorpusListing(tuple(kept.values()), tuple(rejected))


def require_directory(corpus: str, root: Path) -> Path:
    """`root` when it is a directory; otherwise `CorpusError` saying what was looked for."""
    if not root.is_dir():
        raise CorpusError(f"corpus {corpus!r}: root {root} does not exist or is no directory")
    return root


def audio_files(root: Path, pattern: str) -> list[Path]:
    """WAV and FLAC files below `root` that match the glob `pattern`, sorted by path."""
    return sorted(p for p in root.glob(pattern) if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file())


def _inside(root: Path, audio_path: str) -> bool:
    """Whether `audio_path` stays below `root` once symbolic links are followed."""
    return (root / audio_path).resolve().is_relative_to(root.resolve())
