"""`cotgen join`: one data set of several that holds all they hold, and what it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotgen import DataSetError, cli
from cotgen.dataset import BuildConfig, DataSet, Source, build
from cotgen.dataset.joining import join
from cotgen.generation import RuleGenerator
from cotgen.tasks import Attribute, ComparativeClip, Task, TaskConfig
from speech_corpora import emotioncot
from speech_records import (
    ALL_14,
    EMODB_7,
    PAPER_9,
    Emotion,
    FailedItem,
    LabelSet,
    Level,
    MeasuredUtterance,
    emotion_question,
    file_sha256,
    read_jsonl,
    write_jsonl,
)

CLIPS = [
    m for m in read_jsonl(Path(__file__).parent / "data" / "claims_clips.jsonl", MeasuredUtterance)
    if m.utterance.emotion is not Emotion.WHISPER
]  # fmt: skip


def made(
    folder: Path, corpus: str, label_set: LabelSet = PAPER_9, *, language: str = "en", split: str = "train",
    count: int = 4, ids: str | None = None, shard_rows: int = 3, unlabelled: int = 0,
) -> Path:  # fmt: skip
    """A data set in `folder/corpus`: `count` rows, the last ones without label, audio in `folder/audio/corpus`, a clip,
    an earlier failure."""
    source, audio, out = folder / "sources" / corpus, folder / "audio" / corpus, folder / corpus
    (source / "comparative").mkdir(parents=True)
    (audio / "wav").mkdir(parents=True)
    rows = []
    for i in range(count):
        one = CLIPS[i % 3]
        utterance = replace(
            one.utterance, utterance_id=f"{ids or corpus}-{i}", corpus=corpus, audio_path=f"wav/{i}.wav", split=split,
            language=language, speaker_id=f"s{i % 2}",
            emotion=one.utterance.emotion if i < count - unlabelled else None,
        )  # fmt: skip
        (audio / "wav" / f"{i}.wav").write_text(f"{corpus} {i}")
        rows.append(replace(one, utterance=utterance))
    write_jsonl(source / "measured.jsonl", rows)
    (source / "comparative" / "c.flac").write_text(f"clip of {corpus}")
    (source / "scale.json").write_text(json.dumps({"name": corpus}))
    first = rows[0].utterance.utterance_id
    clip = ComparativeClip(
        f"{first}-pitch", first, "comparative/c.flac", Attribute.PITCH, (Level.LOW, Level.HIGH), split
    )
    given = Source(
        source / "measured.jsonl", corpus=corpus, audio_root=audio.as_posix(), scale=source / "scale.json",
        clips=(clip,), clips_folder=source, measuring={"language": language},
        failed=(FailedItem(f"{corpus} gone.wav", "measure", "MissingAudioError", "no such file"),),
    )  # fmt: skip
    config = BuildConfig(TaskConfig(label_set, emotion_question(label_set), 0), shard_rows=shard_rows)
    return build(given, out, config, generator=RuleGenerator(label_set, seed=0)).folder


def test_speech_without_a_label_is_joined_too(tmp_path: Path) -> None:
    """Two of four utterances of the second data set have none: they and what is asked about them are in the joint one,
    under the common folder, and its rows are the six others."""
    first, second = made(tmp_path, "first"), made(tmp_path, "second", unlabelled=2)
    whole = join([first, second], tmp_path / "out")
    assert [m.utterance.audio_path for m in whole.unlabelled()] == ["second/wav/2.wav", "second/wav/3.wav"]
    counts = whole.description["counts"]
    assert (counts["utterances"], counts["unlabelled"]) == (6, {"train": 2})
    for part in (first, second):
        expected = Counter(e.example_id for e in DataSet.open(part).examples())
        assert expected <= Counter(e.example_id for e in whole.examples())
    about = [e for e in whole.examples() if e.utterance_id in ("second-2", "second-3")]
    assert about
    assert all(e.audio_path.startswith("second/wav/") for e in about)


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """Four English rows in `train` with nine labels, then four German ones in `test` with seven."""
    return [made(tmp_path, "ours"), made(tmp_path, "emodb", EMODB_7, language="de", split="test")]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_record_of_every_part_is_in_the_joint_data_set(parts: list[Path], tmp_path: Path) -> None:
    """Opened with its hashes checked. All but paths is what the parts hold, one after the other; the paths lead to the
    files that the parts' paths led to."""
    join(parts, tmp_path / "joint")
    joint, old = DataSet.open(tmp_path / "joint"), [DataSet.open(part) for part in parts]
    assert joint.audio_root == tmp_path / "audio"
    rows = list(joint.rows())
    assert [t for _, t in rows] == [t for data in old for _, t in data.rows()]
    before = [m for data in old for m in data.measured()]
    assert [replace(m.utterance, audio_path="x") for m, _ in rows] == [
        replace(m.utterance, audio_path="x") for m in before
    ]
    assert [(m.profile, m.levels, m.audio_sha256) for m, _ in rows] == [
        (m.profile, m.levels, m.audio_sha256) for m in before
    ]
    assert [(joint.audio_root / m.utterance.audio_path).read_text() for m, _ in rows] == [
        f"{corpus} {i}" for corpus in ("ours", "emodb") for i in range(4)
    ]
    published = [row for p in sorted(joint.folder.glob("emotioncot-*")) for row in emotioncot.read(p).rows]
    assert [row.audio_path for row in published] == [m.utterance.audio_path for m, _ in rows]
    assert [f for data in old for f in data.failed()] == list(joint.failed())

    examples, olds = list(joint.examples()), [e for data in old for e in data.examples()]
    assert Counter(replace(e, audio_path="x") for e in examples) == Counter(replace(e, audio_path="x") for e in olds)
    assert [e.task is Task.COMPARATIVE for e in examples] == [False] * (len(examples) - 2) + [True] * 2
    paths = {m.utterance.utterance_id: m.utterance.audio_path for m, _ in rows}
    assert all(e.audio_path == paths[e.utterance_id] for e in examples[:-2])
    assert [(joint.folder / e.audio_path).read_text() for e in examples[-2:]] == ["clip of ours", "clip of emodb"]
    assert [clip.audio_path for clip in joint.clips()] == [e.audio_path for e in examples[-2:]]


