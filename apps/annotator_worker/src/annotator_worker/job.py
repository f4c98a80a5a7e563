"""Annotation through an object store and workers: submit, calibrate, collect; status and retry in between.

How far a job is, is what results are in the store. Every stage can be asked for again: what is done already is not
sent again, and the collected data set is the one that `annotator_worker.local.run` writes from the same input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kombu.exceptions import OperationalError

from annotator_worker import comparative, keys, tasks
from annotator_worker.errors import BrokerError, ClipError, JobError
from annotator_worker.jobfiles import JobFiles, concurrently, present
from annotator_worker.listing import Listing
from annotator_worker.local import Report, finish, quiet, silent
from annotator_worker.pipeline import audio_file, audio_sha256, calibrate
from annotator_worker.records import ComparativePlan, CompareRequest, Stage, Submitted, work_key
from annotator_worker.store import ObjectStore
from cotgen.dataset import DataSet
from prosody import LevelScale
from speech_records import FailedItem, MeasuredUtterance, Utterance, to_dict

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from celery import Task

_BROKER_RETRIES = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one stage is; `pending` is what workers still have to do."""

    total: int
    done: int
    failed: int
    pending: int


@dataclass(frozen=True, slots=True)
class Status:
    """How far a job is; `compare` is `None` until it was calibrated."""

    job: str
    rejected: int
    measure: Progress
    compare: Progress | None


def submit(files: JobFiles, listing: Listing) -> int:
    """Store the spec and the audio of `listing`, send what is not measured yet; how many messages were sent."""
    pushed = list(concurrently(partial(_push, files.store, listing), listing.utterances))
    submitted = [item for item in pushed if isinstance(item, Submitted)]
    rejected = [*listing.rejected, *(item for item in pushed if isinstance(item, FailedItem))]
    files.create(listing.spec, submitted, rejected)
    return _send_measure(files, submitted)


def calibrate_job(files: JobFiles) -> tuple[LevelScale, int]:
    """Fit the level scale on what was measured of the train split, store it, and send the comparative clips.

    The scale, and how many messages were sent.
    """
    spec, items = files.spec(), _measured_items(files)
    measured = list(files.load((keys.measured(item.key) for item in items), MeasuredUtterance))
    scale = calibrate(measured, name=spec.corpus)
    files.keep(scale, comparative.plan(measured, spec))
    return scale, _send_compare(files)


def status(files: JobFiles) -> Status:
    """What is done, failed and pending."""
    submitted, failed = [s.key for s in files.submitted()], set(files.store.keys(keys.ERRORS))
    measure = _progress(submitted, keys.measured, set(files.store.keys(keys.MEASURED)), failed)
    compare = None
    if files.has_scale():
        plans = [plan.clip_id for plan in files.plans()]
        compare = _progress(plans, keys.clip, set(files.store.keys(keys.COMPARATIVE)), failed)
    return Status(files.name, len(files.rejected()), measure, compare)


def retry(files: JobFiles) -> int:
    """Send again what is not done of the stage that the job is in; how many messages were sent."""
    return _send_compare(files) if files.has_scale() else _send_measure(files, files.submitted())


def collect(files: JobFiles, out: Path, *, report: Report = silent, say: Callable[[str], None] = quiet) -> DataSet:
    """Have the reasoning written and the data set put into the folder `out`; again, to continue what was stopped.

    Raises `JobError` while anything is pending.
    """
    now = status(files)
    if now.compare is None:
        raise JobError(f"job {files.name!r} has no level scale yet: run calibrate")
    if pending := now.measure.pending + now.compare.pending:
        raise JobError(f"job {files.name!r}: {pending} items are pending: wait for the workers, or retry")
    clips = set(files.store.keys(keys.COMPARATIVE))
    plans = [plan for plan in files.plans() if keys.clip(plan.clip_id) in clips]
    (out / "comparative").mkdir(parents=True, exist_ok=True)
    list(concurrently(partial(_download, files.store, out), plans))
    measured = files.load((keys.measured(item.key) for item in _measured_items(files)), MeasuredUtterance)
    items = [*(item.key for item in files.submitted()), *(plan.clip_id for plan in files.plans())]
    failed = [*files.rejected(), *_failed(files, items)]
    return finish(files.spec(), measured, files.scale(), out, plans=plans, failed=failed, report=report, say=say)


