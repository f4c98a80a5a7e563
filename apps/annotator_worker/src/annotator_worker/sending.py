"""Messages to the queue, no more than it should hold at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Final, Self

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from annotator_worker import settings
from annotator_worker.celery import LLM_LIMIT_S, LLM_QUEUE, QUEUE, TASK, app
from annotator_worker.errors import BrokerError
from annotator_worker.jobfiles import JobFiles
from annotator_worker.ledger import Ledger
from annotator_worker.records import BatchTask
from speech_records import to_dict

MAX_QUEUED: Final = 20_000
"""Messages that may wait: about 1 kB each, and more than a million clips."""
_WAIT_S: Final = 2.0
_BROKER_RETRIES: Final = 2
_CONNECTIONS: Final = 4


class Sender:
    """Sends tasks over a few connections, while the caller prepares more, and waits while the queue is full.

    A queue that has every message on disk before it says yes is waited for, and serves several at once. Nothing is
    connected before the first task. An error is raised at the next call, or at the end.
    """

    def __init__(self, files: JobFiles, *, say: Callable[[str], None], max_queued: int = MAX_QUEUED) -> None:
        self._job = files.name
        self._say = say
        self._max_queued = max_queued
        self._pool = ThreadPoolExecutor(_CONNECTIONS)
        self._producers: SimpleQueue[Any] = SimpleQueue()
        self._stack = ExitStack()
        self._sending: list[Future[None]] = []
        self._ledger: Ledger | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack, self._pool:
            if error is None:
                self._sent()

    def send(self, tasks: Sequence[BatchTask]) -> None:
        """Send one message for each task. A job that was cancelled is taken up again."""
        if not tasks:
            return
        self._sent()
        with broker_errors():
            self._wait(self._connected(), queue_of(tasks[0]))
        self._sending = [self._pool.submit(self._send, task) for task in tasks]

    def _sent(self) -> None:
        with broker_errors():
            for future in self._sending:
                future.result()
        self._sending = []

    def _send(self, task: BatchTask) -> None:
        producer = self._producers.get()
        try:
            send_message(task, producer=producer)
        finally:
            self._producers.put(producer)

    def _connected(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Ledger()
            self._ledger.cancel(self._job, cancelled=False)
            url = settings.setting(settings.BROKER)
            for _ in range(_CONNECTIONS):
                connection = self._stack.enter_context(app.connection_for_write(url, ssl=settings.redis_tls(url)))
                connection.ensure_connection(max_retries=_BROKER_RETRIES, interval_start=0.2)
                self._producers.put(app.amqp.Producer(connection))
        return self._ledger

    def _wait(self, ledger: Ledger, queue: str) -> None:
        told = False
        while ledger.queued(queue) >= self._max_queued:
            if not told:
                self._say(f"{self._max_queued} messages wait in the queue: waiting for the workers")
                told = True
            time.sleep(_WAIT_S)


def queue_of(task: BatchTask) -> str:
    """The queue of a task: there is one of its own for what a language model is asked."""
    return LLM_QUEUE if task.is_paid else QUEUE


def send_message(task: BatchTask, **options: Any) -> None:
    """Put a task into its queue."""
    queue = queue_of(task)
    if queue == LLM_QUEUE:
        options["time_limit"] = LLM_LIMIT_S
    app.send_task(TASK, (to_dict(task),), queue=queue, argsrepr=f"({task.name},)", **options)


@contextmanager
def broker_errors() -> Iterator[None]:
    """One clear error where the queue cannot be used."""
    try:
        yield
    except (OperationalError, RedisError) as error:
        raise BrokerError(f"the broker that {settings.BROKER} names cannot be used: {error}") from error
