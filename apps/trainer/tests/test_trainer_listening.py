"""What an evaluation says about listening: controls of faithfulness."""

from __future__ import annotations

import pytest

from speech_records import (
    PAPER_9,
    Emotion,
    Gender,
    Level,
    LevelReading,
    MeasuredUtterance,
    ProsodyLevels,
    ProsodyProfile,
    Utterance,
    format_answer,
)
from trainer.listening import conflicts, faithfulness_controls
from trainer.predict import Answer


def clip(name: str, pitch: Level, emotion: Emotion, gender: Gender) -> MeasuredUtterance:
    utterance = Utterance(name, "made", f"{name}.wav", "s", emotion, gender=gender)
    percentile = {Level.HIGH: 95.0, Level.LOW: 5.0}[pitch]
    levels = ProsodyLevels("made", "0", pitch=LevelReading(pitch, 200.0, percentile))
    return MeasuredUtterance(utterance, ProsodyProfile(duration_s=1.0, sample_rate=16_000), levels)


def answer(measured: MeasuredUtterance, think: str) -> Answer:
    of = measured.utterance
    return Answer(of.utterance_id, of.speaker_id, Emotion.SAD, Emotion.SAD, True, format_answer(think, "sad"))


def test_controls_by_hand() -> None:
    """Pitch is all that is measured, so a text that names it rightly scores 1 and one that does not 0. Every text is
    true of its own clip. Shuffled, each meets another clip of the four: in a circle through two highs and two lows a
    text is true of the next clip as often as the circle has equal neighbours, 0 or 2 of 4. Alike are a and b (happy
    women, both high) and nobody else; the modal text, which is one of the two values, is true of half of the clips."""
    clips = [
        clip("a", Level.HIGH, Emotion.HAPPY, Gender.FEMALE),
        clip("b", Level.HIGH, Emotion.HAPPY, Gender.FEMALE),
        clip("c", Level.LOW, Emotion.SAD, Gender.FEMALE),
        clip("d", Level.LOW, Emotion.SAD, Gender.MALE),
    ]
    answers = [answer(c, f"The pitch is {c.levels.pitch.level.value}.") for c in clips if c.levels and c.levels.pitch]
    found = [faithfulness_controls(clips, answers, seed=seed) for seed in range(8)]
    assert {control.shuffled for control in found} == {0.0, 0.5}
    assert {(control.alike, control.modal) for control in found} == {(1.0, 0.5)}
    broken = [Answer("a", "s", Emotion.SAD, None, False, "no form")] * 4
    assert faithfulness_controls(clips, broken, seed=0).shuffled == 0.0


def test_what_answers_follow_where_words_and_voice_differ() -> None:
    """RAVDESS's sentences say nothing, so in an angry voice *neutral* follows the words, *angry* the voice, *sad*
    neither, and in a neutral voice there is nothing to tell. A happy voice that says it is angry is a conflict by the
    lexicon; words without a loaded one are no item.
    """
    profile = ProsodyProfile(duration_s=1.0, sample_rate=16_000)

    def spoken(corpus: str, words: str, voice: Emotion) -> MeasuredUtterance:
        return MeasuredUtterance(Utterance(words, corpus, "a.wav", "s", voice, transcript=words), profile)

    asked = [
        (spoken("ravdess", "Kids are talking by the door", Emotion.ANGRY), "neutral"),
        (spoken("ravdess", "Dogs are sitting by the door", Emotion.ANGRY), "angry"),
        (spoken("ravdess", "Kids", Emotion.HAPPY), "sad"),
        (spoken("ravdess", "Dogs", Emotion.NEUTRAL), "sad"),
        (spoken("made", "I am so angry", Emotion.HAPPY), "happy"),
        (spoken("made", "The table is over there", Emotion.HAPPY), "happy"),
    ]
    answers = [Answer("a", "s", Emotion.SAD, None, True, format_answer("Well.", label)) for _, label in asked]
    found = {row.kind: row.score for row in conflicts([clip for clip, _ in asked], answers, PAPER_9)}
    assert {kind: score.answers for kind, score in found.items()} == {"conflict": 1, "neutral_words": 3}
    assert (found["conflict"].voice, found["conflict"].chance) == (1.0, pytest.approx(1 / 9))
    neutral = found["neutral_words"]
    assert (neutral.words, neutral.voice, neutral.neither) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
