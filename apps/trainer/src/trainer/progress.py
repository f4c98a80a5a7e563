"""Progress of long work on stderr: a bar with remaining time on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

LINE_EVERY_S = 10.0
"""Seconds between two lines when stderr is not a terminal."""

T = TypeVar("T")


class Meter:
    """Shows how many of `total` units are done, how long the rest will take, and a few metrics.

    >>> with Meter("steps", total=2) as meter:
    ...     meter.advance(loss=0.5)
    """

    def __init__(self, what: str, *, total: int = 0) -> None:
        self.what = what
        self._last_line = time.monotonic()
        columns = (BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        metrics = TextColumn("{task.fields[metrics]}", table_column=Column(no_wrap=True, overflow="ellipsis"))
        self._silent = not sys.stderr.isatty()
        console = Console(stderr=True)
        self._bar = Progress(TextColumn(what), *columns, metrics, console=console, disable=self._silent)
        self._bar.add_task(what, total=total, metrics="")
        (self._task,) = self._bar.tasks

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, units: int = 1, **metrics: float) -> None:
        """Count `units` as done and show the latest `metrics`."""
        self._show(int(self._task.completed) + units, None, metrics)

    def at(self, done: int, total: int) -> None:
        """Show that `done` of `total` units are done."""
        self._show(done, total, {})

    def _show(self, done: int, total: int | None, metrics: Mapping[str, float]) -> None:
        shown = "  ".join(f"{name} {value:.3g}" for name, value in metrics.items())
        self._bar.update(self._task.id, completed=done, total=total, metrics=shown)
        now = time.monotonic()
        if self._silent and (now - self._last_line >= LINE_EVERY_S or self._task.finished):
            self._last_line = now
            left = "" if self._task.time_remaining is None else f"  {_clock(self._task.time_remaining)} left"
            counted = f"{self.what}  {done}/{self._task.total:g}  {_clock(self._task.elapsed or 0)} spent{left}"
            sys.stderr.write(f"{counted}  {shown}".rstrip() + "\n")
            sys.stderr.flush()


def silence_libraries() -> None:
    """Leave stderr to our meters: no bars of transformers, no advertisements and hints of Lightning."""
    import lightning.pytorch  # noqa: F401  # it sets the level of its logger when imported
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)  # Lightning 2.6 on torch 2.13


def track(items: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    """Yield `items` while a `Meter` counts them."""
    with Meter(what, total=total) as meter:
        for item in items:
            yield item
            meter.advance()


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
