"""`cotgen build`: the card, what bad lines do, and that a killed build ends in the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cotgen.dataset import BuildConfig, DataSet, Source, build
from cotgen.dataset.building import Verify, Written, one_by_one
from cotgen.generation import Generator, RuleGenerator
from cotgen.rules import Style
from cotgen.tasks import Task, TaskConfig
from speech_corpora import emotioncot
from speech_records import PAPER_9, MeasuredUtterance, ReasoningTrace, from_json, read_jsonl, to_json, write_jsonl
from speech_records.shards import shard_name

CLIPS = Path(__file__).parent / "data" / "claims_clips.jsonl"


def write(path: Path, count: int) -> Path:
    """`count` lines of the first clip under other names."""
    one = from_json(MeasuredUtterance, CLIPS.read_text(encoding="utf-8").splitlines()[0])
    named = (
        replace(one, utterance=replace(one.utterance, utterance_id=f"u{i:05}", split="train")) for i in range(count)
    )
    path.write_text("".join(to_json(m) + "\n" for m in named), encoding="utf-8")
    return path


def made(profiles: Path, out: Path, *, generator: Generator | None = None, **options: Any) -> DataSet:
    """A data set by the rules, unless another generator is given."""
    config = BuildConfig(TaskConfig(PAPER_9, "Which?", 0), **options)
    return build(Source.of(profiles), out, config, generator=generator or RuleGenerator(PAPER_9, seed=0))


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_speech_without_a_label_gives_examples_about_its_prosody(tmp_path: Path) -> None:
    """Lines 2 and 5 of five have no emotion, in shards of two: they are no rows and no failures, and they are asked
    what can be asked without a label. Without such lines there is no file of them."""
    profiles = write(tmp_path / "measured.jsonl", 5)
    whole = made(profiles, tmp_path / "whole", shard_rows=2)
    assert not list(whole.unlabelled())
    assert not list((tmp_path / "whole").glob("unlabelled*"))
    lines = list(read_jsonl(profiles, MeasuredUtterance))
    for i in (1, 4):
        lines[i] = replace(lines[i], utterance=replace(lines[i].utterance, emotion=None))
    write_jsonl(tmp_path / "some.jsonl", lines)
    data = made(tmp_path / "some.jsonl", tmp_path / "out", shard_rows=2)
    assert [m.utterance.utterance_id for m in data.unlabelled("train")] == ["u00001", "u00004"]
    assert [m.utterance.utterance_id for m in data.measured()] == ["u00000", "u00002", "u00003"]
    counts = data.description["counts"]
    assert (counts["utterances"], counts["unlabelled"], counts["failed"]) == (3, {"train": 2}, 0)
    about = {e.task for e in data.examples() if e.utterance_id in ("u00001", "u00004")}
    assert about == {e.task for e in whole.examples()} - {Task.REASONING, Task.LABEL}
    assert {e.utterance_id for e in data.examples(task=Task.ATTRIBUTE)} == {f"u{i:05}" for i in range(5)}


def test_what_a_process_died_verifying_is_a_failed_item(tmp_path: Path) -> None:
    """The second of three; the others are there, and the data set is whole."""

    def each(verify: Verify, written: Iterable[Written]) -> Iterator[tuple[Written, ReasoningTrace | Exception | None]]:
        for item, checked in one_by_one(verify, written):
            yield item, RuntimeError("died") if item[0].utterance.utterance_id == "u00001" else checked

    config = BuildConfig(TaskConfig(PAPER_9, "Which?", 0))
    source = Source.of(write(tmp_path / "measured.jsonl", 3))
    data = build(source, tmp_path / "out", config, generator=RuleGenerator(PAPER_9, seed=0), each=each)
    assert [m.utterance.utterance_id for m in data.measured()] == ["u00000", "u00002"]
    (failed,) = (json.loads(line) for line in (tmp_path / "out" / "errors.jsonl").read_text().splitlines())
    assert (failed["id"], failed["stage"], failed["message"]) == ("u00001", "verify", "died")


def test_a_killed_build_continues_to_the_same_bytes(tmp_path: Path) -> None:
    """SIGKILL once a shard is there; the whole build is the reference."""
    profiles = write(tmp_path / "measured.jsonl", 300)
    whole = made(profiles, tmp_path / "whole", shard_rows=25)
    assert (whole.description["counts"]["utterances"], whole.description["counts"]["failed"]) == (300, 0)
    code = "from cotgen.cli import main; main()"
    options = ["build", "--profiles", str(profiles), "-o", str(tmp_path / "out"), "--shard-rows", "25"]
    options += ["--style", "plain", "--question", "Which?"]
    process = subprocess.Popen([sys.executable, "-c", code, *options], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not list((tmp_path / "out").glob("traces-00001-*")):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out" / "dataset.json").exists()
    kept = (tmp_path / "out" / shard_name("traces", 0, 12)).stat().st_ino
    made(profiles, tmp_path / "out", shard_rows=25)
    assert (tmp_path / "out" / shard_name("traces", 0, 12)).stat().st_ino == kept, "the first shard was written again"
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("change", "message", "named"),
    [
        ({"transcript": "kids " * 10_000}, "10000 words", "u00001"),
        ({"transcript": "Kids</think>"}, "</think>", "u00001"),
        ({"transcript": "Kids <|im_end|>"}, "<|im_end|>", "u00001"),
        ({"transcript": "Nothing of that"}, "profile of another utterance", "u00001"),
        ({"emotion": "purple"}, "purple", "measured.jsonl:2"),
        ({"audio_path": ""}, "audio_path", "measured.jsonl:2"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_is_done(
    tmp_path: Path, change: dict[str, str], message: str, named: str
) -> None:
    """The second of three lines is bad: named by its id where it is a record, otherwise by its line."""
    profiles = write(tmp_path / "measured.jsonl", 3)
    lines = [json.loads(line) for line in profiles.read_text(encoding="utf-8").splitlines()]
    lines[1]["utterance"] |= change
    profiles.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    found = made(profiles, tmp_path / "out")
    (failure,) = found.failed()
    assert (found.card()["rows"], failure.id) == (2, named)
    assert message in failure.message


def test_shared_speakers_and_repeats_are_named(tmp_path: Path) -> None:
    """One speaker says one sentence in both splits."""
    profiles = write(tmp_path / "measured.jsonl", 2)
    text = profiles.read_text(encoding="utf-8").splitlines()
    profiles.write_text(text[0] + "\n" + text[1].replace('"train"', '"test"') + "\n", encoding="utf-8")
    card = made(profiles, tmp_path / "out").card()
    assert card["speakers"]["first_of_them"] in (["claims m1: train, test"], ["claims m1: test, train"])
    assert card["near_duplicates"]["transcript"] == {"rows": 1, "across_splits": 1}


def test_the_style_decides_what_is_written_and_is_in_the_card(tmp_path: Path) -> None:
    """Two builds of one clip into one folder: none continues another's."""
    profiles = write(tmp_path / "measured.jsonl", 1)
    written = {}
    for style in Style:
        rules = RuleGenerator(PAPER_9, seed=0, style=style)
        card = made(profiles, tmp_path / "out", generator=rules).card()
        assert card["generator"] == {"name": "rules", "style": style.value}
        written[style] = next(read_jsonl(tmp_path / "out" / "traces.jsonl", ReasoningTrace))
    assert written[Style.PLAIN].think != written[Style.VARIED].think
    assert [trace.generator for trace in written.values()] == ["rules/3", "rules/5", "rules/4"]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    """Three times the lines in as many more shards, both past the point where SQLite's page cache is full (about 2 MB);
    5 % are allowed for the interpreter."""
    code = (
        "import sys; from pathlib import Path; from cotgen.dataset import BuildConfig, Source, build;"
        "from speech_records import PAPER_9;"
        "from cotgen.generation import RuleGenerator; from cotgen.tasks import TaskConfig;"
        "config = BuildConfig(TaskConfig(PAPER_9, 'Which?', 0), shard_rows=500);"
        "build(Source(Path(sys.argv[1])), Path(sys.argv[2]), config, generator=RuleGenerator(PAPER_9, seed=0));"
        "print(next(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line))"
    )

    def peak(count: int) -> int:
        profiles = write(tmp_path / f"{count}.jsonl", count)
        words = [sys.executable, "-c", code, str(profiles), str(tmp_path / f"out{count}")]
        return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)

    assert peak(18_000) < 1.05 * peak(6_000)


