"""Submitting waits for the workers, so that no queue grows with the corpus."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import redis

from annotator_worker.jobfiles import JobFiles
from annotator_worker.ledger import Ledger
from annotator_worker.records import Batch, BatchTask, Stage, Versions
from annotator_worker.sending import Sender
from annotator_worker.store import FolderStore

pytestmark = pytest.mark.service
FULL = 3


def test_sending_waits_while_the_queue_is_full(services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three messages may wait and no worker is there: the next three go out only once the first ones were taken."""
    url = services.environment["CELERY_BROKER_URL"]
    monkeypatch.setenv("CELERY_BROKER_URL", url)
    batch = Batch("0" * 32, "batches/none.jsonl", 0, 1, 1)
    tasks = [BatchTask("full", Stage.MEASURE, batch, 0, 1, Versions.installed())] * FULL
    said: list[str] = []
    ledger = Ledger()
    with Sender(JobFiles(FolderStore(tmp_path), "full"), say=said.append, max_queued=FULL) as sender:
        sender.send(tasks)
        waiting = threading.Thread(target=sender.send, args=(tasks,), daemon=True)
        waiting.start()
        end = time.monotonic() + 120
        while not said:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert ledger.queued("annotator") == FULL
        redis.Redis.from_url(url).delete("annotator")
        waiting.join(120)
        assert not waiting.is_alive()
    assert ledger.queued("annotator") == FULL
    assert said == [f"{FULL} messages wait in the queue: waiting for the workers"]
