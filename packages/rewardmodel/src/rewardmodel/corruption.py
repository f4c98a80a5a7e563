"""Graded corruption: reasoning traces with known faults, and the scores that these deserve.

Five points on each criterion are what a verified trace starts with. A fault of severity s in 0..4 sets out to damage
s/4 of the trace; what is taken off is the share that *was* damaged of what `graded.COSTS` says, so that a score never
claims a fault that the text did not allow:

- wrong facts damage cues, measured as in another clip of the same emotion: the trace is written from that
- wrong inference damages conclusion and answer: 1 point and up to 3 more, by distance in valence and arousal
- missing cues damage sentences that speak of a cue; of interpretation, those that weigh several
- broken language damages sentences, shuffled, stuttered or cut off, and costs completeness for cues that were cut
- mixed faults are two to four of these, one after the other, and cost the sum
- mismatched audio is the trace of another clip; it costs what this clip's measurements contradict, what its answer
  costs as a wrong inference, and the cues that are left out

Wrong facts and mismatched audio are flawless as texts: only who listens to the clip can grade them. What they claim
is checked against the clip's measurements (`speech_claims`), so that a value that passes is not called wrong.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random

from rewardmodel.alteration import Rewriter
from rewardmodel.errors import CorruptionError
from rewardmodel.faults import Damage, broken_language, mislabel_penalty, missing_cues, wrong_facts, wrong_inference
from rewardmodel.graded import MAX_SEVERITY, Fault, GradedTrace, Penalty
from rewardmodel.parsing import ParsedTrace, parse_trace, share
from speech_claims import verify_trace
from speech_records import LabelSet, MeasuredUtterance, ReasoningTrace, Verdict


def corrupt(
    trace: ReasoningTrace,
    *,
    fault: Fault,
    severity: int,
    generator: Random,
    label_set: LabelSet,
    rewriter: Rewriter | None = None,
) -> GradedTrace:
    """`trace` with `fault` put in at `severity` 0..4, and the scores that it deserves then.

    The same state of `generator` gives the same result. `label_set` says which emotions an answer can be, and how
    they are spelled; `rewriter` writes wrong facts, which mixed faults do without where there is none. Severity 0
    leaves the trace as it is.

    Raises `CorruptionError` when the severity is out of range, when the answer is not a label of `label_set`, or when
    the trace offers nothing that the fault could damage (no claims, or no other clip that differs); also for
    `Fault.MISMATCHED_AUDIO`, which takes a second clip: see `mismatch`.

    >>> from speech_records import IEMOCAP_4, Emotion
    >>> trace = ReasoningTrace("a1", "The voice is loud. So the emotion is angry.", Emotion.ANGRY)
    >>> graded = corrupt(
    ...     trace, fault=Fault.WRONG_INFERENCE, severity=4, generator=Random(0), label_set=IEMOCAP_4
    ... )
    >>> graded.think, graded.scores.interpretative_quality
    ('The voice is loud. So the emotion is happy.', 1.0)
    """
    if not 0 <= severity <= MAX_SEVERITY:
        raise CorruptionError(f"{trace.utterance_id}: severity is {severity}, expected 0 to {MAX_SEVERITY}")
    if trace.answer not in label_set.labels:
        raise CorruptionError(f"{trace.utterance_id}: {trace.answer.value!r} is not a label of {label_set.name}")
    if fault is Fault.MISMATCHED_AUDIO:
        raise CorruptionError(f"{trace.utterance_id}: {fault.value} is made of two clips; call mismatch")
    parsed = parse_trace(trace, label_set=label_set)
    if fault is Fault.NONE or severity == 0:
        return _graded(trace, parsed, Fault.NONE, 0)
    damages = _damages(rewriter)
    if fault is Fault.MIXED:
        return _graded(trace, _mixed(parsed, severity, generator, damages), fault, severity)
    damaged = damages[fault](parsed, severity, generator) if fault in damages else None
    if damaged is None:
        raise CorruptionError(f"{trace.utterance_id}: the trace offers nothing to damage by {fault.value}")
    return _graded(trace, damaged, fault, severity)


def mismatch(
    trace: ReasoningTrace, measured: MeasuredUtterance, donor: ReasoningTrace, *, label_set: LabelSet
) -> GradedTrace:
    """The reasoning of `donor`, about another clip, offered for the clip of `trace` and `measured`.

    Factual: 4 · the share of its cues that `measured` contradicts; cues that were not measured are not counted.
    Completeness: 4 · the share of the cues that `trace` rightly claims and the donor leaves out. Interpretation: as for
    a wrong inference, when the answers differ. Severity is the largest penalty, rounded.

    Raises `CorruptionError` when nothing that the donor claims can be judged.
    """
    checked = verify_trace(donor, measured)
    if all(claim.verdict is Verdict.UNVERIFIABLE for claim in checked.claims):
        raise CorruptionError(f"{trace.utterance_id}: nothing that {donor.utterance_id} claims can be judged")
    parsed = parse_trace(checked, label_set=label_set)
    own = {claim.cue for claim in trace.claims if claim.verdict is Verdict.SUPPORTED}
    penalty = parsed.penalty + Penalty(
        interpretation=mislabel_penalty(trace.answer, donor.answer, label_set=label_set),
        completeness=4.0 * share(len(own - {claim.cue for claim in checked.claims}), len(own)),
    )
    return _graded(trace, replace(parsed, penalty=penalty), Fault.MISMATCHED_AUDIO, round(penalty.worst))


def _graded(trace: ReasoningTrace, parsed: ParsedTrace, fault: Fault, severity: int) -> GradedTrace:
    return GradedTrace(
        utterance_id=trace.utterance_id,
        think=parsed.think,
        answer=parsed.answer,
        scores=parsed.penalty.scores(),
        fault=fault,
        severity=severity,
        synthetic=trace.synthetic,
    )


def _damages(rewriter: Rewriter | None) -> dict[Fault, Damage]:
    """Every single fault that can be made, in the order in which mixed faults are put in."""
    facts: dict[Fault, Damage] = {Fault.WRONG_FACTS: partial(wrong_facts, rewriter=rewriter)} if rewriter else {}
    return facts | {
        Fault.WRONG_INFERENCE: wrong_inference,
        Fault.MISSING_CUES: missing_cues,
        Fault.BROKEN_LANGUAGE: broken_language,
    }


def _mixed(trace: ParsedTrace, severity: int, generator: Random, damages: dict[Fault, Damage]) -> ParsedTrace:
    """Two or more faults, the strongest of them at `severity`; those that find nothing to damage are left out."""
    chosen = generator.sample(list(damages), generator.randint(2, len(damages)))
    severities = {chosen[0]: severity} | {fault: generator.randint(1, severity) for fault in chosen[1:]}
    for fault, damage in damages.items():
        if fault in severities:
            trace = damage(trace, severities[fault], generator) or trace
    return trace
