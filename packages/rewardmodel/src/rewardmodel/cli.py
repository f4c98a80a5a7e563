"""The command `rewardmodel`: graded traces to train on, the quality of a trained model, and the rubric."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from rewardmodel.build import PER_TRACE
from rewardmodel.build import build as build_graded
from rewardmodel.graded import ScoredTrace
from rewardmodel.report import quality
from rewardmodel.rubric import RUBRIC
from speech_records import LABEL_SETS, ReasoningTrace, read_jsonl, write_jsonl

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Judge reasoning about speech on four criteria.")


def _fail(message: object) -> NoReturn:
    typer.echo(f"rewardmodel: {message}", err=True)
    raise typer.Exit(1)


@app.command()
def build(
    traces: Annotated[Path, typer.Argument(help="Verified reasoning traces, JSON Lines.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Graded traces to write, JSON Lines.")],
    label_set: Annotated[str, typer.Option(help=f"One of {', '.join(LABEL_SETS)}.")] = "PAPER_9",
    seed: Annotated[int, typer.Option(help="Same seed, same faults.")] = 0,
    per_trace: Annotated[int, typer.Option(help="Graded versions of each trace, itself included.")] = PER_TRACE,
) -> None:
    """Put graded faults into verified traces."""
    if label_set not in LABEL_SETS:
        _fail(f"unknown label set {label_set!r}; known are {', '.join(LABEL_SETS)}")
    try:
        read = list(read_jsonl(traces, ReasoningTrace))
        if not read:
            _fail(f"{traces}: holds no trace")
        result = build_graded(read, label_set=LABEL_SETS[label_set], seed=seed, per_trace=per_trace)
        count = write_jsonl(out, result.graded)
    except (OSError, ValueError) as error:
        _fail(error)
    skipped = ", ".join(f"{number} x {fault.value}" for fault, number in sorted(result.skipped.items())) or "none"
    typer.echo(
        f"{count} graded traces of {len(read)} to {out}; faults that found nothing to damage: {skipped}", err=True
    )


@app.command()
def report(
    scored: Annotated[Path, typer.Argument(help="Graded traces with predicted scores (`ScoredTrace`), JSON Lines.")],
) -> None:
    """Print the quality of a reward model's scores as JSON."""
    try:
        read = list(read_jsonl(scored, ScoredTrace))
        result = quality([s.predicted.as_tuple() for s in read], [s.graded.scores.as_tuple() for s in read])
    except (OSError, ValueError) as error:
        _fail(error)
    typer.echo(json.dumps({key: asdict(value) for key, value in result.items()}, indent=2))


@app.command()
def rubric() -> None:
    """Print the four criteria and what their scores stand for."""
    typer.echo(RUBRIC.to_markdown())


if __name__ == "__main__":
    app()
