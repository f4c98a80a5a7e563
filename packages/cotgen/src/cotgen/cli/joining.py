"""The command `cotgen join`: from several data sets to one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cotgen.cli.building import name_shared_speakers
from cotgen.cli.options import NAME
from cotgen.cli.progress import progress
from cotgen.dataset.joining import join as join_data_sets


def join(
    parts: Annotated[list[Path], typer.Argument(help="Two or more finished data sets.", file_okay=False)],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.", file_okay=False)],
    scale: Annotated[
        Path | None,
        typer.Option(
            help="The level scale that a policy trained on OUT ships with. Default: that of the first data set.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Write one data set of several, so that one policy can be trained on several corpora at once.

    Every row, example and comparative clip is taken over; each example keeps its question, so each corpus is still
    asked for its own labels, and its levels, which are those of its own scale. Audio stays where it is. Ids that occur
    in two of them are an error. OUT is written whole or not at all; the same command again changes nothing.

    Example: cotgen join annotated/ravdess annotated/emodb annotated/nemo -o annotated/three
    """
    with progress() as bars:
        made = join_data_sets(parts, out, scale=scale, report=lambda *n: bars("join", *n))
    counts = made.description["counts"]
    splits = ", ".join(f"{rows} {split}" for split, rows in counts["splits"].items())
    name_shared_speakers(made)
    typer.echo(f"{NAME}: {counts['utterances']} rows of {len(parts)} data sets, {made.corpus}: {splits}", err=True)
    ships = parts[0] / "scale.json" if scale is None else scale
    typer.echo(f"{NAME}: a policy trained on it ships with the level scale {ships}", err=True)
