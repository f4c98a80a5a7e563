"""Stress-17K's rows, good and bad."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import speech_corpora as corpora
from speech_corpora import CorpusError
from speech_corpora.stress17k import spoken_words

GOOD: dict[str, Any] = {"transcription": "I never said she stole it.", "gt_stress_indices": [1], "audio": "a.wav"}


def write(root: Path, name: str, *rows: dict[str, Any] | str) -> Path:
    (root / "a.wav").touch()
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    (root / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return root


def test_rows_become_utterances(tmp_path: Path) -> None:
    """The published fields, with those the release has besides; words are counted from 0."""
    full = {
        "audio_id": "id-7", "transcription_id": "t", "interpretation_id": "i", "description": "…", "label": 0,
        "possible_answers": ["a", "b"], "transcription": "“Really?” That is a well-known risk!",
        "gt_stress_indices": [5, 0], "audio": {"bytes": None, "path": "a.wav"},
        "metadata": {"tts_metadata": {"voice_name": "echo"}},
    }  # fmt: skip
    listing = corpora.load("stress17k", write(tmp_path, "train_full.jsonl", GOOD, "", full))
    assert listing.rejected == ()
    first, second = listing.utterances
    assert (first.utterance_id, first.stressed_words, first.split) == ("train_full-00001", ("never",), "train")
    assert (first.emotion, first.synthetic, first.language, first.speaker_id) == (None, True, "en", "stress17k")
    assert (second.utterance_id, second.stressed_words, second.speaker_id) == ("id-7", ("Really", "known"), "echo")


def test_hyphens_end_words_as_the_authors_count() -> None:
    """Their code puts a space for the hyphen between two words, so of a chain every second hyphen goes."""
    assert spoken_words("my mother-in-law's co-op") == ["my", "mother", "in-law's", "co", "op"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gt_stress_indices": [6]}, "holds 6, the transcription has words 0 to 5"),
        ({"gt_stress_indices": [-1]}, "holds -1"),
        ({"gt_stress_indices": [1.0]}, "list of integers"),
        ({"gt_stress_indices": [True]}, "list of integers"),
        ({"gt_stress_indices": "1"}, "list of integers"),
        ({"gt_stress_indices": None}, "list of integers"),
        ({"transcription": " "}, "transcription must be a text"),
        ({"transcription": None}, "transcription must be a text"),
        ({"transcription": "I – never", "gt_stress_indices": [1], "audio": "b.wav"}, "b.wav is missing"),
        ({"transcription": "I ... never"}, "punctuation only"),
        ({"audio": "../a.wav"}, "must be relative and stay inside"),
        ({"audio": "/a.wav"}, "must be relative and stay inside"),
        ({"audio": "link.wav"}, "leads out of the corpus root"),
        ({"audio": {"bytes": "…"}}, "audio must be a path"),
        ({"audio": None}, "audio must be a path"),
    ],
)
def test_bad_rows_are_rejected_with_their_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """The second of three rows is bad; the others stay."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside.wav").touch()
    (root / "link.wav").symlink_to(tmp_path / "outside.wav")
    listing = corpora.load("stress17k", write(root, "train_full.jsonl", GOOD, GOOD | change, GOOD))
    assert len(listing.utterances) == 2
    (rejected,) = listing.rejected
    assert rejected.id == "train_full.jsonl:2"
    assert message in rejected.message


def test_broken_lines_repeats_and_what_is_in_both_files(tmp_path: Path) -> None:
    """A clip of both files is read once and counted; twice in one file it is an error; without stress it is dropped."""
    one = GOOD | {"audio_id": 1}
    write(tmp_path, "train_fine.jsonl", one)
    write(tmp_path, "train_full.jsonl", one, GOOD | {"audio_id": 2}, GOOD | {"audio_id": 2}, "{", "[]")
    write(tmp_path, "test.jsonl", GOOD | {"gt_stress_indices": []}, GOOD | {"audio_id": 3})
    listing = corpora.load("stress17k", tmp_path)
    assert [(u.utterance_id, u.split) for u in listing.utterances] == [("3", "test"), ("1", "train"), ("2", "train")]
    assert [r.id for r in listing.rejected] == [f"train_full.jsonl:{n}" for n in (3, 4, 5)]
    assert listing.dropped == (
        ("a clip of train_fine.jsonl that is in train_full.jsonl too", 1),
        ("no stressed word", 1),
    )
    one_file = corpora.load("stress17k", tmp_path / "train_fine.jsonl")
    assert len(one_file.utterances) == 1
    with pytest.raises(CorpusError, match="does not exist"):
        corpora.load("stress17k", tmp_path / "nowhere")
