"""The commands of `annotator` about a job that workers do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from annotator_worker.cli_options import LEFT_OUT, OutOption, clear_errors, corpus_options, finish, say, verdict_line
from annotator_worker.listing import CorpusRequest
from cotgen.cli.options import grouped, reasoning_options
from cotgen.cli.progress import progress
from cotgen.reasoning import ReasoningConfig
from speech_records import to_json
from speech_records.files import atomic_write

if TYPE_CHECKING:
    from annotator_worker.job import Sent
    from annotator_worker.jobfiles import JobFiles

jobs = typer.Typer()

StoreOption = Annotated[
    str, typer.Option("--store", envvar="ANNOTATOR_STORE", help="s3://bucket/prefix or file:///folder.")
]
JobOption = Annotated[str, typer.Option("--job", help="Name of the job in the store.")]
JOB = "annotation"


@jobs.command()
@grouped(asked=corpus_options)
def submit(
    *,
    asked: Callable[..., CorpusRequest],
    store: StoreOption,
    job: JobOption = JOB,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="Store no audio: workers read it below their own ANNOTATOR_AUDIO_ROOT, a shared folder."
        ),
    ] = False,
) -> None:
    """Push the audio of a corpus into the store and have workers measure it."""
    from annotator_worker import job as stages

    with clear_errors():
        _sent(stages.submit(_job_files(store, job), asked(), in_place=in_place, say=say))


@jobs.command()
def calibrate(store: StoreOption, job: JobOption = JOB) -> None:
    """Fit the level scale on the measured train split, print it, and have workers make the comparative clips."""
    from annotator_worker import job as stages

    with clear_errors():
        scale, sent = stages.calibrate_job(_job_files(store, job), say=say)
        typer.echo(scale.to_json())
        _sent(sent, err=True)


@jobs.command()
@grouped(reasoning=reasoning_options)
def reason(*, store: StoreOption, job: JobOption = JOB, reasoning: ReasoningConfig) -> None:
    """Have workers write the reasoning, by rules or, on a queue of its own (`annotator worker --llm`), by a model."""
    from annotator_worker import job as stages

    with clear_errors():
        _sent(stages.reason(_job_files(store, job), reasoning, say=say))


@jobs.command()
def status(
    store: StoreOption,
    job: JobOption = JOB,
    watch: Annotated[
        float | None, typer.Option("--watch", min=0.1, help="Again every so many seconds, until nothing is pending.")
    ] = None,
) -> None:
    """Print how far a job is at each stage, how fast it goes and when it will be done, as one line of JSON."""
    from annotator_worker import settings
    from annotator_worker.ledger import Ledger
    from annotator_worker.status import status as status_of

    with clear_errors():
        ledger = Ledger() if settings.setting(settings.BROKER) else None
        files = _job_files(store, job)
        while True:
            found = status_of(files, ledger)
            typer.echo(to_json(found))
            if watch is None or (found.submitted and not found.pending):
                return
            time.sleep(watch)


@jobs.command()
def retry(store: StoreOption, job: JobOption = JOB) -> None:
    """Send again what was lost or failed at the stage that the job is in."""
    from annotator_worker import job as stages

    with clear_errors():
        _sent(stages.retry(_job_files(store, job), say=say))


@jobs.command()
def cancel(store: StoreOption, job: JobOption = JOB) -> None:
    """Have workers drop what was sent of a job; what is done stays, and `retry` takes it up again."""
    from annotator_worker.ledger import Ledger
    from annotator_worker.sending import broker_errors

    with clear_errors(), broker_errors():
        Ledger().cancel(_job_files(store, job).name)


@jobs.command("dead-letters")
def dead_letters(
    store: StoreOption,
    job: JobOption = JOB,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File for them, such as dead-letters.jsonl, instead.")
    ] = None,
) -> None:
    """Print what failed for its own sake, a line of JSON each: why, where, in which attempt; `retry` sends it again."""
    from annotator_worker import job as stages

    with clear_errors():
        lines = [to_json(letter) for letter in stages.dead_letters(_job_files(store, job))]
        if out is None:
            for line in lines:
                typer.echo(line)
            return
        with atomic_write(out) as file:
            file.writelines(f"{line}\n" for line in lines)
        typer.echo(f"{out}: {len(lines)} dead letters")


@jobs.command()
def collect(store: StoreOption, out: OutOption, job: JobOption = JOB) -> None:
    """Put the finished data set of a job into a folder."""
    from annotator_worker import job as stages

    with clear_errors():
        with progress() as report:
            made = stages.collect(_job_files(store, job), out, report=report)
        finish(made)


def verify_job(store: str, job: str) -> None:
    """Check what workers wrote for a job, before it is collected."""
    from annotator_worker import job as stages

    verdicts, contradicted = stages.verify(_job_files(store, job))
    typer.echo(verdict_line(verdicts))
    for item in contradicted:
        say(f"{item.id}: {item.message}")
    if contradicted:
        raise typer.Exit(LEFT_OUT)


def _job_files(store: str, job: str) -> JobFiles:
    from annotator_worker.jobfiles import JobFiles
    from annotator_worker.store import open_store

    return JobFiles(open_store(store), job)


def _sent(sent: Sent, *, err: bool = False) -> None:
    typer.echo(f"{sent.items} items sent in {sent.messages} messages", err=err)
