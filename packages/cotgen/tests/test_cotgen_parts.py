"""Utterances that are parts of one file: a path alone names none of several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cotgen.batch import Failure, measured_index
from speech_records import MeasuredUtterance, ProsodyProfile, Utterance, write_jsonl


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
    found: list[Failure] = []
    with measured_index(tmp_path / "measured.jsonl", found.append) as index:
        assert index.by_audio("talk.wav") is None
        assert index.by_id("right") == items[1]
        assert [index.by_audio(p) for p in ("long.wav", "same.wav")] == [items[2], items[3]]
    assert found == []
