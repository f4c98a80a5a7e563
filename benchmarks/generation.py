"""How fast and how varied the rule generator writes: utterances per second on one core, distinct-n and self-BLEU.

The same made-up measured utterances (`instruments.made_up`, all emotions in turn) for every style, or your own
(`--profiles`, MeasuredUtterance lines). Time is CPU time of one process, claims judged and records built, files not
written; variety is that of the texts without their quotes (`instruments.variety`).

    python benchmarks/generation.py [--json] [--count 1000] [--profiles measured.jsonl]

Bar: at least 1 000 utterances a second in every style. Leaves with status 1 when it is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import mean

from instruments.made_up import measured_utterances
from instruments.variety import Variety, variety

from cotgen import Style, generate
from speech_records import LABEL_SETS, Emotion, LabelSet, MeasuredUtterance, ReasoningTrace, read_jsonl

BAR_PER_S = 1000.0
_WARM_UP = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One style: its speed, the mean words and claims of a text, and the variety of the texts."""

    generator: str
    per_s: float
    words: float
    claims: float
    variety: Variety


def label_set(emotion: Emotion | None) -> LabelSet:
    """The first label set that has a place for `emotion`."""
    fitting = (s for s in LABEL_SETS.values() if emotion is not None and s.map(emotion) is not None)
    try:
        return next(fitting)
    except StopIteration:
        raise SystemExit(f"no label set has a place for the emotion {emotion}: give labelled utterances") from None


def write(measured: Sequence[MeasuredUtterance], style: Style) -> list[ReasoningTrace]:
    """A trace for each utterance."""
    return [generate(m, label_set=label_set(m.utterance.emotion), seed=0, style=style) for m in measured]


def measure(measured: Sequence[MeasuredUtterance], style: Style) -> Row:
    """The figures of one style over `measured`."""
    write(measured[:_WARM_UP], style)
    start = time.process_time()
    traces = write(measured, style)
    seconds = time.process_time() - start
    return Row(
        generator=traces[0].generator,
        per_s=len(traces) / seconds,
        words=mean(len(t.think.split()) for t in traces),
        claims=mean(len(t.claims) for t in traces),
        variety=variety((t.think for t in traces), sample=None),
    )


def main() -> int:
    """Print the figures; status 1 when the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--count", type=int, default=1000, help="utterances")
    parser.add_argument("--profiles", type=Path, help="MeasuredUtterance lines to write for, instead of made-up ones")
    arguments = parser.parse_args()
    if arguments.profiles is None:
        source = measured_utterances(arguments.count, seed=1)
    else:
        source = iter(read_jsonl(arguments.profiles, MeasuredUtterance))
    measured = list(islice(source, arguments.count))
    if not measured:
        print(f"{arguments.profiles}: no utterance there", file=sys.stderr)
        return 1
    rows = [measure(measured, style) for style in Style]
    passed = all(row.per_s >= BAR_PER_S for row in rows)
    if arguments.json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "bar_per_s": BAR_PER_S, "passed": passed}))
        return 0 if passed else 1
    print(f"{'generator':12}{'a second':>10}{'words':>7}{'claims':>8}", end="")
    print(f"{'distinct-1':>12}{'distinct-2':>12}{'distinct-3':>12}{'self-BLEU-4':>13}")
    for row in rows:
        print(f"{row.generator:12}{row.per_s:>10.0f}{row.words:>7.1f}{row.claims:>8.1f}", end="")
        v = row.variety
        figures = (v.distinct_1, v.distinct_2, v.distinct_3, v.self_bleu_4)
        print(
            "".join(
                f"{'-' if f is None else format(f, '.4f'):>{w}}" for f, w in zip(figures, (12, 12, 12, 13), strict=True)
            )
        )
    made = "made-up" if arguments.profiles is None else "given"
    print(
        f"{len(measured)} {made} utterances; bar {BAR_PER_S:.0f} a second and core: {'passed' if passed else 'MISSED'}"
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
