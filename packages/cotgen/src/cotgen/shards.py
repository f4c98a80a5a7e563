"""Files of a data set: one while it is small, numbered shards when it is not; both are read as one.

```
traces.jsonl    or    traces-00000-of-00012.jsonl … traces-00011-of-00012.jsonl
```

Who is given `DIR/traces.jsonl` reads either.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from cotgen.errors import CotgenError

_BLOCK = 1 << 20


def shard_name(stem: str, number: int, count: int) -> str:
    """The file of shard `number` of `count`.

    >>> shard_name("traces", 0, 1), shard_name("traces", 2, 12)
    ('traces.jsonl', 'traces-00002-of-00012.jsonl')
    """
    return f"{stem}.jsonl" if count == 1 else f"{stem}-{number:05}-of-{count:05}.jsonl"


def parts(path: Path) -> list[Path]:
    """The file at `path`, or its shards in order where it was written in several; empty when there is neither."""
    if path.is_file():
        return [path]
    found = path.parent.glob(f"{path.stem}-*-of-*{path.suffix}")
    return sorted(p for p in found if _is_shard(p.stem, path.stem))


def check_is_file(path: Path) -> None:
    """Raise `CotgenError` that says what is wrong when `path` is no file."""
    if not path.is_file():
        raise CotgenError(f"{path} {'is a folder: name a file in it' if path.is_dir() else 'does not exist'}")


class Lines:
    """The lines of a file, or of its shards in their order, as if they were one file.

    Iterating gives, for every line that is not blank, where it stands (`file:line`), its place (a byte offset over all
    shards) and its bytes; `at` reads the line at a place again. Raises `CotgenError` when there is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.paths = parts(path)
        if not self.paths:
            check_is_file(path)
        self._starts = [0, *accumulate(p.stat().st_size for p in self.paths)]
        self._stack = ExitStack()
        self._files = [self._stack.enter_context(p.open("rb")) for p in self.paths]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[tuple[str, int, bytes]]:
        for path, start in zip(self.paths, self._starts[:-1], strict=True):
            place = start
            with path.open("rb") as file:
                for number, raw in enumerate(file, start=1):
                    if raw.strip():
                        yield f"{path.name}:{number}", place, raw
                    place += len(raw)

    def at(self, place: int) -> bytes:
        """The line that starts at `place`."""
        number = bisect_right(self._starts, place) - 1
        file = self._files[number]
        file.seek(place - self._starts[number])
        return file.readline()


@contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """A text file that takes its place when it is whole; after an error nothing of it is left."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def drop(folder: Path, stem: str) -> None:
    """Remove the file or the shards that an earlier build left under `stem`."""
    for suffix in (".jsonl", ".parquet"):
        (folder / f"{stem}{suffix}").unlink(missing_ok=True)
        for path in parts(folder / f"{stem}{suffix}"):
            path.unlink()


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            state.update(block)
    return state.hexdigest()


def _is_shard(name: str, stem: str) -> bool:
    return re.fullmatch(rf"{re.escape(stem)}-\d{{5}}-of-\d{{5}}", name) is not None
