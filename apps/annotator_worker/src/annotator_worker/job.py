"""Annotation through an object store and workers: submit, calibrate, reason, verify, collect; retry in between.

How far a job is, is what results are in the store. Every stage can be asked for again: what is done already is not
sent again, and the collected data set is the one that `annotator_worker.local.run` writes from the same input.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from annotator_worker import comparative, keys
from annotator_worker.batching import Item, store_batches
from annotator_worker.errors import JobError
from annotator_worker.jobfiles import JobFiles, concurrently
from annotator_worker.listing import CorpusRequest, Reading
from annotator_worker.local import Report, finish, quiet, silent
from annotator_worker.pipeline import calibrate, read_levels
from annotator_worker.reasoning import WrittenByWorkers, identity
from annotator_worker.records import (
    Batch,
    BatchTask,
    ComparativePlan,
    DeadLetter,
    JobSpec,
    Levelled,
    Outcome,
    Stage,
    Writing,
)
from annotator_worker.results import Gathered, Range, done_ranges, missing, outcomes
from annotator_worker.sending import Sender
from annotator_worker.store import ObjectStore
from annotator_worker.submitting import submitted
from cotgen.dataset import DataSet
from cotgen.dataset.building import verified
from cotgen.errors import ContradictedError
from cotgen.reasoning import ReasoningConfig, budget_limits
from prosody import LevelScale
from speech_records import FailedItem, Verdict, to_json

_COMPARE_WORK_S: Final = 0.5
_RULES_WORK_S: Final = 0.01
_LLM_WORK_S: Final = 5.0
"""What a text about one utterance takes: rules measured, a model by guess."""


class Sent(NamedTuple):
    """How many items were sent, and in how many messages."""

    items: int
    messages: int


def submit(
    files: JobFiles, asked: CorpusRequest, *, in_place: bool = False, say: Callable[[str], None] = quiet
) -> Sent:
    """Store the spec and the audio of a corpus, send what is not measured yet; what was sent.

    The corpus is read while it is sent. `in_place`: no audio is stored.
    """
    with TemporaryDirectory(prefix="annotator-") as folder, Sender(files, say=say) as sender:
        rejected = Path(folder) / "rejected.jsonl"
        with rejected.open("w", encoding="utf-8") as file:

            def reject(item: FailedItem) -> None:
                file.write(to_json(item) + "\n")

            reading = Reading(asked, reject)
            sending = reading.spec(in_place=in_place)
            items = submitted(files.store, reading, reject, in_place=in_place)
            first = list(islice(items, 1))  # a corpus that cannot be read leaves the job as it was
            files.begin()
            sent = _send(files, sender, sending, Stage.MEASURE, chain(first, items))
        files.finish(reading.spec(in_place=in_place), rejected)
    return sent


def calibrate_job(files: JobFiles, *, say: Callable[[str], None] = quiet) -> tuple[LevelScale, Sent]:
    """Fit the level scale on what was measured of the train split, store it, and send the comparative clips.

    The scale, and what was sent.
    """
    spec = files.spec()
    with _gathered(files, Stage.MEASURE) as gathered, Sender(files, say=say) as sender:
        scale = calibrate(gathered.measured, name=spec.corpus)
        plans = comparative.plan(gathered.measured(), spec)
        files.keep(scale, plans)
        items = (Item(plan.clip_id, to_json(plan), _COMPARE_WORK_S) for plan in plans)
        return scale, _send(files, sender, spec, Stage.COMPARE, items)


def reason(files: JobFiles, reasoning: ReasoningConfig, *, say: Callable[[str], None] = quiet) -> Sent:
    """Have workers write the reasoning about everything that was measured; what was sent."""
    spec, scale = files.spec(), files.scale()
    writing = Writing.of(spec, reasoning)
    if writing.is_paid:
        budget_limits(reasoning)  # raises where they are not valid, before anything is sent
    work_s = _LLM_WORK_S * reasoning.candidates / reasoning.concurrency if writing.is_paid else _RULES_WORK_S
    with _gathered(files, Stage.MEASURE) as gathered, Sender(files, say=say) as sender:
        levelled = (Levelled(read_levels(measured, scale)) for measured in gathered.measured())
        items = (Item(item.name, to_json(item), work_s) for item in levelled)
        files.begin_reasoning(writing)
        return _send(files, sender, spec, Stage.REASON, items)


def verify(files: JobFiles) -> tuple[Counter[Verdict], list[FailedItem]]:
    """Check every claim that workers wrote against the measurements: verdicts, and what `collect` will leave out."""
    scale = files.scale()
    verdicts: Counter[Verdict] = Counter()
    contradicted: list[FailedItem] = []
    with _gathered(files, Stage.MEASURE, Stage.REASON) as gathered:
        for measured in gathered.measured():
            name = measured.utterance.utterance_id
            outcome = gathered.written(name)
            if outcome is None or outcome.trace is None:
                continue
            try:
                checked = verified(read_levels(measured, scale), outcome.trace)
            except ContradictedError as error:
                contradicted.append(FailedItem.of(name, "verify", error))
            else:
                verdicts.update(claim.verdict for claim in checked.claims)
    return verdicts, contradicted


def retry(files: JobFiles, *, say: Callable[[str], None] = quiet) -> Sent:
    """Send again what is not done of the stage that the job is in: what was lost, then what failed; what was sent."""
    spec = files.spec()
    stage = _stage(files)
    rounds = [list(batches) for batches in files.rounds(stage)]
    done = done_ranges(files.store)
    with Sender(files, say=say) as sender, _gathered(files, stage, done=done, must_be_done=False) as gathered:
        undone = partial(_undone, spec, files.name, stage, done=done, writing=_writing(files, stage))
        lost = undone(chain.from_iterable(rounds))
        sender.send(lost)
        retried = bool(undone(chain.from_iterable(rounds[1:])))
        dead = [] if retried else gathered.dead()  # what failed may be among what is on its way again
        again = _send(files, sender, spec, stage, _failed_items(files, rounds, dead), retries=len(rounds))
    return Sent(again.items + _items(lost), again.messages + len(lost))


def collect(files: JobFiles, out: Path, *, report: Report = silent) -> DataSet:
    """Put the data set into the folder `out`; again, to continue what was stopped.

    Raises `JobError` while anything is pending.
    """
    spec = files.spec()
    if not files.has_scale():
        raise JobError(f"job {files.name!r} has no level scale yet: run calibrate")
    writing = files.writing()
    (out / "comparative").mkdir(parents=True, exist_ok=True)
    with _gathered(files, Stage.MEASURE, Stage.COMPARE, Stage.REASON, folder=out / ".work") as gathered:
        plans = [plan for plan in files.plans() if plan.clip_id in gathered.made]
        for _ in concurrently(partial(_download, files.store, out), plans):
            pass
        dead = (letter for letter in gathered.dead() if letter.stage is not Stage.REASON)  # these are told by the build
        failed = [*files.rejected(), *(letter.failed for letter in dead)]
        generator = WrittenByWorkers(identity(writing), gathered)
        return finish(
            spec, gathered.measured(), files.scale(), out, plans=plans, failed=failed, generator=generator,
            report=report,
        )  # fmt: skip


def dead_letters(files: JobFiles) -> list[DeadLetter]:
    """What failed so far, and was not done since: first what was rejected before it was sent, then by item."""
    with _gathered(files, Stage.MEASURE, Stage.COMPARE, Stage.REASON, must_be_done=False) as gathered:
        rejected = files.rejected() if files.is_submitted() else []
        return [*map(DeadLetter.rejected, rejected), *gathered.dead()]


def _stage(files: JobFiles) -> Stage:
    """The stage that a job is in."""
    if files.has_writing():
        return Stage.REASON
    return Stage.COMPARE if files.has_scale() else Stage.MEASURE


def _writing(files: JobFiles, stage: Stage) -> Writing | None:
    return files.writing() if stage is Stage.REASON else None


def _send(
    files: JobFiles, sender: Sender, spec: JobSpec, stage: Stage, items: Iterable[Item], *, retries: int = 0
) -> Sent:
    """Store items in batches, enter these into the index of the job, and send those that are not done."""
    writing = _writing(files, stage)
    if writing is None:
        by: list[str] = [spec.versions.prosody, spec.versions.speech_records, to_json(spec.measuring)]
    else:
        by = [writing.cotgen, writing.speech_claims, spec.versions.speech_records, writing.label_set]
        by += [str(writing.seed), json.dumps(identity(writing))]
    recipe: list[str | int] = [stage, *by, *([retries] if retries else [])]
    done = done_ranges(files.store)
    count = messages = 0
    for number, made in enumerate(store_batches(files.store, items, recipe)):
        files.add(stage, retries, number, made)
        tasks = _undone(spec, files.name, stage, made, done=done, writing=writing)
        sender.send(tasks)
        count += _items(tasks)
        messages += len(tasks)
    return Sent(count, messages)


def _undone(
    spec: JobSpec,
    job: str,
    stage: Stage,
    batches: Iterable[Batch],
    *,
    done: Mapping[str, list[Range]],
    writing: Writing | None,
) -> list[BatchTask]:
    """A task for every gap in what is done of the batches."""
    asked = (spec.versions, spec.measuring, spec.in_place, writing)
    return [
        BatchTask(job, stage, batch, gap.start, gap.stop, *asked)
        for batch in batches
        for gap in missing(batch, done.get(batch.key, []))
    ]


def _items(tasks: Iterable[BatchTask]) -> int:
    return sum(task.stop - task.start for task in tasks)


def _failed_items(files: JobFiles, rounds: Iterable[Iterable[Batch]], dead: Iterable[DeadLetter]) -> Iterator[Item]:
    """The items of dead letters, as they were sent; each on its own in the estimate, since it may end its worker."""
    sent = {batch.key: batch for batches in rounds for batch in batches}

    @lru_cache(maxsize=256)
    def lines(key: str) -> list[str]:
        batch = sent[key]
        return files.store.get(batch.part, offset=batch.offset, length=batch.length).decode().split("\n")

    for letter in dead:
        if letter.batch in sent:
            yield Item(letter.item, lines(letter.batch)[letter.index], _COMPARE_WORK_S)


@contextmanager
def _gathered(
    files: JobFiles, *stages: Stage, done: Mapping[str, list[Range]] | None = None, must_be_done: bool = True,
    folder: Path | None = None,
) -> Iterator[Gathered]:  # fmt: skip
    """What the workers did at `stages`. Raises `JobError` where something is still to be done and must not be."""
    found = done_ranges(files.store) if done is None else done
    with TemporaryDirectory(prefix="annotator-") as temporary, Gathered(folder or Path(temporary)) as gathered:
        for stage in stages:
            for retries, batches in enumerate(files.rounds(stage)):
                sent = list(batches)
                pending = sum(gap.stop - gap.start for b in sent for gap in missing(b, found.get(b.key, [])))
                if pending and must_be_done:
                    total = sum(batch.items for batch in sent)
                    raise JobError(
                        f"job {files.name!r}, {stage}: {pending} of {total} items are still to be done:"
                        " wait for the workers, or retry"
                    )
                # Of what was sent first, what was done can be passed over by those who ask for what failed.
                read = partial(_outcomes, files.store, found, only_failed=not must_be_done and not retries)
                for made in concurrently(read, sent):
                    gathered.add(made, retries=retries)
        yield gathered


def _outcomes(store: ObjectStore, done: Mapping[str, list[Range]], batch: Batch, *, only_failed: bool) -> list[Outcome]:
    return list(outcomes(store, batch.key, done.get(batch.key, []), only_failed=only_failed))


def _download(store: ObjectStore, out: Path, plan: ComparativePlan) -> None:
    store.download(keys.clip(plan.clip_id), out / plan.clip.audio_path)
