"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cotgen.errors import CotgenError
from speech_records import LABEL_SETS, LabelSet

Profiles = Annotated[Path, typer.Option(help="Measured utterances (JSON Lines of MeasuredUtterance).")]
Traces = Annotated[Path, typer.Option(help="Reasoning traces (JSON Lines of ReasoningTrace).")]
LabelSetName = Annotated[str, typer.Option("--label-set", help=f"One of {', '.join(LABEL_SETS)}.")]
Seed = Annotated[int, typer.Option(help="Seed of the wording: same input and seed, same text.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="File to write; OUT.errors.jsonl says what was left out.")]


def label_set_of(name: str) -> LabelSet:
    """The label set of this name. Raises `CotgenError` that lists the known ones."""
    if name not in LABEL_SETS:
        raise CotgenError(f"unknown label set {name!r}; known are {', '.join(LABEL_SETS)}")
    return LABEL_SETS[name]
