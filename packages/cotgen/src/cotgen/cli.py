"""The command `cotgen`: data on stdout, everything else on stderr, status 1 when any record was left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from cotgen import cli_sets, corpora, faithfulness, stats
from cotgen.batch import Failure, read_measured, read_records, read_texts
from cotgen.cli_build import build
from cotgen.cli_options import Out, Profiles, Traces
from cotgen.cli_report import errors_beside, finish
from cotgen.errors import CotgenError
from cotgen.screening import Decision, Screened, screen
from cotgen.verification import verify
from speech_records import (
    LABEL_SETS,
    ReasoningTrace,
    SpeechRecordsError,
    Utterance,
    Verdict,
    to_json,
    write_jsonl,
)

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
    failures = [Failure(r.where, "check", type(r).__name__, r.reason) for r in rejected]
    finish(f"{name} checked, {differing} recorded figures differ", failures, None)
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
    failures = [Failure(r.where, "manifest", type(r).__name__, r.reason) for r in listing.rejected]
    for reason, number in listing.dropped:
        typer.echo(f"cotgen: dropped {number}: {reason}", err=True)
    finish(f"{count} utterances", failures, errors_beside(out))


app.command()(build)


@app.command("verify")
def verify_traces(
    file: Annotated[
        Path | None, typer.Argument(help="Texts of any writer: ReasoningTrace lines, or published EmotionCoT rows.")
    ] = None,
    *,
    profiles: Profiles,
    traces: Annotated[Path | None, typer.Option(help="The same as FILE.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write instead of stdout.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write the faithfulness report and what screening did as JSON.")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw the report (.png, .svg, .pdf); needs matplotlib.")] = None,
    screened: Annotated[
        Path | None, typer.Option(help="Write the traces that are kept or repaired, the reasons of the others counted.")
    ] = None,
) -> None:
    """Hold the claims of texts against these measurements: the traces with their claims, as JSON Lines.

    EmotionCoT rows are matched to measurements by audio_path, traces by utterance_id. The faithfulness report, verdicts
    by cue and by emotion, is printed on stderr. Status 1 when a claim is contradicted, a text has no measurements or
    those of another utterance, or a line is broken.

    Example: cotgen verify explanations.jsonl --profiles measured.jsonl -o verified.jsonl --report report.json
    """
    source = file or traces
    if source is None or (file is not None and traces is not None):
        raise CotgenError("name one file of texts to verify: cotgen verify FILE.jsonl --profiles measured.jsonl")
    measured, failures = read_measured(profiles)
    listed, broken = read_texts(source, measured)
    failures += broken
    by_id = {m.utterance.utterance_id: m for m in measured}
    results: list[Screened] = []
    verified: list[ReasoningTrace] = []
    for trace in listed:
        item = by_id.get(trace.utterance_id)
        if item is None:
            failures.append(Failure(trace.utterance_id, "verify", "CotgenError", "no measured utterance has this id"))
            continue
        claims = verify(trace.think, item.profile, item.levels, item.utterance.transcript)
        verified.append(replace(trace, claims=tuple(claims)))
        results.append(screen(trace, item))
        failures += [
            Failure(trace.utterance_id, "verify", "Contradicted", f"{c.text!r} claims {c.value}; measured {c.measured}")
            for c in claims
            if c.verdict is Verdict.CONTRADICTED
        ]
    if out is not None:
        write_jsonl(out, verified)
    else:
        for trace in verified:
            typer.echo(to_json(trace))
    if screened is not None:
        write_jsonl(screened, [r.trace for r in results if r.decision is not Decision.REJECTED])
    _report(verified, results, report, picture)
    finish(f"{len(verified)} traces verified", failures, None if out is None else errors_beside(out))


app.add_typer(cli_sets.app)


@app.command("stats")
def show_stats(*, profiles: Profiles, traces: Traces) -> None:
    """Print what an annotated data set holds, as one JSON object: emotions, splits, lengths, verdicts.

    Example: cotgen stats --profiles annotated/measured.jsonl --traces annotated/traces.jsonl
    """
    measured, failures = read_measured(profiles)
    listed, broken = read_records(traces, ReasoningTrace)
    typer.echo(json.dumps(asdict(stats.summarise(measured, listed)), indent=2))
    finish(f"{len(listed)} traces", [*failures, *broken], None)


def _report(
    verified: Sequence[ReasoningTrace], results: Sequence[Screened], path: Path | None, picture: Path | None
) -> None:
    figures = faithfulness.report(verified)
    decisions = dict(sorted(Counter(r.decision.value for r in results).items()))
    problems = dict(sorted(Counter(p.value for r in results for p in r.problems).items()))
    typer.echo(faithfulness.table(figures), err=True)
    typer.echo(f"screening: {_listed(decisions)}; problems: {_listed(problems)}", err=True)
    if path is not None:
        data = asdict(figures) | {"decisions": decisions, "problems": problems}
        path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    if picture is not None:
        faithfulness.draw(figures, picture)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.items()) or "none"


def _split_by_fold(corpus: str, utterances: Sequence[Utterance], fold: str) -> list[Utterance]:
    number, _, count = fold.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise CotgenError(f"--fold {fold!r} must be NUMBER/COUNT with NUMBER from 1 to COUNT, such as 2/5")
    chosen = list(corpora.folds(corpus, utterances, int(count)))[int(number) - 1]
    held_out = {u.utterance_id for u in chosen.test}
    return [replace(u, split="test" if u.utterance_id in held_out else "train") for u in utterances]