def test_shards_hold_the_rows_and_their_examples(parts: list[Path], tmp_path: Path) -> None:
    """Eight rows, three to a shard as in the parts, one of which has rows of both; every file has as many shards."""
    folder = join(parts, tmp_path / "joint").folder
    for number, count in enumerate([3, 3, 2]):
        names = [f"{stem}-{number:05}-of-00003.jsonl" for stem in ("measured", "traces", "emotioncot")]
        assert [len((folder / name).read_text().splitlines()) for name in names] == [count] * 3
    shard = [json.loads(line) for line in (folder / "sft-00001-of-00003.jsonl").read_text().splitlines()]
    assert sorted({e["utterance_id"] for e in shard}) == ["emodb-0", "emodb-1", "ours-3"]


def test_the_description_says_what_it_is_made_of(parts: list[Path], tmp_path: Path) -> None:
    """Each corpus is still asked for its own labels; the scale is the first one's. Speakers are apart by corpus, so
    `s0` of the one, in `train`, is not `s0` of the other, in `test`."""
    joint = join(parts, tmp_path / "joint")
    about = joint.description
    assert (joint.corpus, joint.label_set, about["languages"]) == ("emodb+ours", ALL_14, ["de", "en"])
    assert (about["synthetic"], about["measuring"]) == (False, {"parts": [{"language": "en"}, {"language": "de"}]})
    assert about["counts"]["splits"] == {"test": 4, "train": 4}
    assert about["counts"]["failed_by_error"] == {"MissingAudioError": 2}
    assert about["counts"]["sft_examples"] == Counter(e.task.value for e in joint.examples())
    first, second = about["parts"]
    assert (first["corpus"], first["label_set"], first["audio"]) == ("ours", "PAPER_9", "ours")
    assert (second["question"], second["generator"]["name"]) == (emotion_question(EMODB_7), "rules")
    assert {e.question for e in joint.examples("test", task=Task.REASONING)} == {emotion_question(EMODB_7)}
    assert json.loads(joint.scale.read_text()) == {"name": "ours"}
    card = joint.card()
    assert (card["rows"], card["speakers"]["disjoint"], card["left_out"]) == (8, True, 2)
    assert set(card["corpora"]) == {"ours", "emodb"}
    assert card["near_duplicates"]["transcript"]["across_splits"] > 0  # the same sentences, which no part alone can see


def test_the_same_join_changes_nothing_and_gives_the_same_bytes_elsewhere(parts: list[Path], tmp_path: Path) -> None:
    """By times of modification; with another scale it is written again."""
    folder = join(parts, tmp_path / "joint").folder
    times = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    join(parts, tmp_path / "joint")
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == times
    assert contents(join(parts, tmp_path / "other").folder) == contents(folder)
    (tmp_path / "scale.json").write_text("{}")
    again = join(parts, tmp_path / "joint", scale=tmp_path / "scale.json")
    assert (again.scale.read_text(), len(list(again.rows()))) == ("{}", 8)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


def test_a_joint_data_set_can_be_joined_and_built_from(parts: list[Path], tmp_path: Path) -> None:
    """A third corpus is added to two: as many clips as corpora, each its own sound."""
    two = join(parts, tmp_path / "two").folder
    three = join([two, made(tmp_path, "third")], tmp_path / "three")
    sounds = [(three.folder / clip.audio_path).read_text() for clip in three.clips()]
    assert sounds == ["clip of ours", "clip of emodb", "clip of third"]
    assert all((tmp_path / "audio" / m.utterance.audio_path).is_file() for m in three.measured())
    config = BuildConfig(TaskConfig(ALL_14, "Which?", 0))
    source = Source.of(three.folder / "measured.jsonl")
    again = build(source, tmp_path / "again", config, generator=RuleGenerator(ALL_14, seed=0))
    assert [m.utterance for m in again.measured()] == [m.utterance for m in three.measured()]


