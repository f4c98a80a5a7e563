"""The command `explainer`: explanations on stdout, everything else on stderr."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from transformers.utils import logging as transformers_logging

from explainer.checkpoint import DEMO, ENVIRONMENT, HOW_TO_GET_ONE, TrainedPolicy, default_checkpoint, load_policy
from explainer.errors import CheckpointError, ClipError, NoCheckpointError
from explainer.explanation import Explanation, printable_path
from explainer.explanation import explain as explain_clip
from explainer.terminal import printable, render
from prosody import LevelScale, ProsodyError, ScaleError
from speech_records import Gender, to_json

FILES_FAILED: Final = 1
BAD_CHECKPOINT: Final = 2

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Name the emotion of speech, explain it, and check every claim of the explanation against the sound."""


@app.command()
def explain(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Clips of speech, at most 30 s each.")],
    *,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help=f"Folder of a trained policy. Default: ${ENVIRONMENT}, else {DEMO}."),
    ] = None,
    transcript: Annotated[
        str | None,
        typer.Option(help="What is said, so that quotes and stressed words can be checked. With one FILE only."),
    ] = None,
    language: Annotated[
        str, typer.Option(help="Of the transcript, as in en or de. Stressed words are found in English only.")
    ] = "en",
    gender: Annotated[
        Gender | None,
        typer.Option(help="The speaker's, for the scale of pitch. Default: as the voice clearly tells."),
    ] = None,
    scale: Annotated[
        Path | None,
        typer.Option(
            help="A scale of recordings made like this one (`prosody levels fit`), so that energy can be checked too; "
            "for clips of the training corpus the checkpoint's own scale.json."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each clip.")] = False,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 256,
    temperature: Annotated[float, typer.Option(min=0.0, help="0: the likeliest answer. Above: sampled.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of sampled answers.")] = 0,
) -> None:
    """Explain each FILE: its emotion, the reasoning, and every claim with its verdict and the measured value.

    A FILE that cannot be explained gets one line on stderr; the others are done, and the status is 1. Without a usable
    checkpoint the status is 2.
    """
    if transcript is not None and len(files) > 1:
        raise typer.BadParameter(f"one transcript cannot serve {len(files)} files", param_hint="--transcript")
    out, notes = Console(), Console(stderr=True)
    read_scale = None if scale is None else _load_scale(scale)
    policy = _load(checkpoint, notes)
    failed = 0
    for file in files:
        try:
            with notes.status(f"explaining {printable(printable_path(file))}"):
                explanation = explain_clip(
                    file,
                    policy,
                    transcript=None if transcript is None else printable_path(transcript),
                    language=language,
                    gender=gender,
                    scale=read_scale,
                    max_new_tokens=max_new_tokens,
                    temperature=temperature,
                    seed=seed,
                )
        except (ProsodyError, ClipError, OSError) as error:
            failed += 1
            _complain(str(error))
        else:
            _show(explanation, out, as_json=as_json)
    if failed:
        raise typer.Exit(FILES_FAILED)


def _load(checkpoint: Path | None, notes: Console) -> TrainedPolicy:
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        folder = checkpoint or default_checkpoint()
        with notes.status(f"loading {printable(printable_path(folder))}"):
            return load_policy(folder)
    except CheckpointError as error:
        _complain(str(error))
        if isinstance(error, NoCheckpointError):
            typer.echo(HOW_TO_GET_ONE, err=True)
        raise typer.Exit(BAD_CHECKPOINT) from error


def _load_scale(path: Path) -> LevelScale:
    try:
        return LevelScale.load(path)
    except ScaleError as error:
        raise typer.BadParameter(printable(printable_path(str(error))), param_hint="--scale") from error


def _show(explanation: Explanation, out: Console, *, as_json: bool) -> None:
    if as_json:
        typer.echo(to_json(explanation))
    else:
        out.print(render(explanation))


def _complain(message: str) -> None:
    """One line on stderr, whatever the message holds."""
    line = printable(" ".join(message.encode("utf-8", "replace").decode().split()))
    typer.echo(f"explainer: {line}", err=True)
