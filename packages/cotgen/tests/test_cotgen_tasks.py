"""SFT examples: five families, short targets, the answer form of the reasoning targets."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cotgen import TaskError, generate
from cotgen.tasks import Attribute, ComparativeClip, Phrasing, SFTExample, Task, TaskConfig, score
from cotgen.tasks.balancing import selection
from cotgen.tasks.examples import draw, draw_order
from speech_records import (
    PAPER_9,
    InvalidRecordError,
    Level,
    MeasuredUtterance,
    ProsodyProfile,
    ReasoningTrace,
    label_question,
    parse_response,
    read_jsonl,
    to_json,
    write_jsonl,
)

CLIPS = list(read_jsonl(Path(__file__).parent / "data" / "claims_clips.jsonl", MeasuredUtterance))
QUESTION = "Which emotion do you hear?"
COMPARATIVE = ComparativeClip(
    "loud-rate", "loud", "comparative/loud-rate.flac", Attribute.RATE, (Level.HIGH, Level.LOW, Level.NORMAL), "train"
)


def examples_of(
    measured: Iterable[MeasuredUtterance],
    traces: Iterable[ReasoningTrace],
    config: TaskConfig,
    comparative: Iterable[ComparativeClip] = (),
) -> list[SFTExample]:
    """The examples of records in memory: those of each utterance in turn, then those about comparative clips."""
    items, clips, written = list(measured), list(comparative), list(traces)
    synthetic = {item.utterance.utterance_id: item.utterance.synthetic for item in items}
    drawn = [
        found
        for item in items
        for found in draw(item, [t for t in written if t.utterance_id == item.utterance.utterance_id], config)
    ]
    drawn += [draw_order(clip, config, synthetic=synthetic[clip.utterance_id]) for clip in clips]
    keeps = selection(lambda: drawn, balance=config.balance, seed=config.seed)
    return [found.example for found in drawn if keeps(found)]


def build(seed: int = 0) -> list[SFTExample]:
    traces = [generate(m, label_set=PAPER_9, seed=seed) for m in CLIPS]
    return examples_of(CLIPS, traces, TaskConfig(PAPER_9, QUESTION, seed), [COMPARATIVE])


def by_id(examples: list[SFTExample]) -> dict[str, SFTExample]:
    return {e.example_id: e for e in examples}


def test_families_and_ids() -> None:
    """Four clips: each has all attributes at once and a trace; `loud` and `quiet` have stressed words."""
    examples = build()
    assert Counter(e.task for e in examples if "/attribute-" not in e.example_id) == {
        Task.ATTRIBUTE: 4, Task.STRESS: 2, Task.REASONING: 4, Task.LABEL: 4, Task.COMPARATIVE: 1
    }  # fmt: skip
    assert len(by_id(examples)) == len(examples)


def test_all_attributes_in_one_line() -> None:
    """From the readings of the clips; whispered speech has an unvoiced pitch, and its uncertain contour is left out."""
    examples = by_id(build())
    assert examples["loud/attributes"].target == "pitch high, energy high, rate fast, contour rising, melody expressive"
    assert examples["quiet/attributes"].target == "pitch low, energy low, rate slow, contour falling, melody flat"
    assert examples["hush/attributes"].target == "pitch unvoiced, energy low, rate normal"


def test_a_quarter_of_the_clips_is_asked_for_one_attribute_alone() -> None:
    """4 clips under 200 seeds are 800 draws at 1/4: 200, standard deviation sqrt(800 · 3/16) = 12.2; four of them."""
    singles = sum("/attribute-" in e.example_id for seed in range(200) for e in build(seed))
    assert abs(singles - 200) < 49


def test_single_attributes_ask_for_what_they_answer() -> None:
    """The name in the question stands first in the target."""
    examples = [e for seed in range(20) for e in build(seed) if e.task is Task.ATTRIBUTE]
    singles = [e for e in examples if not e.example_id.endswith("/attributes")]
    assert singles
    assert all(e.target.split()[0] in e.question for e in singles)


def test_stress_prefers_the_corpus_to_the_measurement() -> None:
    """The measured word of `loud` is `kids`; a corpus that says `Door!` is believed instead, in plain spelling."""
    loud = CLIPS[0]
    annotated = replace(loud, utterance=replace(loud.utterance, stressed_words=("Door!",)))
    (example,) = (e for e in examples_of([annotated], [], TaskConfig(PAPER_9, QUESTION, 0)) if e.task is Task.STRESS)
    assert example.target == "door"


def test_comparative_targets_name_the_order() -> None:
    """High, low, normal of the rate are called fast, slow, normal; the clip's own path is asked about."""
    example = by_id(build())["loud-rate/comparative"]
    assert example.target == "fast, slow, normal"
    assert "rate" in example.question
    assert example.audio_path == "comparative/loud-rate.flac"


