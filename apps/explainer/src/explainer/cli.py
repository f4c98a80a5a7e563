"""The command `explainer`: explanations on stdout, everything else on stderr."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from transformers.utils import logging as transformers_logging

from explainer.checkpoint import DEMO, ENVIRONMENT, HOW_TO_GET_ONE, TrainedPolicy, default_checkpoint, load_policy
from explainer.errors import CheckpointError, ClipError, NoCheckpointError
from explainer.explanation import Explanation, printable_path
from explainer.explanation import explain as explain_clip
from explainer.page import write_explanation
from explainer.terminal import printable, render
from prosody import LevelScale, ProsodyError, ScaleError
from speech_records import Gender, to_json

FILES_FAILED: Final = 1
BAD_CHECKPOINT: Final = 2

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Clips of speech, at most 30 s each.")]
CheckpointFolder = Annotated[
    Path | None, typer.Option(help=f"Folder of a trained policy. Default: ${ENVIRONMENT}, else {DEMO}.")
]
Transcript = Annotated[
    str | None, typer.Option(help="What is said, so that quotes and stressed words can be checked. With one FILE only.")
]
Language = Annotated[
    str, typer.Option(help="Of the transcript, as in en or de. Stressed words are found in English only.")
]
SpeakerGender = Annotated[
    Gender | None, typer.Option(help="The speaker's, for the scale of pitch. Default: as the voice clearly tells.")
]
ScaleFile = Annotated[
    Path | None,
    typer.Option(
        help="A scale of recordings made like this one (`prosody levels fit`), so that energy can be checked too; "
        "for clips of the training corpus the checkpoint's own scale.json."
    ),
]
HtmlFile = Annotated[
    Path | None,
    typer.Option(help="Also write one page to hear the clip and see what its claims rest on. With one FILE only."),
]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Name the emotion of speech, explain it, and check every claim of the explanation against the sound."""


@app.command()
def explain(
    files: Files,
    *,
    checkpoint: CheckpointFolder = None,
    transcript: Transcript = None,
    language: Language = "en",
    gender: SpeakerGender = None,
    scale: ScaleFile = None,
    html: HtmlFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each clip.")] = False,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 256,
    temperature: Annotated[float, typer.Option(min=0.0, help="0: the likeliest answer. Above: sampled.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of sampled answers.")] = 0,
) -> None:
    """Explain each FILE: its emotion, the reasoning, and every claim with its verdict and the measured value.

    Example: explainer explain clip.wav --transcript "Leave it by the door" --html explain.html

    Claims are checked as the texts of the training data were. A claim about energy needs --scale, one about stressed
    words or a quote --transcript; without, it is unverifiable.

    A FILE that cannot be explained gets one line on stderr; the others are done, and the status is 1. Without a usable
    checkpoint the status is 2.
    """
    _check_options(files, transcript, html)
    out, notes = Console(), Console(stderr=True)
    explain_one = partial(
        explain_clip,
        scale=None if scale is None else _load_scale(scale),
        policy=_load(checkpoint, notes),
        transcript=None if transcript is None else printable_path(transcript),
        language=language,
        gender=gender,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
    )
    failed = 0
    for file in files:
        try:
            with notes.status(f"explaining {printable(printable_path(file))}"):
                explanation = explain_one(file)
        except (ProsodyError, ClipError, OSError) as error:
            failed += 1
            _complain(str(error))
        else:
            _show(explanation, out, as_json=as_json)
            if html is not None:
                failed += not _write_page(explanation, file, html)
    if failed:
        raise typer.Exit(FILES_FAILED)


def _check_options(files: list[Path], transcript: str | None, html: Path | None) -> None:
    """Refuse, before anything is loaded, what is of one clip for several, and a page in the place of something else."""
    if transcript is not None and len(files) > 1:
        raise typer.BadParameter(f"one transcript cannot serve {len(files)} files", param_hint="--transcript")
    if html is not None and len(files) > 1:
        raise typer.BadParameter(f"one page cannot show {len(files)} files", param_hint="--html")
    if html is not None and (html.suffix.lower() not in (".html", ".htm") or html.is_dir()):
        shown = printable(printable_path(html))
        raise typer.BadParameter(f"{shown}: must be a file whose name ends in .html", param_hint="--html")


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


def _write_page(explanation: Explanation, clip: Path, html: Path) -> bool:
    try:
        written = write_explanation(explanation, clip, html)
    except (ProsodyError, OSError) as error:
        _complain(f"{printable_path(html)}: the page cannot be written: {error}")
        return False
    typer.echo(f"explainer: wrote {printable(printable_path(written))}", err=True)
    return True


def _show(explanation: Explanation, out: Console, *, as_json: bool) -> None:
    if as_json:
        typer.echo(to_json(explanation))
    else:
        out.print(render(explanation))


def _complain(message: str) -> None:
    """One line on stderr, whatever the message holds."""
    line = printable(" ".join(message.encode("utf-8", "replace").decode().split()))
    typer.echo(f"explainer: {line}", err=True)
