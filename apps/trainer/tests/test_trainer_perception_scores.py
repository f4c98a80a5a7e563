"""The perception test: what it asks, and what its scores are. Expected values are worked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cotgen.dataset import BuildConfig, Source, build
from cotgen.generation import RuleGenerator
from cotgen.tasks import Attribute, ComparativeClip, Task, TaskConfig
from policy import sequence_logprobs
from speech_records import (
    PAPER_9,
    Emotion,
    Level,
    LevelReading,
    MeasuredUtterance,
    ProsodyLevels,
    ProsodyProfile,
    Utterance,
    write_jsonl,
)
from speechlm import PocketSize, load_preset
from trainer.curriculum import Phase
from trainer.dataset import AnnotatedCorpus, feature_key
from trainer.errors import DataSetError
from trainer.mixture import LEAST, changes_in
from trainer.perception_scores import Asked, PerceptionTest, calibrated, choose
from trainer.settings import SFTSettings
from trainer.sft import train_sft
from trainer.sft_validation import MACRO, HeldOutLosses
from trainer.tracking import VALIDATIONS, read_history

HERTZ = {Level.LOW: 110.0, Level.NORMAL: 190.0, Level.HIGH: 330.0}
ORDER = (Level.HIGH, Level.LOW, Level.NORMAL)


def measured(speaker: str, split: str, number: int) -> MeasuredUtterance:
    """Clear cases of pitch, one level after the other; sentences are numbered in each split from its own start."""
    level = list(Level)[number % 3]
    percentile = {Level.LOW: 10.0, Level.NORMAL: 50.0, Level.HIGH: 90.0}[level]
    text = f"number {number if split == 'train' else number + 40} it is"
    name = f"{speaker}-{number:02}-{split}"
    utterance = Utterance(name, "made", f"{name}.wav", speaker, Emotion.SAD, transcript=text, split=split)
    levels = ProsodyLevels("made", "0", pitch=LevelReading(level, HERTZ[level] + number % 5, percentile))
    return MeasuredUtterance(utterance, ProsodyProfile(1.0, 16_000, f0_median_hz=HERTZ[level] + number % 5), levels)


def corpus(root: Path, train: str, *test: str, split: str = "test") -> AnnotatedCorpus:
    """Sixty clips of a training voice and sixty of the voices of another split, whose sentences 40 to 59 are the same;
    two comparative clips of the latter and one of the training voice."""
    clips = [measured(train, "train", n) for n in range(60)]
    clips += [measured(test[n % len(test)], split, n) for n in range(60)]
    write_jsonl(root / "measured.jsonl", clips)
    (root / "scale.json").write_text("{}")
    (root / "comparative").mkdir()
    owners = [clips[60], clips[61], clips[0]]
    varied = tuple(
        ComparativeClip(f"c{i}", m.utterance.utterance_id, f"comparative/{i}.flac", Attribute.PITCH, ORDER, split)
        for i, (m, split) in enumerate(zip(owners, (split, split, "train"), strict=True))
    )
    for clip in varied:
        (root / clip.audio_path).write_bytes(b"")
    source = Source(
        root / "measured.jsonl",
        audio_root=str(root),
        scale=root / "scale.json",
        clips=varied,
        clips_folder=root,
    )
    build(source, root / "data", BuildConfig(TaskConfig(PAPER_9, "?", 0)), generator=RuleGenerator(PAPER_9, seed=0))
    return AnnotatedCorpus.read(root / "data")


def test_what_is_asked_and_how_it_is_scored(tmp_path: Path) -> None:
    """Pitch is all that is measured, twenty clear clips of each level, of which at most twelve are asked in the words
    that the data set trains on; of the comparative clips the two of the test split. Always answering the first choice
    is right in a third of the former and in none of the latter, whose order has another number. The regression is
    given pitches an octave apart, so it is always right. Sentences 40 to 59 of sixty are known."""
    test = PerceptionTest(corpus(tmp_path, "a", "b", "c"), split="test", most=12, seed=0)
    assert [q.question for q in test.recorded] == ["What is the pitch?"] * 36
    assert {q.choices for q in test.recorded} == {("pitch low", "pitch normal", "pitch high")}
    assert sorted({q.key for q in test.varied}) == ["comparative/0.flac", "comparative/1.flac"]
    assert {q.choices[q.right] for q in test.varied} == {"high, low, normal"}
    found = test.report([0] * 38)
    (pitch,), (order,) = found.columns, found.order
    assert (pitch.name, pitch.asked, pitch.speakers, pitch.regression) == ("pitch", 36, 2, 1.0)
    assert pitch.accuracy.value == pitch.chance == pytest.approx(1 / 3)
    assert pitch.confusion == ((12, 0, 0), (12, 0, 0), (12, 0, 0))
    assert (order.name, order.asked, order.accuracy.value, order.regression) == ("order of pitch", 2, 0.0, None)
    assert order.chance == pytest.approx(1 / 6)
    right = [q.right for q in (*test.recorded, *test.varied)]
    macro, gained = test.macro(right), test.macro(right, [0] * 38)
    assert macro is not None
    assert gained is not None
    assert (macro.value, gained.value) == (1.0, pytest.approx(2 / 3))
    known = [int(q.utterance_id.split("-")[1]) < 20 for q in test.recorded]
    assert found.known_sentences == pytest.approx(sum(known) / 36)


def test_a_speaker_of_the_training_split_is_refused(tmp_path: Path) -> None:
    """A voice that was trained on tests memory."""
    with pytest.raises(DataSetError, match="speaker a is in train and test"):
        PerceptionTest(corpus(tmp_path, "a", "a"), split="test", most=12, seed=0)


def test_the_choice_is_the_likeliest_whole_answer(tmp_path: Path) -> None:
    """Truth: every choice scored as a completion by itself, in a batch of its own; then `calibrated`, tested below."""
    test = PerceptionTest(corpus(tmp_path, "a", "b"), split="test", most=2, seed=0)
    model = load_preset("pocket", seed=0, texts=["What is the pitch? pitch low, normal, high"], vocab_size=300)
    generator = torch.Generator().manual_seed(0)
    bins = model.features.num_mel_bins
    features = {q.key: torch.randn(bins, 40 + 4 * i, generator=generator) for i, q in enumerate(test.recorded)}
    expected = []
    for q in test.recorded:
        batches = [model.collate([features[q.key]], [q.question], [choice]) for choice in q.choices]
        with torch.no_grad():
            scores = [float(sequence_logprobs(model, batch).sum()) for batch in batches]
        expected.append(scores)
    assert choose(model, test.recorded, features, what=None, batch_size=4) == calibrated(test.recorded, expected)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_sft_validates_by_family_keeps_the_best_and_stops(tmp_path: Path) -> None:
    """At a rate of 1e-30 nothing changes: the second validation is no better than the first, the third neither, so with
    a patience of two the training ends there, and the policy of the first is kept. With all tokens of a label weighing
    the same, the family's loss is the mean over its examples of their mean token's. No text has a verdict or a form, so
    reasoned answers name no label."""
    data = corpus(tmp_path, "a", "b", split="validation")
    size = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
    model = load_preset("pocket", seed=0, size=size, texts=["What is the pitch? pitch low"], vocab_size=300)
    generator = torch.Generator().manual_seed(0)
    features = {key: torch.rand(16, 40, generator=generator) for key in data.audio_clips()}
    settings = SFTSettings(
        phases=(Phase("a", 12, 2, {Task.ATTRIBUTE: 0.5, Task.LABEL: 0.5, Task.REASONING: 0.1}),),
        learning_rate=1e-30, validate_every=2, validation_questions=5, validation_clips=8, patience=2, save_every=0,
        adaptive_weights=True,
    )  # fmt: skip
    history = train_sft(model, data, features, settings, out=tmp_path / "out").history
    assert [row["step"] for row in history] == [1, 2, 3, 4, 5, 6]
    validated = [row for row in history if MACRO in row]
    assert [row["step"] for row in validated] == [2, 4, 6]
    names = ("pitch", "order of pitch", "label", "reasoning")
    assert validated[0][MACRO] == pytest.approx(
        sum(validated[0][f"validation_{name.replace(' ', '_')}"] for name in names) / 4
    )
    lines: list[dict[str, Any]] = [dict(row) for row in read_history(tmp_path / "out" / VALIDATIONS)]
    assert [(line["step"], line["macro"]) for line in lines] == [(row["step"], row[MACRO]) for row in validated]
    columns = {column["name"]: column for column in lines[0]["columns"]}
    assert list(columns) == list(names)
    assert columns["pitch"]["regression"] == 1.0
    assert [sum(map(sum, columns[name]["confusion"])) for name in ("pitch", "label", "reasoning")] == [15, 8, 8]
    sad = columns["reasoning"]["choices"].index("sad")
    assert columns["reasoning"]["confusion"][sad][-1] == 8
    told = HeldOutLosses(data, features, settings).examples[Task.LABEL]
    with torch.no_grad():
        alone = [model.collate([features[feature_key(e)]], [e.question], [e.target]) for e in told]
        means = [float(-sequence_logprobs(model, b).sum() / b.completion_mask.sum()) for b in alone]
    assert lines[0]["loss"]["label"] == pytest.approx(sum(means) / 8, rel=1e-4)
    assert lines[0]["loss"]["label"] == validated[0]["validation_loss_label"]
    assert all(sum(v for k, v in row.items() if k.startswith("loss_")) == pytest.approx(row["loss"]) for row in history)
    assert (tmp_path / "out" / "best" / "policy.json").is_file()
    needed = max(LEAST, min(1.0, (1 - validated[0]["validation_label"]) / (1 - 1 / 9)))
    assert changes_in(validated)[0][1][Task.LABEL] == pytest.approx(needed)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_the_heads_teach_on_in_steps_of_text(tmp_path: Path) -> None:
    """Two steps of perception and three of text: with `heads_weight` every step has a loss of the heads, which is not
    part of the `loss` that is recorded; without it, those of perception alone."""
    data = corpus(tmp_path, "a", "b")
    size = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
    features = {key: torch.rand(16, 40) for key in data.audio_clips()}
    history = {}
    for weight in (0.0, 0.3):
        model = load_preset("pocket", seed=0, size=size, texts=["What is the pitch? pitch low"], vocab_size=300)
        settings = SFTSettings(
            phases=(Phase("a", 3, 4, {Task.ATTRIBUTE: 0.5, Task.REASONING: 0.5}),),
            learning_rate=1e-3, perception_steps=2, perception_batch_size=4, heads_weight=weight, micro_batch_size=2,
            save_every=0,
        )  # fmt: skip
        history[weight] = train_sft(model, data, features, settings, out=tmp_path / str(weight)).history
    assert ["perception_loss" in row for row in history[0.0]] == [True] * 2 + [False] * 3
    assert all("perception_loss" in row for row in history[0.3])
    assert history[0.3][2]["loss"] == pytest.approx(history[0.0][2]["loss"])  # the first step of text
    assert history[0.3][4]["loss"] != history[0.0][4]["loss"]


def test_a_choice_that_is_likely_for_every_clip_is_not_chosen_for_that() -> None:
    """By hand: "normal" has 0.8, 0.6 and 0.8 of the probability, the others what is left, so that plainly it is chosen
    three times. Divided by the means (0.15, 0.733, 0.117) slow is 1.0, 0.33, 1.67 and fast 0.43, 2.57, 0.0 times as
    likely as on average: the third is slow, the second fast, the first normal (1.09). Where the classes are not asked
    equally often, and so the means may differ for good reason, nothing is divided."""
    scores = torch.tensor([[0.15, 0.80, 0.05], [0.05, 0.65, 0.30], [0.25, 0.75, 1e-9]]).log().tolist()
    choices = ("slow", "normal", "fast")
    asked = [Asked("rate", f"u{i}", f"u{i}", "?", choices, right) for i, right in enumerate((1, 2, 0))]
    assert calibrated(asked, scores) == [1, 2, 0]
    skewed = [Asked("rate", f"u{i}", f"u{i}", "?", choices, right) for i, right in enumerate((1, 1, 0))]
    assert calibrated(skewed, scores) == [1, 1, 1]
    other = Asked("stress", "u3", "u3", "?", ("a", "b"), 0)
    assert calibrated([*asked, other], [*scores, [-2.0, -1.0]]) == [1, 2, 0, 1]