def test_reasoning_targets_have_the_answer_form_and_the_given_question() -> None:
    """The question is handed in, word for word, because the policy's prompt must be the same text."""
    reasoning = [e for e in build() if e.task is Task.REASONING]
    assert {e.question for e in reasoning} == {QUESTION}
    assert parse_response(reasoning[0].target, strict=True).answer == "angry"


def test_synthetic_speech_stays_marked() -> None:
    made = replace(CLIPS[0], utterance=replace(CLIPS[0].utterance, synthetic=True, split="test"))
    examples = examples_of([made], [], TaskConfig(PAPER_9, QUESTION, 0), [COMPARATIVE])
    assert all(e.synthetic for e in examples)
    assert {e.task: e.split for e in examples} == {
        Task.ATTRIBUTE: "test",
        Task.STRESS: "test",
        Task.COMPARATIVE: "train",
    }


def test_same_seed_same_examples_other_seed_other_questions() -> None:
    assert build(1) == build(1)
    assert build(1) != build(2)


def test_nothing_measured_gives_nothing_to_ask() -> None:
    empty = replace(CLIPS[0], profile=ProsodyProfile(duration_s=1.0, sample_rate=16000), levels=None)
    assert examples_of([empty], [], TaskConfig(PAPER_9, QUESTION, 0)) == []


def test_json_round_trip(tmp_path: Path) -> None:
    """Through the strict JSON of the records."""
    examples = build()
    write_jsonl(tmp_path / "sft.jsonl", examples)
    assert list(read_jsonl(tmp_path / "sft.jsonl", SFTExample)) == examples
    write_jsonl(tmp_path / "clips.jsonl", [COMPARATIVE])
    assert list(read_jsonl(tmp_path / "clips.jsonl", ComparativeClip)) == [COMPARATIVE]


def test_records_check_themselves() -> None:
    with pytest.raises(InvalidRecordError, match="target must not be empty"):
        SFTExample("a", Task.STRESS, "u", "u.wav", "Which?", " ")
    with pytest.raises(InvalidRecordError, match="two or more distinct levels"):
        ComparativeClip("c", "u", "c.flac", Attribute.PITCH, (Level.LOW, Level.LOW))


def recorded_input() -> tuple[list[MeasuredUtterance], list[ReasoningTrace], list[ComparativeClip]]:
    """240 utterances made of the four clips, a trace for each, and a comparative clip for each fifth."""
    measured, traces, clips = [], [], []
    for i in range(240):
        clip = CLIPS[i % len(CLIPS)]
        name, split = f"{clip.utterance.utterance_id}-{i:03}", ("train", "test")[i % 3 == 0]
        measured.append(replace(clip, utterance=replace(clip.utterance, utterance_id=name, split=split)))
        traces.append(ReasoningTrace(name, f"Text number {i} of a trace.", PAPER_9.labels[i % 9]))
        if i % 5 == 0:
            order = (Level.LOW, Level.NORMAL, Level.HIGH)[i % 2 :] + (Level.LOW,) * (i % 2)
            attribute = list(Attribute)[i % 3]
            clips.append(ComparativeClip(f"c{i:03}", name, f"comparative/c{i:03}.flac", attribute, order, split))
    return measured, traces, clips


def recorded_build(**more: Any) -> list[SFTExample]:
    measured, traces, clips = recorded_input()
    return examples_of(measured, traces, TaskConfig(PAPER_9, QUESTION, 7, **more), clips)


def test_the_plain_output_does_not_move() -> None:
    """Recorded from the release before phrasings, balance and label examples: models were trained on these bytes."""
    text = "".join(to_json(e) + "\n" for e in recorded_build() if e.task is not Task.LABEL)
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "f6854293f722a10ca13ae792a5943abaaa2e6b75dad3a421fbe9df3fd15cdc86"
    )


