"""The Celery task: a range of a batch in, one shard of outcomes out.

It is safe to run twice: the key of a shard is a function of what goes in, and so is what is stored under it. What is
wrong with a clip becomes a dead letter in the shard. Transient failures (store, broker, disk) are retried with growing
waits until they end. A range that ended its worker is split at the item that did it; an item that ends
its worker again and again is given up. A worker serves the one store that its own environment names: no message can
point it elsewhere.
"""

from __future__ import annotations

import logging
import os
import random
import re
import time
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from celery.exceptions import Reject, WorkerLostError
from celery.signals import setup_logging, worker_process_init
from celery.worker.request import Request
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

import prosody.files  # noqa: F401 - before children are forked: each new one is ready at once
from annotator_worker import keys, logs, settings
from annotator_worker.celery import CLIP_LIMIT_S, HARD_LIMIT_S, LLM_LIMIT_S, SOFT_LIMIT_S, TASK, app
from annotator_worker.errors import AnnotatorError, JobError, StoreAccessError, StoreError
from annotator_worker.ledger import Attempt, Ledger
from annotator_worker.reasoning import open_writer, written
from annotator_worker.records import BatchTask, DeadLetter, Levelled, Outcome, Versions
from annotator_worker.results import done_ranges, missing
from annotator_worker.sending import send_message
from annotator_worker.store import ObjectStore, open_store
from annotator_worker.work import (
    WORKER,
    Audio,
    Mark,
    Work,
    check_names,
    dead_letter,
    items_of,
    limit_memory,
    outcome_of,
)
from cotgen.errors import BudgetError, CotgenError
from cotgen.generation import Generator
from prosody.parallel import ItemTimeoutError, WorkerDiedError
from speech_records import FailedItem, RecordFormatError, from_dict, to_json

if TYPE_CHECKING:
    from celery import Task

MAX_ATTEMPTS: Final = 3
"""An item that ended its worker this often is given up."""
_TRANSIENT: Final = (StoreError, JobError, RedisError, OSError, OperationalError, CotgenError)
"""What is tried again. Of `JobError` there is a batch object that is damaged, until the job is submitted again and
repairs it; of `CotgenError`, what keeps a worker from asking a model at all: no endpoint, no key, no client.
"""
_TRIES: Final = 6
"""So often a worker waits for a transient failure to end before it takes other work."""
_LONGEST_WAIT_S: Final = 30.0
_CANCEL_S: Final = 1.0
"""How often a worker asks whether its job was cancelled."""
_SIGNAL: Final = re.compile(r"signal \d+ \(\w+\)|exitcode \d+")
_log = logging.getLogger(__name__)
_limits: dict[str, float] = {}
"""Set in the children of a pool, which a clip may end."""


class BatchRequest(Request):  # type: ignore[misc]
    """The worker's own view of a message: notes how the child that worked on it ended, for the next attempt."""

    def on_failure(self, exc_info: Any, *arguments: Any, **more: Any) -> Any:
        """Called where a child was lost, too."""
        error = exc_info.exception
        if isinstance(getattr(error, "exc", error), WorkerLostError):
            found = _SIGNAL.search(str(error))
            with suppress(RedisError, AnnotatorError, RecordFormatError):
                name = from_dict(BatchTask, self.args[0]).name
                _ledger().note_death(name, found[0] if found else "an unknown end", Mark.take(self.id))
        return super().on_failure(exc_info, *arguments, **more)


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _prepare(**_: object) -> None:
    """Of every child of the pool: a clip may take so long and so much memory."""
    _limits["clip"] = CLIP_LIMIT_S
    limit_memory(settings.number("ANNOTATOR_MEMORY_MB", 4096.0))
    if key := settings.setting(settings.LLM_KEY):  # also where it lies in a file
        os.environ[settings.LLM_KEY] = key


@setup_logging.connect  # type: ignore[untyped-decorator]
def _log_as_json(loglevel: str | int, **_: object) -> None:
    """Instead of Celery's own lines."""
    logs.set_up(loglevel)


