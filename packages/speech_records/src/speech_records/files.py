"""Files: written whole or not at all, and identified by their content."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from speech_records.errors import RecordFileError

_BLOCK = 1 << 20

_LIBSNDFILE = (
    ".wav .wave .flac .ogg .oga .opus .mp3 .mp2 .aif .aiff .aifc .au .snd .w64 .rf64 .caf .sph .nist .voc .vox"
)
_FFMPEG = ".m4a .m4b .mp4 .mov .3gp .3g2 .mka .mkv .webm .aac .ac3 .amr .wma .asf .avi .flv .mpg .mpeg .wv .ape .tta"
AUDIO_SUFFIXES = frozenset(f"{_LIBSNDFILE} {_FFMPEG}".split())
"""What a search of a folder takes for audio. A file that is named outright is opened whatever it is called."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; what is there at the end replaces `path` in one step.

    After an error nothing of it is left and `path` is as it was. Readers see the old content or the new, never a part.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: Path) -> Iterator[TextIO]:
    """As `atomic_path`, the path opened as UTF-8 text with line feeds as ends of line."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        yield file


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            state.update(block)
    return state.hexdigest()


def escape_surrogates(text: str) -> str:
    r"""`text` as UTF-8 and JSON can hold it: bytes of a file name that are not UTF-8 become `\udcXX`.

    >>> print(escape_surrogates(b"modal\xe0.wav".decode("utf-8", "surrogateescape")))
    modal\udce0.wav
    """
    return text.encode("utf-8", "backslashreplace").decode()


def check_is_file(path: Path) -> None:
    """Raise `RecordFileError` that says what is wrong when `path` is not a file."""
    if not path.is_file():
        raise RecordFileError(f"{path} {'is a folder: name a file in it' if path.is_dir() else 'does not exist'}")
