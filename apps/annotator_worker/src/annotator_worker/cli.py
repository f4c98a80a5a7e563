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
from annotator_worker.listing import Listing, list_corpus
from annotator_worker.records import MeasureConfig, Stress
from cotgen import CotgenError
from cotgen.cli.options import grouped, reasoning_options
from cotgen.cli.progress import progress
from cotgen.reasoning import ReasoningConfig
from prosody import ProsodyError
from speech_records import SpeechRecordsError, to_json

if TYPE_CHECKING:
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
) -> Callable[..., Listing]:
    """The options of every command that has a corpus measured; what lists it, given how reasoning is written."""
    return partial(
        list_corpus, corpus, root, seed=seed, limit=limit, comparative=comparative, question=question,
        language=language, measuring=MeasureConfig(stress, stress_model, speaker_model),
    )  # fmt: skip


@cli.command()
@grouped(listed=corpus_options, reasoning=reasoning_options)
def run(
    *,
    listed: Callable[..., Listing],
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
        listing = listed(reasoning=reasoning)
        with progress() as report:
            made = local_run.run(listing, out, workers=workers, timeout_s=timeout_clip, report=report, say=_say)
        _finish(made)


@cli.command()
@grouped(listed=corpus_options, reasoning=reasoning_options)
def submit(*, listed: Callable[..., Listing], store: StoreOption, job: JobOption, reasoning: ReasoningConfig) -> None:
    """Push the audio of a corpus into the store and have workers measure it."""
    from annotator_worker import job as stages

    with _clear_errors():
        typer.echo(f"{stages.submit(_job_files(store, job), listed(reasoning=reasoning))} messages sent")


@cli.command()
def calibrate(store: StoreOption, job: JobOption) -> None:
    """Fit the level scale on the measured train split, print it, and have workers make the comparative clips."""
    from annotator_worker import job as stages

    with _clear_errors():
        scale, sent = stages.calibrate_job(_job_files(store, job))
        typer.echo(scale.to_json())
        _say(f"{sent} messages sent")


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


def _say(text: str) -> None:
    typer.echo(text, err=True)
