"""What the object store holds of one job: reading and writing its files and the index of what was sent."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from annotator_worker import keys
from annotator_worker.errors import JobError, ObjectNotFoundError
from annotator_worker.records import Batch, ComparativePlan, JobSpec, Stage, Writing
from annotator_worker.store import MAX_CONNECTIONS, ObjectStore
from prosody import LevelScale
from speech_records import FailedItem, from_json, to_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RecordT = TypeVar("RecordT", bound="DataclassInstance")
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_AHEAD = 8 * MAX_CONNECTIONS


class JobFiles:
    """The files of job `name` in `store`. Reading one that is not there yet raises `JobError`."""

    def __init__(self, store: ObjectStore, name: str) -> None:
        if _NAME.fullmatch(name) is None:
            raise JobError(f"{name!r} is not a job name: letters, digits, - and _, at most 64 of them")
        self.store = store
        self.name = name

    def begin(self) -> None:
        """Begin the job, or begin it again: what was sent, fitted and planned before is forgotten, results are not."""
        for key in sorted(self.store.keys(keys.job(self.name, ""))):
            self.store.delete(key)

    def finish(self, spec: JobSpec, rejected: Path) -> None:
        """Everything was submitted; `rejected` is a file of failed items."""
        self.store.upload(keys.job(self.name, "rejected.jsonl"), rejected)
        self._write("spec.json", [spec])

    def add(self, stage: Stage, retries: int, number: int, sent: Iterable[Batch]) -> None:
        """Enter what a round sends into its index, as entry `number` of it."""
        self._write(f"{keys.index(stage, retries)}{number:06}.jsonl", sent)

    def rounds(self, stage: Stage) -> list[Iterator[Batch]]:
        """The batches of each round of a stage, the first of which was no retry; none where nothing was sent yet."""
        sent: list[list[str]] = []
        for key in sorted(self.store.keys(keys.job(self.name, ""))):
            if match := re.fullmatch(rf"jobs/{self.name}/({stage}-(\d+)/\d+\.jsonl)", key):
                sent += [[] for _ in range(int(match[2]) + 1 - len(sent))]
                sent[int(match[2])].append(match[1])
        return [(batch for file in files for batch in self._read(file, Batch)) for files in sent]

    def is_submitted(self) -> bool:
        """Whether everything was submitted."""
        return self.store.exists(keys.job(self.name, "spec.json"))

    def spec(self) -> JobSpec:
        """What was asked for."""
        return self._read("spec.json", JobSpec, "submit it first")[0]

    def rejected(self) -> list[FailedItem]:
        """What failed before any work was sent."""
        return self._read("rejected.jsonl", FailedItem, "submit it first")

    def scale(self) -> LevelScale:
        """The level scale of the job."""
        return LevelScale.from_json(self._get("scale.json", "calibrate it first"))

    def keep(self, scale: LevelScale, plans: Iterable[ComparativePlan]) -> None:
        """Store the level scale, and the plans of the comparative clips before it. Reasoning is by another scale."""
        self.store.delete(keys.job(self.name, "writing.json"))
        self._forget(Stage.REASON)
        self._write("plans.jsonl", plans)
        self.store.put(keys.job(self.name, "scale.json"), scale.to_json().encode())

    def plans(self) -> list[ComparativePlan]:
        """The comparative clips that were asked for."""
        return self._read("plans.jsonl", ComparativePlan, "calibrate it first")

    def has_scale(self) -> bool:
        """Whether the job was calibrated."""
        return self.store.exists(keys.job(self.name, "scale.json"))

    def begin_reasoning(self, writing: Writing) -> None:
        """Begin the reasoning, or begin it again: what was sent of it before is forgotten, results are not."""
        self._forget(Stage.REASON)
        self._write("writing.json", [writing])

    def writing(self) -> Writing:
        """How the reasoning is written."""
        return self._read("writing.json", Writing, "have the reasoning written first: annotator reason")[0]

    def has_writing(self) -> bool:
        """Whether reasoning was asked for."""
        return self.store.exists(keys.job(self.name, "writing.json"))

    def _forget(self, stage: Stage) -> None:
        for key in sorted(self.store.keys(keys.job(self.name, ""))):
            if key.startswith(keys.job(self.name, f"{stage}-")):
                self.store.delete(key)

    def _get(self, file: str, remedy: str) -> str:
        try:
            return self.store.get(keys.job(self.name, file)).decode()
        except ObjectNotFoundError as error:
            raise JobError(f"job {self.name!r} has no {file} in this store: {remedy}") from error

    def _read(self, file: str, cls: type[RecordT], remedy: str = "submit it again") -> list[RecordT]:
        # Lines end in \n only: other line separators may be inside JSON strings.
        lines = self._get(file, remedy).split("\n")
        return [from_json(cls, line, line=number) for number, line in enumerate(lines, start=1) if line]

    def _write(self, file: str, records: Iterable[DataclassInstance]) -> None:
        text = "".join(to_json(record) + "\n" for record in records)
        self.store.put(keys.job(self.name, file), text.encode())


def concurrently(function: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> Iterator[ResultT]:
    """`function` of every item, in their order, several at once; items are taken a bounded number ahead."""
    with ThreadPoolExecutor(MAX_CONNECTIONS) as pool:
        waiting: deque[Future[ResultT]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
