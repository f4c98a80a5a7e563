"""Utterances that are parts of one file: a path alone names none of several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cotgen.dataset.parquet import row
from speech_records import Emotion, MeasuredUtterance, ProsodyProfile, ReasoningTrace, Utterance, write_jsonl
from speech_records.failures import FailedItem
from speech_records.streams import measured_index


def part(name: str, path: str, **where: Any) -> MeasuredUtterance:
    profile = ProsodyProfile(duration_s=1.0, sample_rate=16_000)
    return MeasuredUtterance(Utterance(name, "made", path, "ann", **where), profile)


def test_a_path_names_no_turn_of_a_conversation(tmp_path: Path) -> None:
    """Two voices of one talk; one part alone in its file; a file that is measured twice as a whole."""
    items = [
        part("left", "talk.wav", channel=0),
        part("right", "talk.wav", channel=1),
        part("alone", "long.wav", start_s=2.0, end_s=3.0),
        part("first", "same.wav"),
        part("second", "same.wav"),
    ]
    write_jsonl(tmp_path / "measured.jsonl", items)
    found: list[FailedItem] = []
    with measured_index(tmp_path / "measured.jsonl", found.append) as index:
        assert index.by_audio("talk.wav") is None
        assert index.by_id("right") == items[1]
        assert [index.by_audio(p) for p in ("long.wav", "same.wav")] == [items[2], items[3]]
    assert found == []


def test_columns_say_which_part_a_row_is_of() -> None:
    """The published fields have the path alone; the row beside them has where in it."""
    item = part("right", "talk.wav", start_s=0.5, end_s=1.5, channel=1)
    held = row(item, ReasoningTrace("right", "The voice is low.", Emotion.SAD))
    assert [held[k] for k in ("audio_path", "start_s", "end_s", "channel")] == ["talk.wav", 0.5, 1.5, 1]
