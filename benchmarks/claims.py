"""How well `speech_claims.verify` finds the prosodic claims of a text, and how often its verdict is right.

Hand-labelled sentences in the format of `docs/claims.md`. Without FILE, those of packages/speech_claims/tests/data: the
tuned part (claims.jsonl, claims_tuned*.jsonl), which served to write the lexicon, and the part that was kept out of
development (claims_kept_out.jsonl), whose bar is lower; both together have to catch what is flipped. A flipped claim is
checked against a measurement that says something else and must be contradicted (one that is not found is not detected);
a true claim must not be. Counted besides: found claims that contradict what their own text says (labelled), texts
without any claim in which one is found, and milliseconds of processor time that reading a text takes.

    python benchmarks/claims.py [FILE.jsonl …] [--clips MEASURED.jsonl] [--json] [--errors] [--kinds]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from speech_claims import verify
from speech_claims.counterfactuals import Measurement
from speech_claims.gold import Agreement, GoldSentence, agree, read_gold
from speech_records import MeasuredUtterance, read_jsonl

DATA = Path(__file__).resolve().parents[1] / "packages" / "speech_claims" / "tests" / "data"
TUNED = [*sorted(path.name for path in DATA.glob("claims_tuned*.jsonl")), "claims.jsonl"]
KEPT_OUT = ["claims_kept_out.jsonl"]
BAR_F1_TUNED, BAR_F1 = 0.95, 0.85
BAR_DETECTED, BAR_FALSE_ALARMS = 0.97, 0.02
BAR_VERDICTS = 0.95
"""Share of labelled verdicts that must be given, where rows name a clip and label any."""


def main(arguments_given: Sequence[str] | None = None) -> int:
    """Print the figures; 0 when every file passes its bars, 1 when one misses them or holds a bad line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="sentences as in docs/claims.md")
    parser.add_argument("--clips", type=Path, default=DATA / "claims_clips.jsonl", help="measured clips that rows name")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--errors", action="store_true", help="list what was missed, and what too much")
    parser.add_argument("--kinds", action="store_true", help="also a line for each beginning of the ids, up to `-`")
    arguments = parser.parse_args(arguments_given)
    clips = {m.utterance.utterance_id: m for m in read_jsonl(arguments.clips, MeasuredUtterance)}
    sets = [Sentences(f.name, [f], BAR_F1, BAR_DETECTED) for f in arguments.files] or [
        Sentences("tuned", [DATA / name for name in TUNED], BAR_F1_TUNED, None),
        Sentences("kept out", [DATA / name for name in KEPT_OUT], BAR_F1, None),
        Sentences("all", [DATA / name for name in [*TUNED, *KEPT_OUT]], None, BAR_DETECTED),
    ]
    results, passed = [], True
    for chosen in sets:
        read = [read_gold(file) for file in chosen.files]
        for failure in (f for _, failures in read for f in failures):
            print(f"{failure.id}: {failure.message}", file=sys.stderr)
            passed = False
        listed = [s for sentences, _ in read for s in sentences]
        agreement = agree(listed, clips)
        results.append((chosen, agreement, milliseconds(listed)))
        if arguments.kinds:
            for kind in sorted({_kind(s) for s in listed}):
                of_kind = [s for s in listed if _kind(s) == kind]
                results.append(
                    (Sentences(f"  {kind}", chosen.files, None, None), agree(of_kind, clips), milliseconds(of_kind))
                )
        passed = passed and passes(chosen, agreement)
        if arguments.errors:
            print_errors(agreement)
    if arguments.json:
        print(
            json.dumps(
                {"sets": {c.name: as_dict(c, a) | {"ms_per_text": ms} for c, a, ms in results}, "passed": passed}
            )
        )
    else:
        print_table(results)
        print("passed" if passed else "MISSED")
    return 0 if passed else 1


@dataclass(frozen=True, slots=True)
class Sentences:
    """Files that are scored together, with the bars of F1 and of flipped claims detected (`None`: no bar)."""

    name: str
    files: Sequence[Path]
    bar_f1: float | None
    bar_detected: float | None