def test_the_label_alone_is_asked_for_in_a_form_of_its_own() -> None:
    """One example for each utterance with a trace, whose target is the label in the set's spelling; no other family
    asks the same. A label in a sentence is not a label alone.
    """
    examples = build()
    found = [e for e in examples if e.task is Task.LABEL]
    assert {e.question for e in found} == {label_question(PAPER_9)}
    assert label_question(PAPER_9) not in {e.question for e in examples if e.task is not Task.LABEL}
    assert [e.target for e in found] == [
        parse_response(e.target, strict=True).answer for e in examples if e.task is Task.REASONING
    ]
    assert score(found[0], found[0].target, label_set=PAPER_9).exact
    assert (score(found[0], "surprise").valid, score(found[0], "surprise").credit) == (True, 0.0)
    assert not score(found[0], f"It is {found[0].target}.").valid


def test_stated_phrasing_says_the_form_and_varies() -> None:
    """At least eight of ten questions occur among 240, each with its form; the reasoning question is never touched."""
    examples = recorded_build(phrasing=Phrasing.STATED)
    kept = [
        {e.example_id: e.target for e in x if "/attribute-" not in e.example_id} for x in (examples, recorded_build())
    ]
    assert kept[0] == kept[1]
    by_task: dict[Task, set[str]] = {task: {e.question for e in examples if e.task is task} for task in Task}
    assert len(by_task[Task.STRESS]) >= 8
    assert len({q for q in by_task[Task.ATTRIBUTE] if "VALUE" in q}) >= 8
    assert by_task[Task.REASONING] == {QUESTION}
    assert all("Answer" in q for task in (Task.STRESS, Task.ATTRIBUTE, Task.COMPARATIVE) for q in by_task[task])
    single = next(e for e in examples if e.example_id.endswith("/attribute-rate"))
    assert single.question.endswith("Answer with one of: rate slow, rate normal, rate fast.")


def test_balanced_classes_are_equal() -> None:
    """60 clips each of high, low, normal and unvoiced pitch; orders 24 and 24 over three attributes give 8 a class."""
    examples = recorded_build(balance=1.0)
    assert not [e for e in examples if e.example_id.endswith("/attributes")]
    targets = Counter((e.task, e.target) for e in examples if e.task is not Task.REASONING)
    assert {targets[Task.ATTRIBUTE, f"pitch {v}"] for v in ("low", "normal", "high", "unvoiced")} == {60}
    assert {targets[Task.ATTRIBUTE, f"energy {v}"] for v in ("low", "normal", "high")} == {60}
    assert {n for (task, _), n in targets.items() if task is Task.COMPARATIVE} <= {8, 16}
    labels = Counter(parse_response(e.target, strict=True).answer for e in examples if e.task is Task.REASONING)
    assert set(labels.values()) == {26}  # 240 traces over nine labels: 26 or 27 each


def test_balance_may_leave_some_room() -> None:
    """Of 120 low, 60 normal, 60 high energies 1.5 keeps 90, 60, 60; below 1 there is nothing to keep."""
    energies = Counter(e.target for e in recorded_build(balance=1.5) if "/attribute-energy" in e.example_id)
    assert energies == {"energy low": 90, "energy normal": 60, "energy high": 60}
    for wrong in (0.5, float("nan"), float("inf")):
        with pytest.raises(TaskError, match="at least 1"):
            recorded_build(balance=wrong)


def test_whispering_does_not_limit_the_levels_of_pitch() -> None:
    """One whispered clip of 61: the sixty levels of pitch stay twenty each."""
    levels = [CLIPS[i % 4 if i % 4 != 2 else 0] for i in range(80) if i % 4 != 2]
    named = [
        replace(c, utterance=replace(c.utterance, utterance_id=f"u{i}")) for i, c in enumerate([*levels, CLIPS[2]])
    ]
    examples = examples_of(named, [], TaskConfig(PAPER_9, QUESTION, 0, balance=1.0))
    pitch = Counter(e.target for e in examples if e.example_id.endswith("/attribute-pitch"))
    assert pitch == {"pitch low": 20, "pitch normal": 20, "pitch high": 20, "pitch unvoiced": 1}
