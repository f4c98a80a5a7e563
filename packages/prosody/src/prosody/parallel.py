"""Work over processes in which an item costs itself at most: one that hangs is stopped, one that kills its process is
lost.

Built on pebble's process pool. Every process runs one item at a time and numerical libraries in one thread.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError as PoolTimeoutError
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any, Final, TypeVar

from pebble import ProcessExpired, ProcessPool

from prosody.errors import PoolError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

DEFAULT_TIMEOUT_S: Final = 300.0
_AHEAD_PER_WORKER: Final = 8  # how far fast items may run ahead of a slow one while results keep their order
_GUARD: Final = (
    'in a script, guard the call with `if __name__ == "__main__":`, and keep the script in a file: every process '
    "imports it anew"
)
_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class WorkerDiedError(RuntimeError):
    """The process that worked on an item ended on its own: a crash in native code, or no memory left."""


class ItemTimeoutError(RuntimeError):
    """An item took longer than allowed."""


def require_guarded_main() -> None:
    """Raise `PoolError` in a process that still imports the main module: it was started by a call like this one.

    `map_isolated` calls it. Call it before you wait for something that the process's parent holds, such as a lock.
    """
    # As multiprocessing itself finds out, in `spawn`, when such a process starts another one.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise PoolError(f"a process that was started here would start processes while it imports the script; {_GUARD}")


def map_isolated(
    function: Callable[[ItemT], ResultT],
    items: Iterable[ItemT],
    *,
    workers: int,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    initializer: Callable[..., None] | None = None,
    initargs: tuple[Any, ...] = (),
    items_per_process: int = 0,
) -> Iterator[tuple[ItemT, ResultT | Exception]]:
    """`function` of each item over `workers` processes: pairs of the item and its result, in the order of the items.

    In place of a result stands what `function` raised, `WorkerDiedError` or `ItemTimeoutError`. `items` are taken as
    they are needed, a bounded number ahead. `function`, items and results must be picklable. `initializer(*initargs)`
    runs once in every process before its first item; its time does not count. After `items_per_process` items (0: any
    number) a process is replaced: for work that leaves a state behind. Leaving the iteration stops the processes.

    Processes are spawned and import the main module: a script must guard the call with `if __name__ == "__main__":`.
    Raises `PoolError` where they cannot start, or end while they work on nothing.
    """
    require_guarded_main()
    if workers < 1 or timeout_s <= 0:
        raise ValueError(f"need workers >= 1 and timeout_s > 0, got {workers} and {timeout_s}")
    # Spawned, not forked: a fork of a process with threads (numpy, Praat, torch) may hang.
    pool = ProcessPool(
        max_workers=workers,
        max_tasks=items_per_process,
        initializer=_prepare,
        initargs=(initializer, initargs),
        context=multiprocessing.get_context("spawn"),
    )
    waiting: deque[tuple[ItemT, Any]] = deque()
    upcoming = iter(items)
    with _one_thread_each():
        try:
            while True:
                while len(waiting) < _AHEAD_PER_WORKER * workers:
                    for item in upcoming:
                        waiting.append((item, _schedule(pool, function, item, timeout_s)))
                        break
                    else:
                        break
                if not waiting:
                    return
                item, future = waiting.popleft()
                yield item, _outcome(future, timeout_s)
        finally:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()


def _schedule(pool: ProcessPool, function: Callable[[ItemT], ResultT], item: ItemT, timeout_s: float) -> Any:
    try:
        return pool.schedule(function, args=(item,), timeout=timeout_s)
    except RuntimeError as error:  # the pool broke after an earlier item was scheduled
        raise _broken() from error


def _broken() -> PoolError:
    return PoolError(f"the processes were killed, or could not start for the reason printed above; {_GUARD}")


def _outcome(future: Any, timeout_s: float) -> Any:
    try:
        return future.result()
    except BrokenProcessPool as error:  # not this item's fault: no process took it
        raise _broken() from error
    except PoolTimeoutError:
        return ItemTimeoutError(f"took longer than {timeout_s:g} s")
    except ProcessExpired as error:
        return WorkerDiedError(f"the process that worked on it died ({error})")
    except Exception as error:  # noqa: BLE001 - handed to the caller beside its item
        return error


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


def _prepare(initializer: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    """Leave interrupts to the parent, and end with it: a worker whose parent was killed would wait without end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()
    if initializer is not None:
        initializer(*arguments)


def _exit_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
