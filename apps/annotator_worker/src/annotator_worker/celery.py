"""The Celery application: `celery -A annotator_worker worker`.

There is no result backend: results are objects in the store, and what is there tells how far a job is.
"""

from __future__ import annotations

from typing import Final

from celery import Celery

from annotator_worker import settings

QUEUE: Final = "annotator"
LLM_QUEUE: Final = "annotator-llm"
"""Of reasoning that a language model writes, for workers that have its key."""
TASK: Final = "annotator_worker.tasks.annotate"
CLIP_LIMIT_S: Final = settings.number("ANNOTATOR_CLIP_LIMIT_S", 300.0)
"""A clip that takes longer ends its process, and is given up when it did so often enough."""
SOFT_LIMIT_S: Final = CLIP_LIMIT_S
"""A batch is about 30 s of work. One that takes longer than this stores what is done and sends the rest anew."""
HARD_LIMIT_S: Final = 2 * CLIP_LIMIT_S + 120.0
"""The process of a task that takes longer than this is ended: soft limit, one more clip, a store that is slow."""
VISIBILITY_S: Final = settings.number("ANNOTATOR_VISIBILITY_S", 60.0)
"""Redis hands out a message again when no worker has said for so long that it works on it (`renewal`)."""
RENEWAL_S: Final = VISIBILITY_S / 4
"""How often a worker says so, and how often workers look for messages of one that is no more."""
LLM_LIMIT_S: Final = 7200.0
"""The same where a model is asked: every request has a time limit of its own, and many tries."""
MEMORY_KIB: Final = 1_500_000
"""A child of the pool that holds more than this after a task is replaced."""

app = Celery("annotator_worker", include=["annotator_worker.tasks", "annotator_worker.renewal"], set_as_current=False)
_broker = settings.setting(settings.BROKER)
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    task_ignore_result=True,
    task_default_queue=QUEUE,
    # A message is acknowledged once its result is stored; tasks are safe to run twice, losing one is not.
    task_acks_late=True,
    task_acks_on_timeout=False,
    task_reject_on_worker_lost=True,
    task_time_limit=HARD_LIMIT_S,
    worker_prefetch_multiplier=1,
    worker_max_memory_per_child=MEMORY_KIB,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_S,
        "unacked_restore_interval": RENEWAL_S,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 30,
        "socket_connect_timeout": 5,
    },
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    task_publish_retry_policy={"max_retries": 3, "interval_start": 0.2, "interval_step": 0.5, "interval_max": 1.0},
    worker_hijack_root_logger=False,
    # What Flower shows. An event names a batch, nothing of its content, and goes to nobody where nobody listens.
    worker_send_task_events=True,
)
if _broker is not None:
    app.conf.update(broker_url=_broker, broker_use_ssl=settings.redis_tls(_broker))
