"""Recipes of the conflict set, spoken by the demo corpus's voices, measured, and found again. Speech made here."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import pytest

from annotator_worker.pipeline import calibrate, measure, read_levels
from annotator_worker.records import PLAIN
from cotgen.tasks.conflict import ConflictItem, ConflictRecipe, ConflictSet, Kind, recipes
from speech_records import PAPER_9, Cue, Emotion, MeasuredUtterance, write_jsonl
from trainer.demo_corpus.speaker import Task, speak_voice
from trainer.demo_corpus.voices import VOICES

WORDS = (Emotion.HAPPY, Emotion.SAD, Emotion.ANGRY)
VOICE, NUMBERS = VOICES[0], ("1", "2")
"""Two sentences of each of three emotions, spoken in the two others."""


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[ConflictRecipe], list[ConflictItem]]:
    """The recipes, and the items that their clips became."""
    root = tmp_path_factory.mktemp("conflict")
    chosen = [
        r
        for r in recipes(PAPER_9)
        if r.words_emotion in WORDS and r.voice_emotion in WORDS and r.recipe_id.partition("-")[0].endswith(NUMBERS)
    ]
    sentences = tuple(dict.fromkeys(r.sentence for r in chosen))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        clips = pool.submit(speak_voice, Task(VOICE, 0, sentences, WORDS, seed=0), root).result()
    files = {(sentences[clip.sentence], clip.emotion): clip.file for clip in clips}
    measured: list[MeasuredUtterance] = []
    for recipe in chosen:
        utterance = recipe.utterance(
            corpus="made",
            speaker_id=VOICE.voice_id,
            audio_path=files[recipe.sentence, recipe.voice_emotion],
            synthetic=True,
        )
        measured.append(measure(utterance, root / utterance.audio_path, PLAIN))
    scale = calibrate(lambda: [_in_train(m) for m in measured], name="made")
    write_jsonl(root / "measured.jsonl", [read_levels(m, scale) for m in measured])
    made = ConflictSet(root / "measured.jsonl", label_set=PAPER_9, question="Which emotion?", seed=0, report=print)
    assert not made.skipped
    return chosen, list(made.items())


def _in_train(item: MeasuredUtterance) -> MeasuredUtterance:
    """The scale is fitted on what there is: a test of the way, not of levels."""
    return replace(item, utterance=replace(item.utterance, split="train"))


def test_every_recipe_comes_back_as_an_item(spoken: tuple[list[ConflictRecipe], list[ConflictItem]]) -> None:
    """Twelve clips; words and voice as the recipe said, read from the transcript and the label alone."""
    chosen, items = spoken
    assert len(items) == len(chosen) == 12
    assert [(i.transcript, i.words_emotion, i.voice_emotion) for i in items] == [
        (r.sentence, r.words_emotion, r.voice_emotion) for r in chosen
    ]
    assert {(i.kind, i.split, i.synthetic) for i in items} == {(Kind.CONFLICT, "test", True)}


def test_the_evidence_is_in_the_sound(spoken: tuple[list[ConflictRecipe], list[ConflictItem]]) -> None:
    """The voices' distributions make sad speech quiet and angry speech loud: most items must show it as evidence."""
    _, items = spoken
    shown = Counter(
        i.voice_emotion
        for i in items
        if any(e.startswith(f"{Cue.ENERGY}: ") for e in i.voice_evidence)
        and i.voice_emotion in (Emotion.SAD, Emotion.ANGRY)
    )
    assert shown[Emotion.SAD] >= 3
    assert shown[Emotion.ANGRY] >= 1  # against happy words energy tells nothing: both are loud
