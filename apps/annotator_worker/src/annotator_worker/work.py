"""What a worker does with one batch: read its items, fetch their audio, measure or render, one outcome an item."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

from annotator_worker import keys, settings
from annotator_worker.comparative import render
from annotator_worker.errors import JobError, MissingAudioError, ObjectNotFoundError, StoreUnavailableError
from annotator_worker.pipeline import attempt, audio_file, try_measure
from annotator_worker.records import (
    Batch,
    BatchTask,
    ComparativePlan,
    DeadLetter,
    Levelled,
    Outcome,
    Stage,
    Submitted,
    digest,
)
from annotator_worker.store import ObjectStore
from speech_records import FailedItem, MeasuredUtterance, RecordFormatError, Utterance, file_sha256, from_json

Work = Submitted | ComparativePlan | Levelled
"""An item of a batch."""

_KINDS: Final[Mapping[Stage, type[Work]]] = MappingProxyType(
    {Stage.MEASURE: Submitted, Stage.COMPARE: ComparativePlan, Stage.REASON: Levelled}
)
_log = logging.getLogger(__name__)
_KEY: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_PART: Final = re.compile(re.escape(keys.BATCHES) + r"[0-9a-f]{32}\.jsonl", re.ASCII)
WORKER: Final = socket.gethostname()


def check_names(batch: Batch) -> None:
    """Raise `JobError` where a message names anything but a batch, whose results lie below its own prefix."""
    if _KEY.fullmatch(batch.key) is None or _PART.fullmatch(batch.part) is None:
        raise JobError(f"{batch.key!r} in {batch.part!r} is no batch")


def items_of(store: ObjectStore, task: BatchTask) -> list[Work]:
    """The items of the range that a message asks for. Raises `JobError` where they are not there."""
    batch = task.batch
    check_names(batch)
    lines = store.get(batch.part, offset=batch.offset, length=batch.length).decode().split("\n")[:-1]
    if len(lines) != batch.items:
        raise JobError(f"{batch.part} holds {len(lines)} items where {batch.items} should be")
    try:
        wanted = lines[task.start : task.stop]
        return [from_json(_KINDS[task.stage], line) for line in wanted]
    except RecordFormatError as error:
        raise JobError(f"{batch.part}: {error}") from error


@dataclass
class Audio:
    """The audio of items: below the worker's own root, or fetched from the store, where the last file is kept, since a
    conversation's turns are parts of one.
    """

    store: ObjectStore
    in_place: bool
    _folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=partial(tempfile.TemporaryDirectory, prefix="annotator-"), init=False
    )
    _kept: Path | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def path(self, utterance: Utterance, sha256: str) -> Path:
        """The file of an utterance. One that arrived damaged counts as a failure of the store."""
        if self.in_place:
            root = settings.setting(settings.AUDIO_ROOT)
            if not root:
                raise StoreUnavailableError(f"{settings.AUDIO_ROOT} does not name the root of audio read in place")
            return audio_file(utterance, Path(root))
        key = keys.audio(sha256, utterance.audio_path)
        path = Path(self._folder.name) / Path(key).name
        if path == self._kept:
            return path
        if self._kept is not None:
            self._kept.unlink()
            self._kept = None
        self.store.download(key, path)
        if file_sha256(path) != sha256:
            raise StoreUnavailableError(f"{key} does not have the SHA-256 that it is named by")
        self._kept = path
        return path


class Mark:
    """Which item of a task is next, in a file of this machine: what is known when the task's process is no more."""

    def __init__(self, task_id: str) -> None:
        self._path = self._path_of(task_id)

    def __enter__(self) -> Self:
        self._file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)
        self._path.unlink(missing_ok=True)

    def put(self, item: int) -> None:
        """Item `item` is next."""
        os.pwrite(self._file, struct.pack("<q", item), 0)

    @classmethod
    def take(cls, task_id: str) -> int | None:
        """The last item that a process put which did not end as it should, once; `None` where nothing is known."""
        path = cls._path_of(task_id)
        try:
            (item,) = struct.unpack("<q", path.read_bytes())
        except (OSError, struct.error):
            return None
        path.unlink(missing_ok=True)
        return int(item)

    @staticmethod
    def _path_of(task_id: str) -> Path:
        return Path(tempfile.gettempdir()) / f"annotator-{os.getuid()}-{digest([task_id])}"


def outcome_of(
    task: BatchTask,
    index: int,
    item: Submitted | ComparativePlan,
    *,
    audio: Audio,
    attempts: int,
    limit_s: float | None,
) -> Outcome:
    """What becomes of one item. Raises a `StoreError` or an `OSError` for what is not its own fault.

    What takes longer than `limit_s`, once its audio is here, ends this process.
    """
    try:
        path = audio.path(item.utterance, item.audio_sha256)
    except (MissingAudioError, ObjectNotFoundError) as error:
        result: MeasuredUtterance | FailedItem | bytes = FailedItem.of(item.utterance.utterance_id, task.stage, error)
    else:
        with time_limit(limit_s):
            result = _measured(item, path, task) if isinstance(item, Submitted) else _rendered(item, path)
    if isinstance(result, FailedItem):
        return Outcome(dead=dead_letter(task, index, item, result, attempts))
    if isinstance(result, MeasuredUtterance):
        return Outcome(measured=result)
    audio.store.put(keys.clip(item.name), result)
    return Outcome(made=item.name)


def dead_letter(task: BatchTask, index: int, item: Work, failed: FailedItem, attempts: int) -> DeadLetter:
    """The dead letter of item `index` of a batch."""
    about = {"utterance_id": failed.id, "job": task.job, "stage": str(task.stage), "batch": task.name}
    _log.warning("%s failed: %s", failed.id, failed.error, extra=about)
    return DeadLetter(
        id=failed.id, item=item.name, stage=task.stage, error=failed.error, message=failed.message, worker=WORKER,
        attempt=attempts, batch=task.batch.key, index=index,
    )  # fmt: skip


def _rendered(plan: ComparativePlan, path: Path) -> bytes | FailedItem:
    make: Callable[[], bytes] = partial(render, plan, path)
    hide = ((str(path), plan.utterance.audio_path),)
    return attempt(make, name=plan.utterance.utterance_id, stage=Stage.COMPARE, hide=hide)


def _measured(item: Submitted, path: Path, task: BatchTask) -> MeasuredUtterance | FailedItem:
    result = try_measure(item.utterance, path, task.measuring)
    if isinstance(result, MeasuredUtterance) and result.audio_sha256 != item.audio_sha256:
        error = MissingAudioError(f"{item.utterance.audio_path} changed since it was submitted: submit it again")
        return FailedItem.of(item.utterance.utterance_id, task.stage, error)
    return result


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """End this process, in native code too, when what is inside takes longer; `None`: never.

    The kernel does it, by an alarm that nothing handles: no thread of Python's has to get its turn for it.
    """
    if seconds is None:
        yield
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)


def limit_memory(mebibytes: float) -> None:
    """Have this process fail to allocate more than this, instead of taking the machine's memory."""
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (int(mebibytes) << 20, int(mebibytes) << 20))