@app.task(bind=True, name=TASK, max_retries=None, Request=BatchRequest)  # type: ignore[untyped-decorator]
def annotate(self: Task, record: dict[str, Any]) -> str | None:
    """Do what a `BatchTask` asks for; the name of what is done now."""
    try:
        request = from_dict(BatchTask, record, where="batch task")
        _check_versions(request)
    except (RecordFormatError, ValueError) as error:
        # Left to a worker of its own release, and not lost meanwhile.
        _log.error("refused: %s", error, extra={"task_id": self.request.id})
        raise _later(self, error) from error
    check_names(request.batch)  # a message that names anything but a batch is dropped
    for tries in range(1, _TRIES + 1):
        try:
            return _do(self, request)
        except BudgetError as error:
            # Until somebody raises the limit, all of the job's messages would meet it.
            _log.error("cancelled: %s", error, extra=_about(self, request))
            _ledger().cancel(request.job)
            _ledger().end(request.name, self.request.id)
            return None
        except _TRANSIENT as error:
            _log.warning("%s is tried again: %s", request.name, error, extra=_about(self, request))
            with suppress(RedisError):
                _ledger().end(request.name, self.request.id)
                _ledger().note_trouble()
            if tries == _TRIES:
                raise _later(self, error) from error
            time.sleep(_jittered(2.0 ** (tries - 1)))
    return None


def _do(task: Task, request: BatchTask) -> str | None:
    store, ledger = _store(settings.setting(settings.STORE)), _ledger()
    if ledger.is_cancelled(request.job):
        return None
    done = done_ranges(store, f"{keys.SHARDS}{request.batch.key}/").get(request.batch.key, [])
    if not any(gap.start < request.stop and gap.stop > request.start for gap in missing(request.batch, done)):
        ledger.end(request.name, task.request.id)
        return request.name
    limit_s = LLM_LIMIT_S if request.is_paid else HARD_LIMIT_S
    if not ledger.claim(request.name, task.request.id, limit_s):
        # Not dropped: nobody knows whether the other one will end, and whether it is of this job.
        _log.info("%s is being done already", request.name, extra=_about(task, request))
        raise _later(task, JobError(f"{request.name} is being done already"))
    attempt = ledger.begin(request.name, WORKER)
    if attempt.number > 1 and request.stop - request.start > 1:
        _log.warning("%s ended its worker: split at %s", request.name, attempt.item, extra=_about(task, request))
        _send_parts(request, _cuts(request, attempt.item))
    else:
        keep = partial(_keep, request, store, ledger, about=_about(task, request))
        if attempt.number > MAX_ATTEMPTS:
            keep([Outcome(dead=_given_up(request, items_of(store, request)[0], attempt))])
        elif request.writing is None:
            keep(_measure(request, store, ledger, attempt, task_id=task.request.id))
        else:
            with open_writer(request.writing, request.job, ledger) as writer, Mark(task.request.id) as mark:
                keep(_reason(request, store, writer, mark, attempt))
    ledger.end(request.name, task.request.id)
    return request.name


def _measure(
    request: BatchTask, store: ObjectStore, ledger: Ledger, attempt: Attempt, *, task_id: str
) -> list[Outcome]:
    """The outcomes of a range; of its first items only where it takes too long, or its job is cancelled meanwhile."""
    items = [item for item in items_of(store, request) if not isinstance(item, Levelled)]
    outcomes: list[Outcome] = []
    now = asked = time.monotonic()
    end = now + SOFT_LIMIT_S
    with Audio(store, request.in_place) as audio, Mark(task_id) as mark:
        for index, item in enumerate(items, start=request.start):
            mark.put(index)
            if now > asked + _CANCEL_S:
                asked = now
                if ledger.is_cancelled(request.job):
                    break
            if now > end:
                break
            made = outcome_of(
                request, index, item, audio=audio, attempts=attempt.number, limit_s=_limits.get("clip")
            )  # fmt: skip
            outcomes.append(made)
            now = time.monotonic()
    return outcomes


