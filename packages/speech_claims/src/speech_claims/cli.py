"""The command `speech-claims`: data on stdout, everything else on stderr, status 1 when any line was left out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from speech_claims.errors import ClaimsError
from speech_claims.faithfulness import FaithfulnessSummary, faithfulness, floors, summarise
from speech_claims.gold import Agreement, agree, read_gold
from speech_claims.report import Tally, draw, score_table, table
from speech_claims.texts import measured_texts
from speech_claims.verification import verify_trace
from speech_records import FailedItem, MeasuredUtterance, ReasoningTrace, SpeechRecordsError, Verdict, to_json
from speech_records.failures import FailureLog, errors_beside
from speech_records.files import atomic_write
from speech_records.streams import measured_index, records

NAME = "speech-claims"


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point: the exit status. Errors of this package and of the records become one line on stderr."""
    chosen = _parser().parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except (ClaimsError, SpeechRecordsError, OSError) as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=NAME, description="Check the prosodic claims of explanations against what was measured in the sound."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    verify = _command(commands, "verify", _verify, "check texts and write them with their claims, as JSON Lines")
    verify.add_argument("texts", type=Path, metavar="TEXTS.jsonl", help="traces, or rows with text and audio_path")
    verify.add_argument("--profiles", type=Path, required=True, help="measured utterances (JSON Lines)")
    verify.add_argument("--out", "-o", type=Path, help="file to write instead of stdout")
    verify.add_argument("--report", type=Path, help="write verdicts by cue and by emotion as JSON")
    verify.add_argument("--picture", type=Path, help="draw them (.png, .svg, .pdf); needs matplotlib")
    report = _command(commands, "report", _report, "print verdicts by cue and by emotion of verified texts")
    report.add_argument("traces", type=Path, metavar="VERIFIED.jsonl", help="what `verify` writes")
    report.add_argument(
        "--profiles", type=Path, help="their clips' measurements: adds the faithfulness score, its floor"
    )
    report.add_argument(
        "--ceiling", type=Path, metavar="RULES.jsonl", help="texts to score beside, written from profiles"
    )
    report.add_argument("--picture", type=Path, help="draw them (.png, .svg, .pdf); needs matplotlib")
    report.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    score = _command(commands, "score", _score, "score the verifier on sentences labelled by hand")
    score.add_argument("gold", type=Path, metavar="GOLD.jsonl", help="sentences in the format of docs/claims.md")
    score.add_argument("--profiles", type=Path, help="measured utterances that the sentences name as their clip")
    score.add_argument("--errors", action="store_true", help="list every claim that was missed or found in excess")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: object, text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(run=run)
    return parser


def _verify(chosen: argparse.Namespace) -> int:
    tally = Tally()
    with FailureLog(NAME, None if chosen.out is None else errors_beside(chosen.out)) as log:
        verified = _verified(chosen.texts, chosen.profiles, tally, log)
        if chosen.out is None:
            for trace in verified:
                print(to_json(trace))
        else:
            with atomic_write(chosen.out) as file:
                file.writelines(f"{to_json(trace)}\n" for trace in verified)
        counts = tally.report()
        print(table(counts), file=sys.stderr)
        if chosen.report is not None:
            with atomic_write(chosen.report) as file:
                file.write(json.dumps(asdict(counts), indent=2) + "\n")
        if chosen.picture is not None:
            draw(counts, chosen.picture)
        return log.finish(f"{counts.traces} texts verified")


def _verified(texts: Path, profiles: Path, tally: Tally, log: FailureLog) -> Iterator[ReasoningTrace]:
    with measured_index(profiles, log) as measured:
        for trace, item in measured_texts(texts, measured, log):
            verified = verify_trace(trace, item)
            tally.add(verified)
            for claim in verified.claims:
                if claim.verdict is Verdict.CONTRADICTED:
                    message = f"{claim.text!r} claims {claim.value}; measured {claim.measured}"
                    log(FailedItem(trace.utterance_id, "verify", "Contradicted", message))
            yield verified


def _report(chosen: argparse.Namespace) -> int:
    if chosen.ceiling is not None and chosen.profiles is None:
        raise ClaimsError("--ceiling needs --profiles: a text is scored against the measurements of its clip")
    tally = Tally()
    with FailureLog(NAME, None) as log:
        for trace in records(chosen.traces, ReasoningTrace, log):
            tally.add(trace)
        counts = tally.report()
        scored = {} if chosen.profiles is None else _summaries(chosen, log)
        if chosen.json:
            made = {name: summary and asdict(summary) for name, summary in scored.items()}
            print(json.dumps(asdict(counts) | ({"faithfulness": made} if made else {}), indent=2))
        else:
            print(table(counts))
            if scored:
                print(score_table(scored))
        if chosen.picture is not None:
            draw(counts, chosen.picture)
        return log.finish(f"{counts.traces} verified texts")


def _summaries(chosen: argparse.Namespace, log: FailureLog) -> dict[str, FaithfulnessSummary | None]:
    """Faithfulness of the texts, of what can be said of every clip of the profiles, and of the texts of the ceiling."""
    clips = list(records(chosen.profiles, MeasuredUtterance, log))
    scored = {"texts": _summary(chosen.traces, chosen.profiles, log), **floors(clips)}
    if chosen.ceiling is not None:
        scored["ceiling"] = _summary(chosen.ceiling, chosen.profiles, log)
    return scored


def _summary(texts: Path, profiles: Path, log: FailureLog) -> FaithfulnessSummary | None:
    scores = []
    with measured_index(profiles, log) as measured:
        for trace, item in measured_texts(texts, measured, log):
            try:
                score = faithfulness(trace.think, item.profile, item.levels, item.utterance.transcript)
            except ClaimsError as error:
                log(FailedItem.of(trace.utterance_id, "score", error))
            else:
                scores.append(score)
    return summarise(scores)


def _score(chosen: argparse.Namespace) -> int:
    clips: dict[str, MeasuredUtterance] = {}
    with FailureLog(NAME, None) as log:
        if chosen.profiles is not None:
            clips = {m.utterance.utterance_id: m for m in records(chosen.profiles, MeasuredUtterance, log)}
        sentences, failures = read_gold(chosen.gold)
        for failure in failures:
            log(failure)
        agreement = agree(sentences, clips)
        print(json.dumps(_ratios(agreement), indent=2))
        if chosen.errors:
            for title, rows in (("missed", agreement.missed), ("extra", agreement.extra)):
                for name, cue, value in rows:
                    print(f"{title}: {name}: {cue} {value}", file=sys.stderr)
        return log.finish(f"{agreement.sentences} sentences scored")


def _ratios(a: Agreement) -> dict[str, float | int | None]:
    return {
        "sentences": a.sentences,
        "labelled_claims": a.labelled,
        "found_claims": a.found,
        "precision": a.precision,
        "recall": a.recall,
        "f1": a.f1,
        "contradicting_share": a.contradicting_share,
        "fire_rate": a.fire_rate,
        "flips_detected": a.detected_share,
        "false_alarms": a.false_alarm_share,
        "verdict_accuracy": a.verdict_accuracy,
    }


if __name__ == "__main__":
    raise SystemExit(main())
