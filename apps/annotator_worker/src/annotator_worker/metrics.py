"""What workers count, for Prometheus: read from Redis when it is asked for, so one exporter serves all workers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from redis.exceptions import RedisError

from annotator_worker.celery import LLM_QUEUE, QUEUE
from annotator_worker.ledger import Ledger

_TOTALS: Final = {
    "items": "Items that were done, dead letters included.",
    "dead_letters": "Items that failed for their own sake.",
    "deaths": "Worker processes that a clip, or something else, ended.",
    "tries_again": "Batches that were tried again since store, broker or disk failed.",
}


class LedgerCollector:
    """The ledger as metrics; `annotator_up` is 0 while Redis cannot be reached."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        """Called by Prometheus' client for every scrape."""
        try:
            totals, workers = self._ledger.totals(), self._ledger.by_worker()
            queued = {queue: self._ledger.queued(queue) for queue in (QUEUE, LLM_QUEUE)}
        except RedisError:
            yield GaugeMetricFamily("annotator_up", "Whether Redis can be reached.", 0)
            return
        yield GaugeMetricFamily("annotator_up", "Whether Redis can be reached.", 1)
        by_queue = GaugeMetricFamily("annotator_queue_messages", "Batches that wait in a queue.", labels=["queue"])
        for queue, messages in queued.items():
            by_queue.add_metric([queue], messages)
        yield by_queue
        for name, text in _TOTALS.items():
            yield CounterMetricFamily(f"annotator_{name}", text, totals.get(name, 0))
        by_worker = CounterMetricFamily("annotator_worker_items", "Items by worker.", labels=["worker"])
        for worker, items in sorted(workers.items()):
            by_worker.add_metric([worker], items)
        yield by_worker


def serve(ledger: Ledger, *, address: str, port: int) -> threading.Thread:
    """Answer scrapes at `address` and `port` until this process ends; the thread that does."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector(ledger))
    _, thread = start_http_server(port, addr=address, registry=registry)
    return thread
