"""What an evaluation says about listening: controls of faithfulness."""

from __future__ import annotations

from speech_records import (
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
from trainer.listening import faithfulness_controls
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
