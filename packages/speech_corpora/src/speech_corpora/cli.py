"""The command `speech-corpora`: data on stdout, everything else on stderr, status 1 when any record was left out."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from speech_corpora import emotioncot, registry
from speech_corpora.checking import Count, label_counts
from speech_corpora.errors import CorpusError
from speech_records import LABEL_SETS, FailedItem, SpeechRecordsError, Utterance, write_jsonl
from speech_records.failures import FailureLog, errors_beside

NAME = "speech-corpora"

app = typer.Typer(
    help="Emotion corpora on disk, read by their published layout: which ones can be read (`list`), what a copy holds "
    "and what is wrong with it (`check`), and its utterances as JSON Lines (`manifest`), with a split by speaker where "
    "the corpus has none (`manifest --fold 1/5`, `manifest --test-speakers TP0,MP0`).\n\n"
    "Data goes to stdout, everything else to stderr. Status 1: something was left out, and each item is named.\n\n"
    "Example: speech-corpora check ravdess data/ravdess",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

CorpusName = Annotated[str, typer.Argument(help="Name of the corpus; see `speech-corpora list`.")]
Root = Annotated[Path, typer.Argument(help="Its folder on disk.")]


def main() -> None:
    """Entry point: errors of this package and of the records become one line on stderr and status 1."""
    try:
        app(prog_name=NAME)
    except (CorpusError, SpeechRecordsError, OSError) as error:
        typer.echo(f"{NAME}: {error}", err=True)
        raise SystemExit(1) from None


@app.command("list")
def list_corpora() -> None:
    """List the corpora that can be read, tab-separated: name, label set, layout below the root, licence, source.

    The published EmotionCoT rows carry no audio: `speech-corpora check emotioncot FILE` reads them.
    """
    for name, corpus in registry.CORPORA.items():
        row = (name, corpus.label_set.name, corpus.layout, corpus.licence, corpus.source)
        typer.echo("\t".join(row))


@app.command()
def check(name: CorpusName, root: Root) -> None:
    """Count what a copy holds: utterances, speakers, splits and labels beside the recorded counts, as a table.

    Below it, what was dropped on purpose and under which label. Every bad or missing file is named on stderr. Status 1
    when a file is bad or a recorded count differs. A corpus without a split `train` says how to make one. Of
    `emotioncot`, the root is the JSON Lines file.

    Example: speech-corpora check ravdess data/ravdess
    """
    rows, dropped, rejected = _published(root) if name == "emotioncot" else _copy(name, root)
    for row in rows:
        recorded = registry.NOT_RECORDED if row.recorded is None else str(row.recorded)
        typer.echo(f"{row.name}\t{row.found}\t{recorded}{' DIFFERS' if row.differs else ''}")
    for reason, count in dropped:
        typer.echo(f"dropped: {reason}\t{count}")
    differing = sum(row.differs for row in rows)
    with FailureLog(NAME, None) as log:
        for item in rejected:
            log(item)
        status = log.finish(f"{name} checked, {differing} recorded counts differ")
    if differing or status:
        raise typer.Exit(1)


@app.command()
def manifest(
    name: CorpusName,
    root: Root,
    *,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="File to write; OUT.errors.jsonl lists what was left out.", dir_okay=False),
    ],
    fold: Annotated[
        str | None, typer.Option(help="Split by fold instead, e.g. 2/5: no speaker (IEMOCAP: session) on both sides.")
    ] = None,
    test_speakers: Annotated[
        str | None, typer.Option(help="Split by these speakers instead, e.g. TP0,MP0: they test, all others train.")
    ] = None,
) -> None:
    """Write a corpus as a manifest: one utterance a line, read from its file names and label files.

    Audio paths start at the corpus root. A manifest that is written there can be read again as corpus `manifest`, by
    every command that takes a corpus.

    Example: speech-corpora manifest cremad data/cremad -o data/cremad/fold-1.jsonl --fold 1/5

    Example: speech-corpora manifest nemo data/nemo -o data/nemo/split.jsonl --test-speakers TP0,MP0
    """
    if fold is not None and test_speakers is not None:
        raise CorpusError("give either --fold or --test-speakers: each splits in its own way")
    if not out.resolve().parent.is_dir():
        raise CorpusError(f"the folder {str(out.parent)!r} does not exist: make it first")
    listing = registry.load(name, root)
    utterances: Sequence[Utterance] = listing.utterances
    if fold is not None:
        utterances = _split_by_fold(name, utterances, fold)
    elif test_speakers is not None:
        utterances = _split_by_speakers(name, utterances, test_speakers)
    count = write_jsonl(out, utterances)
    _say_how_to_split(name, root, utterances)
    for reason, number in listing.dropped:
        typer.echo(f"{NAME}: dropped {number}: {reason}", err=True)
    with FailureLog(NAME, errors_beside(out)) as log:
        for item in listing.rejected:
            log(item)
        raise typer.Exit(log.finish(f"{count} utterances"))


_Counted = tuple[list[Count], list[tuple[str, int]], tuple[FailedItem, ...]]


def _published(path: Path) -> _Counted:
    published = emotioncot.read(path)
    counts = Counter(row.emotion.value for row in published.rows)
    rows = [Count("rows", len(published.rows))]
    rows += [Count(f"label {label}", n) for label, n in sorted(counts.items())]
    return rows, [], published.rejected


def _copy(name: str, root: Path) -> _Counted:
    listing = registry.load(name, root)
    _say_how_to_split(name, root, listing.utterances)
    dropped = list(listing.dropped)
    for label_set in {
        s.name: s for s in (registry.label_set(name, listing.utterances), LABEL_SETS["PAPER_9"])
    }.values():
        left_out = label_counts(listing.utterances, label_set).dropped
        dropped += [(f"{label_set.name} leaves out {label}", n) for label, n in left_out.items()]
    return list(registry.check(name, listing)), dropped, listing.rejected


def _say_how_to_split(name: str, root: Path, utterances: Sequence[Utterance]) -> None:
    """On stderr, where nothing is in split `train`: that it is so, and the command that makes a fold."""
    if any(utterance.split == "train" for utterance in utterances):
        return
    groups = len({registry.CORPORA[name].group(utterance) for utterance in utterances})
    if groups < 2:
        advice = "with one speaker, no speaker-independent split can be made"
    else:
        folder = root.parent if root.is_file() else root
        arguments = ["manifest", name, str(root), "-o", str(folder / "fold-1.jsonl"), "--fold", f"1/{min(5, groups)}"]
        advice = f"make folds, such as: {NAME} {shlex.join(arguments)}"
    typer.echo(f"{NAME}: nothing is in split 'train', so nothing can be trained on it as it is; {advice}", err=True)


def _split_by_fold(corpus: str, utterances: Sequence[Utterance], fold: str) -> list[Utterance]:
    number, _, count = fold.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise CorpusError(f"--fold {fold!r} must be NUMBER/COUNT with NUMBER from 1 to COUNT, such as 2/5")
    chosen = list(registry.folds(corpus, utterances, int(count)))[int(number) - 1]
    held_out = {u.utterance_id for u in chosen.test}
    return [replace(u, split="test" if u.utterance_id in held_out else "train") for u in utterances]


def _split_by_speakers(corpus: str, utterances: Sequence[Utterance], named: str) -> list[Utterance]:
    """The speakers that are `named` test, the others train; what may not be on both sides of a fold is not here."""
    held_out, group = {name.strip() for name in named.split(",")}, registry.CORPORA[corpus].group
    speakers = {u.speaker_id for u in utterances}
    if unknown := sorted(held_out - speakers):
        raise CorpusError(f"--test-speakers: {unknown[0]!r} is none of the speakers {', '.join(sorted(speakers))}")
    if not speakers - held_out:
        raise CorpusError(f"--test-speakers {named!r} names every speaker: nothing would be left to train on")
    tested = {group(u) for u in utterances if u.speaker_id in held_out}
    if torn := sorted({u.speaker_id for u in utterances if group(u) in tested} - held_out):
        raise CorpusError(f"--test-speakers: {torn[0]!r} talks with a speaker that tests: name both")
    return [replace(u, split="test" if u.speaker_id in held_out else "train") for u in utterances]
