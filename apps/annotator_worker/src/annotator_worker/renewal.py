"""Messages stay with a worker as long as it lives, however long it works on them, and no longer.

Redis hands out a message again once it was not acknowledged for the visibility timeout. A worker's main process, which
never measures anything itself, says every few seconds that its messages are still in hand. So the timeout can be
short: that of a worker that is no more ends soon, and that of one that works on a long clip never does.
"""

from __future__ import annotations

import time
from typing import Any

from celery import bootsteps

from annotator_worker.celery import RENEWAL_S, app


class _Renewal(bootsteps.StartStopStep):  # type: ignore[misc]
    """The step of a worker's start after which its messages are renewed."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        self._timer: Any = None
        super().__init__(consumer, **options)

    def start(self, consumer: Any) -> None:
        """Called for each connection to the queue."""
        self._timer = consumer.timer.call_repeatedly(RENEWAL_S, _renew, (consumer,))

    def stop(self, consumer: Any) -> None:
        """Called where the connection was lost, or the worker ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _renew(consumer: Any) -> None:
    """Put off when the messages that this worker has are handed out again."""
    channel = consumer.task_consumer.channel
    tags = list(channel.qos._delivered)  # noqa: SLF001 - also those that wait for their time, which no request is of
    if not tags:
        return
    try:
        with channel.conn_or_acquire() as client:
            # Only those that are there: an acknowledged one must not come back.
            client.zadd(channel.unacked_index_key, dict.fromkeys(tags, time.time()), xx=True)
    except channel.connection_errors:  # the worker notices it by itself, and starts this step again
        return


app.steps["consumer"].add(_Renewal)
