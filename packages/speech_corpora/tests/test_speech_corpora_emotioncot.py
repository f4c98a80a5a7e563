"""The published EmotionCoT JSON Lines: field names and spellings from the release, in and out."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from speech_corpora import CorpusError, emotioncot
from speech_corpora.emotioncot import EmotionCoTRow
from speech_records import (
    ContourShape,
    Emotion,
    Gender,
    Level,
    LevelReading,
    MeasuredUtterance,
    ProsodyLevels,
    ProsodyProfile,
    ReasoningTrace,
    StressedWord,
    Utterance,
)

ROW = {
    "audio_path": "a/1.wav",
    "transcription": "Is it “here”?",
    "emotion": "surprise",
    "pitch_level": "high",
    "energy_level": "normal",
    "speed_level": "fast",
    "stressed_words": ["here"],
    "intonation": "rising",
    "gender": "female",
    "age_level": "Young Adult",
    "cot_analysis": "The pitch is high.",
}


def write_lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_published_row_is_read_and_written_unchanged(tmp_path: Path) -> None:
    """What goes in in the first spelling comes out as it was."""
    listing = emotioncot.read(write_lines(tmp_path / "in.jsonl", ROW))
    assert listing.rows[0].speed_level is Level.HIGH
    assert listing.rows[0].emotion is Emotion.SURPRISE
    assert json.loads(emotioncot.to_line(listing.rows[0])) == ROW


def test_aliases_of_the_release_are_read(tmp_path: Path) -> None:
    """`gt`, `gender_new`, `age_group` and `stress` occur in the release beside the first spellings."""
    names = {"emotion": "gt", "gender": "gender_new", "age_level": "age_group", "stressed_words": "stress"}
    renamed = {names.get(key, key): value for key, value in ROW.items()}
    listing = emotioncot.read(write_lines(tmp_path / "in.jsonl", renamed, ROW))
    assert listing.rows[0] == listing.rows[1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pitch_level": "loud"}, "pitch_level must be one of low, normal, high, got 'loud'"),
        ({"speed_level": "high"}, "speed_level must be one of slow, normal, fast, got 'high'"),
        ({"emotion": "purple"}, "unknown emotion label 'purple'"),
        ({"gt": "sad"}, "field 'emotion' is given twice"),
        ({"colour": 1}, "unknown field 'colour'"),
        ({"cot_analysis": " "}, "cot_analysis must not be empty"),
        ({"transcription": None}, "transcription must be a string"),
        ({"stressed_words": "here"}, "stressed_words must be a list of strings"),
        ({"intonation": "wobbly"}, "intonation must be one of"),
    ],
)
def test_bad_rows_are_named_and_the_others_kept(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    """The second of three rows breaks one rule."""
    listing = emotioncot.read(write_lines(tmp_path / "in.jsonl", ROW, ROW | change, ROW))
    assert len(listing.rows) == 2
    assert listing.rejected[0].id == "in.jsonl:2"
    assert f"line 2: {reason}" in listing.rejected[0].message


def test_missing_field_missing_file_and_nothing_usable(tmp_path: Path) -> None:
    without = {key: value for key, value in ROW.items() if key != "cot_analysis"}
    with pytest.raises(CorpusError, match="field 'cot_analysis' is missing"):
        emotioncot.read(write_lines(tmp_path / "in.jsonl", without))
    with pytest.raises(CorpusError, match="does not exist"):
        emotioncot.read(tmp_path / "nowhere.jsonl")


def test_a_file_name_that_is_not_utf8_goes_round() -> None:
    """Byte 0xE0 of a name, as the disk gives it."""
    row = EmotionCoTRow(os.fsdecode(b"modal\xe0.wav"), "Ça va?", Emotion.HAPPY, "The pitch is high.")
    line = emotioncot.to_line(row).encode()
    assert rb'"audio_path": "modal\udce0.wav"' in line
    assert emotioncot.from_line(line, "line 1") == row


def test_a_trace_in_the_published_form() -> None:
    """All levels high, rising, a man; his age is not known, or is as the corpus says."""
    utterance = Utterance("loud", "c", "loud.wav", "s", emotion=Emotion.ANGRY, transcript="Kids are talking.")
    profile = ProsodyProfile(
        1.6,
        16_000,
        contour_shape=ContourShape.RISING,
        gender=Gender.MALE,
        stressed_words=(StressedWord("kids", 0.9),),
    )
    high = LevelReading(Level.HIGH, 90.0, 90.0)
    loud = MeasuredUtterance(utterance, profile, ProsodyLevels("s", "h", pitch=high, energy=high, rate=high))
    trace = ReasoningTrace("loud", "The pitch is high.", Emotion.ANGRY)
    row = emotioncot.from_trace(loud, trace)
    assert (row.pitch_level, row.energy_level, row.speed_level) == (Level.HIGH, Level.HIGH, Level.HIGH)
    assert (row.intonation, row.gender, row.age_level) == ("rising", Gender.MALE, None)
    assert (row.emotion, row.cot_analysis, row.stressed_words) == (Emotion.ANGRY, trace.think, ("kids",))
    assert emotioncot.from_line(emotioncot.to_line(row).encode(), "line 1") == row
    old = replace(loud, utterance=replace(utterance, age_group="Elderly"))
    assert emotioncot.from_trace(old, trace).age_level == "Elderly"
