"""Reading data sets: what they hold, by split and task, and one line for everything that is wrong with one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cotgen import DataSetError, cli
from cotgen.dataset import BuildConfig, DataSet, Source, build
from cotgen.dataset.building import Verify, Written, one_by_one
from cotgen.generation import Outcome, RuleGenerator
from cotgen.tasks import Attribute, ComparativeClip, Task, TaskConfig
from speech_records import (
    PAPER_9,
    FailedItem,
    Level,
    MeasuredUtterance,
    ReasoningTrace,
    read_jsonl,
    write_jsonl,
)

CLIPS = list(read_jsonl(Path(__file__).parent / "data" / "claims_clips.jsonl", MeasuredUtterance))
CONFIG = BuildConfig(TaskConfig(PAPER_9, "Which?", 0), shard_rows=3)


def made(source: Source, out: Path, config: BuildConfig = CONFIG) -> DataSet:
    return build(source, out, config, generator=RuleGenerator(PAPER_9, seed=0))


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Eight utterances of four clips, every other one in `test`, with one comparative clip and an earlier failure."""
    measured = []
    for i in range(8):
        one = CLIPS[i % 4]
        named = replace(one.utterance, utterance_id=f"u{i}", split=("train", "test")[i % 2])
        measured.append(replace(one, utterance=named))
    folder = tmp_path / "from"
    (folder / "comparative").mkdir(parents=True)
    (folder / "comparative" / "c.flac").write_bytes(b"sound")
    (folder / "scale.json").write_text("{}")
    write_jsonl(folder / "measured.jsonl", measured)
    clip = ComparativeClip("c", "u0", "comparative/c.flac", Attribute.PITCH, (Level.LOW, Level.HIGH), "train")
    failed = (FailedItem("gone.wav", "measure", "MissingAudioError", "no such file"),)
    return Source(
        folder / "measured.jsonl", corpus="made", audio_root="/audio", scale=folder / "scale.json", clips=(clip,),
        clips_folder=folder, failed=failed, measuring={"language": "en"},
    )  # fmt: skip


def test_a_data_set_is_read_by_split_and_task(source: Source, tmp_path: Path) -> None:
    """Three shards are one stream; examples follow the rows, the comparative one comes last."""
    data = DataSet.open(made(source, tmp_path / "out").folder)
    assert len(list((tmp_path / "out").glob("sft-*-of-00003.jsonl"))) == 3
    assert [m.utterance.utterance_id for m in data.measured("test")] == ["u1", "u3", "u5", "u7"]
    rows = list(data.rows())
    assert (
        [m.utterance.utterance_id for m, _ in rows] == [t.utterance_id for _, t in rows] == [f"u{i}" for i in range(8)]
    )
    assert [e.utterance_id for e in data.examples("train", task=Task.REASONING)] == ["u0", "u2", "u4", "u6"]
    everything = list(data.examples())
    assert everything[-1].task is Task.COMPARATIVE
    assert len(everything) == sum(data.description["counts"]["sft_examples"].values())
    assert (tmp_path / "out" / everything[-1].audio_path).read_bytes() == b"sound"
    assert [item.id for item in data.failed()] == ["gone.wav"]
    assert (data.corpus, str(data.audio_root), data.scale.name) == ("made", "/audio", "scale.json")


def test_a_data_set_is_the_source_of_another(source: Source, tmp_path: Path) -> None:
    """Built again from its own `measured.jsonl`, shards and all, with what the first build was told: same bytes."""
    first = made(source, tmp_path / "one").folder
    second = made(Source.of(first / "measured.jsonl"), tmp_path / "two").folder
    names = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(second) for p in second.rglob("*") if p.is_file())
    assert [n for n in names if (first / n).read_bytes() != (second / n).read_bytes()] == []


def test_a_complete_data_set_is_not_touched_and_a_damaged_one_is_written_again(source: Source, tmp_path: Path) -> None:
    """By times of modification; then a shard loses a line."""
    folder = made(source, tmp_path / "out").folder
    files = [p for p in folder.rglob("*") if p.is_file()]
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in files}
    made(source, folder)
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in files} == before
    shard = folder / "traces-00001-of-00003.jsonl"
    shard.write_text("".join(shard.read_text().splitlines(keepends=True)[1:]))
    made(source, folder)
    assert {p: p.read_bytes() for p in files} == {p: content for p, (_, content) in before.items()}