def test_a_file_name_that_is_not_utf8_is_built(tmp_path: Path) -> None:
    """Byte 0xE0 as Python reads it from the disk: the rows of the lines name the file, Parquet has it escaped."""
    parquet = pytest.importorskip("pyarrow.parquet")
    clip = next(read_jsonl(CLIPS, MeasuredUtterance))
    odd = replace(clip, utterance=replace(clip.utterance, audio_path=os.fsdecode(b"modal\xe0.wav")))
    write_jsonl(tmp_path / "in.jsonl", [odd])
    made(tmp_path / "in.jsonl", tmp_path / "out", parquet=True)
    (row,) = parquet.read_table(tmp_path / "out" / "dataset.parquet").to_pylist()
    assert row["audio_path"] == r"modal\udce0.wav"
    (published,) = emotioncot.read(tmp_path / "out" / "emotioncot.jsonl").rows
    assert published.audio_path == odd.utterance.audio_path


def test_parquet_holds_the_same_rows_as_the_lines(tmp_path: Path) -> None:
    """Four clips in shards of two, as columns: ids, texts and claims as in the JSON Lines, twice the same bytes."""
    parquet = pytest.importorskip("pyarrow.parquet")
    for folder in ("a", "b"):
        made(CLIPS, tmp_path / folder, shard_rows=2, parquet=True)
    files = sorted((tmp_path / "a").glob("dataset-*.parquet"))
    assert [f.name for f in files] == ["dataset-00000-of-00002.parquet", "dataset-00001-of-00002.parquet"]
    assert [f.read_bytes() for f in files] == [(tmp_path / "b" / f.name).read_bytes() for f in files]
    rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
    traces = [
        trace
        for number in range(2)
        for trace in read_jsonl(tmp_path / "a" / shard_name("traces", number, 2), ReasoningTrace)
    ]
    assert [(r["utterance_id"], r["cot_analysis"]) for r in rows] == [(t.utterance_id, t.think) for t in traces]
    assert [[(c["cue"], c["verdict"], c["hedged"]) for c in r["claims"]] for r in rows] == [
        [(c.cue.value, c.verdict.value, c.hedged) for c in t.claims] for t in traces
    ]
    assert set(DataSet.open(tmp_path / "a").files) >= {f.name for f in files}
    made(CLIPS, tmp_path / "a")
    assert not list((tmp_path / "a").glob("*.parquet"))
