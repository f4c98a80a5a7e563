"""The commands of `cotgen` that make sets to train and test on, and that score answers to them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cotgen.batch import Failure
from cotgen.cli_options import LabelSetName, Out, Profiles, Seed, Traces, label_set_of
from cotgen.cli_report import errors_beside, finish
from cotgen.tasks import Asking, Phrasing, stream
from speech_records import write_jsonl

app = typer.Typer()

PhrasingOption = Annotated[
    Phrasing, typer.Option(help="short: a few bare questions; stated: many, each with the form of its answer.")
]


@app.command("tasks")
def build_tasks(
    *,
    profiles: Profiles,
    traces: Traces,
    question: Annotated[str, typer.Option(help="What the reasoning examples ask: the text of the policy's prompt.")],
    out: Out,
    comparative: Annotated[Path | None, typer.Option(help="Clips of several variants (ComparativeClip).")] = None,
    label_set: LabelSetName = "PAPER_9",
    phrasing: PhrasingOption = Phrasing.SHORT,
    balance: Annotated[
        float | None, typer.Option(help="Largest class over the smallest, 1 for equal classes. Default: as they come.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Write the SFT examples of the four task families: stress, attribute, comparative, reasoning.

    Files may be in any order and of any size. With --balance attributes are asked for one at a time only.

    Example: cotgen tasks --profiles measured.jsonl --traces traces.jsonl --question "Which emotion?" -o sft.jsonl
    """
    asking = Asking(label_set_of(label_set), question, seed, phrasing, balance)
    failures: list[Failure] = []
    count = write_jsonl(out, stream(profiles, traces, asking, comparative=comparative, report=failures.append))
    finish(f"{count} examples", failures, errors_beside(out))
