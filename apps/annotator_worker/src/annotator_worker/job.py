"""Annotation through an object store and workers: submit, calibrate, collect; retry and cancel in between.

How far a job is, is what results are in the store. Every stage can be asked for again: what is done already is not
sent again, and the collected data set is the one that `annotator_worker.local.run` writes from the same input.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple, Self

from annotator_worker import comparative, keys
from annotator_worker.batching import Item, store_batches
from annotator_worker.errors import ClipError, JobError
from annotator_worker.jobfiles import JobFiles, concurrently
from annotator_worker.listing import CorpusRequest, Reading
from annotator_worker.local import Report, finish, quiet, silent
from annotator_worker.pipeline import audio_file, audio_sha256, calibrate
from annotator_worker.records import Batch, BatchTask, ComparativePlan, DeadLetter, JobSpec, Outcome, Stage, Submitted
from annotator_worker.results import Gathered, Range, done_ranges, missing, outcomes
from annotator_worker.sending import Sender
from annotator_worker.store import MAX_CONNECTIONS, ObjectStore
from cotgen.dataset import DataSet
from prosody import LevelScale
from speech_records import FailedItem, Utterance, to_json

_AHEAD: Final = 32 * MAX_CONNECTIONS
_WORK_PER_CLIP_S: Final = 0.01
_WORK_PER_SECOND: Final = 0.016
"""What measuring takes, with stressed words: 60 ms of a clip of 3.7 s (docs of this application)."""
_BYTES_PER_SECOND: Final = 32_000
"""Of audio whose length is not said: 16-bit mono at 16 kHz."""
_COMPARE_WORK_S: Final = 0.5


class Sent(NamedTuple):
    """How many items were sent, and in how many messages."""

    items: int
    messages: int


@dataclass(frozen=True, slots=True)
class _Sound:
    """The audio of an utterance: its hash, and how long it is at most."""

    sha256: str
    seconds: float


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
            items = _submitted(files.store, reading, reject, in_place=in_place)
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


def retry(files: JobFiles, *, say: Callable[[str], None] = quiet) -> Sent:
    """Send again what is not done of the stage that the job is in: what was lost, then what failed; what was sent."""
    spec = files.spec()
    stage = Stage.COMPARE if files.has_scale() else Stage.MEASURE
    rounds = [list(batches) for batches in files.rounds(stage)]
    done = done_ranges(files.store)
    with Sender(files, say=say) as sender, _gathered(files, stage, done=done, must_be_done=False) as gathered:
        lost = _undone(spec, files.name, stage, chain.from_iterable(rounds), done)
        sender.send(lost)
        retried = bool(_undone(spec, files.name, stage, chain.from_iterable(rounds[1:]), done))
        dead = [] if retried else gathered.dead()  # what failed may be among what is on its way again
        again = _send(files, sender, spec, stage, _failed_items(files, rounds, dead), retries=len(rounds))
    return Sent(again.items + _items(lost), again.messages + len(lost))


def collect(files: JobFiles, out: Path, *, report: Report = silent, say: Callable[[str], None] = quiet) -> DataSet:
    """Have the reasoning written and the data set put into the folder `out`; again, to continue what was stopped.

    Raises `JobError` while anything is pending.
    """
    spec = files.spec()
    if not files.has_scale():
        raise JobError(f"job {files.name!r} has no level scale yet: run calibrate")
    (out / "comparative").mkdir(parents=True, exist_ok=True)
    with _gathered(files, Stage.MEASURE, Stage.COMPARE, folder=out / ".work") as gathered:
        plans = [plan for plan in files.plans() if plan.clip_id in gathered.made]
        for _ in concurrently(partial(_download, files.store, out), plans):
            pass
        failed = [*files.rejected(), *(item.failed for item in gathered.dead())]
        return finish(
            spec, gathered.measured(), files.scale(), out, plans=plans, failed=failed, report=report, say=say
        )  # fmt: skip


def dead_letters(files: JobFiles) -> list[DeadLetter]:
    """What failed so far in both stages and was not done since."""
    with _gathered(files, Stage.MEASURE, Stage.COMPARE, must_be_done=False) as gathered:
        return gathered.dead()


def _submitted(
    store: ObjectStore, reading: Reading, reject: Callable[[FailedItem], None], *, in_place: bool
) -> Iterator[Item]:
    """The items of a corpus, once their audio is stored; its files are read and stored several at once."""
    waiting: deque[tuple[Utterance, Future[_Sound]]] = deque()
    sounds = _Sounds(store, reading.asked.audio_root, in_place=in_place)

    def first() -> Iterator[Item]:
        utterance, future = waiting.popleft()
        try:
            sound = future.result()
        except (ClipError, OSError) as error:
            reject(FailedItem.of(utterance.utterance_id, Stage.MEASURE, _own(error, utterance, sounds.root)))
        else:
            line = to_json(Submitted(utterance, sound.sha256))
            yield Item(utterance.utterance_id, line, _WORK_PER_CLIP_S + _WORK_PER_SECOND * _seconds(utterance, sound))

    with sounds:
        for utterance in reading:
            waiting.append((utterance, sounds.of(utterance)))
            if len(waiting) >= _AHEAD:
                yield from first()
        while waiting:
            yield from first()


def _own(error: Exception, utterance: Utterance, root: Path) -> Exception:
    """What is wrong with the audio of this utterance, not of the first one of its file."""
    try:
        audio_file(utterance, root)
    except ClipError as own:
        return own
    return error


def _seconds(utterance: Utterance, sound: _Sound) -> float:
    end = sound.seconds if utterance.end_s is None else utterance.end_s
    return max(0.0, end - (utterance.start_s or 0.0))


class _Sounds:
    """The audio files of a corpus, each hashed and stored once for the many utterances that follow each other in it."""

    def __init__(self, store: ObjectStore, root: Path, *, in_place: bool) -> None:
        self._store = None if in_place else store
        self.root = root
        self._pool = ThreadPoolExecutor(MAX_CONNECTIONS)
        self._kept: dict[str, Future[_Sound]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def of(self, utterance: Utterance) -> Future[_Sound]:
        """The audio of an utterance, when it is stored."""
        path = utterance.audio_path
        if path not in self._kept:
            if len(self._kept) >= _AHEAD:
                del self._kept[next(iter(self._kept))]
            self._kept[path] = self._pool.submit(_push, self._store, self.root, utterance)
        return self._kept[path]


def _push(store: ObjectStore | None, root: Path, utterance: Utterance) -> _Sound:
    """Store the audio of an utterance under its hash; `ClipError` where there is none, or it changes meanwhile."""
    path = audio_file(utterance, root)
    sha256, before = audio_sha256(path), path.stat()
    key = keys.audio(sha256, utterance.audio_path)
    if store is not None and not store.exists(key):
        store.upload(key, path)
        after = path.stat()
        if (before.st_ino, before.st_mtime_ns, before.st_size) != (after.st_ino, after.st_mtime_ns, after.st_size):
            store.delete(key)
            raise ClipError(f"{utterance.audio_path} changed while it was submitted: submit it again")
    return _Sound(sha256, before.st_size / _BYTES_PER_SECOND)


def _send(
    files: JobFiles, sender: Sender, spec: JobSpec, stage: Stage, items: Iterable[Item], *, retries: int = 0
) -> Sent:
    """Store items in batches, enter these into the index of the job, and send those that are not done."""
    recipe: list[str | int] = [stage, spec.versions.prosody, spec.versions.speech_records, to_json(spec.measuring)]
    recipe += [retries] if retries else []
    done = done_ranges(files.store)
    count = messages = 0
    for number, made in enumerate(store_batches(files.store, items, recipe)):
        files.add(stage, retries, number, made)
        tasks = _undone(spec, files.name, stage, made, done)
        sender.send(tasks)
        count += _items(tasks)
        messages += len(tasks)
    return Sent(count, messages)


def _undone(
    spec: JobSpec, job: str, stage: Stage, batches: Iterable[Batch], done: Mapping[str, list[Range]]
) -> list[BatchTask]:
    """A task for every gap in what is done of the batches."""
    asked = (spec.versions, spec.measuring, spec.in_place)
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
