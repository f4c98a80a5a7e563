"""Files and shards read as one, and what is reported of them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from speech_records import (
    FailedItem,
    MeasuredUtterance,
    ProsodyProfile,
    RecordFileError,
    Utterance,
    to_json,
)
from speech_records.failures import FailureLog
from speech_records.shards import ShardReader, shard_name
from speech_records.streams import measured_index


def measured(name: str) -> MeasuredUtterance:
    return MeasuredUtterance(Utterance(name, "c", f"{name}.wav", "s"), ProsodyProfile(1.0, 16_000))


CLIPS = [measured(name) for name in ("loud", "quiet", "plain", "whispered")]
TEXT = "".join(f"{to_json(clip)}\n" for clip in CLIPS).encode()


def shard(path: Path, count: int) -> None:
    """Split a file into `count` shards beside it, and remove it."""
    lines = path.read_bytes().splitlines(keepends=True)
    for number in range(count):
        name = shard_name(path.stem, number, count)
        (path.parent / name).write_bytes(b"".join(lines[number::count]))
    path.unlink()


def test_a_file_name_that_is_not_utf8_is_indexed(tmp_path: Path) -> None:
    """Found again by the name that a listing of the folder gives."""
    path = os.fsdecode(b"modal\xe0.wav")
    clip = replace(CLIPS[0], utterance=Utterance("odd", "c", path, "s"))
    (tmp_path / "m.jsonl").write_text(to_json(clip) + "\n", encoding="utf-8")
    with measured_index(tmp_path / "m.jsonl", pytest.fail) as index:
        assert index.by_audio(path) == index.by_id("odd") == clip


def test_shards_read_as_one_file(tmp_path: Path) -> None:
    """Four lines in two shards: every line once, where it stands, and again by its place."""
    path = tmp_path / "measured.jsonl"
    path.write_bytes(TEXT + b"\n")
    shard(path, 2)
    with ShardReader(path) as lines:
        read = list(lines)
        assert [where for where, _, _ in read] == [
            f"measured-0000{n}-of-00002.jsonl:{line}" for n in (0, 1) for line in (1, 2)
        ]
        assert [lines.at(place) for _, place, _ in read] == [raw for _, _, raw in read]
    assert sorted(raw for _, _, raw in read) == sorted(TEXT.splitlines(keepends=True))


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(RecordFileError, match="is a folder: name a file in it"):
        ShardReader(tmp_path)
    with pytest.raises(RecordFileError, match="does not exist"):
        ShardReader(tmp_path / "no.jsonl")


def test_measurements_are_found_by_id_and_by_audio(tmp_path: Path) -> None:
    """Broken lines and repeats are reported with their line, and the first of two counts."""
    path = tmp_path / "measured.jsonl"
    path.write_bytes(TEXT + b"{broken\n" + TEXT.splitlines(keepends=True)[0])
    found: list[FailedItem] = []
    with measured_index(path, found.append) as index:
        expected = CLIPS
        assert list(index) == expected
        assert index.by_id("quiet") == index.by_audio("quiet.wav") == expected[1]
        assert index.by_id("nobody") is index.by_audio("nowhere.wav") is None
    assert [f.id for f in found] == ["measured.jsonl:5", "measured.jsonl:6"]


def test_failed_items_of_any_name_are_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The id of a file whose name is not UTF-8, and of one with U+2028, is a line of JSON and one of stderr."""
    ids = [os.fsdecode(b"modal\xe0.wav"), "x\u2028y.wav"]
    with FailureLog("cmd", tmp_path / "errors.jsonl") as log:
        for name in ids:
            log(FailedItem(name, "read", "OSError", f"{name}: gone"))
        assert log.finish("done") == 1
    lines = (tmp_path / "errors.jsonl").read_bytes().decode().removesuffix("\n").split("\n")
    assert [json.loads(line)["id"] for line in lines] == ids
    assert r"cmd: modal\udce0.wav: modal\udce0.wav: gone" in capsys.readouterr().err
