"""Annotation in this process and a few more: from a corpus on disk to the finished data set, nothing to start.

The result does not depend on the number of workers, nor on whether the run was stopped in between: measurements are
kept in a work file under keys of their content, and everything after them is a function of the sorted whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from annotator_worker import comparative, dataset
from annotator_worker.dataset import Annotation, Summary
from annotator_worker.listing import Listing
from annotator_worker.pipeline import (
    Writing,
    attempt,
    audio_file,
    calibrate,
    read_levels,
    try_measure,
    try_reason,
)
from annotator_worker.pool import map_chunks
from annotator_worker.records import ComparativePlan, DeadLetter, Stage, work_key
from annotator_worker.workfile import Done, WorkFile
from speech_records import LABEL_SETS, MeasuredUtterance, ReasoningTrace, Utterance, file_sha256

T = TypeVar("T")
Report = Callable[[Stage, int, int], None]
"""Called with a stage, how many of its items are finished, and how many there are."""

WORK_FILE = Path(".work") / "measured.jsonl"
_MEASURE_CHUNK = 16  # about half a second of work: small enough to lose, large enough to hide the hand-over
_REASON_CHUNK = 256
_COMPARE_CHUNK = 4


def silent(stage: Stage, done: int, total: int) -> None:
    """A report that goes nowhere."""


def run(listing: Listing, out: Path, *, workers: int = 1, report: Report = silent) -> Summary:
    """Annotate `listing` into the folder `out`, continuing what an earlier run left there.

    Raises `UnusableInputError` when no level scale can be fitted; what fails for one utterance is a dead letter.
    """
    out.mkdir(parents=True, exist_ok=True)
    measured, failed = split_letters(_measure(listing, out / WORK_FILE, workers, report))
    scale = calibrate(measured, name=listing.spec.corpus)
    levelled = [read_levels(m, scale) for m in measured]
    plans = comparative.plan(levelled, listing.spec)
    started = Annotation(listing.spec, levelled, scale, (), plans, (*listing.rejected, *failed))
    earlier = dataset.read_summary(out)
    if earlier is not None and earlier.index.get("inputs") == dataset.fingerprint(started):
        return earlier
    spec = listing.spec
    writing = Writing(LABEL_SETS[spec.label_set], spec.seed, spec.style)
    traces, unreasoned = split_letters(_reason(levelled, writing, workers, report))
    made, unmade = split_letters(compare_plans(plans, listing.root, out, workers, report))
    letters = (*started.dead_letters, *unreasoned, *unmade)
    return dataset.write(out, Annotation(listing.spec, levelled, scale, traces, made, letters))


def _measure(listing: Listing, work_file: Path, workers: int, report: Report) -> list[MeasuredUtterance | DeadLetter]:
    total = len(listing.utterances)
    results: list[MeasuredUtterance | DeadLetter] = []
    versions = listing.spec.versions
    with WorkFile(work_file) as work:
        seen, todo = work.utterance_ids, []
        for utterance in listing.utterances:
            earlier = None
            if utterance.utterance_id in seen:
                sha256 = attempt(
                    partial(_sha256, utterance, listing.root), where=utterance.utterance_id, stage=Stage.MEASURE
                )
                earlier = work.get(work_key(utterance, sha256, versions)) if isinstance(sha256, str) else None
            if earlier is None:
                todo.append(utterance)
            else:
                results.append(earlier)
        report(Stage.MEASURE, len(results), total)
        function = partial(_measure_chunk, root=listing.root)
        for chunk in map_chunks(function, todo, workers=workers, chunk=_MEASURE_CHUNK):
            good, _ = split_letters(chunk)
            work.add(Done(work_key(m.utterance, m.audio_sha256 or "", versions), m) for m in good)
            results += chunk
            report(Stage.MEASURE, len(results), total)
    return results


def _sha256(utterance: Utterance, root: Path) -> str:
    return file_sha256(audio_file(utterance, root))


def _measure_chunk(utterances: Sequence[Utterance], *, root: Path) -> list[MeasuredUtterance | DeadLetter]:
    results: list[MeasuredUtterance | DeadLetter] = []
    for utterance in utterances:
        path = attempt(partial(audio_file, utterance, root), where=utterance.utterance_id, stage=Stage.MEASURE)
        results.append(path if isinstance(path, DeadLetter) else try_measure(utterance, path))
    return results


def _reason(
    measured: Sequence[MeasuredUtterance], writing: Writing, workers: int, report: Report
) -> list[ReasoningTrace | DeadLetter]:
    results: list[ReasoningTrace | DeadLetter] = []
    function = partial(_reason_chunk, writing=writing)
    report(Stage.REASON, 0, len(measured))
    for chunk in map_chunks(function, measured, workers=workers, chunk=_REASON_CHUNK):
        results += chunk
        report(Stage.REASON, len(results), len(measured))
    return results


def _reason_chunk(measured: Sequence[MeasuredUtterance], *, writing: Writing) -> list[ReasoningTrace | DeadLetter]:
    return [try_reason(m, writing) for m in measured]


def compare_plans(
    plans: Sequence[ComparativePlan], root: Path, out: Path, workers: int, report: Report
) -> list[ComparativePlan | DeadLetter]:
    """Each plan once its clip lies in `out/comparative`, or the dead letter of what went wrong; sorted by name."""
    results: list[ComparativePlan | DeadLetter] = []
    (out / "comparative").mkdir(exist_ok=True)
    function = partial(_compare_chunk, root=root, out=out)
    report(Stage.COMPARE, 0, len(plans))
    for chunk in map_chunks(function, plans, workers=workers, chunk=_COMPARE_CHUNK):
        results += chunk
        report(Stage.COMPARE, len(results), len(plans))
    return sorted(results, key=lambda r: r.where if isinstance(r, DeadLetter) else r.clip_id)


def _compare_chunk(plans: Sequence[ComparativePlan], *, root: Path, out: Path) -> list[ComparativePlan | DeadLetter]:
    return [_compare_one(plan, root, out) for plan in plans]


def _compare_one(plan: ComparativePlan, root: Path, out: Path) -> ComparativePlan | DeadLetter:
    """The plan, once its clip lies in `out`; a clip's name holds everything that decides it, so one there is kept."""
    target = out / plan.clip.audio_path
    if target.exists():
        return plan

    def make() -> ComparativePlan:
        temporary = target.with_suffix(".new")
        temporary.write_bytes(comparative.render(plan, audio_file(plan.utterance, root)))
        temporary.replace(target)
        return plan

    return attempt(make, where=plan.utterance.utterance_id, stage=Stage.COMPARE)


def split_letters(results: Sequence[T | DeadLetter]) -> tuple[list[T], list[DeadLetter]]:
    """What was done, and the dead letters."""
    good = [r for r in results if not isinstance(r, DeadLetter)]
    return good, [r for r in results if isinstance(r, DeadLetter)]