def _kind(sentence: GoldSentence) -> str:
    return sentence.style or sentence.name.split("-", maxsplit=1)[0]


_calls = count(1)


def milliseconds(sentences: Sequence[GoldSentence]) -> float:
    """Processor time of one reading of a text, on average."""
    nothing, behind = Measurement(), " " * next(_calls)  # a text that was read before is not read again
    verify("The pitch is high.", nothing.profile, nothing.levels, None)  # reads the lexicon
    began = time.process_time()
    for sentence in sentences:
        verify(sentence.text + behind, nothing.profile, nothing.levels, sentence.transcript)
    return 1000.0 * (time.process_time() - began) / max(1, len(sentences))


def passes(chosen: Sentences, a: Agreement) -> bool:
    """Whether the figures reach their bars; what nothing was counted for passes."""
    return (
        (a.f1 is None or chosen.bar_f1 is None or a.f1 >= chosen.bar_f1)
        and (a.detected_share is None or chosen.bar_detected is None or a.detected_share >= chosen.bar_detected)
        and (a.false_alarm_share is None or a.false_alarm_share <= BAR_FALSE_ALARMS)
        and (a.verdict_accuracy is None or a.verdict_accuracy >= BAR_VERDICTS)
    )


def as_dict(chosen: Sentences, a: Agreement) -> dict[str, object]:
    """The figures of one set, with its bars."""
    return {
        "sentences": a.sentences, "labelled": a.labelled, "found": a.found, "precision": a.precision,
        "recall": a.recall, "f1": a.f1, "contradicting": a.contradicting_share,
        "no_claim_texts": a.silent, "fire_rate": a.fire_rate, "flipped": a.flipped, "detected": a.detected_share,
        "detected_of_found": a.detected_of_found, "true": a.true_claims,
        "false_alarms": a.false_alarm_share, "labelled_verdicts": a.judged, "verdict_accuracy": a.verdict_accuracy,
        "bars": {"f1": chosen.bar_f1, "detected": chosen.bar_detected, "false_alarms": BAR_FALSE_ALARMS,
                 "verdicts": BAR_VERDICTS},
        "passed": passes(chosen, a),
    }  # fmt: skip


def print_table(results: Sequence[tuple[Sentences, Agreement, float]]) -> None:
    """One line a set."""
    head = f"{'set':<24}{'sentences':>10}{'claims':>8}{'precision':>11}{'recall':>8}{'F1':>7}{'bar':>6}"
    verdicts = f"{'flips detected':>16}{'bar':>6}{'of found':>10}{'false alarms':>14}{'bar':>6}"
    print(f"{head}{verdicts}{'contradicting':>15}{'fire rate':>11}{'ms/text':>9}")
    for chosen, a, ms in results:
        figures = "".join(f"{_shown(x):>{w}}" for x, w in ((a.precision, 11), (a.recall, 8), (a.f1, 7)))
        detected = f"{_shown(a.detected_share):>16}{_bar(chosen.bar_detected)}{_shown(a.detected_of_found):>10}"
        verdicts = f"{_bar(chosen.bar_f1)}{detected}{_shown(a.false_alarm_share):>14}{_bar(BAR_FALSE_ALARMS)}"
        own = f"{_shown(a.contradicting_share):>15}{_shown(a.fire_rate):>11}{ms:>9.2f}"
        print(f"{chosen.name:<24}{a.sentences:>10}{a.labelled:>8}{figures}{verdicts}{own}")


def _bar(value: float | None) -> str:
    return f"{'–' if value is None else value:>6}"


def print_errors(a: Agreement) -> None:
    """What was missed and what was found beside the labels, and how often for each cue."""
    for title, rows in (("missed", a.missed), ("extra", a.extra)):
        for name, cue, value in rows:
            print(f"{title:<7} {name}: {cue} {value}", file=sys.stderr)
        print(f"{title}: {dict(Counter(cue for _, cue, _ in rows))}", file=sys.stderr)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
