"""Folders that are replaced as a whole: a process that dies while writing leaves the old one.

The new folder is written beside the old one and brought to the disk; then the old one is renamed aside, the new one
takes its name, and the old one is removed. Between the two renames `resolve_dir` finds the old one where it is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from safetensors import SafetensorError

from speechlm.errors import CheckpointError

PARTIAL = ".partial"
"""Ends the name of a folder that is being written; one that stays was left by a process that died."""
PREVIOUS = ".previous"
"""Ends the name of an old folder that was renamed aside."""


@contextmanager
def atomic_dir(directory: Path, *, discard: Iterable[str] = ()) -> Iterator[Path]:
    """An empty folder to write into; it takes the place of `directory` in one step when the block ends without error.

    Whatever is in the old folder and not in the new one is kept, except for names that match a pattern in `discard`.
    One process at a time may write to a place. Raises `CheckpointError` when the disk or its rights do not allow it.
    """
    target = Path(directory).resolve()
    partial = target.with_name(f".{target.name}{PARTIAL}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _recover(target)
        if target.exists() and not target.is_dir():
            raise CheckpointError(f"{directory} is a file: name a folder")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        yield partial
        for path in partial.rglob("*"):
            _to_disk(path)
        if target.is_dir():
            _keep_others(target, partial, tuple(discard))
        for parent, _, _ in os.walk(partial):
            _to_disk(Path(parent))
        _put_in_place(partial, target)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{directory}: cannot be written, what was there is unchanged: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def resolve_dir(directory: Path) -> Path:
    """Where the folder `directory` is to be read: under its own name, unless a dying process left it renamed aside.

    Raises `CheckpointError` when it is half written or there is none.
    """
    if directory.name.endswith(PARTIAL):
        raise CheckpointError(f"{directory} is half written: a process died while saving it; load or make another one")
    previous = _aside(Path(directory).resolve())
    if not directory.exists() and not previous.is_dir():
        raise CheckpointError(f"{directory}: no such folder")
    return directory if directory.exists() else previous


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}{PREVIOUS}")


def _recover(target: Path) -> None:
    previous = _aside(target)
    if previous.is_dir() and not target.exists():
        previous.rename(target)
    shutil.rmtree(previous, ignore_errors=True)


def _keep_others(old: Path, new: Path, discard: tuple[str, ...]) -> None:
    for entry in old.iterdir():
        place = new / entry.name
        if place.exists() or any(fnmatch(entry.name, pattern) for pattern in discard):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.copytree(entry, place, symlinks=True, copy_function=_link)
        else:
            _link(entry, place)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target, follow_symlinks=False)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_in_place(new: Path, target: Path) -> None:
    previous = _aside(target)
    if target.exists():
        target.rename(previous)
    try:
        new.rename(target)
    except OSError:
        if previous.exists():
            previous.rename(target)
        raise
    shutil.rmtree(previous, ignore_errors=True)
    _to_disk(target.parent)
