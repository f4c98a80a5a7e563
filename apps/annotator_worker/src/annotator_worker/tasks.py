"""The Celery tasks. Each decodes a record, calls the library, stores the result under a key of its content, returns
that key.

They are safe to run twice: the key is a function of the input, and so is what is stored under it. What is wrong with
a clip becomes a failed item in the store; what is wrong with the store is retried, and in the end left to
`annotator retry`. A worker serves the one store that its own environment names (`ANNOTATOR_STORE`): no message can
point it elsewhere.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator_worker import keys
from annotator_worker.celery import app
from annotator_worker.comparative import render
from annotator_worker.errors import ObjectNotFoundError, StoreAccessError, StoreUnavailableError
from annotator_worker.pipeline import attempt, try_measure
from annotator_worker.records import CompareRequest, Stage, Submitted
from annotator_worker.store import ObjectStore, open_store
from prosody.parallel import WorkerDiedError
from speech_records import FailedItem, file_sha256, from_dict, to_json

if TYPE_CHECKING:
    from celery import Task

STORE_VARIABLE = "ANNOTATOR_STORE"
MAX_REDELIVERIES = 3
"""A message that was handed out again this often has ended its worker each time and is given up."""

_STORE_FAILURES: dict[str, Any] = {
    "autoretry_for": (StoreUnavailableError,),
    "max_retries": 5,
    "retry_backoff": True,
    "retry_backoff_max": 60,
}


@app.task(bind=True, **_STORE_FAILURES)  # type: ignore[untyped-decorator]
def measure(self: Task, record: dict[str, Any]) -> str:
    """Measure the utterance of a `Submitted`."""
    item = from_dict(Submitted, record, where="measure task")

    def work(store: ObjectStore) -> bytes | FailedItem:
        with _fetched(store, item.audio_key, item.audio_sha256) as path:
            result = try_measure(item.utterance, path, item.measuring)
        return result if isinstance(result, FailedItem) else to_json(result).encode()

    where = item.utterance.utterance_id
    return _run(self, work, key=item.key, target=keys.measured(item.key), where=where, stage=Stage.MEASURE)


@app.task(bind=True, **_STORE_FAILURES)  # type: ignore[untyped-decorator]
def compare(self: Task, record: dict[str, Any]) -> str:
    """Make the comparative clip of a `CompareRequest`."""
    item = from_dict(CompareRequest, record, where="compare task")
    plan, where = item.plan, item.plan.utterance.utterance_id

    def work(store: ObjectStore) -> bytes | FailedItem:
        with _fetched(store, item.audio_key, plan.audio_sha256) as path:
            hide = ((str(path), plan.utterance.audio_path),)
            return attempt(partial(render, plan, path), name=where, stage=Stage.COMPARE, hide=hide)

    return _run(self, work, key=plan.clip_id, target=keys.clip(plan.clip_id), where=where, stage=Stage.COMPARE)


def _run(
    task: Task,
    work: Callable[[ObjectStore], bytes | FailedItem],
    *,
    key: str,
    target: str,
    where: str,
    stage: Stage,
) -> str:
    """Store what `work` makes at `target`, or the failed item; the key of the work item."""
    store = _store(os.environ.get(STORE_VARIABLE))
    if _redeliveries(task, store, key) > MAX_REDELIVERIES:
        message = f"{where}: ended its worker process {MAX_REDELIVERIES} times"
        result: bytes | FailedItem = FailedItem(where, stage, WorkerDiedError.__name__, message)
    else:
        try:
            result = work(store)
        except ObjectNotFoundError as error:
            result = FailedItem(where, stage, type(error).__name__, str(error))
    if isinstance(result, FailedItem):
        store.put(keys.failure(key), to_json(result).encode())
    else:
        store.put(target, result)
    return key


def _redeliveries(task: Task, store: ObjectStore, key: str) -> int:
    """How often this work came again because its worker died; a first delivery costs no look at the store."""
    if not (task.request.delivery_info or {}).get("redelivered"):
        return 0
    name = keys.deliveries(key)
    count = 1 + (int(store.get(name)) if store.exists(name) else 0)
    store.put(name, str(count).encode())
    return count


@cache
def _store(uri: str | None) -> ObjectStore:
    if not uri:
        raise StoreAccessError(f"{STORE_VARIABLE} does not name the store that this worker serves")
    return open_store(uri)


@contextmanager
def _fetched(store: ObjectStore, key: str, sha256: str) -> Iterator[Path]:
    """The object under `key` as a temporary file; one that arrived damaged counts as a failure of the store."""
    with tempfile.TemporaryDirectory(prefix="annotator-") as folder:
        path = Path(folder) / Path(key).name
        store.download(key, path)
        if file_sha256(path) != sha256:
            raise StoreUnavailableError(f"{key} does not have the SHA-256 that it is named by")
        yield path
