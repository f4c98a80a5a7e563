"""The command `annotator`.

Exit status: 0 when everything was annotated, 1 when there was any dead letter (the rest is done), 2 when nothing
could be done with what was given or a service failed, 130 after an interrupt.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from annotator_worker.errors import AnnotatorError, UnusableInputError
from cotgen import Style
from speech_records import SpeechRecordsError, to_json

if TYPE_CHECKING:
    from annotator_worker.dataset import Summary
    from annotator_worker.jobfiles import JobFiles
    from annotator_worker.local import Report
    from annotator_worker.records import Stage

DEAD_LETTERS, FAILED, INTERRUPTED = 1, 2, 130

cli = typer.Typer(
    name="annotator",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Mass annotation of emotional speech: from labelled audio to verified reasoning.",
)

CorpusOption = Annotated[str, typer.Option("--corpus", help="Name of the corpus; `speech-corpora list` lists them.")]
RootOption = Annotated[Path, typer.Option("--root", help="Folder of the corpus, or the path of a manifest.")]
OutOption = Annotated[Path, typer.Option("-o", "--out", help="Folder of the data set.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of wording, questions and comparative clips.")]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Take only the first utterances.")]
ComparativeOption = Annotated[int, typer.Option("--comparative", min=0, help="Comparative clips per split.")]
StyleOption = Annotated[
    Style,
    typer.Option("--style", help="How reasoning is written: varied, or plain for models that must learn to write."),
]
QuestionOption = Annotated[str | None, typer.Option("--question", help="What reasoning examples ask.")]
StoreOption = Annotated[
    str, typer.Option("--store", envvar="ANNOTATOR_STORE", help="s3://bucket/prefix or file:///folder.")
]
JobOption = Annotated[str, typer.Option("--job", help="Name of the job in the store.")]


@cli.command()
def run(
    *,
    corpus: CorpusOption,
    root: RootOption,
    out: OutOption,
    local: Annotated[bool, typer.Option("--local", help="In this process and its workers; nothing to start.")] = False,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = 1,
    seed: SeedOption = 0,
    limit: LimitOption = None,
    comparative: ComparativeOption = 0,
    question: QuestionOption = None,
    style: StyleOption = Style.VARIED,
) -> None:
    """Annotate a corpus here, from audio to finished data set; run again to continue one that was stopped."""
    from annotator_worker import local as local_run
    from annotator_worker.listing import list_corpus

    with _clear_errors():
        if not local:
            raise UnusableInputError("run needs --local; through workers: submit, calibrate, reason, collect")
        listing = list_corpus(
            corpus,
            root,
            seed=seed,
            limit=limit,
            comparative=comparative,
            question=question,
            style=style,
        )
        with _progress() as report:
            summary = local_run.run(listing, out, workers=workers, report=report)
        _finish(summary)


@cli.command()
def submit(
    *,
    corpus: CorpusOption,
    root: RootOption,
    store: StoreOption,
    job: JobOption,
    seed: SeedOption = 0,
    limit: LimitOption = None,
    comparative: ComparativeOption = 0,
    question: QuestionOption = None,
    style: StyleOption = Style.VARIED,
) -> None:
    """Push the audio of a corpus into the store and have workers measure it."""
    from annotator_worker import job as stages
    from annotator_worker.listing import list_corpus

    with _clear_errors():
        listing = list_corpus(
            corpus,
            root,
            seed=seed,
            limit=limit,
            comparative=comparative,
            question=question,
            style=style,
        )
        files = _job_files(store, job)
        typer.echo(f"{stages.submit(files, listing)} messages sent")


@cli.command()
def calibrate(store: StoreOption, job: JobOption) -> None:
    """Fit the level scale on the measured train split; prints the scale."""
    from annotator_worker import job as stages

    with _clear_errors():
        typer.echo(stages.calibrate_job(_job_files(store, job)).to_json())


@cli.command()
def reason(store: StoreOption, job: JobOption) -> None:
    """Have workers write and verify reasoning, and make the comparative clips."""
    from annotator_worker import job as stages

    with _clear_errors():
        typer.echo(f"{stages.reason(_job_files(store, job))} messages sent")


@cli.command()
def status(store: StoreOption, job: JobOption) -> None:
    """Print how far a job is, as one line of JSON."""
    from annotator_worker import job as stages

    with _clear_errors():
        typer.echo(to_json(stages.status(_job_files(store, job))))


@cli.command()
def retry(store: StoreOption, job: JobOption) -> None:
    """Send again what failed or was lost at the stage that the job is in."""
    from annotator_worker import job as stages

    with _clear_errors():
        typer.echo(f"{stages.retry(_job_files(store, job))} messages sent")


@cli.command()
def collect(store: StoreOption, job: JobOption, out: OutOption) -> None:
    """Write the finished data set of a job into a folder."""
    from annotator_worker import job as stages

    with _clear_errors():
        _finish(stages.collect(_job_files(store, job), out))


@cli.command()
def compare(
    recipes: Annotated[Path, typer.Argument(help="Recipes that `cotgen variants` wrote.")],
    *,
    profiles: Annotated[Path, typer.Option("--profiles", help="The measured utterances they are of.")],
    root: RootOption,
    out: OutOption,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = 1,
) -> None:
    """Make comparative clips by recipes: clips.jsonl and comparative/*.flac, for `cotgen tasks --comparative`."""
    from annotator_worker import recipes as by_recipes

    with _clear_errors():
        with _progress() as report:
            done = by_recipes.compare(recipes, profiles, root=root, out=out, workers=workers, report=report)
        typer.echo(f"{out}: {done.clips} comparative clips")
        if done.dead_letters:
            typer.echo(f"{done.dead_letters} dead letters: see {out / by_recipes.ERRORS}", err=True)
            raise typer.Exit(DEAD_LETTERS)


@cli.command()
def verify(folder: Annotated[Path, typer.Argument(help="Folder of a data set.")]) -> None:
    """Hold a data set against itself: the hash of every file, every claim against its measurements."""
    from annotator_worker import dataset

    with _clear_errors():
        verdicts = dataset.check(folder)
        typer.echo(", ".join(f"{count} claims {verdict.value}" for verdict, count in sorted(verdicts.items())))


def main() -> None:
    """Entry point of the command."""
    cli()


def _job_files(store: str, job: str) -> JobFiles:
    from annotator_worker.jobfiles import JobFiles
    from annotator_worker.store import open_store

    return JobFiles(open_store(store), job)


@contextmanager
def _clear_errors() -> Iterator[None]:
    """One line on stderr instead of a traceback, for everything that a user can put right."""
    try:
        yield
    except (AnnotatorError, SpeechRecordsError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt as error:
        typer.echo("stopped; the same command continues", err=True)
        raise typer.Exit(INTERRUPTED) from error


@contextmanager
def _progress() -> Iterator[Report]:
    """A bar for each stage on stderr, with the time that remains."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:>8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("remaining"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(file=sys.stderr)) as bars:
        rows = {}

        def report(stage: Stage, done: int, total: int) -> None:
            if stage not in rows:
                rows[stage] = bars.add_task(stage.value, total=total)
            bars.update(rows[stage], completed=done)

        yield report


def _finish(summary: Summary) -> None:
    counts = summary.index["counts"]
    splits = ", ".join(f"{name} {count}" for name, count in counts["splits"].items())
    claims = ", ".join(f"{count} {verdict}" for verdict, count in counts["claims"].items())
    examples = ", ".join(f"{count} {task}" for task, count in counts["sft_examples"].items())
    typer.echo(f"{summary.folder}: {counts['utterances']} utterances ({splits})")
    typer.echo(f"claims: {claims}")
    typer.echo(f"SFT examples: {examples}")
    if summary.dead_letters:
        kinds = ", ".join(f"{count} {error}" for error, count in counts["dead_letters_by_error"].items())
        typer.echo(f"{summary.dead_letters} dead letters ({kinds}): see {summary.folder / 'errors.jsonl'}", err=True)
        raise typer.Exit(DEAD_LETTERS)
