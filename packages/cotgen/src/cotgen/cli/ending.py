"""How commands end: what was left out is kept beside the output and named on stderr, and the status is then 1."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

import typer

from cotgen.batch import Failure

MAX_SHOWN = 50
"""Failures that are named on stderr; a file of errors holds them all."""


def errors_beside(out: Path) -> Path:
    """Where a command that writes `out` says what it left out."""
    return out.with_name(f"{out.name}.errors.jsonl")


class FailureLog:
    """Failures as they come: the first ones on stderr, all of them in the file `errors` if there is one.

    Without any, what an earlier run left in that file is removed.
    """

    def __init__(self, errors: Path | None) -> None:
        self.count = 0
        self._path = errors
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def __call__(self, failure: Failure) -> None:
        """Note that a record was left out."""
        self.count += 1
        if self.count <= MAX_SHOWN:
            typer.echo(f"cotgen: {failure.where}: {failure.message}", err=True)
        elif self.count == MAX_SHOWN + 1:
            typer.echo("cotgen: further ones are not shown", err=True)
        if self._path is not None:
            if self._file is None:
                self._file = self._path.open("w", encoding="utf-8")
            self._file.write(json.dumps(asdict(failure), ensure_ascii=False) + "\n")

    def finish(self, done: str) -> None:
        """Say what was done, and leave with status 1 when something was left out."""
        kept = f", see {self._path}" if self.count and self._path is not None else ""
        typer.echo(f"cotgen: {done}, {self.count} left out{kept}" if self.count else f"cotgen: {done}", err=True)
        if self.count:
            raise typer.Exit(1)
