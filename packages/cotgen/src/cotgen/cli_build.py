"""The command `cotgen build`: from measurements to a data set with its card."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cotgen import building
from cotgen.cli_options import LabelSetName, Profiles, Seed, label_set_of


class Generator(StrEnum):
    """What writes the reasoning."""

    RULES = "rules"


def build(
    *,
    profiles: Profiles,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    label_set: LabelSetName = "PAPER_9",
    generator: Annotated[Generator, typer.Option(help="What writes the reasoning.")] = Generator.RULES,
    seed: Seed = 0,
    shard_rows: Annotated[
        int, typer.Option(min=1, help="Lines of the input to a shard; no more is one file.")
    ] = 10_000,
    disjoint_speakers: Annotated[
        bool, typer.Option("--disjoint-speakers", help="Status 1 when a speaker stands in several splits.")
    ] = False,
) -> None:
    """Write a data set from measured utterances: traces.jsonl, emotioncot.jsonl, and its card (card.json, CARD.md).

    Near-duplicates go to duplicates.jsonl; what was left out, with its line, to errors.jsonl (status 1). A build that
    was stopped continues with the same command.

    Example: cotgen build --profiles measured.jsonl --label-set RAVDESS_8 -o annotated
    """
    options = building.Options(label_set_of(label_set), seed=seed, shard_rows=shard_rows)
    built = _build_with_progress(profiles, out, options)
    for failure in building.failures(built):
        typer.echo(f"cotgen: {failure.where}: {failure.message}", err=True)
    speakers = built.card["speakers"]
    if not speakers["disjoint"]:
        named = "; ".join(speakers["first_of_them"])
        typer.echo(f"cotgen: {speakers['in_several_splits']} speakers stand in several splits: {named}", err=True)
    kept = f", {built.left_out} left out, see {out / 'errors.jsonl'}" if built.left_out else ""
    typer.echo(f"cotgen: {built.card['rows']} traces by {generator.value}{kept}", err=True)
    if built.left_out or (disjoint_speakers and not speakers["disjoint"]):
        raise typer.Exit(1)


def _build_with_progress(profiles: Path, out: Path, options: building.Options) -> building.Built:
    """A bar where somebody watches; nothing in a log."""
    if not sys.stderr.isatty():
        return building.build(profiles, out, options)
    with typer.progressbar(length=1, label="cotgen build", file=sys.stderr) as bar:

        def report(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        return building.build(profiles, out, options, report)
