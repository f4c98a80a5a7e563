"""The command `cotgen`: data on stdout, everything else on stderr, status 1 when any record was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cotgen import corpora
from cotgen.batch import Failure
from cotgen.cli import sets, verifying
from cotgen.cli.building import build
from cotgen.cli.ending import FailureLog, errors_beside
from cotgen.cli.options import Out
from cotgen.errors import CotgenError
from speech_records import LABEL_SETS, SpeechRecordsError, Utterance, write_jsonl

app = typer.Typer(
    help="From labelled, measured speech to verified reasoning and SFT examples. Knows no audio: profiles are given.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point: errors of this package and of the records become one line on stderr and status 1."""
    try:
        app(prog_name="cotgen")
    except (CotgenError, SpeechRecordsError, OSError) as error:
        typer.echo(f"cotgen: {error}", err=True)
        raise SystemExit(1) from None


corpora_app = typer.Typer(help="List the corpora that can be read; hold a copy of one against what is recorded of it.")
app.add_typer(corpora_app, name="corpora")


@corpora_app.callback(invoke_without_command=True)
def list_corpora(context: typer.Context) -> None:
    """List the corpora that can be read, tab-separated: name, label set, layout below --root, licence, where to get it.

    The published EmotionCoT rows carry no audio: `cotgen corpora check emotioncot FILE` reads them.
    """
    if context.invoked_subcommand is None:
        for name, corpus in corpora.CORPORA.items():
            row = (name, corpus.label_set.name, corpus.layout, corpus.licence, corpus.source)
            typer.echo("\t".join(row))


@corpora_app.command("check")
def check_corpus(
    name: Annotated[str, typer.Argument(help="Name of the corpus; see `cotgen corpora`. Or `emotioncot`.")],
    root: Annotated[Path, typer.Argument(help="Its folder on disk; of emotioncot, the JSON Lines file.")],
) -> None:
    """Count what a copy holds: utterances, speakers, splits and labels beside the recorded figures, as a table.

    Below it, what was dropped on purpose and under which label. Every bad or missing file is named on stderr. Status 1
    when a file is bad or a recorded figure differs.

    Example: cotgen corpora check ravdess data/ravdess
    """
    if name == "emotioncot":
        published = corpora.emotioncot.read(root)
        counts = Counter(row.emotion.value for row in published.rows)
        table = [corpora.Figure("rows", len(published.rows))]
        table += [corpora.Figure(f"label {label}", n) for label, n in sorted(counts.items())]
        dropped: list[tuple[str, int]] = []
        rejected = published.rejected
    else:
        listing = corpora.load(name, root)
        table = list(corpora.check(name, listing))
        dropped, rejected = list(listing.dropped), listing.rejected
        for label_set in {s.name: s for s in (corpora.label_set(name), LABEL_SETS["PAPER_9"])}.values():
            left_out = corpora.label_counts(listing.utterances, label_set).dropped
            dropped += [(f"{label_set.name} leaves out {label}", n) for label, n in left_out.items()]
    for figure in table:
        recorded = corpora.NOT_RECORDED if figure.recorded is None else str(figure.recorded)
        typer.echo(f"{figure.name}\t{figure.found}\t{recorded}{' DIFFERS' if figure.differs else ''}")
    for reason, count in dropped:
        typer.echo(f"dropped: {reason}\t{count}")
    differing = sum(figure.differs for figure in table)
    with FailureLog(None) as log:
        _log_rejected(log, rejected, "check")
        log.finish(f"{name} checked, {differing} recorded figures differ")
    if differing:
        raise typer.Exit(1)


@app.command()
def manifest(
    *,
    corpus: Annotated[str, typer.Option(help="Name of the corpus; see `cotgen corpora`.")],
    root: Annotated[Path, typer.Option(help="Its folder on disk.")],
    out: Out,
    fold: Annotated[
        str | None, typer.Option(help="Split by fold instead, e.g. 2/5: no speaker (IEMOCAP: session) on both sides.")
    ] = None,
) -> None:
    """Write a corpus as a manifest: one utterance a line, read from its file names and label files.

    Example: cotgen manifest --corpus ravdess --root data/ravdess -o ravdess.jsonl
    """
    listing = corpora.load(corpus, root)
    utterances = listing.utterances if fold is None else _split_by_fold(corpus, listing.utterances, fold)
    count = write_jsonl(out, utterances)
    for reason, number in listing.dropped:
        typer.echo(f"cotgen: dropped {number}: {reason}", err=True)
    with FailureLog(errors_beside(out)) as log:
        _log_rejected(log, listing.rejected, "manifest")
        log.finish(f"{count} utterances")


app.command()(build)


app.add_typer(verifying.app)
app.add_typer(sets.app)


def _log_rejected(log: FailureLog, rejected: Iterable[corpora.RejectedRecord], stage: str) -> None:
    for one in rejected:
        log(Failure(one.where, stage, type(one).__name__, one.reason))


def _split_by_fold(corpus: str, utterances: Sequence[Utterance], fold: str) -> list[Utterance]:
    number, _, count = fold.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise CotgenError(f"--fold {fold!r} must be NUMBER/COUNT with NUMBER from 1 to COUNT, such as 2/5")
    chosen = list(corpora.folds(corpus, utterances, int(count)))[int(number) - 1]
    held_out = {u.utterance_id for u in chosen.test}
    return [replace(u, split="test" if u.utterance_id in held_out else "train") for u in utterances]
