"""From a stream of items to batches of about half a minute of work, in memory that does not grow with the stream.

A batch ends after an item whose own key says so (content-defined chunking, as in rsync and backup programs), or when
its work reaches the limit: a line that is added to a manifest or taken out of it changes the batch that it is in, and
the others keep their keys and their results. Many batches share one object of the store, a part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from annotator_worker import keys
from annotator_worker.records import Batch, digest
from annotator_worker.store import ObjectStore

MEAN_ITEMS: Final = 64
"""One item in so many ends its batch."""
MAX_WORK_S: Final = 30.0
"""Estimated work at which a batch ends in any case, so that the work of a worker that died is soon done by another."""
PART_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Item:
    """An item as a line of JSON without its end, what names it, and how long it is estimated to take."""

    name: str
    line: str
    work_s: float


def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """The items in batches; where one ends depends on its own items only."""
    batch: list[Item] = []
    work_s = 0.0
    for item in items:
        batch.append(item)
        work_s += item.work_s
        if work_s >= MAX_WORK_S or _ends(item):
            yield batch
            batch, work_s = [], 0.0
    if batch:
        yield batch


def _ends(item: Item) -> bool:
    return int.from_bytes(hashlib.blake2b(item.name.encode(), digest_size=4).digest()) % MEAN_ITEMS == 0


def store_batches(
    store: ObjectStore, items: Iterable[Item], recipe: Iterable[str | int | None]
) -> Iterator[list[Batch]]:
    """Store the items in parts; the batches of each part once it is stored.

    `recipe` is what decides the results besides the items: it is in the keys of the batches.
    """
    part: list[bytes] = []
    made: list[tuple[str, int, int, int]] = []
    size = 0
    for batch in batches(items):
        text = "".join(item.line + "\n" for item in batch).encode()
        key = digest([*recipe, hashlib.sha256(text).hexdigest()])
        made.append((key, size, len(text), len(batch)))
        part.append(text)
        size += len(text)
        if size >= PART_BYTES:
            yield _stored(store, part, made)
            part, size, made = [], 0, []
    if part:
        yield _stored(store, part, made)


def _stored(store: ObjectStore, texts: list[bytes], made: list[tuple[str, int, int, int]]) -> list[Batch]:
    data = b"".join(texts)
    part = keys.part(hashlib.sha256(data).hexdigest()[:32])
    store.put(part, data)
    return [Batch(key, part, offset, length, items) for key, offset, length, items in made]
