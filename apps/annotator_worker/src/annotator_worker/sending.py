"""Messages to the queue, no more than it should hold at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Final, Self

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from annotator_worker import settings
from annotator_worker.celery import QUEUE, TASK, app
from annotator_worker.errors import BrokerError
from annotator_worker.jobfiles import JobFiles
from annotator_worker.ledger import Ledger
from annotator_worker.records import BatchTask
from speech_records import to_dict

MAX_QUEUED: Final = 20_000
"""Messages that may wait: about 1 kB each, and two and a half million clips."""
_WAIT_S: Final = 2.0
_BROKER_RETRIES: Final = 2


class Sender:
    """Sends tasks over one connection, and waits while the queue is full. The connection is made for the first task."""

    def __init__(self, files: JobFiles, *, say: Callable[[str], None], max_queued: int = MAX_QUEUED) -> None:
        self._job = files.name
        self._say = say
        self._max_queued = max_queued
        self._stack = ExitStack()
        self._producer: Any = None
        self._ledger: Ledger | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def send(self, tasks: Sequence[BatchTask]) -> None:
        """Send one message for each task. A job that was cancelled is taken up again."""
        if not tasks:
            return
        with broker_errors():
            ledger = self._connected()
            self._wait(ledger)
            for task in tasks:
                app.send_task(TASK, (to_dict(task),), producer=self._producer, queue=QUEUE)

    def _connected(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Ledger()
            self._ledger.cancel(self._job, cancelled=False)
            url = settings.setting(settings.BROKER)
            connection = self._stack.enter_context(app.connection_for_write(url, ssl=settings.redis_tls(url)))
            connection.ensure_connection(max_retries=_BROKER_RETRIES, interval_start=0.2)
            self._producer = app.amqp.Producer(connection)
        return self._ledger

    def _wait(self, ledger: Ledger) -> None:
        told = False
        while ledger.queued(QUEUE) >= self._max_queued:
            if not told:
                self._say(f"{self._max_queued} messages wait in the queue: waiting for the workers")
                told = True
            time.sleep(_WAIT_S)


@contextmanager
def broker_errors() -> Iterator[None]:
    """One clear error where the queue cannot be used."""
    try:
        yield
    except (OperationalError, RedisError) as error:
        raise BrokerError(f"the broker that {settings.BROKER} names cannot be used: {error}") from error
