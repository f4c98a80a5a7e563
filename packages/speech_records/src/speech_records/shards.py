"""Files of a data set: one while it is small, numbered shards when it is not; both are read as one.

```
traces.jsonl    or    traces-00000-of-00012.jsonl … traces-00011-of-00012.jsonl
```

Who is given `DIR/traces.jsonl` reads either.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Self

from speech_records.files import check_is_file


def shard_name(stem: str, number: int, count: int) -> str:
    """The file of shard `number` of `count`.

    >>> shard_name("traces", 0, 1), shard_name("traces", 2, 12)
    ('traces.jsonl', 'traces-00002-of-00012.jsonl')
    """
    return f"{stem}.jsonl" if count == 1 else f"{stem}-{number:05}-of-{count:05}.jsonl"


def shard_paths(path: Path) -> list[Path]:
    """The file at `path`, or its shards in order where it was written in several; empty when there is neither."""
    if path.is_file():
        return [path]
    found = path.parent.glob(f"{path.stem}-*-of-*{path.suffix}")
    return sorted(p for p in found if _is_shard(p.stem, path.stem))


class ShardReader:
    """The lines of a file, or of its shards in their order, as if they were one file.

    Iterating gives, for every line that is not blank, its location (`file:line`), its place (a byte offset over all
    shards) and its bytes; `at` reads the line at a place again. Raises `RecordFileError` when there is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.paths = shard_paths(path)
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


def drop(folder: Path, stem: str) -> None:
    """Remove the file or the shards that an earlier build left under `stem`."""
    for suffix in (".jsonl", ".parquet"):
        (folder / f"{stem}{suffix}").unlink(missing_ok=True)
        for path in shard_paths(folder / f"{stem}{suffix}"):
            path.unlink()


def _is_shard(name: str, stem: str) -> bool:
    return re.fullmatch(rf"{re.escape(stem)}-\d{{5}}-of-\d{{5}}", name) is not None
