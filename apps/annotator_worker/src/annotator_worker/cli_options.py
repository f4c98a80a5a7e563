"""Options that several commands of `annotator` share, and how each of them ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from annotator_worker.errors import AnnotatorError
from annotator_worker.listing import CorpusRequest
from annotator_worker.records import MeasureConfig, Stress
from cotgen import CotgenError
from prosody import ProsodyError
from speech_records import SpeechRecordsError, Verdict

if TYPE_CHECKING:
    from cotgen.dataset import DataSet

LEFT_OUT, FAILED, INTERRUPTED = 1, 2, 130
_COUNTED = ("splits", "claims", "sft_examples", "failed_by_error")

OutOption = Annotated[Path, typer.Option("-o", "--out", help="Folder of the data set.")]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, help="Processes.")]


def corpus_options(
    *,
    table: Annotated[
        Path | None,
        typer.Argument(metavar="MANIFEST", help="A table of utterances, as --corpus manifest --root MANIFEST."),
    ] = None,
    corpus: Annotated[str | None, typer.Option(help="Name of the corpus; `speech-corpora list` lists them.")] = None,
    root: Annotated[Path | None, typer.Option(help="Folder of the corpus, or the path of a manifest.")] = None,
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
    if table is not None and corpus is None and root is None:
        corpus, root = "manifest", table
    elif table is not None or corpus is None or root is None:
        raise typer.BadParameter("name a MANIFEST, or --corpus and --root")
    return partial(
        CorpusRequest, corpus, root, seed=seed, limit=limit, comparative=comparative, question=question,
        language=language, measuring=MeasureConfig(stress, stress_model, speaker_model),
    )  # fmt: skip


@contextmanager
def clear_errors() -> Iterator[None]:
    """One line on stderr instead of a traceback, for everything that a user can correct."""
    try:
        yield
    except (AnnotatorError, CotgenError, ProsodyError, SpeechRecordsError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt as error:
        typer.echo("stopped; the same command continues", err=True)
        raise typer.Exit(INTERRUPTED) from error


def finish(made: DataSet) -> None:
    """Say what is in a data set; status 1 where anything failed."""
    counts = made.description["counts"]
    named = {name: ", ".join(f"{n} {value}" for value, n in counts[name].items()) for name in _COUNTED}
    typer.echo(f"{made.folder}: {counts['utterances']} utterances ({named['splits']})")
    typer.echo(f"claims: {named['claims']}")
    typer.echo(f"SFT examples: {named['sft_examples']}")
    if "train" not in counts["splits"]:
        say(f"warning: {made.split_error('train')}")
    if counts["failed"]:
        say(f"{counts['failed']} failed items ({named['failed_by_error']}): see {made.folder / 'errors.jsonl'}")
        raise typer.Exit(LEFT_OUT)


def verdict_line(verdicts: Counter[Verdict]) -> str:
    """How many claims got each verdict, in words."""
    return ", ".join(f"{count} claims {verdict.value}" for verdict, count in sorted(verdicts.items()))


def say(text: str) -> None:
    """A line on stderr."""
    typer.echo(text, err=True)
