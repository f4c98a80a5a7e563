"""A graded data set from verified traces: each as it is, and with several faults at random severities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from rewardmodel.alteration import Lenders, Rewriter, Writer, lenders_of
from rewardmodel.corruption import corrupt, mismatch
from rewardmodel.errors import CompletionError, CorruptionError
from rewardmodel.graded import MAX_SEVERITY, Fault, GradedTrace
from speech_records import Cue, Emotion, LabelSet, MeasuredUtterance, ReasoningTrace

WriteFault = Callable[[ReasoningTrace, MeasuredUtterance, Fault, int], GradedTrace]
"""Puts a fault of a severity into a trace about a clip, see `llm_variants.written_fault`."""
PER_TRACE = 5
"""Graded versions of one trace; the paper made 101.4 K of 20 K."""
_DAMAGES = tuple(fault for fault in Fault if fault is not Fault.NONE)


@dataclass(frozen=True, slots=True)
class GradedSet:
    """Graded traces in the order of the clips they are about, and how often a fault found nothing to damage."""

    graded: tuple[GradedTrace, ...]
    skipped: Counter[Fault]


def build(
    clips: Sequence[MeasuredUtterance],
    traces: Mapping[str, ReasoningTrace],
    *,
    write: Writer,
    label_set: LabelSet,
    seed: int,
    per_trace: int = PER_TRACE,
    write_fault: WriteFault | None = None,
) -> GradedSet:
    """The verified trace of each of `clips` unharmed and with `per_trace - 1` faults, at severities drawn from 1 to 4.

    `traces` are keyed by utterance id. `write` writes the traces with wrong facts, and should be what wrote `traces`.
    Where it is another generator, what it writes about the clip as measured is graded too, so that its style does not
    give wrong facts away; where it is the same, what it writes takes the place of the trace, which it may have written
    otherwise in an earlier version.

    `write_fault` puts all faults but mismatched audio in, instead of the rules of `corruption`; it raises
    `CompletionError` where it cannot. The trace for mismatched audio is, by preference, that of a clip in which the
    same words are spoken, so that the quote gives nothing away; give the clips of one split, so that no text comes from
    another. What is drawn depends on `seed` and the utterance's id, and on what the other clips can lend.

    Raises `CorruptionError` when `per_trace` is not between 1 and 7, or an answer is not a label of `label_set`.
    """
    if not 1 <= per_trace <= len(_DAMAGES) + 1:
        raise CorruptionError(f"per_trace is {per_trace}, expected 1 to {len(_DAMAGES) + 1}")
    rewritten = [write(clip) for clip in clips]
    all_traces = [_current(traces[written.utterance_id], written) for written in rewritten]
    fellows: dict[tuple[str, Emotion], list[MeasuredUtterance]] = {}
    for clip, trace in zip(clips, all_traces, strict=True):
        fellows.setdefault((clip.utterance.corpus, trace.answer), []).append(clip)
    lent: dict[str, Lenders] = {}
    for (_, emotion), same in sorted(fellows.items()):
        lent |= lenders_of(same, generator=Random(f"{seed}:{emotion.value}"))
    lenders = _by_quote(all_traces)
    graded: list[GradedTrace] = []
    skipped: Counter[Fault] = Counter()
    for clip, trace, written in zip(clips, all_traces, rewritten, strict=True):
        key = f"{seed}:{trace.utterance_id}"
        graded += (
            corrupt(unharmed, fault=Fault.NONE, severity=0, generator=Random(key), label_set=label_set)
            for unharmed in ([trace] if written.generator == trace.generator else [trace, written])
        )
        rewriter = Rewriter(clip, lent[trace.utterance_id], write)
        for fault in Random(key).sample(_DAMAGES, per_trace - 1):
            generator = Random(f"{key}:{fault.value}")  # of its own, so that no fault depends on another
            try:
                if fault is Fault.MISMATCHED_AUDIO:
                    donor = _donor(trace, (lenders[_quote(trace)], all_traces), generator)
                    graded.append(mismatch(trace, clip, donor, label_set=label_set))
                    continue
                severity = generator.randint(1, MAX_SEVERITY)
                if write_fault is not None:
                    graded.append(write_fault(trace, clip, fault, severity))
                    continue
                graded.append(
                    corrupt(
                        trace, fault=fault, severity=severity, generator=generator, label_set=label_set,
                        rewriter=rewriter,
                    )
                )  # fmt: skip
            except (CorruptionError, CompletionError):
                skipped[fault] += 1
    return GradedSet(tuple(graded), skipped)


def _current(trace: ReasoningTrace, written: ReasoningTrace) -> ReasoningTrace:
    """What the generator of `trace` writes now, where it is that of `written`; else the trace."""
    is_same = (written.generator, written.answer) == (trace.generator, trace.answer)
    return written if is_same else trace


def _donor(trace: ReasoningTrace, lenders: Sequence[Sequence[ReasoningTrace]], generator: Random) -> ReasoningTrace:
    """A trace of another clip, from the first of `lenders` that holds one."""
    for others in lenders:
        candidates = [other for other in others if other.utterance_id != trace.utterance_id]
        if candidates:
            return generator.choice(candidates)
    raise CorruptionError(f"{trace.utterance_id}: there is no other clip whose trace could be taken")


def _quote(trace: ReasoningTrace) -> str:
    return " ".join(claim.value for claim in trace.claims if claim.cue is Cue.QUOTE)


def _by_quote(traces: Sequence[ReasoningTrace]) -> dict[str, list[ReasoningTrace]]:
    groups: dict[str, list[ReasoningTrace]] = {}
    for trace in traces:
        groups.setdefault(_quote(trace), []).append(trace)
    return groups
