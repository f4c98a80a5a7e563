"""Annotation through an object store and workers: submit, calibrate, reason, collect; status and retry in between.

How far a job is, is what results are in the store. Every stage can be asked for again: what is done already is not
sent again, and the collected data set is the one that `annotator_worker.local.run` writes from the same input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kombu.exceptions import OperationalError

from annotator_worker import comparative, dataset, keys, tasks
from annotator_worker.dataset import Annotation, Summary
from annotator_worker.errors import BrokerError, JobError
from annotator_worker.jobfiles import JobFiles, concurrently, present
from annotator_worker.listing import Listing
from annotator_worker.pipeline import attempt, audio_file, calibrate, read_levels
from annotator_worker.records import (
    ComparativePlan,
    CompareRequest,
    DeadLetter,
    JobSpec,
    ReasonRequest,
    Stage,
    Submitted,
    work_key,
)
from annotator_worker.store import ObjectStore
from prosody import LevelScale
from speech_records import MeasuredUtterance, ReasoningTrace, Utterance, file_sha256, to_dict

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
    """How far a job is; `reason` and `compare` are `None` until they were asked for."""

    job: str
    rejected: int
    measure: Progress
    calibrated: bool
    reason: Progress | None
    compare: Progress | None


def submit(files: JobFiles, listing: Listing) -> int:
    """Store the spec and the audio of `listing`, send what is not measured yet; how many messages were sent."""
    rejected: list[DeadLetter] = list(listing.rejected)
    found: list[tuple[Utterance, Path]] = []
    for utterance in listing.utterances:
        path = attempt(partial(audio_file, utterance, listing.root), where=utterance.utterance_id, stage=Stage.MEASURE)
        if isinstance(path, DeadLetter):
            rejected.append(path)
        else:
            found.append((utterance, path))
    submitted = list(concurrently(partial(_push, files.store, listing.spec), found))
    files.create(listing.spec, submitted, rejected)
    return _send_measure(files, submitted)


def calibrate_job(files: JobFiles) -> LevelScale:
    """Fit the level scale on what was measured of the train split, and store it."""
    scale = calibrate((m for _, m in _measured(files)), name=files.spec().corpus)
    files.keep_scale(scale)
    return scale


def reason(files: JobFiles) -> int:
    """Send what was measured to be reasoned about, and the comparative clips; how many messages were sent."""
    spec, scale = files.spec(), files.scale()
    levelled = [(item, read_levels(m, scale)) for item, m in _measured(files)]
    plans = comparative.plan((m for _, m in levelled), spec)
    files.keep_plans(plans)
    traces, clips = set(files.store.keys(keys.TRACES)), set(files.store.keys(keys.COMPARATIVE))
    audio = {item.utterance.utterance_id: item.audio_key for item, _ in levelled}
    requests = [
        ReasonRequest(keys.trace_item(item.key, scale, spec), m, spec.label_set, spec.seed, spec.style)
        for item, m in levelled
    ]
    unreasoned = [r for r in requests if keys.trace(r.key) not in traces]
    unmade = [CompareRequest(p, audio[p.utterance.utterance_id]) for p in plans if keys.clip(p.clip_id) not in clips]
    files.forget([*(r.key for r in unreasoned), *(r.plan.clip_id for r in unmade)])
    return _send(tasks.reason, unreasoned) + _send(tasks.compare, unmade)


def status(files: JobFiles) -> Status:
    """What is done, failed and pending."""
    submitted, failed = [s.key for s in files.submitted()], set(files.store.keys(keys.ERRORS))
    measured = set(files.store.keys(keys.MEASURED))
    measure = _progress(submitted, keys.measured, measured, failed)
    rejected = len(files.rejected())
    if not files.has_plans():
        return Status(files.name, rejected, measure, files.has_scale(), None, None)
    traces = _progress(
        _trace_items(files, present(keys.measured, submitted, measured)),
        keys.trace,
        set(files.store.keys(keys.TRACES)),
        failed,
    )
    clips = _progress([p.clip_id for p in files.plans()], keys.clip, set(files.store.keys(keys.COMPARATIVE)), failed)
    return Status(files.name, rejected, measure, True, traces, clips)


def retry(files: JobFiles) -> int:
    """Send again what is not done of the stage that the job is in; how many messages were sent."""
    return reason(files) if files.has_plans() else _send_measure(files, files.submitted())


def collect(files: JobFiles, out: Path) -> Summary:
    """Write the data set into the folder `out`. Raises `JobError` while anything is pending."""
    now = status(files)
    if now.reason is None or now.compare is None:
        raise JobError(f"job {files.name!r} was not reasoned about yet: run calibrate, then reason")
    if pending := now.measure.pending + now.reason.pending + now.compare.pending:
        raise JobError(f"job {files.name!r}: {pending} items are pending: wait for the workers, or retry")
    scale = files.scale()
    measured = _measured(files)
    traces = _trace_items(files, [item.key for item, _ in measured])
    found = present(keys.trace, traces, set(files.store.keys(keys.TRACES)))
    clips = set(files.store.keys(keys.COMPARATIVE))
    plans = [p for p in files.plans() if keys.clip(p.clip_id) in clips]
    (out / "comparative").mkdir(parents=True, exist_ok=True)
    list(concurrently(partial(_download, files.store, out), plans))
    items = [*(s.key for s in files.submitted()), *traces, *(p.clip_id for p in files.plans())]
    annotation = Annotation(
        spec=files.spec(),
        measured=[read_levels(m, scale) for _, m in measured],
        scale=scale,
        traces=files.load(map(keys.trace, found), ReasoningTrace),
        plans=plans,
        dead_letters=[*files.rejected(), *_dead_letters(files, items)],
    )
    return dataset.write(out, annotation)


def _push(store: ObjectStore, spec: JobSpec, found: tuple[Utterance, Path]) -> Submitted:
    utterance, path = found
    sha256 = file_sha256(path)
    audio_key = keys.audio(sha256, path.suffix)
    if not store.exists(audio_key):
        store.upload(audio_key, path)
    return Submitted(work_key(utterance, sha256, spec.versions), utterance, sha256, audio_key)


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


def _measured(files: JobFiles) -> list[tuple[Submitted, MeasuredUtterance]]:
    """Everything that was measured; `JobError` while something is still to be."""
    submitted = files.submitted()
    found, failed = set(files.store.keys(keys.MEASURED)), set(files.store.keys(keys.ERRORS))
    progress = _progress([s.key for s in submitted], keys.measured, found, failed)
    if progress.pending:
        raise JobError(
            f"job {files.name!r}: {progress.pending} of {progress.total} utterances are still to be measured:"
            " wait for the workers, or retry"
        )
    items = [s for s in submitted if keys.measured(s.key) in found]
    return list(zip(items, files.load((keys.measured(s.key) for s in items), MeasuredUtterance), strict=True))


def _trace_items(files: JobFiles, measured: Iterable[str]) -> list[str]:
    spec, scale = files.spec(), files.scale()
    return [keys.trace_item(key, scale, spec) for key in measured]


def _progress(items: Sequence[str], name: Callable[[str], str], found: set[str], failed: set[str]) -> Progress:
    """A result wins over a dead letter: a message that came twice may have failed once."""
    done = sum(name(item) in found for item in items)
    dead = sum(name(item) not in found and keys.dead_letter(item) in failed for item in items)
    return Progress(len(items), done, dead, len(items) - done - dead)


def _dead_letters(files: JobFiles, items: Sequence[str]) -> list[DeadLetter]:
    done = {k for prefix in (keys.MEASURED, keys.TRACES, keys.COMPARATIVE) for k in files.store.keys(prefix)}
    failed = present(keys.dead_letter, items, set(files.store.keys(keys.ERRORS)))
    open_letters = [i for i in failed if not {keys.measured(i), keys.trace(i), keys.clip(i)} & done]
    return files.load(map(keys.dead_letter, open_letters), DeadLetter)
