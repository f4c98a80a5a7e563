"""The Celery application: `celery -A annotator_worker worker`.

The broker comes from `CELERY_BROKER_URL` (such as `redis://:secret@host:6379/0`), which Celery reads itself. There is
no result backend: results are objects in the store, and what is there tells how far a job is.
"""

from __future__ import annotations

from celery import Celery

QUEUE = "annotator"

app = Celery("annotator_worker", include=["annotator_worker.tasks"], set_as_current=False)
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    task_ignore_result=True,
    task_default_queue=QUEUE,
    # A message is acknowledged once its result is stored; tasks are safe to run twice, losing one is not.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    # Redis hands out unacknowledged messages again after this; far above the longest task, a clip of one hour.
    broker_transport_options={"visibility_timeout": 3600, "socket_connect_timeout": 5},
    broker_connection_retry_on_startup=True,
    task_publish_retry_policy={"max_retries": 3, "interval_start": 0.2, "interval_step": 0.5, "interval_max": 1.0},
    worker_hijack_root_logger=False,
)
