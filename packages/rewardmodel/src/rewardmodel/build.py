"""A graded data set from verified traces: each as it is, and with several faults at random severities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from rewardmodel.corruption import borrow, corrupt
from rewardmodel.errors import CorruptionError
from rewardmodel.graded import MAX_SEVERITY, Fault, GradedTrace
from speech_records import Cue, LabelSet, ReasoningTrace

PER_TRACE = 5
"""Graded versions of one trace; the paper made 101.4 K of 20 K."""
_DAMAGES = tuple(fault for fault in Fault if fault is not Fault.NONE)


@dataclass(frozen=True, slots=True)
class GradedSet:
    """Graded traces in the order of the traces they come from, and how often a fault found nothing to damage."""

    graded: tuple[GradedTrace, ...]
    skipped: Counter[Fault]


def build(traces: Sequence[ReasoningTrace], *, label_set: LabelSet, seed: int, per_trace: int = PER_TRACE) -> GradedSet:
    """Each of `traces` unharmed and with `per_trace - 1` different faults, at severities drawn from 1 to 4.

    A trace is borrowed, by preference, from a clip in which the same words are spoken, so that the quote gives
    nothing away; give the traces of one split, so that none is borrowed across. The draws depend on `seed` and the
    utterance's id only.

    Raises `CorruptionError` when `per_trace` is not between 1 and 7, or an answer is no label of `label_set`.
    """
    if not 1 <= per_trace <= len(_DAMAGES) + 1:
        raise CorruptionError(f"per_trace is {per_trace}, expected 1 to {len(_DAMAGES) + 1}")
    fellows = _by_quote(traces)
    graded: list[GradedTrace] = []
    skipped: Counter[Fault] = Counter()
    for trace in traces:
        key = f"{seed}:{trace.utterance_id}"
        graded.append(corrupt(trace, fault=Fault.NONE, severity=0, generator=Random(key), label_set=label_set))
        for fault in Random(key).sample(_DAMAGES, per_trace - 1):
            generator = Random(f"{key}:{fault.value}")  # of its own, so that no fault depends on who could lend
            lenders = (fellows[_quote(trace)], traces)
            try:
                graded.append(_damaged(trace, fault, lenders=lenders, generator=generator, label_set=label_set))
            except CorruptionError:
                skipped[fault] += 1
    return GradedSet(tuple(graded), skipped)


def _damaged(
    trace: ReasoningTrace,
    fault: Fault,
    *,
    lenders: Sequence[Sequence[ReasoningTrace]],
    generator: Random,
    label_set: LabelSet,
) -> GradedTrace:
    """`trace` with a fault of random severity, or borrowed from the first of `lenders` that holds another clip."""
    if fault is not Fault.BORROWED:
        severity = generator.randint(1, MAX_SEVERITY)
        return corrupt(trace, fault=fault, severity=severity, generator=generator, label_set=label_set)
    for others in lenders:
        candidates = [other for other in others if other.utterance_id != trace.utterance_id]
        if candidates:
            return borrow(trace, generator.choice(candidates), label_set=label_set)
    raise CorruptionError(f"{trace.utterance_id}: there is no other clip to borrow from")


def _quote(trace: ReasoningTrace) -> str:
    return " ".join(claim.value for claim in trace.claims if claim.cue is Cue.QUOTE)


def _by_quote(traces: Sequence[ReasoningTrace]) -> dict[str, list[ReasoningTrace]]:
    groups: dict[str, list[ReasoningTrace]] = {}
    for trace in traces:
        groups.setdefault(_quote(trace), []).append(trace)
    return groups
