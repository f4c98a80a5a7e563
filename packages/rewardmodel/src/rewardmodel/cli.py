"""The command `rewardmodel`: the quality of a trained model, and the rubric."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rewardmodel.graded import ScoredTrace
from rewardmodel.report import quality
from rewardmodel.rubric import rubric_markdown
from speech_records import read_jsonl

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Judge reasoning about speech on four criteria.")


@app.command()
def report(
    scored: Annotated[Path, typer.Argument(help="Graded traces with predicted scores (`ScoredTrace`), JSON Lines.")],
) -> None:
    """Print the quality of a reward model's scores as JSON."""
    try:
        read = list(read_jsonl(scored, ScoredTrace))
        result = quality([s.predicted.as_tuple() for s in read], [s.graded.scores.as_tuple() for s in read])
    except (OSError, ValueError) as error:
        typer.echo(f"rewardmodel: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(json.dumps({key: asdict(value) for key, value in result.items()}, indent=2))


@app.command()
def rubric() -> None:
    """Print the four criteria and what their scores stand for."""
    typer.echo(rubric_markdown())


if __name__ == "__main__":
    app()
