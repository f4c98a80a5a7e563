"""What traces hold, counted as a stream: emotions, splits, text lengths, and the verdicts of claims."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate
from typing import Any

from speech_records import MeasuredUtterance, ReasoningTrace, Verdict
from speech_records.streams import temporary_database


def summarise(measured: Iterable[MeasuredUtterance], traces: Iterable[ReasoningTrace]) -> dict[str, Any]:
    """Counts over `traces` and the utterances they were written for, each read once and not held.

    `words` of a trace: least, median, greatest. `distinct_texts` is the share of traces whose text no other trace has,
    `contradicted_traces` the share with at least one contradicted claim; both `None`, like `words`, without a trace.
    """
    splits, emotions, verdicts, cues = (Counter[str](), Counter[str](), Counter[str](), Counter[str]())
    lengths, synthetic, contradicted = Counter[int](), 0, 0
    for item in measured:
        splits[item.utterance.split or "none"] += 1
        synthetic += item.utterance.synthetic
    with temporary_database() as db:
        db.execute("CREATE TABLE texts (hash BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID")
        for trace in traces:
            emotions[trace.answer.value] += 1
            lengths[len(trace.think.split())] += 1
            verdicts.update(c.verdict.value for c in trace.claims)
            cues.update(c.cue.value for c in trace.claims)
            contradicted += any(c.verdict is Verdict.CONTRADICTED for c in trace.claims)
            digest = hashlib.blake2b(trace.think.encode(), digest_size=16).digest()
            db.execute("INSERT INTO texts VALUES (?, 1) ON CONFLICT DO UPDATE SET number = number + 1", (digest,))
        distinct = db.execute("SELECT COUNT(*) FROM texts WHERE number = 1").fetchone()[0]
    total = emotions.total()
    return {
        "utterances": splits.total(),
        "traces": total,
        "synthetic": synthetic,
        **{
            name: dict(sorted(found.items()))
            for name, found in {"emotions": emotions, "splits": splits, "verdicts": verdicts, "cues": cues}.items()
        },
        "words": {"least": min(lengths), "median": _median(lengths), "greatest": max(lengths)} if total else None,
        "distinct_texts": distinct / total if total else None,
        "contradicted_traces": contradicted / total if total else None,
    }


def _median(counts: Counter[int]) -> float:
    """The median of values given by how often each occurs."""
    values, total = sorted(counts), counts.total()
    reached = list(accumulate(counts[value] for value in values))
    middles = [next(v for v, n in zip(values, reached, strict=True) if n > at) for at in ((total - 1) // 2, total // 2)]
    return sum(middles) / 2
