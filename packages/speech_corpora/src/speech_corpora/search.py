"""The audio files of a corpus, found below its root; what is beside them is named or counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from speech_corpora.listing import Entry, below
from speech_records import SpeechRecordsError, Utterance
from speech_records.files import AUDIO_SUFFIXES, escape_surrogates

_LOSSLESS = (".flac", ".wav")
_ORDER = (*_LOSSLESS, *sorted(AUDIO_SUFFIXES.difference(_LOSSLESS)))
"""Of a clip that is there in several formats, the first of these is taken."""


class MissingAudioError(SpeechRecordsError):
    """A label file names a clip that is not on disk."""


def audio_entries(root: Path, pattern: str, read: Callable[[Path], Utterance]) -> Iterator[Entry]:
    """An entry for everything that `audio_files` finds; `read` is given the path of a clip."""
    for found in audio_files(root, pattern):
        yield found if isinstance(found, Entry) else Entry(below(found, root), partial(read, found))


def audio_files(root: Path, pattern: str) -> Iterator[Path | Entry]:
    """The audio files below `root` that match `pattern`, in order, and entries for what is not read.

    `pattern` has a part for each level (`Actor_*/*`), and links to folders are followed. Files
    with another extension are dropped and counted by it. A link that leads nowhere or back to the root, and
    a folder that cannot be opened, are rejected. Hidden files and folders are passed over.
    """
    *levels, last = pattern.split("/")
    folders = [root]
    for level in levels:
        inside = [child for folder in folders for child in _children(root, folder, level)]
        yield from (child for child in inside if isinstance(child, Entry))
        folders = [child for child in inside if isinstance(child, Path) and child.is_dir()]
    for folder in folders:
        files = []
        for child in _children(root, folder, last):
            if isinstance(child, Entry):
                yield child
            elif child.is_file() and child.suffix.lower() in AUDIO_SUFFIXES:
                files.append(child)
            elif child.is_file():
                suffix = escape_surrogates(child.suffix.lower())
                reason = f"extension {suffix} is not read as audio" if suffix else "no extension, not read as audio"
                yield Entry.dropped(below(child, root), reason)
        yield from sorted(files, key=lambda path: (path.stem, _ORDER.index(path.suffix.lower())))


def find_audio(root: Path, stem: str) -> str:
    """The clip `root/stem` with the first audio extension that exists, below `root`; else `MissingAudioError`."""
    for suffix in _ORDER:
        for name in (f"{stem}{suffix}", f"{stem}{suffix.upper()}"):
            if _is_file(root / name):
                return name
    raise MissingAudioError(f"audio {stem} (.wav or .flac) is missing, in every other audio format too")


def _children(root: Path, folder: Path, pattern: str) -> Iterator[Path | Entry]:
    """What is in `folder` and matches `pattern`, sorted; as entries what cannot be opened."""
    try:
        children = sorted(folder.iterdir())
    except OSError as error:
        yield Entry.rejected(below(folder, root), f"the folder cannot be opened: {error.strerror}")
        return
    for child in children:
        if child.name.startswith(".") or not fnmatchcase(child.name, pattern):
            continue
        try:
            child.stat()
        except OSError as error:
            what = "the link leads nowhere" if child.is_symlink() else "cannot be opened"
            yield Entry.rejected(below(child, root), f"{what}: {error.strerror}")
            continue
        if child.is_symlink() and root.resolve().is_relative_to(child.resolve()):
            yield Entry.rejected(below(child, root), "the link leads back to the corpus root")
        else:
            yield child


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than the file system allows
        return False