def test_ids_of_two_data_sets_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    """Six rows of two corpora are called the same: five are named, and the clip."""
    parts = [made(tmp_path, name, ids="u", count=6) for name in ("one", "two")]
    with pytest.raises(DataSetError, match=r"utterance 'u-0' of \S+two is in \S+one; utterance 'u-1'.*; and 2 more"):
        join(parts, tmp_path / "joint")
    assert not (tmp_path / "joint").exists()
    assert not list(tmp_path.glob(".*"))


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_cannot_be_joined_is_said(parts: list[Path], tmp_path: Path) -> None:
    """One by one, with what to do."""
    one, two = parts
    copy = tmp_path / "copy"
    shutil.copytree(one, copy)
    refused: list[tuple[list[Path], Path, str]] = [
        ([one], tmp_path / "out", "1 data set to join: name two or more"),
        ([one, two, one], tmp_path / "out", "ours is the same data set as"),
        ([one, copy], tmp_path / "out", "copy is the same data set as"),
        (parts, one, "ours is .*ours, which is joined: name another folder"),
        (parts, one / "out", "ours/out is inside .*ours, which is joined"),
        (parts, tmp_path, "holds .*ours, which is joined"),
        ([one, tmp_path / "none"], tmp_path / "out", "none is not a data set"),
    ]
    for folders, out, message in refused:
        with pytest.raises(DataSetError, match=message):
            join(folders, out)
    for change, message in (
        ({"audio_root": None}, "copy does not say where its audio is: build it with `--audio-root DIR`"),
        ({"audio_root": "/nowhere"}, "copy: its audio folder /nowhere does not exist here"),
        ({"schema_version": "1.0"}, "has schema version 1.0, this release reads 2.0"),
    ):
        edit(copy / "dataset.json", **change)
        with pytest.raises(DataSetError, match=message):
            join([two, copy], tmp_path / "out")
    (two / "scale.json").write_text("changed")
    with pytest.raises(DataSetError, match=r"scale\.json differs from the SHA-256"):
        join(parts, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_of_others_are_never_lost(parts: list[Path], tmp_path: Path) -> None:
    """A folder with a note, a data set that is no joint one, and a joint one with a note in it are refused."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").touch()
    joint = join(parts, tmp_path / "joint").folder
    (joint / "mine.txt").touch()
    (tmp_path / "scale.json").write_text("{}")
    for out, name in ((tmp_path / "notes", "mine"), (made(tmp_path, "third"), "CARD"), (joint, "mine")):
        with pytest.raises(DataSetError, match=f"holds {name}.*which would be lost"):
            join(parts, out, scale=tmp_path / "scale.json")
    assert (joint / "mine.txt").exists()


def test_the_command_says_what_it_made_and_which_scale_it_ships(parts: list[Path], tmp_path: Path) -> None:
    """`parts` in the order of the command line; the default scale is named, since levels of the others are not its."""
    result = CliRunner().invoke(cli.app, ["join", *map(str, parts), "-o", str(tmp_path / "joint")])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "8 rows of 2 data sets, emodb+ours: 4 test, 4 train" in result.stderr
    assert f"ships with the level scale {parts[0] / 'scale.json'}" in result.stderr
    scale = parts[1] / "scale.json"
    result = CliRunner().invoke(
        cli.app, ["join", *map(str, parts), "-o", str(tmp_path / "joint"), "--scale", str(scale)]
    )
    assert (result.exit_code, DataSet.open(tmp_path / "joint").scale.read_bytes()) == (0, scale.read_bytes())


def renamed(part: Path, name: str) -> Path:
    """A copy of the data set whose ids start with `name`, its hashes right again."""
    copy = part.with_name(name)
    shutil.copytree(part, copy)
    for path in copy.glob("*.jsonl"):
        path.write_text(path.read_text().replace(f'"{part.name}-', f'"{name}-'))
    files = json.loads((copy / "dataset.json").read_text())["files"]
    edit(copy / "dataset.json", files={file: file_sha256(copy / file) for file in files})
    return copy


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Three times the rows, both past the point where SQLite's page cache is full; 5 % are for the interpreter."""
    code = (
        "import sys; from pathlib import Path; from cotgen.dataset.joining import join;"
        "join([Path(p) for p in sys.argv[1:-1]], Path(sys.argv[-1]));"
        "print(next(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line))"
    )
    first = made(tmp_path, "first", count=1_000, shard_rows=500)
    parts = [str(renamed(first, f"part{n}")) for n in range(9)]

    def peak(count: int) -> int:
        words = [sys.executable, "-c", code, *parts[:count], str(tmp_path / f"joint{count}")]
        return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)

    assert peak(9) < 1.05 * peak(3)
