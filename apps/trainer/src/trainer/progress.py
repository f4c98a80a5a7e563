"""Progress of long work on stderr: a bar with remaining time on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_EVERY_S = 10.0
"""Seconds between two lines when stderr is no terminal."""

T = TypeVar("T")


class Meter:
    """Shows how many of `total` units are done, how long the rest will take, and a few figures.

    >>> with Meter("steps", total=2) as meter:
    ...     meter.advance(loss=0.5)
    """

    def __init__(self, what: str, *, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self._began = self._spoke = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
            self._bar = Progress(TextColumn("{task.description}"), *columns, console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task(self.what, total=self.total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, units: int = 1, **figures: float) -> None:
        """Count `units` as done and show the latest `figures`."""
        self.done += units
        shown = "  ".join(f"{name} {value:.3g}" for name, value in figures.items())
        if self._bar is not None:
            self._bar.update(self._task, advance=units, description=f"{self.what}  {shown}")
            return
        now = time.monotonic()
        if now - self._spoke >= LINE_EVERY_S or self.done == self.total:
            self._spoke = now
            spent = now - self._began
            left = spent / self.done * (self.total - self.done)
            line = f"{self.what}  {self.done}/{self.total}  {_clock(spent)} spent  {_clock(left)} left  {shown}"
            sys.stderr.write(line.rstrip() + "\n")
            sys.stderr.flush()


def silence_libraries() -> None:
    """Leave stderr to our meters: no bars of transformers, no advertisements and hints of Lightning."""
    import lightning.pytorch  # noqa: F401  # it sets the level of its logger when imported
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    for name in ("lightning.pytorch", "mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)  # Lightning 2.6 on torch 2.13


def track(items: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    """Yield `items` while a `Meter` counts them."""
    with Meter(what, total=total) as meter:
        for item in items:
            yield item
            meter.advance()


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