def _reason(request: BatchTask, store: ObjectStore, writer: Generator, mark: Mark, attempt: Attempt) -> list[Outcome]:
    """The same for reasoning. A single text has a time limit, too, but what a model is asked has one of its own."""
    items = [item for item in items_of(store, request) if isinstance(item, Levelled)]
    limit_s = None if request.is_paid else _limits.get("clip")
    until = time.monotonic() + SOFT_LIMIT_S
    return list(written(request, items, writer, mark=mark, attempts=attempt.number, until=until, limit_s=limit_s))


def _keep(
    asked: BatchTask, store: ObjectStore, ledger: Ledger, outcomes: list[Outcome], *, about: dict[str, object]
) -> None:
    """Store the outcomes of the first items of a range, and send the others anew."""
    stop = asked.start + len(outcomes)
    if outcomes:
        _finish(replace(asked, stop=stop), store, ledger, outcomes)
        _log.info("%s is done", asked.name, extra=about | {"items": len(outcomes)})
    if stop < asked.stop and not ledger.is_cancelled(asked.job):
        _send_parts(asked, [stop, asked.stop])


def _finish(request: BatchTask, store: ObjectStore, ledger: Ledger, outcomes: list[Outcome]) -> None:
    failed = sum(outcome.dead is not None for outcome in outcomes)
    store.put(keys.shard(request.name, failed), "".join(to_json(o) + "\n" for o in outcomes).encode())
    ledger.count(
        request.name, job=request.job, stage=request.stage, worker=WORKER, items=len(outcomes), dead=failed
    )  # fmt: skip


def _cuts(request: BatchTask, at: int | None) -> list[int]:
    """Where to cut a range that ended its worker: around the item that it had come to, else in the middle."""
    if at is None or not request.start <= at < request.stop:
        return [request.start, (request.start + request.stop) // 2, request.stop]
    return sorted({request.start, at, at + 1, request.stop})


def _send_parts(request: BatchTask, cuts: list[int]) -> None:
    for start, stop in pairwise(cuts):
        send_message(replace(request, start=start, stop=stop))


def _given_up(request: BatchTask, item: Work, attempt: Attempt) -> DeadLetter:
    reason = attempt.reason or "with all of its worker"
    if "SIGALRM" in reason:
        error: Exception = ItemTimeoutError(f"took longer than {CLIP_LIMIT_S:g} s, {MAX_ATTEMPTS} times")
    else:
        error = WorkerDiedError(f"ended its worker process {MAX_ATTEMPTS} times, the last time by {reason}")
    failed = FailedItem.of(item.utterance.utterance_id, request.stage, error)
    return dead_letter(request, request.start, item, failed, MAX_ATTEMPTS)


def _later(task: Task, error: Exception) -> BaseException:
    """What to raise so that the message comes again after a while; where that cannot be sent, it is left to the broker,
    which hands out again what was not acknowledged.
    """
    try:
        later: BaseException = task.retry(
            exc=error, countdown=_jittered(_LONGEST_WAIT_S), max_retries=None, throw=False
        )
    except Exception:  # noqa: BLE001 - logged; whatever kept it from being sent, the message is not lost
        _log.exception("the broker cannot be reached")
        later = Reject(str(error), requeue=True)
    return later


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.5, 1.0)


def _check_versions(request: BatchTask) -> None:
    """Of other releases, results would lie under the keys of these."""
    here, wanted = Versions.installed(), request.versions
    if (here.prosody, here.speech_records) != (wanted.prosody, wanted.speech_records):
        raise ValueError(f"job {request.job} was submitted with {wanted}; this worker has {here}")
    if request.writing is not None and not request.writing.is_ours():
        raise ValueError(f"job {request.job} is to be written by {request.writing}; this worker has other releases")


def _about(task: Task, request: BatchTask) -> dict[str, object]:
    return {"task_id": task.request.id, "job": request.job, "stage": str(request.stage), "batch": request.name}


@cache
def _store(uri: str | None) -> ObjectStore:
    if not uri:
        raise StoreAccessError(f"{settings.STORE} does not name the store that this worker serves")
    return open_store(uri)


@cache
def _ledger() -> Ledger:
    return Ledger()
