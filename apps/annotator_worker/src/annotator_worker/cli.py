"""The command `annotator`.

Exit status: 0 when everything was annotated, 1 when there was any failed item (the rest is done), 2 when nothing
could be done with what was given or a service failed, 130 after an interrupt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from annotator_worker.errors import AnnotatorError, UnusableInputError
from annotator_worker.listing import CorpusRequest, list_corpus
from annotator_worker.records import MeasureConfig, Stress
from cotgen import CotgenError
from cotgen.cli.options import grouped, reasoning_options
from cotgen.cli.progress import progress
from cotgen.reasoning import ReasoningConfig
from prosody import ProsodyError
from speech_records import SpeechRecordsError, to_json

if TYPE_CHECKING:
    from annotator_worker.job import Sent
    from annotator_worker.jobfiles import JobFiles
    from cotgen.dataset import DataSet

LEFT_OUT, FAILED, INTERRUPTED = 1, 2, 130
_COUNTED = ("splits", "claims", "sft_examples", "failed_by_error")

cli = typer.Typer(
    name="annotator",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Mass annotation of emotional speech: from labelled audio to verified reasoning.",
)

OutOption = Annotated[Path, typer.Option("-o", "--out", help="Folder of the data set.")]
RootOption = Annotated[Path, typer.Option("--root", help="Folder of the corpus, or the path of a manifest.")]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, help="Processes.")]
StoreOption = Annotated[
    str, typer.Option("--store", envvar="ANNOTATOR_STORE", help="s3://bucket/prefix or file:///folder.")
]
JobOption = Annotated[str, typer.Option("--job", help="Name of the job in the store.")]


def corpus_options(
    *,
    corpus: Annotated[str, typer.Option(help="Name of the corpus; `speech-corpora list` lists them.")],
    root: RootOption,
    seed: Annotated[int, typer.Option(min=0, help="Seed of wording, questions and comparative clips.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only the first utterances.")] = None,
    comparative: Annotated[int, typer.Option(min=0, help="Comparative clips per split.")] = 0,
    question: Annotated[str | None, typer.Option(help="What reasoning examples ask.")] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of utterances whose corpus does not say, such as en.")
    ] = None,
    stress: Annotated[
        Stress,
        typer.Option(
            help="Stressed words of English transcripts, measured by acoustic prominence: auto, where the corpus does "
            "not mark them itself; measured, always; none."
        ),
    ] = Stress.AUTO,
    stress_model: Annotated[
        str | None, typer.Option(help="Folder of WhiStress weights, which then find the stressed words.")
    ] = None,
    speaker_model: Annotated[str | None, typer.Option(help="Folder of weights of the age and gender model.")] = None,
) -> Callable[..., CorpusRequest]:
    """The options of every command that has a corpus measured; what is asked for, given how reasoning is written."""
    return partial(
        CorpusRequest, corpus, root, seed=seed, limit=limit, comparative=comparative, question=question,
        language=language, measuring=MeasureConfig(stress, stress_model, speaker_model),
    )  # fmt: skip


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

    with _clear_errors():
        if not local:
            raise UnusableInputError("run needs --local; through workers: submit, calibrate, collect")
        listing = list_corpus(asked(reasoning=reasoning))
        with progress() as report:
            made = local_run.run(listing, out, workers=workers, timeout_s=timeout_clip, report=report, say=_say)
        _finish(made)


@cli.command()
@grouped(asked=corpus_options, reasoning=reasoning_options)
def submit(
    *,
    asked: Callable[..., CorpusRequest],
    store: StoreOption,
    job: JobOption,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="Store no audio: workers read it below their own ANNOTATOR_AUDIO_ROOT, a shared folder."
        ),
    ] = False,
    reasoning: ReasoningConfig,
) -> None:
    """Push the audio of a corpus into the store and have workers measure it."""
    from annotator_worker import job as stages

    with _clear_errors():
        _sent(stages.submit(_job_files(store, job), asked(reasoning=reasoning), in_place=in_place, say=_say))


@cli.command()
def calibrate(store: StoreOption, job: JobOption) -> None:
    """Fit the level scale on the measured train split, print it, and have workers make the comparative clips."""
    from annotator_worker import job as stages

    with _clear_errors():
        scale, sent = stages.calibrate_job(_job_files(store, job), say=_say)
        typer.echo(scale.to_json())
        _sent(sent, err=True)


@cli.command()
def status(store: StoreOption, job: JobOption) -> None:
    """Print how far a job is, how fast it goes and when it will be done, as one line of JSON."""
    from annotator_worker import settings
    from annotator_worker.ledger import Ledger
    from annotator_worker.status import status as status_of

    with _clear_errors():
        ledger = Ledger() if settings.setting(settings.BROKER) else None
        typer.echo(to_json(status_of(_job_files(store, job), ledger)))


@cli.command()
def retry(store: StoreOption, job: JobOption) -> None:
    """Send again what was lost or failed at the stage that the job is in."""
    from annotator_worker import job as stages

    with _clear_errors():
        _sent(stages.retry(_job_files(store, job), say=_say))


@cli.command()
def cancel(store: StoreOption, job: JobOption) -> None:
    """Have workers drop what was sent of a job; what is done stays, and `retry` takes it up again."""
    from annotator_worker.ledger import Ledger
    from annotator_worker.sending import broker_errors

    with _clear_errors(), broker_errors():
        Ledger().cancel(_job_files(store, job).name)


@cli.command("dead-letters")
def dead_letters(store: StoreOption, job: JobOption) -> None:
    """Print what failed for its own sake, a line of JSON each: why, where, in which attempt; `retry` sends it again."""
    from annotator_worker import job as stages

    with _clear_errors():
        for letter in stages.dead_letters(_job_files(store, job)):
            typer.echo(to_json(letter))


@cli.command()
def worker(
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="Clips that are measured at once; default: one a core.")
    ] = None,
    level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error.")] = "info",
) -> None:
    """Work on what is sent, until it is stopped; the same as `celery -A annotator_worker worker`."""
    with _clear_errors():
        from annotator_worker import tasks

        pool = [] if processes is None else ["--concurrency", str(processes)]
        quiet = ["--without-gossip", "--without-mingle"]  # workers need to know nothing of one another
        tasks.annotate.app.worker_main(["worker", "--loglevel", level.upper(), *quiet, *pool])


@cli.command()
def metrics(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where Prometheus asks.")] = 9464,
    address: Annotated[str, typer.Option("--address", help="Of the network interface.")] = "127.0.0.1",
) -> None:
    """Serve what workers count to Prometheus, until it is stopped; one for all workers."""
    from annotator_worker.ledger import Ledger
    from annotator_worker.metrics import serve

    with _clear_errors():
        serve(Ledger(), address=address, port=port).join()


@cli.command()
def collect(store: StoreOption, job: JobOption, out: OutOption) -> None:
    """Have the reasoning written and put the finished data set of a job into a folder."""
    from annotator_worker import job as stages

    with _clear_errors():
        with progress() as report:
            made = stages.collect(_job_files(store, job), out, report=report, say=_say)
        _finish(made)


@cli.command()
def compare(
    recipes: Annotated[Path, typer.Argument(help="Recipes that `cotgen variants` wrote.")],
    *,
    profiles: Annotated[Path, typer.Option("--profiles", help="The measured utterances they are of.")],
    root: RootOption,
    out: OutOption,
    workers: WorkersOption = 1,
) -> None:
    """Make comparative clips by recipes: clips.jsonl and comparative/*.flac, for `cotgen build --comparative`."""
    from annotator_worker import recipes as by_recipes

    with _clear_errors():
        with progress() as report:
            done = by_recipes.compare(recipes, profiles, root=root, out=out, workers=workers, report=report)
        typer.echo(f"{out}: {done.clips} comparative clips")
        if done.failed:
            _say(f"{done.failed} recipes failed: see {out / by_recipes.ERRORS}")
            raise typer.Exit(LEFT_OUT)


@cli.command()
def verify(folder: Annotated[Path, typer.Argument(help="Folder of a data set.")]) -> None:
    """Check a data set: the hash of every file, every claim against its measurements."""
    from cotgen.dataset import DataSet
    from cotgen.dataset.building import verified

    with _clear_errors():
        verdicts = Counter(
            claim.verdict
            for measured, trace in DataSet.open(folder).rows()
            for claim in verified(measured, trace).claims
        )
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
    """One line on stderr instead of a traceback, for everything that a user can correct."""
    try:
        yield
    except (AnnotatorError, CotgenError, ProsodyError, SpeechRecordsError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt as error:
        typer.echo("stopped; the same command continues", err=True)
        raise typer.Exit(INTERRUPTED) from error


def _finish(made: DataSet) -> None:
    counts = made.description["counts"]
    named = {name: ", ".join(f"{n} {value}" for value, n in counts[name].items()) for name in _COUNTED}
    typer.echo(f"{made.folder}: {counts['utterances']} utterances ({named['splits']})")
    typer.echo(f"claims: {named['claims']}")
    typer.echo(f"SFT examples: {named['sft_examples']}")
    if "train" not in counts["splits"]:
        _say(f"warning: {made.split_error('train')}")
    if counts["failed"]:
        _say(f"{counts['failed']} failed items ({named['failed_by_error']}): see {made.folder / 'errors.jsonl'}")
        raise typer.Exit(LEFT_OUT)


def _sent(sent: Sent, *, err: bool = False) -> None:
    typer.echo(f"{sent.items} items sent in {sent.messages} messages", err=err)


def _say(text: str) -> None:
    typer.echo(text, err=True)
