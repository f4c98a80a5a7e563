"""Chunks of work on several processes, one thread each."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import TypeVar

from annotator_worker.errors import WorkerLostError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def map_chunks(
    function: Callable[[Sequence[ItemT]], list[ResultT]], items: Sequence[ItemT], *, workers: int, chunk: int
) -> Iterator[list[ResultT]]:
    """`function` over chunks of at most `chunk` items, in the order in which the chunks are finished.

    `function` and its results must be picklable. One worker runs in this very process. Leaving the iteration early
    drops the chunks that have not begun. Raises `WorkerLostError` when a process ends on its own.
    """
    chunks = [items[i : i + chunk] for i in range(0, len(items), chunk)]
    if workers == 1 or len(chunks) <= 1:
        yield from map(function, chunks)
        return
    # spawn, not fork: the libraries below run threads of their own, which do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with (
        _one_thread_each(),
        ProcessPoolExecutor(min(workers, len(chunks)), mp_context=context, initializer=_prepare_worker) as pool,
    ):
        try:
            futures = [pool.submit(function, part) for part in chunks]
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            message = "a worker process ended on its own (out of memory?); what was finished is kept: run it again"
            raise WorkerLostError(message) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Numerical libraries read their thread count from the environment, which new processes inherit."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _prepare_worker() -> None:
    """Leave interrupts to the parent, and end with it: otherwise killing it would leave workers waiting for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
