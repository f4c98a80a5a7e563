"""How far a job is: from the index of what was sent, a listing of what is done, and the workers' counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from annotator_worker.jobfiles import JobFiles
from annotator_worker.ledger import Ledger
from annotator_worker.records import Batch, Stage
from annotator_worker.results import Range, done_ranges, missing
from annotator_worker.sending import broker_errors


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one stage is; `pending` is what workers still have to do."""

    total: int
    done: int
    failed: int
    pending: int


@dataclass(frozen=True, slots=True)
class Status:
    """How far a job is; `compare` is `None` until it was calibrated.

    `submitted` becomes true when the whole corpus was read. `rate` is in items per second over the last minutes, over
    all workers; `eta_s` what is pending at that rate, `None` where nothing moves. Of a worker there is how many items
    it did. Without a broker's address there is neither.
    """

    job: str
    submitted: bool
    rejected: int
    measure: Progress
    compare: Progress | None
    cancelled: bool = False
    rate: float | None = None
    eta_s: float | None = None
    workers: Mapping[str, int] | None = None


def status(files: JobFiles, ledger: Ledger | None = None) -> Status:
    """What is done, failed and pending."""
    done = done_ranges(files.store)
    submitted = files.is_submitted()
    measure = _progress(files.rounds(Stage.MEASURE), done)
    compare = _progress(files.rounds(Stage.COMPARE), done) if files.has_scale() else None
    rejected = len(files.rejected()) if submitted else 0
    if ledger is None:
        return Status(files.name, submitted, rejected, measure, compare)
    with broker_errors():
        activity = ledger.activity(files.name)
    pending = measure.pending + (compare.pending if compare else 0)
    eta_s = round(pending / activity.rate, 1) if activity.rate else None
    return Status(
        files.name, submitted, rejected, measure, compare, cancelled=activity.is_cancelled,
        rate=round(activity.rate, 2), eta_s=eta_s, workers=activity.workers,
    )  # fmt: skip


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
