"""What an annotated data set holds, in figures: emotions, splits, text lengths, variety, and the verdicts of claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from speech_records import MeasuredUtterance, ReasoningTrace, Verdict


@dataclass(frozen=True, slots=True)
class WordCounts:
    """Least, median and greatest number of words of a trace."""

    least: int
    median: float
    greatest: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures over the traces of a data set.

    `distinct_texts` is the share of traces whose text no other trace has; `contradicted_traces` the share with at
    least one contradicted claim. Shares lie in [0, 1] and are `None`, like `words`, when there is no trace.
    """

    utterances: int
    traces: int
    synthetic: int
    emotions: Mapping[str, int]
    splits: Mapping[str, int]
    verdicts: Mapping[str, int]
    cues: Mapping[str, int]
    words: WordCounts | None
    distinct_texts: float | None
    contradicted_traces: float | None


def summarise(measured: Iterable[MeasuredUtterance], traces: Iterable[ReasoningTrace]) -> Summary:
    """The figures of `traces` and the utterances they were written for."""
    utterances, listed = [m.utterance for m in measured], list(traces)
    claims = [c for t in listed for c in t.claims]
    texts = Counter(t.think for t in listed)
    lengths = [len(t.think.split()) for t in listed]
    contradicted = sum(any(c.verdict is Verdict.CONTRADICTED for c in t.claims) for t in listed)
    return Summary(
        utterances=len(utterances),
        traces=len(listed),
        synthetic=sum(u.synthetic for u in utterances),
        emotions=_counts(t.answer.value for t in listed),
        splits=_counts(u.split or "none" for u in utterances),
        verdicts=_counts(c.verdict.value for c in claims),
        cues=_counts(c.cue.value for c in claims),
        words=WordCounts(min(lengths), median(lengths), max(lengths)) if lengths else None,
        distinct_texts=sum(n == 1 for n in texts.values()) / len(listed) if listed else None,
        contradicted_traces=contradicted / len(listed) if listed else None,
    )


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
