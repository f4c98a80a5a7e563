"""The commands of `cotgen` that admit texts to a data set and summarise one, as streams."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from cotgen.cli.options import NAME, Out, Profiles, Traces
from cotgen.dataset import stats
from cotgen.screening import Decision, screen
from speech_claims.texts import measured_texts
from speech_records import FailedItem, ReasoningTrace, atomic_write, to_json
from speech_records.failures import FailureLog, errors_beside
from speech_records.streams import measured_index, records

app = typer.Typer()


@app.command("screen")
def screen_texts(
    texts: Annotated[Path, typer.Argument(help="Texts of any writer: traces, or rows with text and audio_path.")],
    *,
    profiles: Profiles,
    out: Out,
) -> None:
    """Keep, repair or reject texts of any writer; those that are kept or repaired are written as traces.

    A sentence with a contradicted claim is dropped; length, form, repetition, misquotes and label leaks reject a text.
    `speech-claims verify` reports the claims of all texts. Status 1 when a text is rejected or a line is broken.

    Example: cotgen screen explanations.jsonl --profiles measured.jsonl -o admitted.jsonl
    """
    decisions: Counter[str] = Counter()
    problems: Counter[str] = Counter()
    with FailureLog(NAME, errors_beside(out)) as log, measured_index(profiles, log) as measured:
        with atomic_write(out) as file:
            for trace, item in measured_texts(texts, measured, log):
                result = screen(trace, item)
                decisions[result.decision.value] += 1
                problems.update(p.value for p in result.problems)
                if result.decision is Decision.REJECTED:
                    message = ", ".join(result.remaining)
                    log(FailedItem(trace.utterance_id, "screen", "Rejected", message))
                else:
                    file.write(to_json(result.trace) + "\n")
        typer.echo(
            json.dumps({"decisions": dict(sorted(decisions.items())), "problems": dict(sorted(problems.items()))})
        )
        raise typer.Exit(log.finish(f"{decisions.total()} texts screened"))


@app.command("stats")
def show_stats(*, profiles: Profiles, traces: Traces) -> None:
    """Print what an annotated data set holds, as one JSON object: emotions, splits, lengths, verdicts.

    Example: cotgen stats --profiles annotated/measured.jsonl --traces annotated/traces.jsonl
    """
    with FailureLog(NAME, None) as log:
        with measured_index(profiles, log) as measured:
            summary = stats.summarise(measured, records(traces, ReasoningTrace, log))
        typer.echo(json.dumps(summary, indent=2))
        raise typer.Exit(log.finish(f"{summary['traces']} traces"))