def _push(store: ObjectStore, listing: Listing, utterance: Utterance) -> Submitted | FailedItem:
    """Store the audio of an utterance under its hash; a failed item where there is none, or it changes meanwhile."""
    spec = listing.spec
    try:
        path = audio_file(utterance, listing.root)
        sha256, before = audio_sha256(path), path.stat()
        audio_key = keys.audio(sha256, path.suffix)
        if not store.exists(audio_key):
            store.upload(audio_key, path)
            after = path.stat()
            if (before.st_ino, before.st_mtime_ns, before.st_size) != (after.st_ino, after.st_mtime_ns, after.st_size):
                store.delete(audio_key)
                raise ClipError(f"{utterance.audio_path} changed while it was submitted: submit it again")
    except (ClipError, OSError) as error:
        return FailedItem.of(utterance.utterance_id, Stage.MEASURE, error)
    return Submitted(work_key(utterance, sha256, spec), utterance, sha256, audio_key, spec.measuring)


def _download(store: ObjectStore, out: Path, plan: ComparativePlan) -> None:
    store.download(keys.clip(plan.clip_id), out / plan.clip.audio_path)


def _send(task: Task, requests: Sequence[DataclassInstance]) -> int:
    """Send one message for each request, over one connection; how many there were."""
    if not requests:
        return 0
    app = task.app
    if not app.conf.broker_write_url:
        raise BrokerError("CELERY_BROKER_URL does not name the broker")
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=_BROKER_RETRIES, interval_start=0.2)
            producer = app.amqp.Producer(connection)
            for request in requests:
                task.apply_async((to_dict(request),), producer=producer)
    except OperationalError as error:
        raise BrokerError(f"the broker that CELERY_BROKER_URL names cannot be used: {error}") from error
    return len(requests)


def _send_measure(files: JobFiles, submitted: Sequence[Submitted]) -> int:
    measured = set(files.store.keys(keys.MEASURED))
    unmeasured = [s for s in submitted if keys.measured(s.key) not in measured]
    files.forget([s.key for s in unmeasured])
    return _send(tasks.measure, unmeasured)


def _send_compare(files: JobFiles) -> int:
    clips = set(files.store.keys(keys.COMPARATIVE))
    audio = {item.utterance.utterance_id: item.audio_key for item in files.submitted()}
    unmade = [
        CompareRequest(plan, audio[plan.utterance.utterance_id])
        for plan in files.plans()
        if keys.clip(plan.clip_id) not in clips
    ]
    files.forget([request.plan.clip_id for request in unmade])
    return _send(tasks.compare, unmade)


def _measured_items(files: JobFiles) -> list[Submitted]:
    """What was measured, by utterance id; `JobError` while something is still to be."""
    submitted = files.submitted()
    found, failed = set(files.store.keys(keys.MEASURED)), set(files.store.keys(keys.ERRORS))
    progress = _progress([s.key for s in submitted], keys.measured, found, failed)
    if progress.pending:
        raise JobError(
            f"job {files.name!r}: {progress.pending} of {progress.total} utterances are still to be measured:"
            " wait for the workers, or retry"
        )
    return [s for s in submitted if keys.measured(s.key) in found]


def _progress(items: Sequence[str], name: Callable[[str], str], found: set[str], failed: set[str]) -> Progress:
    """A result wins over a failed item: a message that came twice may have failed once."""
    done = sum(name(item) in found for item in items)
    dead = sum(name(item) not in found and keys.failure(item) in failed for item in items)
    return Progress(len(items), done, dead, len(items) - done - dead)


def _failed(files: JobFiles, items: Sequence[str]) -> list[FailedItem]:
    done = {k for prefix in (keys.MEASURED, keys.COMPARATIVE) for k in files.store.keys(prefix)}
    failed = present(keys.failure, items, set(files.store.keys(keys.ERRORS)))
    without_result = [i for i in failed if not {keys.measured(i), keys.clip(i)} & done]
    return list(files.load(map(keys.failure, without_result), FailedItem))
