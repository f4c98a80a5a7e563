"""How far a job is: from the index of what was sent, a listing of what is done, and the workers' counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from annotator_worker.jobfiles import JobFiles
from annotator_worker.ledger import Ledger
from annotator_worker.records import Batch, Stage
from annotator_worker.results import Range, done_ranges, missing
from annotator_worker.sending import broker_errors


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one stage is; `pending` is what workers still have to do.

    `rate` is in items per second over the last minutes, over all workers; `eta_s` what is pending at that rate, `None`
    where nothing moves. Without a broker's address there is neither.
    """

    total: int
    done: int
    failed: int
    pending: int
    rate: float | None = None
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class Worker:
    """How many items a worker did for a job, and how many a second over the last minutes."""

    items: int
    rate: float


@dataclass(frozen=True, slots=True)
class Status:
    """How far a job is; `compare` is `None` until it was calibrated, `reason` until reasoning was asked for.

    `submitted` becomes true when the whole corpus was read. Without a broker's address nothing is known of workers.
    """

    job: str
    submitted: bool
    rejected: int
    measure: Progress
    compare: Progress | None
    reason: Progress | None
    cancelled: bool = False
    workers: Mapping[str, Worker] | None = None

    @property
    def pending(self) -> int:
        """What workers still have to do, at all stages."""
        return sum(stage.pending for stage in (self.measure, self.compare, self.reason) if stage is not None)


def status(files: JobFiles, ledger: Ledger | None = None) -> Status:
    """What is done, failed and pending."""
    done = done_ranges(files.store)
    submitted = files.is_submitted()
    activity = None
    if ledger is not None:
        with broker_errors():
            activity = ledger.activity(files.name)

    def progress(stage: Stage) -> Progress:
        found = _progress(files.rounds(stage), done)
        if activity is None:
            return found
        rate = activity.rate_of(stage=stage)
        return replace(found, rate=round(rate, 2), eta_s=round(found.pending / rate, 1) if rate else None)

    told = Status(
        files.name,
        submitted,
        len(files.rejected()) if submitted else 0,
        progress(Stage.MEASURE),
        progress(Stage.COMPARE) if files.has_scale() else None,
        progress(Stage.REASON) if files.has_writing() else None,
    )
    if activity is None:
        return told
    workers = {name: Worker(items, round(activity.rate_of(worker=name), 2)) for name, items in activity.workers.items()}
    return replace(told, cancelled=activity.is_cancelled, workers=workers)


def _progress(rounds: Iterable[Iterable[Batch]], done: Mapping[str, list[Range]]) -> Progress:
    """Every round after the first sends again what failed before it, so its items have not failed yet."""
    total = failed = pending = 0
    for retries, batches in enumerate(rounds):
        for batch in batches:
            ranges = done.get(batch.key, [])
            failed += sum(found.failed for found in ranges) - (batch.items if retries else 0)
            pending += sum(gap.stop - gap.start for gap in missing(batch, ranges))
            total += 0 if retries else batch.items
    return Progress(total, total - failed - pending, failed, pending)
