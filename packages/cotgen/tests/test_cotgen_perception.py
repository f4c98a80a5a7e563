"""The prosody-perception set: balance, clear cases only, one split only, and the table of answers."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from cotgen import TaskError
from cotgen.tasks.perception import Column, PerceptionItem, PerceptionSet, choose, score_perception, wilson
from speech_records import (
    ContourShape,
    InvalidRecordError,
    Level,
    LevelReading,
    MeasuredUtterance,
    ProsodyLevels,
    ProsodyProfile,
    StressedWord,
    Utterance,
    read_jsonl,
    write_jsonl,
)
from speech_records.failures import FailedItem

SENTENCE = "The keys are under the mat near our door"
STRESSABLE = ("keys", "under", "mat", "near", "door")


def utterance(
    number: int, rng: random.Random, *, split: str = "test", percentile: float | None = None
) -> MeasuredUtterance:
    """Percentiles are drawn anywhere unless given; a level is the tertile it lies in."""

    def reading() -> LevelReading:
        at = rng.uniform(0, 100) if percentile is None else percentile
        return LevelReading(list(Level)[min(2, int(at * 3 / 100))], 1.0, at)

    profile = ProsodyProfile(
        duration_s=1.0, sample_rate=16000, voiced_share=0.6, contour_shape=rng.choice(list(ContourShape)),
        stressed_words=tuple(StressedWord(w, 0.9) for w in rng.sample(STRESSABLE, rng.choice((1, 1, 1, 2)))),
    )  # fmt: skip
    levels = ProsodyLevels("made", "0", pitch=reading(), energy=reading(), rate=reading())
    name = f"{split}{number:04}"
    return MeasuredUtterance(
        Utterance(name, "made", f"{name}.wav", f"{split}-speaker", transcript=SENTENCE, split=split), profile, levels
    )


def corpus(path: Path, count: int = 600) -> Path:
    rng = random.Random(0)
    write_jsonl(path, [utterance(i, rng, split=("train", "test")[i % 3 > 0]) for i in range(count)])
    return path


def make(path: Path, **more: int) -> tuple[PerceptionSet, list[PerceptionItem]]:
    failures: list[FailedItem] = []
    made = PerceptionSet(path, split="test", seed=0, report=failures.append, **more)
    assert failures == []
    return made, list(made.items())


def test_every_class_of_a_column_is_asked_equally_often(tmp_path: Path) -> None:
    """400 utterances of the split: of each class at least 30 are clear, so 20 can be asked of each."""
    made, items = make(corpus(tmp_path / "m.jsonl"), most=20)
    for column, classes in (("pitch", 3), ("rate", 3), ("energy", 3), ("intonation", 5), ("stress", 4)):
        assert (len(made.columns[Column(column)].asked), made.columns[Column(column)].per_class) == (classes, 20)
    answers = Counter((i.column, i.choices.index(i.answer)) for i in items)
    assert set(answers.values()) == {20}
    assert len(answers) == 3 + 3 + 3 + 5 + 4
    assert {i.split for i in items} == {"test"}
    assert len({i.item_id for i in items}) == len(items)
    assert made.shared_speakers == ()


def test_items_say_what_may_be_answered(tmp_path: Path) -> None:
    """The choices stand in the question in a fixed order; of stress in the order of the sentence."""
    path = corpus(tmp_path / "m.jsonl")
    _, items = make(path, most=5)
    truth = {m.utterance.utterance_id: m for m in read_jsonl(path, MeasuredUtterance)}
    for item in items:
        assert item.question.endswith(f"Answer with one of: {', '.join(item.choices)}.")
        if item.column is Column.RATE:
            assert item.choices == ("slow", "normal", "fast")
        if item.column is Column.STRESS:
            heard = truth[item.utterance_id].profile.stressed_words or ()
            assert [w.word for w in heard] == [item.answer]
            assert len(item.choices) == 4
            assert [w for w in dict.fromkeys(SENTENCE.lower().split()) if w in item.choices] == list(item.choices)


def test_borders_and_rare_classes_are_not_asked(tmp_path: Path) -> None:
    """Percentile 35 lies 1.7 from the border to low; a class with fewer than `least` cases is no choice."""
    rng = random.Random(1)
    near = [utterance(i, rng, percentile=35) for i in range(40)]
    low = [utterance(100 + i, rng, percentile=10) for i in range(20)]
    high = [utterance(200 + i, rng, percentile=90) for i in range(12)]
    middle = [utterance(300 + i, rng, percentile=50) for i in range(3)]
    write_jsonl(tmp_path / "m.jsonl", [*near, *low, *high, *middle])
    made, items = make(tmp_path / "m.jsonl", least=5)
    assert made.columns[Column.PITCH].found == {"low": 20, "high": 12, "normal": 3}
    pitch = [i for i in items if i.column is Column.PITCH]
    assert Counter(i.answer for i in pitch) == {"low": 12, "high": 12}
    assert {i.choices for i in pitch} == {("low", "high")}

    write_jsonl(tmp_path / "m.jsonl", low)
    made, items = make(tmp_path / "m.jsonl", least=5)
    assert made.columns[Column.PITCH].asked == ()
    assert not [i for i in items if i.column is Column.PITCH]


def test_shared_speakers_are_named_and_an_empty_split_is_an_error(tmp_path: Path) -> None:
    """The speaker of a test utterance also speaks in train."""
    rng = random.Random(2)
    one = utterance(0, rng)
    other = utterance(1, rng, split="train")
    other = replace(other, utterance=replace(other.utterance, speaker_id="test-speaker"))
    write_jsonl(tmp_path / "m.jsonl", [one, other])
    assert make(tmp_path / "m.jsonl")[0].shared_speakers == ("made test-speaker",)
    with pytest.raises(TaskError, match="no usable utterance in split 'dev'"):
        PerceptionSet(tmp_path / "m.jsonl", split="dev", seed=0, report=print)


def test_same_seed_same_set(tmp_path: Path) -> None:
    """Another seed draws other utterances."""
    path = corpus(tmp_path / "m.jsonl", 300)
    assert make(path, most=5)[1] == make(path, most=5)[1]
    other = PerceptionSet(path, split="test", seed=1, report=print, most=5)
    assert list(other.items()) != make(path, most=5)[1]


def test_scores_of_an_oracle_a_guesser_and_a_parrot(tmp_path: Path) -> None:
    """The truth scores 1; one answer to everything scores chance, as classes are equal; a sentence is invalid."""
    _, items = make(corpus(tmp_path / "m.jsonl"), most=20)
    oracle = score_perception((i, i.answer) for i in items)
    assert list(oracle) == list(Column)
    assert {(s.accuracy, s.invalid) for s in oracle.values()} == {(1.0, 0.0)}
    first = score_perception((i, i.choices[0]) for i in items)
    for column, classes in ((Column.PITCH, 3), (Column.INTONATION, 5), (Column.STRESS, 4)):
        assert first[column].accuracy == pytest.approx(1 / classes)
        assert first[column].chance == pytest.approx(1 / classes)
    talk = score_perception((i, f"I would say {i.answer}") for i in items)
    assert {(s.accuracy, s.invalid) for s in talk.values()} == {(0.0, 1.0)}


def test_the_form_of_an_answer() -> None:
    """One of the choices; the column's name before it and a full stop are forgiven."""
    item = PerceptionItem("a", Column.INTONATION, "a", "a.wav", "Which?", ("rising", "level"), "level")
    assert [choose(item, a) for a in ("level", "Contour LEVEL.", "intonation rising", "'rising'")] == [
        "level", "level", "rising", "rising",
    ]  # fmt: skip
    assert [choose(item, a) for a in ("", "flat", "pitch level", "rising, level", "level level")] == [None] * 5
    with pytest.raises(InvalidRecordError, match="two or more different choices"):
        replace(item, answer="flat")


def test_wilson_interval() -> None:
    """None of n: the upper end is (z²/n) / (1 + z²/n); z² = 3.8415 and n = 10 give 0.38415 / 1.38415 = 0.2775."""
    low, high = wilson(0.0, 10)
    assert (low, round(high, 4)) == (0.0, 0.2775)
    assert wilson(0.5, 0) == (0.0, 1.0)