def test_equal_classes_over_several_shards(source: Source, tmp_path: Path) -> None:
    """Of the eight, two each are loud, quiet, whispered and moderate: two of each level of energy, unbalanced 4 low."""
    tasks = TaskConfig(PAPER_9, "Which?", 0, balance=1.0)
    data = made(source, tmp_path / "out", replace(CONFIG, tasks=tasks))
    energies = sorted(e.target for e in data.examples() if e.example_id.endswith("/attribute-energy"))
    assert energies == [f"energy {level}" for level in ("high", "high", "low", "low", "normal", "normal")]


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "dataset.json").unlink(), r"is not a data set: dataset\.json is missing"),
        (lambda f: (f / "dataset.json").write_text("{"), r"dataset\.json is not valid"),
        (lambda f: edit(f / "dataset.json", schema_version="1.1"), r"has schema version 1\.1, this release reads 2\.0"),
        (lambda f: edit(f / "dataset.json", schema_version="3.0"), r"has schema version 3\.0"),
        (lambda f: edit(f / "dataset.json", label_set="NOPE"), "unknown label set 'NOPE'"),
        (lambda f: (f / "scale.json").unlink(), r"scale\.json is missing"),
        (lambda f: (f / "scale.json").write_text("{} "), r"scale\.json differs from the SHA-256"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(source: Source, tmp_path: Path, damage: object, message: str) -> None:
    """Each with what to do: write it again."""
    folder = made(source, tmp_path / "out").folder
    damage(folder)  # type: ignore[operator]
    with pytest.raises(DataSetError, match=message) as caught:
        DataSet.open(folder)
    assert "write it again with" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_newer_minor_version_is_read(source: Source, tmp_path: Path) -> None:
    """It may say more, and says nothing otherwise."""
    folder = made(source, tmp_path / "out").folder
    edit(folder / "dataset.json", schema_version="2.7", more=1)
    assert len(list(DataSet.open(folder).measured())) == 8


def test_a_split_without_rows_names_those_that_have_some(source: Source, tmp_path: Path) -> None:
    """And how folds are made."""
    error = str(made(source, tmp_path / "out").split_error("dev"))
    assert "no row in split 'dev'; its splits are: test (4 rows), train (4 rows)" in error
    assert "--fold 1/5" in error


def test_a_build_never_writes_over_its_input(source: Source) -> None:
    """The folder of `measured.jsonl` is refused as a target."""
    with pytest.raises(ValueError, match=r"measured\.jsonl, which would be overwritten"):
        made(source, source.measured.parent)
    shutil.rmtree(source.measured.parent)


def test_admitted_texts_become_a_data_set(source: Source, tmp_path: Path) -> None:
    """Texts of others for six of eight clips, one of them false: five are taken, one is contradicted, two have none."""
    first = made(source, tmp_path / "one", replace(CONFIG, shard_rows=9))
    written = [trace for _, trace in first.rows()]
    lines = [replace(t, generator="someone") for t in written[:6]]
    lines[1] = replace(lines[1], think=lines[1].think + " The energy is very high.", claims=())
    write_jsonl(tmp_path / "texts.jsonl", lines[::-1])
    arguments = ["build", "--profiles", tmp_path / "one" / "measured.jsonl", "-o", tmp_path / "two"]
    arguments += ["--generator", "traces", "--traces", tmp_path / "texts.jsonl"]
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    assert result.exit_code == 1
    data = DataSet.open(tmp_path / "two")
    assert [(t.utterance_id, t.generator) for _, t in data.rows()] == [(f"u{i}", "someone") for i in (0, 2, 3, 4, 5)]
    assert [(f.id, f.stage, f.error) for f in data.failed() if f.id != "gone.wav"] == [
        ("u1", "verify", "ContradictedError"), ("u6", "reason", "GenerationError"), ("u7", "reason", "GenerationError"),
    ]  # fmt: skip
    without = CliRunner().invoke(cli.app, [str(a) for a in arguments[:-2]])
    assert "--traces FILE" in str(without.exception)


def boasting(trace: Any) -> Any:
    return replace(trace, think=trace.think + " The energy is very high.")


class Boasting(RuleGenerator):
    """Says of the second utterance what was not measured."""

    def generate(self, utterances: Iterable[MeasuredUtterance]) -> Iterator[Outcome]:
        for outcome in super().generate(utterances):
            trace = outcome.result
            is_second = isinstance(trace, ReasoningTrace) and trace.utterance_id == "u1"
            yield replace(outcome, result=boasting(trace)) if is_second else outcome


def in_threads(function: Verify, written: Iterable[Written]) -> Iterator[tuple[Written, Any]]:
    with ThreadPoolExecutor(2) as pool:
        for item, done in [(item, pool.submit(function, item)) for item in written]:
            yield item, done.exception() or done.result()


def test_where_traces_are_verified_changes_nothing(source: Source, tmp_path: Path) -> None:
    """Here and in two threads: one of eight is left out as contradicted, and the files are the same."""
    made = [
        build(source, tmp_path / name, CONFIG, generator=Boasting(PAPER_9, seed=0), each=each)
        for name, each in {"here": one_by_one, "threads": in_threads}.items()
    ]
    assert made[0].files == made[1].files
    assert [(f.id, f.error) for f in made[1].failed() if f.stage == "verify"] == [("u1", "ContradictedError")]


def test_a_clip_cannot_leave_its_folder(source: Source, tmp_path: Path) -> None:
    """A list of clips from elsewhere that names a file above it: nothing is written there."""
    clip = replace(source.clips[0], audio_path="../stray.flac")
    with pytest.raises(ValueError, match=r"stray\.flac, outside of its folder"):
        made(replace(source, clips=(clip,)), tmp_path / "out")
    assert not (tmp_path / "stray.flac").exists()
