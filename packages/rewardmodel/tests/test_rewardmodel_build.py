"""Graded data sets: what is in them, what they depend on, and that their wrong facts cannot be read off the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from random import Random

import pytest

from rewardmodel import CorruptionError, Fault, GradedSet, build
from rewardmodel.alteration import lenders_of
from speech_records import PAPER_9, Cue, Emotion, Level, LevelReading, MeasuredUtterance, ReasoningTrace

ClipMaker = Callable[..., MeasuredUtterance]
Writer = Callable[[MeasuredUtterance], ReasoningTrace]


@pytest.fixture
def clips(make_clip: ClipMaker) -> list[MeasuredUtterance]:
    """Every combination of levels, once stressed on each of two words, in one sentence: 54 clips, half of them sad."""
    levels = product(("low", "normal", "high"), repeat=3)
    emotions = (Emotion.ANGRY, Emotion.SAD)
    return [
        make_clip(f"u{number}{stressed}", " ".join(three), stressed, emotion=emotions[number % 2])
        for number, three in enumerate(levels)
        for stressed in ("door", "open")
    ]


def traces_of(clips: Sequence[MeasuredUtterance], write: Writer) -> Mapping[str, ReasoningTrace]:
    return {clip.utterance.utterance_id: write(clip) for clip in clips}


def graded(clips: Sequence[MeasuredUtterance], write: Writer, *, seed: int = 0, per_trace: int = 5) -> GradedSet:
    return build(clips, traces_of(clips, write), write=write, label_set=PAPER_9, seed=seed, per_trace=per_trace)


def test_every_trace_is_there_unharmed_and_with_four_faults(clips: list[MeasuredUtterance], write: Writer) -> None:
    one, same, other = graded(clips, write), graded(clips, write), graded(clips, write, seed=1)
    assert one == same != other
    assert Counter(g.utterance_id for g in one.graded) == {c.utterance.utterance_id: 5 for c in clips}
    assert {g.fault for g in one.graded} == set(Fault)
    assert not one.skipped


def test_wrong_facts_are_the_true_text_of_another_clip(clips: list[MeasuredUtterance], write: Writer) -> None:
    """All combinations of levels and stress with both answers are there, so no text is wrong wherever it is said."""
    every = [
        replace(clip, utterance=replace(
            clip.utterance, utterance_id=f"{clip.utterance.utterance_id}{emotion}", emotion=emotion
        ))
        for clip in clips
        for emotion in (Emotion.ANGRY, Emotion.SAD)
    ]  # fmt: skip
    true = {(clip.utterance.emotion, write(clip).think) for clip in every}
    wrong = [g for g in graded(every, write, per_trace=7).graded if g.fault is Fault.WRONG_FACTS]
    assert len(wrong) > 0.9 * len(every)
    assert {(g.answer, g.think) for g in wrong} <= true
    assert {5.0 - g.scores.factual_alignment for g in wrong} == {1.0, 2.0, 3.0, 4.0}


def test_false_values_are_as_frequent_as_true_ones(make_clip: ClipMaker) -> None:
    """Of 400 clips 60 % have a high pitch, 25 % a normal and 15 % a low one. Lent are the same shares, though only the
    40 % that are not high can take a high one: at most 0.4 / 0.6 of all, that is 267 clips, are made wrong."""
    levels = ["high"] * 240 + ["normal"] * 100 + ["low"] * 60
    made = [make_clip(f"u{i}", f"{level} high low") for i, level in enumerate(levels)]
    lent = [
        lender.levels.pitch.level.value
        for lenders in lenders_of(made, generator=Random(0)).values()
        for cue, lender in lenders.items()
        if cue is Cue.PITCH and lender.levels is not None and lender.levels.pitch is not None
    ]
    counts = Counter(lent)
    assert 220 < len(lent) < 300
    assert {level: count / len(lent) for level, count in counts.items()} == pytest.approx(
        {"high": 0.60, "normal": 0.25, "low": 0.15}, abs=0.05
    )


def test_a_value_that_would_pass_is_never_lent(make_clip: ClipMaker) -> None:
    """A pitch at the 34th percentile may be called low or normal, so that a high one alone is wrong of it."""
    border = make_clip("border", "normal high low")
    assert border.levels is not None
    border = replace(border, levels=replace(border.levels, pitch=LevelReading(Level.NORMAL, 1.0, 34.0)))
    others = [make_clip(level, f"{level} high low") for level in ("low", "normal", "high")]
    taken = set()
    for seed in range(30):
        lenders = lenders_of([border, *others], generator=Random(seed))
        taken |= {clip.utterance.utterance_id for cue, clip in lenders["border"].items() if cue is Cue.PITCH}
    assert taken == {"high"}


def test_stress_moves_only_between_clips_of_the_same_words(make_clip: ClipMaker) -> None:
    """*gate* is stressed elsewhere but not said here; *open* is."""
    clip, gate = make_clip(), make_clip("b1", stressed="gate", transcript="The gate is shut.")
    opened = make_clip("c1", stressed="open")
    for seed in range(10):
        lenders = lenders_of([clip, gate, opened], generator=Random(seed))
        assert lenders["a1"][Cue.STRESS] is opened
        assert Cue.STRESS not in lenders["b1"]


def test_other_clips_change_only_what_is_taken_from_them(clips: list[MeasuredUtterance], write: Writer) -> None:
    """The other faults depend on seed and id alone; without other clips there is nothing to take."""
    lent = {Fault.WRONG_FACTS, Fault.MIXED, Fault.MISMATCHED_AUDIO}
    whole = [g for g in graded(clips, write, per_trace=7).graded if g.utterance_id == "u5door" and g.fault not in lent]
    alone = graded(clips[10:11], write, per_trace=7)
    assert [g for g in alone.graded if g.fault not in lent] == whole
    assert alone.skipped == {Fault.WRONG_FACTS: 1, Fault.MISMATCHED_AUDIO: 1}


def test_mismatched_traces_speak_the_same_words_where_there_are_any(
    clips: list[MeasuredUtterance], make_clip: ClipMaker, write: Writer
) -> None:
    stranger = make_clip("stranger", stressed="away", transcript="Go away.")
    taken = [
        g for g in graded([*clips, stranger], write, per_trace=7).graded if g.fault is Fault.MISMATCHED_AUDIO
    ]  # fmt: skip
    assert len(taken) == len(clips) + 1
    assert all("Go away" not in g.think for g in taken)  # nobody else says it, so that it takes a trace of the others


def test_the_style_of_another_writer_does_not_give_wrong_facts_away(
    clips: list[MeasuredUtterance], write: Writer
) -> None:
    """Traces of a language model, wrong facts by rules: what the rules write truly is graded 5 beside them."""
    traces = {name: replace(trace, generator="llm") for name, trace in traces_of(clips, write).items()}
    result = build(clips, traces, write=write, label_set=PAPER_9, seed=0)
    unharmed = [g for g in result.graded if g.fault is Fault.NONE]
    assert len(unharmed) == 2 * len(clips)
    assert {g.scores.as_tuple() for g in unharmed} == {(5.0, 5.0, 5.0, 5.0)}


def test_an_older_wording_of_the_writer_does_not_give_wrong_facts_away(
    clips: list[MeasuredUtterance], write: Writer
) -> None:
    """The same generator once wrote a sentence more: all graded texts are in its wording of today, as made from it."""
    older = {
        name: replace(trace, think=f"{trace.think} Mind the gap.") for name, trace in traces_of(clips, write).items()
    }
    result = build(clips, older, write=write, label_set=PAPER_9, seed=0)
    assert result == graded(clips, write)


def test_cues_are_lent_within_a_corpus(clips: list[MeasuredUtterance], write: Writer) -> None:
    """All of one corpus are low and all of another high: other cues are made wrong, never the pitch."""
    by_corpus = {"low": "one", "high": "other"}
    apart = [
        replace(clip, utterance=replace(clip.utterance, corpus=by_corpus[clip.levels.pitch.level.value]))
        for clip in clips
        if clip.levels is not None and clip.levels.pitch is not None and clip.levels.pitch.level.value in by_corpus
    ]
    corpus_of = {clip.utterance.utterance_id: clip.utterance.corpus for clip in apart}
    wrong = [g for g in graded(apart, write, per_trace=7).graded if g.fault is Fault.WRONG_FACTS]
    said = {(corpus_of[g.utterance_id], value) for g in wrong for value in by_corpus if f"pitch is {value}" in g.think}
    assert said == {("one", "low"), ("other", "high")}


def test_refusals(clips: list[MeasuredUtterance], make_clip: ClipMaker, write: Writer) -> None:
    for number in (0, 8):
        with pytest.raises(CorruptionError, match=f"per_trace is {number}, expected 1 to 7"):
            graded(clips, write, per_trace=number)
    clip = make_clip()
    bored = {"a1": replace(write(clip), answer=Emotion.BORED)}
    with pytest.raises(CorruptionError, match="'bored' is not a label of PAPER_9"):
        build([clip], bored, write=write, label_set=PAPER_9, seed=0)
