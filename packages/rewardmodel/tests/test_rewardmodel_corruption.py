"""Graded faults on a trace of four cues in six sentences of evidence and a conclusion, whose losses are counted by
hand: with n cues, k of them damaged cost 4 k / n points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewardmodel import CorruptionError, Fault, Rewriter, corrupt, mismatch
from speech_records import (
    IEMOCAP_4,
    PAPER_9,
    RAVDESS_8,
    ContourShape,
    Cue,
    Emotion,
    LabelSet,
    MeasuredUtterance,
    ReasoningTrace,
)

TraceMaker = Callable[..., ReasoningTrace]
ClipMaker = Callable[..., MeasuredUtterance]
Writer = Callable[[MeasuredUtterance], ReasoningTrace]
Sentences = Sequence[tuple[str, Sequence[tuple[str, Cue, str]]]]

FOUR = (Cue.PITCH, Cue.ENERGY, Cue.RATE, Cue.STRESS)
SINGLE = (Fault.WRONG_FACTS, Fault.WRONG_INFERENCE, Fault.MISSING_CUES, Fault.BROKEN_LANGUAGE)
with_fixture = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def pair(make_clip: ClipMaker, write: Writer) -> tuple[ReasoningTrace, Rewriter]:
    """A trace of four cues, and what writes it with those of a clip that differs in all of them."""
    clip, other = make_clip(), make_clip("b1", "low low high", "open")
    return write(clip), Rewriter(clip, dict.fromkeys(FOUR, other), write)


def test_severity_zero_leaves_the_trace_as_it_is(make_trace: TraceMaker) -> None:
    trace = make_trace()
    for fault in SINGLE:
        graded = corrupt(trace, fault=fault, severity=0, generator=Random(0), label_set=PAPER_9)
        assert (graded.think, graded.answer) == (trace.think, trace.answer)
        assert graded.scores.as_tuple() == (5.0, 5.0, 5.0, 5.0)
        assert graded.fault is Fault.NONE


@pytest.mark.parametrize("severity", [1, 2, 3, 4])
def test_wrong_facts_are_written_from_another_clips_measurements(
    make_clip: ClipMaker, write: Writer, severity: int
) -> None:
    """Four cues, all of them measured otherwise in the other clip: severity s makes s of them wrong, which costs
    4 s / 4 = s points, and s / 2 of interpretation. The quote stays true."""
    clip, other = make_clip(), make_clip("b1", "low low high", "open")
    trace = write(clip)
    graded = corrupt(
        trace, fault=Fault.WRONG_FACTS, severity=severity, generator=Random(severity), label_set=PAPER_9,
        rewriter=Rewriter(clip, dict.fromkeys(FOUR, other), write),
    )  # fmt: skip
    assert graded.scores.as_tuple() == (5.0 - severity, 5.0 - severity / 2, 5.0, 5.0)
    true, false = trace.think.split(". "), write(other).think.split(". ")
    said = graded.think.split(". ")
    assert sum(sentence not in true for sentence in said) == severity
    assert all(sentence in (a, b) for sentence, a, b in zip(said, true, false, strict=True))


def test_a_cue_that_the_writer_would_not_mention_is_not_altered(make_clip: ClipMaker, write: Writer) -> None:
    """Nothing is stressed in the lender: the sentence on stress would be missing, not wrong."""
    clip = make_clip()
    silent = replace(make_clip("b1", "low low high"), profile=replace(clip.profile, stressed_words=()))
    graded = corrupt(
        write(clip), fault=Fault.WRONG_FACTS, severity=4, generator=Random(0), label_set=PAPER_9,
        rewriter=Rewriter(clip, dict.fromkeys(FOUR, silent), write),
    )  # fmt: skip
    assert "on “door”" in graded.think
    assert graded.scores.as_tuple() == (2.0, 3.5, 5.0, 5.0)


def test_without_a_writer_there_are_no_wrong_facts(make_trace: TraceMaker) -> None:
    with pytest.raises(CorruptionError, match="nothing to damage by wrong_facts"):
        corrupt(make_trace(), fault=Fault.WRONG_FACTS, severity=1, generator=Random(0), label_set=PAPER_9)


def test_what_verification_contradicts_counts_from_the_start(make_trace: TraceMaker) -> None:
    """Pitch is contradicted already: 1 of 4 cues costs a point."""
    trace = make_trace(contradicted=[Cue.PITCH])
    whole = corrupt(trace, fault=Fault.NONE, severity=0, generator=Random(0), label_set=PAPER_9)
    assert whole.scores.factual_alignment == 4.0


def test_wrong_inference_names_nearer_and_farther_emotions(make_trace: TraceMaker) -> None:
    """Of IEMOCAP's labels neutral is nearest to angry and happy the farthest (`mislabel_penalty`: 0.62 and 1).

    The nearest costs 1 + 3 · 0.62 = 2.9 points, the farthest 4. Facts are untouched.
    """
    near, far = (
        corrupt(make_trace(), fault=Fault.WRONG_INFERENCE, severity=s, generator=Random(0), label_set=IEMOCAP_4)
        for s in (1, 4)
    )
    assert (near.answer, far.answer) == (Emotion.NEUTRAL, Emotion.HAPPY)
    assert near.scores.as_tuple() == (5.0, pytest.approx(2.1, abs=0.1), 5.0, 5.0)
    assert far.scores.as_tuple() == (5.0, 1.0, 5.0, 5.0)
    assert far.think == make_trace().think.replace("angry", "happy")


def test_labels_inside_quotes_are_the_speakers_words(make_trace: TraceMaker) -> None:
    sentences = [
        ("We hear “I am angry.”", [("“I am angry.”", Cue.QUOTE, "I am angry.")]),
        ("So the best label is angry.", []),
    ]
    graded = corrupt(
        make_trace(sentences=sentences), fault=Fault.WRONG_INFERENCE, severity=4, generator=Random(0),
        label_set=IEMOCAP_4,
    )  # fmt: skip
    assert graded.think == "We hear “I am angry.” So the best label is happy."


def test_labels_are_spelled_as_the_label_set_spells_them(make_trace: TraceMaker) -> None:
    """PAPER_9 writes contempt as `contempt or disgust`."""
    thinks = {
        corrupt(make_trace(), fault=Fault.WRONG_INFERENCE, severity=1, generator=Random(i), label_set=PAPER_9).think
        for i in range(20)
    }
    assert any(think.endswith("The most likely emotion is contempt or disgust.") for think in thinks)


@pytest.mark.parametrize(("severity", "interpretation"), [(1, 5.0), (2, 5.0), (3, 3.0), (4, 3.0)])
def test_missing_cues_take_the_plain_statements_first(
    make_trace: TraceMaker, severity: int, interpretation: float
) -> None:
    """Rate and stress stand in one sentence each; from the third cue on the one sentence that weighs must go, which
    costs 2 points of interpretation. Quote and conclusion stay."""
    graded = corrupt(make_trace(), fault=Fault.MISSING_CUES, severity=severity, generator=Random(0), label_set=PAPER_9)
    assert graded.scores.as_tuple() == (5.0, interpretation, 5.0 - severity, 5.0)
    left = sum(word in graded.think for word in ("pitch", "voice is loud", "rate", "emphasis"))
    assert left == 4 - severity
    assert graded.think.startswith("The speaker says “The door is open.”")
    assert graded.think.endswith("The most likely emotion is angry.")


@pytest.mark.parametrize("severity", [1, 2, 3, 4])
def test_broken_language_breaks_its_share_of_sentences(make_trace: TraceMaker, angry: Sentences, severity: int) -> None:
    """Seven sentences: severities 1 to 4 break 2 (1.75 rounded), 4 (3.5 rounded half up), 5 (5.25) and 7 of them."""
    graded = corrupt(
        make_trace(), fault=Fault.BROKEN_LANGUAGE, severity=severity, generator=Random(1), label_set=PAPER_9
    )
    broken = sum(sentence not in graded.think for sentence, _ in angry)
    assert broken == {1: 2, 2: 4, 3: 5, 4: 7}[severity]
    assert graded.scores.fluency_and_structural_clarity == pytest.approx(5 - 4 * broken / 7)
    assert graded.scores.factual_alignment == graded.scores.interpretative_quality == 5.0


def test_cues_that_are_cut_off_are_missing(make_trace: TraceMaker) -> None:
    """One sentence, one cue at its end: shuffled or stuttered it is still there, cut off it is gone (4 points)."""
    sentences = [("What we can hear in this clip is that its pitch is high.", [("pitch is high", Cue.PITCH, "high")])]
    trace = make_trace(sentences=sentences)
    for i in range(20):
        graded = corrupt(trace, fault=Fault.BROKEN_LANGUAGE, severity=4, generator=Random(i), label_set=PAPER_9)
        assert (graded.scores.caption_completeness == 1.0) == ("pitch" not in graded.think)


def test_mixed_faults_add_up(pair: tuple[ReasoningTrace, Rewriter]) -> None:
    """Whatever is drawn: at least two criteria lose."""
    trace, rewriter = pair
    for i in range(30):
        graded = corrupt(
            trace, fault=Fault.MIXED, severity=4, generator=Random(i), label_set=PAPER_9, rewriter=rewriter
        )
        assert sum(score < 5.0 for score in graded.scores.as_tuple()) >= 2


def test_mismatched_audio_is_graded_by_what_the_clip_contradicts(make_clip: ClipMaker, write: Writer) -> None:
    """The donor has the same quote, pitch low (wrong), energy high (right), stress open (wrong), a contour that was not
    measured here, and no rate. Judged: pitch, energy, stress: 2 of 3 wrong. Left out: rate, 1 of 5 cues of the trace,
    its quote among them. Of IEMOCAP's labels happy is the farthest from angry."""
    clip, trace = make_clip(), write(make_clip())
    donor = write(make_clip("b1", "low high low", "open", emotion=Emotion.HAPPY, shape=ContourShape.RISING))
    donor = replace(donor, think=donor.think.replace("The speaking rate is slow. ", ""), claims=())
    graded = mismatch(trace, clip, donor, label_set=IEMOCAP_4)
    assert graded.scores.as_tuple() == pytest.approx((5 - 8 / 3, 1.0, 5 - 4 / 5, 5.0))
    assert (graded.utterance_id, graded.think, graded.answer) == ("a1", donor.think, Emotion.HAPPY)
    assert (graded.fault, graded.severity) == (Fault.MISMATCHED_AUDIO, 4)
    with pytest.raises(CorruptionError, match="nothing that c1 claims can be judged"):
        mismatch(trace, clip, ReasoningTrace("c1", "It is calm.", Emotion.ANGRY), label_set=IEMOCAP_4)


