"""What an annotated data set holds, in figures: emotions, splits, text lengths, variety, and the verdicts of claims."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cotgen.variety import Variety, variety
from speech_records import MeasuredUtterance, ReasoningTrace, Verdict
from speech_records.streams import temporary_database

SAMPLE = 1000
"""Traces that variety is measured on."""


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
    least one contradicted claim. Shares lie in [0, 1] and are `None`, like `words`, when there is no trace. `variety`
    is that of `SAMPLE` traces drawn at random, always the same ones.
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
    variety: Variety


def summarise(measured: Iterable[MeasuredUtterance], traces: Iterable[ReasoningTrace]) -> Summary:
    """The figures of `traces` and the utterances they were written for, each read once and not held."""
    utterances: Counter[str] = Counter()
    for item in measured:
        utterances["all"] += 1
        utterances["synthetic"] += item.utterance.synthetic
        utterances[f"split {item.utterance.split or 'none'}"] += 1
    emotions, verdicts, cues, lengths = (Counter[str](), Counter[str](), Counter[str](), Counter[int]())
    contradicted, sampled = 0, Reservoir(SAMPLE)
    with temporary_database() as db:
        db.execute("CREATE TABLE texts (hash BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID")
        for trace in traces:
            emotions[trace.answer.value] += 1
            lengths[len(trace.think.split())] += 1
            verdicts.update(c.verdict.value for c in trace.claims)
            cues.update(c.cue.value for c in trace.claims)
            contradicted += any(c.verdict is Verdict.CONTRADICTED for c in trace.claims)
            sampled.offer(trace.think)
            digest = hashlib.blake2b(trace.think.encode(), digest_size=16).digest()
            db.execute("INSERT INTO texts VALUES (?, 1) ON CONFLICT DO UPDATE SET number = number + 1", (digest,))
        distinct = db.execute("SELECT COUNT(*) FROM texts WHERE number = 1").fetchone()[0]
    total = emotions.total()
    return Summary(
        utterances=utterances["all"],
        traces=total,
        synthetic=utterances["synthetic"],
        emotions=_sorted(emotions),
        splits=_sorted(Counter({k[6:]: n for k, n in utterances.items() if k.startswith("split ")})),
        verdicts=_sorted(verdicts),
        cues=_sorted(cues),
        words=WordCounts(min(lengths), _median(lengths), max(lengths)) if lengths else None,
        distinct_texts=distinct / total if total else None,
        contradicted_traces=contradicted / total if total else None,
        variety=variety(sampled.kept),
    )


class Reservoir:
    """A uniform sample of texts of unknown number (algorithm R, Vitter 1985), the same for the same texts."""

    def __init__(self, size: int) -> None:
        self.kept: list[str] = []
        self._size, self._seen, self._rng = size, 0, random.Random("stats")

    def offer(self, text: str) -> None:
        """Keep the text, or not."""
        self._seen += 1
        if len(self.kept) < self._size:
            self.kept.append(text)
        elif (place := self._rng.randrange(self._seen)) < self._size:
            self.kept[place] = text


def _median(counts: Counter[int]) -> float:
    """The median of values given by how often each occurs."""
    total = counts.total()
    reached, middles = 0, []
    for value in sorted(counts):
        before, reached = reached, reached + counts[value]
        middles += [value for place in ((total - 1) // 2, total // 2) if before <= place < reached]
    return sum(middles) / 2


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
