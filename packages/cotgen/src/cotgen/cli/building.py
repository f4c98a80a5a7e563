"""The command `cotgen build`: from measurements to a data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cotgen.admission import check_measured
from cotgen.cli.options import NAME, Profiles, Seed, grouped, label_set_of, reasoning_options
from cotgen.cli.progress import progress
from cotgen.dataset import BuildConfig, DataSet, Source
from cotgen.dataset.building import build as build_data_set
from cotgen.errors import CotgenError
from cotgen.llm import prompting
from cotgen.reasoning import ReasoningConfig, open_generator
from cotgen.tasks import Phrasing, TaskConfig
from speech_records import LABEL_SETS, PAPER_9, LabelSet, MeasuredUtterance, emotion_question
from speech_records.failures import FailureLog
from speech_records.streams import good_lines

PhrasingOption = Annotated[
    Phrasing, typer.Option(help="short: a few bare questions; stated: many, each with the form of its answer.")
]
BalanceOption = Annotated[
    float | None, typer.Option(help="Largest class over the smallest, 1 for equal classes. Default: as they come.")
]


@grouped(reasoning=reasoning_options)
def build(
    *,
    profiles: Profiles,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder to write.", file_okay=False)] = None,
    label_set: Annotated[
        str | None,
        typer.Option(help=f"One of {', '.join(LABEL_SETS)}. Default: that of the data set PROFILES is in, or PAPER_9."),
    ] = None,
    question: Annotated[
        str | None, typer.Option(help="What reasoning examples ask. Default: as there, or that of the label set.")
    ] = None,
    phrasing: PhrasingOption = Phrasing.SHORT,
    balance: BalanceOption = None,
    seed: Seed = 0,
    audio_root: Annotated[
        Path | None, typer.Option(help="Folder of the audio. Default: that of the data set PROFILES is in.")
    ] = None,
    scale: Annotated[
        Path | None, typer.Option(help="The level scale. Default: the scale.json beside PROFILES.", dir_okay=False)
    ] = None,
    comparative: Annotated[
        Path | None, typer.Option(help="Comparative clips (ComparativeClip). Default: those beside PROFILES.")
    ] = None,
    shard_rows: Annotated[
        int, typer.Option(min=1, help="Utterances to a shard; no more than this is one file.")
    ] = 10_000,
    disjoint_speakers: Annotated[
        bool, typer.Option("--disjoint-speakers", help="Status 1 when a speaker is in several splits.")
    ] = False,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write the rows as Parquet too (dataset.parquet); needs pyarrow.")
    ] = False,
    dry_run: Annotated[
        int | None,
        typer.Option(min=1, help="Only print the filled prompts of the first N utterances; asks nobody."),
    ] = None,
    reasoning: ReasoningConfig,
) -> None:
    """Write a data set from measured utterances; `trainer` trains on it.

    The reasoning is written by rules, offline, or by a language model. The model's texts are checked against the
    measurements: false sentences are dropped, and a text that is false elsewhere, not of 50 to 200 words or gives the
    label away is left out, with the reason.

    What was left out is in errors.jsonl (status 1). A build that was stopped, by a kill or by a ceiling, continues with
    the same command.

    Example: cotgen build --profiles annotated/measured.jsonl --label-set RAVDESS_8 -o built

    Example: cotgen build --profiles annotated/measured.jsonl -o written --generator openai --model gpt-4o
    --candidates 3 --max-cost 20 --price-in 2.5 --price-out 10
    """
    source = Source.of(profiles)
    labels = label_set_of(label_set or source.label_set or PAPER_9.name)
    if dry_run is not None:
        print_prompts(profiles, labels, dry_run)
        return
    if out is None:
        raise CotgenError("name the folder to write: --out DIR (or look at prompts with --dry-run N)")
    if question is None:
        question = source.question if labels.name == source.label_set else emotion_question(labels)
    if audio_root is not None:
        source = replace(source, audio_root=audio_root.resolve().as_posix())
    if scale is not None:
        source = replace(source, scale=scale)
    if comparative is not None:
        source = source.with_clips(comparative)
    tasks = TaskConfig(labels, question or emotion_question(labels), seed, phrasing, balance)
    config = BuildConfig(tasks, shard_rows=shard_rows, parquet=parquet)
    with (
        open_generator(reasoning, labels, seed=seed, out=out, say=_say) as generator,
        progress() as bars,
    ):
        made = build_data_set(source, out, config, generator=generator, report=lambda *n: bars("build", *n))
    _finish(made, reasoning, disjoint_speakers=disjoint_speakers)


def print_prompts(profiles: Path, label_set: LabelSet, count: int) -> None:
    """Print the filled prompts of the first `count` utterances that can be written about; name the others on stderr."""
    printed = 0
    with FailureLog(NAME, None) as log:
        for where, measured in good_lines(profiles, MeasuredUtterance, log):
            try:
                check_measured(measured)
                messages = prompting.messages(measured, label_set)
            except CotgenError as error:
                _say(f"{where}: {error}")
                continue
            for message in messages:
                typer.echo(f"--- {measured.utterance.utterance_id}, {message['role']}\n{message['content']}\n")
            printed += 1
            if printed == count:
                break
    _say(f"{printed} prompts of {prompting.PROMPT_VERSION}")


def _finish(made: DataSet, reasoning: ReasoningConfig, *, disjoint_speakers: bool) -> None:
    """What was built and what was left out; status 1 for the latter, and for shared speakers if that is asked for."""
    with FailureLog(NAME, None) as log:
        for failure in made.failed():
            log(failure)
    disjoint = name_shared_speakers(made)
    counts = made.description["counts"]
    kept = f", {counts['failed']} left out, see {made.folder / 'errors.jsonl'}" if counts["failed"] else ""
    _say(f"{counts['utterances']} traces by {reasoning.generator.value}{kept}")
    if counts["failed"] or (disjoint_speakers and not disjoint):
        raise typer.Exit(1)


def name_shared_speakers(made: DataSet) -> bool:
    """Whether no speaker is in several splits; those who are, are named on stderr."""
    speakers = made.card()["speakers"]
    if not speakers["disjoint"]:
        _say(f"{speakers['in_several_splits']} speakers are in several splits: {'; '.join(speakers['first_of_them'])}")
    return bool(speakers["disjoint"])


def _say(text: str) -> None:
    typer.echo(f"{NAME}: {text}", err=True)
