"""A manifest read line by line: the same as read whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speech_corpora import CorpusError, load, manifest
from speech_records import FailedItem, Utterance

ROW = {"audio_path": "a.wav", "speaker_id": "s", "emotion": "joy"}


def test_a_stream_is_what_is_loaded(tmp_path: Path) -> None:
    """Good lines, a repeated id, a path that a link leads out of the root, a wrong label, no JSON: every utterance and
    every rejected line as `load` has them, in the file's order."""
    (tmp_path / "out.wav").symlink_to(tmp_path.parent)
    lines = [
        *(json.dumps(ROW | {"utterance_id": name}) for name in ("u1", "u2", "u1")),
        json.dumps(ROW | {"utterance_id": "u3", "audio_path": "out.wav"}),
        json.dumps(ROW | {"utterance_id": "u4", "emotion": "blue-ish"}),
        "no JSON",
        json.dumps(ROW | {"utterance_id": "u5", "transcript": "Zwölf \u2028 Uhr"}, ensure_ascii=False),
    ]
    (tmp_path / "manifest.jsonl").write_text("\n".join(lines), encoding="utf-8")
    listed = load("manifest", tmp_path)
    streamed = list(manifest.stream(tmp_path, {}))
    assert tuple(found for found in streamed if isinstance(found, Utterance)) == listed.utterances
    assert tuple(found for found in streamed if isinstance(found, FailedItem)) == listed.rejected
    assert [u.utterance_id for u in listed.utterances] == ["u1", "u2", "u5"]
    assert [item.id for item in listed.rejected] == [f"manifest.jsonl:{n}" for n in (3, 4, 5, 6)]
    assert "already given by manifest.jsonl:1" in listed.rejected[0].message


def test_a_missing_manifest_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="does not exist"):
        manifest.stream(tmp_path / "absent", {})
