"""How faithful texts are to the sound: verdicts by cue and by emotion, and their scores, as tables and as a picture."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from speech_claims.errors import ClaimsError
from speech_claims.faithfulness import FaithfulnessSummary
from speech_records import ReasoningTrace, Verdict


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """Verdicts of a group of claims. `share` is supported of supported and contradicted, `None` without either."""

    supported: int
    contradicted: int
    unverifiable: int
    share: float | None


@dataclass(frozen=True, slots=True)
class VerdictReport:
    """Verdicts over all claims of `traces` texts, by cue, and by the answer of the text they occur in."""

    traces: int
    total: VerdictCounts
    cues: dict[str, VerdictCounts]
    emotions: dict[str, VerdictCounts]


class Tally:
    """Verdicts counted trace by trace, in memory that does not grow with their number."""

    def __init__(self) -> None:
        self._traces: Counter[str] = Counter()
        self._verdicts: Counter[tuple[str, str, Verdict]] = Counter()

    def add(self, trace: ReasoningTrace) -> None:
        """Count a verified trace."""
        self._traces[trace.answer.value] += 1
        self._verdicts.update((c.cue.value, trace.answer.value, c.verdict) for c in trace.claims)

    def report(self) -> VerdictReport:
        """What was counted so far."""
        cues: dict[str, Counter[Verdict]] = defaultdict(Counter)
        emotions: dict[str, Counter[Verdict]] = {emotion: Counter() for emotion in self._traces}
        total: Counter[Verdict] = Counter()
        for (cue, emotion, verdict), number in self._verdicts.items():
            for counter in (cues[cue], emotions[emotion], total):
                counter[verdict] += number
        return VerdictReport(
            traces=self._traces.total(),
            total=_count(total),
            cues={name: _count(cues[name]) for name in sorted(cues)},
            emotions={name: _count(emotions[name]) for name in sorted(emotions)},
        )


def table(counts: VerdictReport) -> str:
    """The report in aligned columns, one line a cue, one an emotion, and the total."""
    rows = [*_named("cue", counts.cues), *_named("emotion", counts.emotions), ("all", counts.total)]
    lines = [f"{'':<26}{'supported':>10}{'contradicted':>13}{'unverifiable':>13}{'faithful':>9}"]
    for name, f in rows:
        share = "-" if f.share is None else f"{100 * f.share:.1f} %"
        lines.append(f"{name:<26}{f.supported:>10}{f.contradicted:>13}{f.unverifiable:>13}{share:>9}")
    return "\n".join(lines)


def score_table(scored: Mapping[str, FaithfulnessSummary | None]) -> str:
    """Faithfulness scores in aligned columns, one line a kind of text; a dash where there were no texts."""
    lines = [f"{'faithfulness':<26}{'texts':>10}{'score':>9}{'coverage':>10}{'cost':>8}{'undecided':>11}"]
    for name, s in scored.items():
        columns = f"{0:>10}{'-':>9}" if s is None else f"{s.texts:>10}{s.score:>9.3f}{s.coverage:>10.3f}{s.cost:>8.3f}"
        lines.append(f"{name:<26}{columns}" + ("" if s is None else f"{s.undecided:>11.2f}"))
    return "\n".join(lines)


def draw(counts: VerdictReport, path: Path) -> None:
    """Write the report as stacked bars (`.png`, `.svg` or `.pdf`). Raises `ClaimsError` without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ClaimsError("a picture needs matplotlib: pip install 'emotionthinker-speech-claims[picture]'") from None
    rows = [*_named("cue", counts.cues), *_named("emotion", counts.emotions), ("all", counts.total)][::-1]
    picture = Figure(figsize=(8, 1.2 + 0.3 * len(rows)), layout="constrained")
    axes = picture.subplots()
    left = [0] * len(rows)
    for verdict, colour in (("supported", "#2b7a4b"), ("contradicted", "#c0392b"), ("unverifiable", "#b8b8b8")):
        lengths = [getattr(f, verdict) for _, f in rows]
        axes.barh([name for name, _ in rows], lengths, left=left, color=colour, label=verdict)
        left = [a + b for a, b in zip(left, lengths, strict=True)]
    axes.set_xlabel("claims")
    axes.legend()
    picture.savefig(path, dpi=120)


def _count(n: Counter[Verdict]) -> VerdictCounts:
    supported, contradicted = n[Verdict.SUPPORTED], n[Verdict.CONTRADICTED]
    decided = supported + contradicted
    return VerdictCounts(supported, contradicted, n[Verdict.UNVERIFIABLE], supported / decided if decided else None)


def _named(kind: str, groups: dict[str, VerdictCounts]) -> list[tuple[str, VerdictCounts]]:
    return [(f"{kind} {name}", f) for name, f in groups.items()]
