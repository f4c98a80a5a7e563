"""What the object store holds of one job: reading and writing its files and finding its results."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from annotator_worker import keys
from annotator_worker.errors import JobError, ObjectNotFoundError
from annotator_worker.records import ComparativePlan, JobSpec, Submitted
from annotator_worker.store import MAX_CONNECTIONS, ObjectStore
from prosody import LevelScale
from speech_records import FailedItem, from_json, to_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RecordT = TypeVar("RecordT", bound="DataclassInstance")
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


class JobFiles:
    """The files of job `name` in `store`. Reading one that is not there yet raises `JobError`."""

    def __init__(self, store: ObjectStore, name: str) -> None:
        if _NAME.fullmatch(name) is None:
            raise JobError(f"{name!r} is not a job name: letters, digits, - and _, at most 64 of them")
        self.store = store
        self.name = name

    def create(self, spec: JobSpec, submitted: Iterable[Submitted], rejected: Iterable[FailedItem]) -> None:
        """Begin the job, or begin it again: what was fitted and planned before is forgotten."""
        for stale in ("scale.json", "plans.jsonl"):
            self.store.delete(keys.job(self.name, stale))
        self._write("rejected.jsonl", rejected)
        self._write("submitted.jsonl", submitted)
        self._write("spec.json", [spec])

    def spec(self) -> JobSpec:
        """What was asked for."""
        return self._read("spec.json", JobSpec, "submit it first")[0]

    def submitted(self) -> list[Submitted]:
        """What workers are to measure, sorted by utterance id."""
        return self._read("submitted.jsonl", Submitted, "submit it first")

    def rejected(self) -> list[FailedItem]:
        """What failed before any work was sent."""
        return self._read("rejected.jsonl", FailedItem, "submit it first")

    def scale(self) -> LevelScale:
        """The level scale of the job."""
        return LevelScale.from_json(self._get("scale.json", "calibrate it first"))

    def keep(self, scale: LevelScale, plans: Iterable[ComparativePlan]) -> None:
        """Store the level scale, and the plans of the comparative clips before it."""
        self._write("plans.jsonl", plans)
        self.store.put(keys.job(self.name, "scale.json"), scale.to_json().encode())

    def plans(self) -> list[ComparativePlan]:
        """The comparative clips that were asked for."""
        return self._read("plans.jsonl", ComparativePlan, "calibrate it first")

    def has_scale(self) -> bool:
        """Whether the job was calibrated."""
        return self.store.exists(keys.job(self.name, "scale.json"))

    def load(self, names: Iterable[str], cls: type[RecordT]) -> Iterator[RecordT]:
        """The records of type `cls` at the keys `names`, in their order."""
        return concurrently(lambda name: from_json(cls, self.store.get(name).decode()), names)

    def forget(self, items: Sequence[str]) -> None:
        """Drop the failed items and delivery counts of work items that are to be tried again."""
        for name, folder in ((keys.failure, keys.ERRORS), (keys.deliveries, keys.DELIVERIES)):
            for item in present(name, items, set(self.store.keys(folder))):
                self.store.delete(name(item))

    def _get(self, file: str, remedy: str) -> str:
        try:
            return self.store.get(keys.job(self.name, file)).decode()
        except ObjectNotFoundError as error:
            raise JobError(f"job {self.name!r} has no {file} in this store: {remedy}") from error

    def _read(self, file: str, cls: type[RecordT], remedy: str) -> list[RecordT]:
        # Lines end in \n only: other line separators may be inside JSON strings.
        lines = self._get(file, remedy).split("\n")
        return [from_json(cls, line, line=number) for number, line in enumerate(lines, start=1) if line]

    def _write(self, file: str, records: Iterable[DataclassInstance]) -> None:
        text = "".join(to_json(record) + "\n" for record in records)
        self.store.put(keys.job(self.name, file), text.encode())


def concurrently(function: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> Iterator[ResultT]:
    """`function` of every item, in their order, several at once."""
    with ThreadPoolExecutor(MAX_CONNECTIONS) as pool:
        yield from pool.map(function, items)


def present(name: Callable[[str], str], items: Sequence[str], found: set[str]) -> list[str]:
    """Those work items whose object, called `name(item)`, is among `found`."""
    return [item for item in items if name(item) in found]
