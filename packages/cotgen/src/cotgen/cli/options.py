"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cotgen.errors import CotgenError
from speech_records import LABEL_SETS, LabelSet

NAME = "cotgen"
"""Starts every line that the command writes on stderr."""


def in_a_folder(path: Path | None) -> Path | None:
    """The file to write, if its folder exists: said before the work, not after it."""
    if path is not None and not path.resolve().parent.is_dir():
        raise typer.BadParameter(f"the folder {str(path.parent)!r} does not exist: make it first")
    return path


def file_to_write(*names: str, text: str) -> Any:
    """An option that names a file to write, refused where it is a folder or lies in none."""
    return typer.Option(*names, help=text, dir_okay=False, callback=in_a_folder)


Profiles = Annotated[Path, typer.Option(help="Measured utterances (JSON Lines of MeasuredUtterance).")]
Traces = Annotated[Path, typer.Option(help="Reasoning traces (JSON Lines of ReasoningTrace).")]
LabelSetName = Annotated[str, typer.Option("--label-set", help=f"One of {', '.join(LABEL_SETS)}.")]
Seed = Annotated[int, typer.Option(help="Seed of the wording: same input and seed, same text.")]
Out = Annotated[Path, file_to_write("--out", "-o", text="File to write; OUT.errors.jsonl says what was left out.")]


def label_set_of(name: str) -> LabelSet:
    """The label set of this name. Raises `CotgenError` that lists the known ones."""
    if name not in LABEL_SETS:
        raise CotgenError(f"unknown label set {name!r}; known are {', '.join(LABEL_SETS)}")
    return LABEL_SETS[name]
