"""The command `annotator`.

Exit status: 0 when everything was annotated, 1 when there was any failed item (the rest is done), 2 when nothing
could be done with what was given or a service failed, 130 after an interrupt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from annotator_worker.cli_jobs import JOB, JobOption, jobs, verify_job
from annotator_worker.cli_options import (
    LEFT_OUT,
    OutOption,
    WorkersOption,
    clear_errors,
    corpus_options,
    finish,
    say,
    verdict_line,
)
from annotator_worker.errors import UnusableInputError
from annotator_worker.listing import CorpusRequest, list_corpus
from cotgen.cli.options import grouped, reasoning_options
from cotgen.cli.progress import progress
from cotgen.reasoning import ReasoningConfig

cli = typer.Typer(
    name="annotator",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Mass annotation of emotional speech: from labelled audio to verified reasoning.",
)

cli.add_typer(jobs)


@cli.command()
@grouped(asked=corpus_options, reasoning=reasoning_options)
def run(
    *,
    asked: Callable[..., CorpusRequest],
    out: OutOption,
    local: Annotated[bool, typer.Option("--local", help="In this process and its workers; nothing to start.")] = False,
    workers: WorkersOption = 1,
    timeout_clip: Annotated[float, typer.Option(min=1.0, help="Seconds that one clip may take.")] = 300.0,
    reasoning: ReasoningConfig,
) -> None:
    """Annotate a corpus here, from audio to finished data set; run again to continue one that was stopped."""
    from annotator_worker import local as local_run

    with clear_errors():
        if not local:
            raise UnusableInputError("run needs --local; through workers: submit, calibrate, reason, collect")
        listing = list_corpus(asked(reasoning=reasoning))
        with progress() as report:
            made = local_run.run(listing, out, workers=workers, timeout_s=timeout_clip, report=report, say=say)
        finish(made)


@cli.command()
def worker(
    *,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="Clips that are measured at once; default: one a core.")
    ] = None,
    llm: Annotated[
        bool,
        typer.Option("--llm", help="Serve the queue of what a language model writes, and no other."),
    ] = False,
    level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error.")] = "info",
) -> None:
    """Work on what is sent, until it is stopped; the same as `celery -A annotator_worker worker`."""
    with clear_errors():
        from annotator_worker import tasks
        from annotator_worker.celery import LLM_QUEUE, QUEUE

        pool = [] if processes is None else ["--concurrency", str(processes)]
        quiet = ["--without-gossip", "--without-mingle"]  # workers need to know nothing of one another
        queue = ["--queues", LLM_QUEUE if llm else QUEUE]
        tasks.annotate.app.worker_main(["worker", "--loglevel", level.upper(), *quiet, *pool, *queue])


@cli.command()
def metrics(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where Prometheus asks.")] = 9464,
    address: Annotated[str, typer.Option("--address", help="Of the network interface.")] = "127.0.0.1",
) -> None:
    """Serve what workers count to Prometheus, until it is stopped; one for all workers."""
    from annotator_worker.ledger import Ledger
    from annotator_worker.metrics import serve

    with clear_errors():
        serve(Ledger(), address=address, port=port).join()


@cli.command()
def compare(
    recipes: Annotated[Path, typer.Argument(help="Recipes that `cotgen variants` wrote.")],
    *,
    profiles: Annotated[Path, typer.Option("--profiles", help="The measured utterances they are of.")],
    root: Annotated[Path, typer.Option("--root", help="Folder of the corpus, or the path of a manifest.")],
    out: OutOption,
    workers: WorkersOption = 1,
) -> None:
    """Make comparative clips by recipes: clips.jsonl and comparative/*.flac, for `cotgen build --comparative`."""
    from annotator_worker import recipes as by_recipes

    with clear_errors():
        with progress() as report:
            done = by_recipes.compare(recipes, profiles, root=root, out=out, workers=workers, report=report)
        typer.echo(f"{out}: {done.clips} comparative clips")
        if done.failed:
            say(f"{done.failed} recipes failed: see {out / by_recipes.ERRORS}")
            raise typer.Exit(LEFT_OUT)


@cli.command()
def verify(
    folder: Annotated[Path | None, typer.Argument(help="Folder of a data set; without it, a job.")] = None,
    store: Annotated[str | None, typer.Option("--store", envvar="ANNOTATOR_STORE", help="Store of the job.")] = None,
    job: JobOption = JOB,
) -> None:
    """Check every claim against its measurements: of a data set, with the hash of each file, or of a job."""
    from cotgen.dataset import DataSet
    from cotgen.dataset.building import verified

    with clear_errors():
        if folder is not None:
            rows = DataSet.open(folder).rows()
            claims = (claim for measured, trace in rows for claim in verified(measured, trace).claims)
            typer.echo(verdict_line(Counter(claim.verdict for claim in claims)))
        elif store is not None:
            verify_job(store, job)
        else:
            raise UnusableInputError("name the folder of a data set, or a store and a job")


def main() -> None:
    """Entry point of the command."""
    cli()
