"""Names and hashes of the files of a data set: one file while it is small, numbered shards when it is not."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

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
    return sorted(p for p in path.parent.glob(f"{path.stem}-*-of-*.jsonl") if _is_shard(p.name, path.stem))


def drop(folder: Path, stem: str) -> None:
    """Remove the file or the shards that an earlier build left under `stem`."""
    (folder / f"{stem}.jsonl").unlink(missing_ok=True)
    for path in parts(folder / f"{stem}.jsonl"):
        path.unlink()


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            state.update(block)
    return state.hexdigest()


def _is_shard(name: str, stem: str) -> bool:
    return re.fullmatch(rf"{re.escape(stem)}-\d{{5}}-of-\d{{5}}\.jsonl", name) is not None