def test_other_words_are_a_wrong_fact(make_clip: ClipMaker, write: Writer) -> None:
    """Pitch, energy and rate are right, quote and stressed word are another sentence's: 2 of 5 wrong."""
    donor = write(make_clip("b1", stressed="away", transcript="Go away."))
    graded = mismatch(write(make_clip()), make_clip(), donor, label_set=PAPER_9)
    assert graded.scores.factual_alignment == pytest.approx(5 - 4 * 2 / 5)


def test_the_trace_of_a_twin_costs_nothing(make_clip: ClipMaker, write: Writer) -> None:
    graded = mismatch(write(make_clip()), make_clip(), write(make_clip("twin")), label_set=PAPER_9)
    assert graded.scores.as_tuple() == (5.0, 5.0, 5.0, 5.0)


@with_fixture
@given(
    fault=st.sampled_from([*SINGLE, Fault.MIXED]), severity=st.integers(1, 4), seed=st.integers(0, 2**32),
    label_set=st.sampled_from([PAPER_9, RAVDESS_8, IEMOCAP_4]),
)  # fmt: skip
def test_every_fault_shows_in_text_and_scores_and_depends_on_the_generator_only(
    pair: tuple[ReasoningTrace, Rewriter], fault: Fault, severity: int, seed: int, label_set: LabelSet
) -> None:
    trace, rewriter = pair
    first, again = (
        corrupt(trace, fault=fault, severity=severity, generator=Random(seed), label_set=label_set, rewriter=rewriter)
        for _ in range(2)
    )
    assert first == again
    assert (first.think, first.answer) != (trace.think, trace.answer)
    assert min(first.scores.as_tuple()) < 5.0
    assert first.synthetic


def test_refusals(make_trace: TraceMaker) -> None:
    trace = make_trace()
    with pytest.raises(CorruptionError, match="a1: severity is 5, expected 0 to 4"):
        corrupt(trace, fault=Fault.MIXED, severity=5, generator=Random(0), label_set=PAPER_9)
    with pytest.raises(CorruptionError, match="call mismatch"):
        corrupt(trace, fault=Fault.MISMATCHED_AUDIO, severity=1, generator=Random(0), label_set=PAPER_9)
    with pytest.raises(CorruptionError, match="'bored' is not a label of PAPER_9"):
        corrupt(make_trace(answer=Emotion.BORED), fault=Fault.NONE, severity=0, generator=Random(0), label_set=PAPER_9)
    silent = make_trace(sentences=[("It sounds angry.", [])])
    for fault in (Fault.WRONG_FACTS, Fault.MISSING_CUES):
        with pytest.raises(CorruptionError, match="nothing to damage"):
            corrupt(silent, fault=fault, severity=1, generator=Random(0), label_set=PAPER_9)
