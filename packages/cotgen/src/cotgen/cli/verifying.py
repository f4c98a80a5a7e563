"""The commands of `cotgen` that hold texts against measurements and say what a data set holds, as streams."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TextIO

import typer

from cotgen.batch import Failure, measured_index, records, texts
from cotgen.cli.ending import FailureLog, errors_beside
from cotgen.cli.options import Profiles, Traces, file_to_write
from cotgen.dataset import stats
from cotgen.errors import CotgenError
from cotgen.shards import written_whole
from cotgen.verification import faithfulness
from cotgen.verification.screening import Decision, Screened, screen
from speech_records import MeasuredUtterance, ReasoningTrace, Verdict, to_json, write_jsonl

app = typer.Typer()


@app.command("verify")
def verify_traces(
    file: Annotated[
        Path | None, typer.Argument(help="Texts of any writer: ReasoningTrace lines, or published EmotionCoT rows.")
    ] = None,
    *,
    profiles: Profiles,
    traces: Annotated[Path | None, typer.Option(help="The same as FILE.")] = None,
    out: Annotated[Path | None, file_to_write("--out", "-o", text="File to write instead of stdout.")] = None,
    report: Annotated[
        Path | None, file_to_write(text="Write the faithfulness report and what screening did as JSON.")
    ] = None,
    picture: Annotated[Path | None, file_to_write(text="Draw the report (.png, .svg, .pdf); needs matplotlib.")] = None,
    screened: Annotated[
        Path | None,
        file_to_write(text="Write the traces that are kept or repaired; the reasons of the others are counted."),
    ] = None,
) -> None:
    """Hold the claims of texts against these measurements: the traces with their claims, as JSON Lines.

    EmotionCoT rows are matched to measurements by audio_path, traces by utterance_id. The faithfulness report, verdicts
    by cue and by emotion, is printed on stderr. Status 1 when a claim is contradicted, a text has no measurements or
    those of another utterance, or a line is broken. Files may be of any size; shards are named by the file they are
    the shards of.

    Example: cotgen verify explanations.jsonl --profiles measured.jsonl -o verified.jsonl --report report.json
    """
    source = file or traces
    if source is None or (file is not None and traces is not None):
        raise CotgenError("name one file of texts to verify: cotgen verify FILE.jsonl --profiles measured.jsonl")
    with FailureLog(None if out is None else errors_beside(out)) as log:
        figures = _Figures()
        with nullcontext() if screened is None else written_whole(screened) as kept:
            verified = figures.watch(_screened(source, profiles, log), kept)
            if out is not None:
                write_jsonl(out, verified)
            else:
                for trace in verified:
                    typer.echo(to_json(trace))
        figures.show(report, picture)
        log.finish(f"{figures.count} traces verified")


@app.command("stats")
def show_stats(*, profiles: Profiles, traces: Traces) -> None:
    """Print what an annotated data set holds, as one JSON object: emotions, splits, lengths, verdicts.

    Example: cotgen stats --profiles annotated/measured.jsonl --traces annotated/traces.jsonl
    """
    with FailureLog(None) as log:
        with measured_index(profiles, log) as measured:
            summary = stats.summarise(measured, records(traces, ReasoningTrace, log))
        typer.echo(json.dumps(asdict(summary), indent=2))
        log.finish(f"{summary.traces} traces")


class _Figures:
    """What is counted while texts go by."""

    def __init__(self) -> None:
        self.count = 0
        self._tally = faithfulness.Tally()
        self._decisions: Counter[str] = Counter()
        self._problems: Counter[str] = Counter()

    def watch(self, results: Iterator[Screened], kept: TextIO | None) -> Iterator[ReasoningTrace]:
        """The verified traces of `results`; those that screening lets through are written to `kept`."""
        for result in results:
            self.count += 1
            self._tally.add(result.verified)
            self._decisions[result.decision.value] += 1
            self._problems.update(p.value for p in result.problems)
            if kept is not None and result.decision is not Decision.REJECTED:
                kept.write(to_json(result.trace) + "\n")
            yield result.verified

    def show(self, path: Path | None, picture: Path | None) -> None:
        """Print the report on stderr; write it to `path` and draw it to `picture` where they are given."""
        figures = self._tally.report()
        decisions, problems = dict(sorted(self._decisions.items())), dict(sorted(self._problems.items()))
        typer.echo(faithfulness.table(figures), err=True)
        typer.echo(f"screening: {_listed(decisions)}; problems: {_listed(problems)}", err=True)
        if path is not None:
            data = asdict(figures) | {"decisions": decisions, "problems": problems}
            path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        if picture is not None:
            faithfulness.draw(figures, picture)


def _screened(source: Path, profiles: Path, log: FailureLog) -> Iterator[Screened]:
    with measured_index(profiles, log) as measured:
        for trace, item in texts(source, measured, log):
            result = screen(trace, item)
            _log_contradictions(result, item, log)
            yield result


def _log_contradictions(result: Screened, item: MeasuredUtterance, log: FailureLog) -> None:
    for claim in result.verified.claims:
        if claim.verdict is Verdict.CONTRADICTED:
            message = f"{claim.text!r} claims {claim.value}; measured {claim.measured}"
            log(Failure(item.utterance.utterance_id, "verify", "Contradicted", message))


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.items()) or "none"
