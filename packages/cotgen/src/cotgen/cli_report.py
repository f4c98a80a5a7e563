"""How commands end: what was left out is kept beside the output and named on stderr, and the status is then 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from cotgen.batch import Failure, write_failures


def errors_beside(out: Path) -> Path:
    """Where a command that writes `out` says what it left out."""
    return out.with_name(f"{out.name}.errors.jsonl")


def finish(done: str, failures: Sequence[Failure], errors: Path | None) -> None:
    """Say what was done; keep and show what was not, and then leave with status 1."""
    if errors is not None:
        write_failures(errors, failures)
    for failure in failures:
        typer.echo(f"cotgen: {failure.where}: {failure.message}", err=True)
    kept = f", see {errors}" if failures and errors is not None else ""
    typer.echo(f"cotgen: {done}, {len(failures)} left out{kept}" if failures else f"cotgen: {done}", err=True)
    if failures:
        raise typer.Exit(1)
