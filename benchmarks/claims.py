"""How well `cotgen.verify` finds the prosodic claims of a text, and how often its verdict is right.

Hand-labelled sentences of several styles (packages/cotgen/tests/data/claims.jsonl), each about one of four measured
clips (claims_clips.jsonl). A claim is found when its cue and value are; verdicts are judged on the claims found.
`development` sentences served to write the lexicon, `held-out` sentences did not: the bar stands on those.

    python benchmarks/claims.py [--json] [--errors]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cotgen import verify
from speech_records import MeasuredUtterance, read_jsonl

DATA = Path(__file__).resolve().parents[1] / "packages" / "cotgen" / "tests" / "data"
BAR_F1 = 0.9
BAR_VERDICTS = 0.95
BARRED_SPLIT = "held-out"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One sentence: its labelled and its found claims as (cue, value) -> verdict pairs, with what agreed."""

    row: Mapping[str, Any]
    labelled: Counter[tuple[str, str, str]]
    found: Counter[tuple[str, str, str]]

    @property
    def matched(self) -> int:
        """Claims found with the labelled cue and value."""
        return (_without_verdict(self.labelled) & _without_verdict(self.found)).total()

    @property
    def verdicts_right(self) -> int:
        """Of these, claims with the labelled verdict."""
        return (self.labelled & self.found).total()


@dataclass(frozen=True, slots=True)
class Score:
    """Figures over a set of sentences; ratios in [0, 1]."""

    sentences: int
    labelled: int
    found: int
    precision: float
    recall: float
    f1: float
    verdict_accuracy: float


def judge(rows: Iterable[Mapping[str, Any]], clips: Mapping[str, MeasuredUtterance]) -> list[Outcome]:
    """Every sentence verified against its clip."""
    outcomes = []
    for row in rows:
        clip = clips[row["clip"]]
        claims = verify(row["text"], clip.profile, clip.levels, clip.utterance.transcript)
        labelled = Counter((c["cue"], c["value"], c["verdict"]) for c in row["claims"])
        outcomes.append(Outcome(row, labelled, Counter((c.cue.value, c.value, c.verdict.value) for c in claims)))
    return outcomes


def score(outcomes: Iterable[Outcome]) -> Score:
    """Micro-averaged precision, recall and F1 of (cue, value), and the share of right verdicts among claims found."""
    listed = list(outcomes)
    labelled, found = sum(o.labelled.total() for o in listed), sum(o.found.total() for o in listed)
    matched, right = sum(o.matched for o in listed), sum(o.verdicts_right for o in listed)
    return Score(
        sentences=len(listed),
        labelled=labelled,
        found=found,
        precision=matched / found if found else 0.0,
        recall=matched / labelled if labelled else 0.0,
        f1=2 * matched / (labelled + found) if labelled + found else 0.0,
        verdict_accuracy=right / matched if matched else 0.0,
    )


def _without_verdict(claims: Counter[tuple[str, str, str]]) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    for (cue, value, _), number in claims.items():
        counted[cue, value] += number
    return counted


def main() -> int:
    """Print the figures; 0 when the held-out sentences pass the bar, otherwise 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--errors", action="store_true", help="list the development sentences that went wrong")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in (DATA / "claims.jsonl").read_text(encoding="utf-8").splitlines()]
    clips = {m.utterance.utterance_id: m for m in read_jsonl(DATA / "claims_clips.jsonl", MeasuredUtterance)}
    outcomes = judge(rows, clips)
    scores = {s: score(o for o in outcomes if o.row["split"] == s) for s in ("development", BARRED_SPLIT)}
    held_out = scores[BARRED_SPLIT]
    passed = held_out.f1 >= BAR_F1 and held_out.verdict_accuracy >= BAR_VERDICTS
    if arguments.json:
        print(json.dumps({"scores": {k: asdict(v) for k, v in scores.items()}, "bar_f1": BAR_F1, "passed": passed}))
    else:
        print(f"{'split':<12}{'sentences':>10}{'claims':>8}{'precision':>11}{'recall':>8}{'F1':>7}{'verdicts':>10}")
        for name, s in scores.items():
            figures = f"{s.precision:>11.3f}{s.recall:>8.3f}{s.f1:>7.3f}{s.verdict_accuracy:>10.3f}"
            print(f"{name:<12}{s.sentences:>10}{s.labelled:>8}{figures}")
        print(f"bar on {BARRED_SPLIT}: F1 >= {BAR_F1}, verdicts >= {BAR_VERDICTS}: {'passed' if passed else 'MISSED'}")
    if arguments.errors:
        for o in outcomes:
            if o.row["split"] == "development" and o.labelled != o.found:
                print(f"{o.row['id']} {o.row['text']}\n  missed {dict(o.labelled - o.found)}", file=sys.stderr)
                print(f"  wrong  {dict(o.found - o.labelled)}", file=sys.stderr)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
