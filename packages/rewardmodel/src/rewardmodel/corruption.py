"""Graded corruption: reasoning traces with known faults, and the scores that these deserve.

Five points on each criterion are what a verified trace starts with. A fault of severity s in 0..4 sets out to damage
s/4 of the trace; what is taken off is 4 times the share that *was* damaged, so that a score never claims a fault that
the text did not allow:

| fault           | damages                                        | takes from                                     |
|-----------------|------------------------------------------------|------------------------------------------------|
| wrong facts     | cues: every mention of a cue says another value| factual; half of it from interpretation, whose |
|                 |                                                | premises are wrong now                         |
| wrong inference | conclusion and answer: another emotion         | interpretation: 1 point and up to 3 more by    |
|                 |                                                | distance on the circumplex                     |
| missing cues    | sentences that speak of a cue                  | completeness; up to 2 from interpretation when |
|                 |                                                | sentences that weigh cues are gone             |
| broken language | sentences: shuffled, stuttered or cut off      | fluency; completeness for cues that were cut   |
| mixed           | two to four of these, one after the other      | the sum                                        |
| borrowed        | all: the trace of another clip                 | factual, interpretation, completeness as the   |
|                 |                                                | two traces' claims differ                      |

The first five can be told from the text alone, if the model is lazy; a borrowed trace is flawless as a text, and only
who hears the clip can grade it.

Text in, text out: nothing here knows the audio. A wrong level may therefore be one that a measurement close to the
border between two levels would bear too.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from rewardmodel.drafts import Draft, share, take_apart
from rewardmodel.errors import CorruptionError
from rewardmodel.faults import FAULTS, mislabel_loss
from rewardmodel.graded import MAX_SEVERITY, Fault, GradedTrace, Loss
from speech_records import Cue, LabelSet, ReasoningTrace, Verdict


def corrupt(
    trace: ReasoningTrace, *, fault: Fault, severity: int, generator: Random, label_set: LabelSet
) -> GradedTrace:
    """`trace` with `fault` put in at `severity` 0..4, and the scores that it deserves then.

    The same state of `generator` gives the same result. `label_set` says which emotions an answer can be, and how
    they are spelled. Severity 0 leaves the trace as it is.

    Raises `CorruptionError` when the severity is out of range, when the answer is no label of `label_set`, or when
    the trace offers nothing that the fault could damage (no claims, or none whose words are in `wordings.SCALES`);
    also for `Fault.BORROWED`, which takes a second trace: see `borrow`.

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
        raise CorruptionError(f"{trace.utterance_id}: answer {trace.answer.value!r} is no label of {label_set.name}")
    draft = take_apart(trace, label_set=label_set)
    if fault is Fault.NONE or severity == 0:
        return _graded(trace, draft, Fault.NONE, 0)
    if fault is Fault.MIXED:
        return _graded(trace, _mixed(draft, severity, generator), fault, severity)
    if fault not in FAULTS:
        raise CorruptionError(f"{trace.utterance_id}: {fault.value} is made of two traces; call borrow")
    damaged = FAULTS[fault](draft, severity, generator)
    if damaged is None:
        raise CorruptionError(f"{trace.utterance_id}: the trace offers nothing to damage by {fault.value}")
    return _graded(trace, damaged, fault, severity)


def borrow(trace: ReasoningTrace, donor: ReasoningTrace, *, label_set: LabelSet) -> GradedTrace:
    """The reasoning of `donor` offered for the clip of `trace`, graded by where their supported claims differ.

    Factual: 4 · the share of the donor's cues (its quote among them) that `trace` claims with other values; cues that
    `trace` does not claim are not counted. Completeness: 4 · the share of the cues of `trace` that the donor leaves
    out. Interpretation: as for a wrong inference, when the answers differ. Severity is the largest loss, rounded.

    Raises `CorruptionError` when the two have no cue in common.
    """
    own, other = _facts(trace), _facts(donor)
    common = own.keys() & other.keys()
    if not common:
        raise CorruptionError(f"{trace.utterance_id}: has no cue in common with {donor.utterance_id}")
    draft = take_apart(donor, label_set=label_set)
    wrong = sum(own[cue] != other[cue] for cue in common)
    loss = Loss(
        factual=4.0 * share(wrong, len(common)),
        interpretation=mislabel_loss(trace.answer, donor.answer, label_set=label_set),
        completeness=4.0 * share(len(own.keys() - other.keys()), len(own)),
    )
    return _graded(trace, replace(draft, loss=draft.loss + loss), Fault.BORROWED, round((draft.loss + loss).worst))


def _graded(trace: ReasoningTrace, draft: Draft, fault: Fault, severity: int) -> GradedTrace:
    return GradedTrace(
        utterance_id=trace.utterance_id,
        think=draft.think,
        answer=draft.answer,
        scores=draft.loss.scores(),
        fault=fault,
        severity=severity,
        synthetic=trace.synthetic,
    )


def _facts(trace: ReasoningTrace) -> dict[Cue, frozenset[str]]:
    """What a trace rightly claims: every cue with its values."""
    supported = [claim for claim in trace.claims if claim.verdict is Verdict.SUPPORTED]
    return {cue: frozenset(c.value for c in supported if c.cue is cue) for cue in {c.cue for c in supported}}


def _mixed(draft: Draft, severity: int, generator: Random) -> Draft:
    """Two to four faults, the strongest of them at `severity`; those that find nothing to damage are left out."""
    chosen = generator.sample(range(len(FAULTS)), generator.randint(2, len(FAULTS)))
    severities = {chosen[0]: severity} | {i: generator.randint(1, severity) for i in chosen[1:]}
    for i, damage in enumerate(FAULTS.values()):
        if i in severities:
            draft = damage(draft, severities[i], generator) or draft
    return draft
