"""A data set of several corpora, as the stages see it."""

from __future__ import annotations

from pathlib import Path

from cotgen.dataset import BuildConfig, Source, build
from cotgen.dataset.joining import join
from cotgen.generation import RuleGenerator
from cotgen.tasks import Task, TaskConfig
from speech_records import (
    EMODB_7,
    RAVDESS_8,
    Emotion,
    LabelSet,
    MeasuredUtterance,
    ProsodyProfile,
    Utterance,
    emotion_question,
    label_question,
    write_jsonl,
)
from trainer.checkpoint import policy_card
from trainer.dataset import TRAIN, AnnotatedCorpus


def made(root: Path, corpus: str, label_set: LabelSet) -> Path:
    """A sad clip of its own corpus, which is asked for the labels of that."""
    utterance = Utterance(corpus, corpus, "a.wav", "s", Emotion.SAD, transcript="Hello.", split=TRAIN)
    folder = root / "sources" / corpus
    folder.mkdir(parents=True)
    write_jsonl(folder / "measured.jsonl", [MeasuredUtterance(utterance, ProsodyProfile(1.0, 16_000))])
    (folder / "scale.json").write_text("{}")
    source = Source(folder / "measured.jsonl", corpus=corpus, audio_root=str(root), scale=folder / "scale.json")
    config = BuildConfig(TaskConfig(label_set, emotion_question(label_set), 0))
    return build(source, root / corpus, config, generator=RuleGenerator(label_set, seed=0)).folder


def test_every_clip_of_a_joint_data_set_is_asked_about_with_the_labels_of_its_corpus(tmp_path: Path) -> None:
    """Sad is a label of both; the questions are those that each corpus's own reasoning examples ask."""
    ravdess, emodb = made(tmp_path, "ravdess", RAVDESS_8), made(tmp_path, "emodb", EMODB_7)
    joint = AnnotatedCorpus.read(join([ravdess, emodb], tmp_path / "out").folder)
    assert joint.questions(joint.split(TRAIN)) == {
        "ravdess": emotion_question(RAVDESS_8),
        "emodb": emotion_question(EMODB_7),
    }
    assert joint.questions(joint.split(TRAIN), Task.LABEL) == {
        "ravdess": label_question(RAVDESS_8),
        "emodb": label_question(EMODB_7),
    }
    assert policy_card(joint, stage="sft", seed=0).asked.labels == (
        Emotion.SAD,
    )  # what is asked where no corpus is known
    alone = AnnotatedCorpus.read(emodb)
    assert policy_card(alone, stage="sft", seed=0).asked is EMODB_7
    assert alone.questions(alone.split(TRAIN)) == {"emodb": emotion_question(EMODB_7)}
