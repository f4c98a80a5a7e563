"""Files and shards read as one, and what is reported of them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cotgen import Language, Style, generate, verify_trace
from cotgen.batch import Failure, measured_index, records, texts
from cotgen.dataset.stats import summarise
from cotgen.errors import CotgenError
from cotgen.shards import Lines, shard_name
from cotgen.verification import is_german
from speech_records import (
    PAPER_9,
    Cue,
    Emotion,
    MeasuredUtterance,
    ReasoningTrace,
    Verdict,
    read_jsonl,
    to_json,
    write_jsonl,
)

CLIPS = Path(__file__).parent / "data" / "claims_clips.jsonl"


def shard(path: Path, count: int) -> None:
    """Split a file into `count` shards beside it, and remove it."""
    lines = path.read_bytes().splitlines(keepends=True)
    for number in range(count):
        name = shard_name(path.stem, number, count)
        (path.parent / name).write_bytes(b"".join(lines[number::count]))
    path.unlink()


def test_shards_read_as_one_file(tmp_path: Path) -> None:
    """Four lines in two shards: every line once, where it stands, and again by its place."""
    path = tmp_path / "measured.jsonl"
    path.write_bytes(CLIPS.read_bytes() + b"\n")
    shard(path, 2)
    with Lines(path) as lines:
        read = list(lines)
        assert [where for where, _, _ in read] == [
            f"measured-0000{n}-of-00002.jsonl:{line}" for n in (0, 1) for line in (1, 2)
        ]
        assert [lines.at(place) for _, place, _ in read] == [raw for _, _, raw in read]
    assert sorted(raw for _, _, raw in read) == sorted(CLIPS.read_bytes().splitlines(keepends=True))


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CotgenError, match="is a folder: name a file in it"):
        Lines(tmp_path)
    with pytest.raises(CotgenError, match="does not exist"):
        Lines(tmp_path / "no.jsonl")


def test_measurements_are_found_by_id_and_by_audio(tmp_path: Path) -> None:
    """Broken lines and repeats are reported with their line, and the first of two counts."""
    path = tmp_path / "measured.jsonl"
    path.write_bytes(CLIPS.read_bytes() + b"{broken\n" + CLIPS.read_bytes().splitlines(keepends=True)[0])
    found: list[Failure] = []
    with measured_index(path, found.append) as index:
        expected = list(read_jsonl(CLIPS, MeasuredUtterance))
        assert list(index) == expected
        assert index.by_id("quiet") == index.by_audio("quiet.wav") == expected[1]
        assert index.by_id("nobody") is index.by_audio("nowhere.wav") is None
    assert [f.where for f in found] == ["measured.jsonl:5", "measured.jsonl:6"]


def test_texts_of_both_forms_find_their_measurements(tmp_path: Path) -> None:
    """A trace by id, a published row by audio path; a row with other words is not of that clip."""
    row = '{"audio_path": "%s", "transcription": "%s", "emotion": "sad", "cot_analysis": "Quiet."}\n'
    path = tmp_path / "texts.jsonl"
    trace = ReasoningTrace("loud", "The voice is loud.", Emotion.ANGRY)
    path.write_text(
        to_json(trace)
        + "\n"
        + row % ("quiet.wav", "Dogs are sitting by the door")
        + row % ("quiet.wav", "Something else")
        + row % ("nowhere.wav", "")
        + to_json(replace(trace, utterance_id="nobody"))
        + "\n{broken\n"
    )
    found: list[Failure] = []
    with measured_index(CLIPS, found.append) as index:
        pairs = list(texts(path, index, found.append))
    assert [(t.think, m.utterance.utterance_id) for t, m in pairs] == [
        ("The voice is loud.", "loud"),
        ("Quiet.", "quiet"),
    ]
    assert [f.where for f in found] == ["quiet.wav", "nowhere.wav", "nobody", "texts.jsonl:6"]
    assert "profile of another utterance" in found[0].message


def test_stats_count_without_holding_texts() -> None:
    """Three traces of 2, 3 and 3 words, two of them alike: median 3, one text of three that no other trace has."""
    traces = [ReasoningTrace("a", text, Emotion.SAD) for text in ("So quiet.", "It is low.", "It is low.")]
    summary = summarise([], iter(traces))
    assert summary.words is not None
    assert (summary.words.least, summary.words.median, summary.words.greatest) == (2, 3, 3)
    assert summary.distinct_texts == pytest.approx(1 / 3)
    even = summarise([], iter(traces[:2])).words
    assert even is not None
    assert even.median == 2.5


@pytest.mark.slow
def test_verification_needs_no_more_memory_for_a_larger_file(tmp_path: Path) -> None:
    """Ten times the traces and measurements, less than 8 MiB more at the peak."""
    (first, *_) = read_jsonl(CLIPS, MeasuredUtterance)
    peaks = []
    for rows in (1_500, 15_000):
        folder = tmp_path / str(rows)
        folder.mkdir()
        write_jsonl(
            folder / "measured.jsonl",
            (
                replace(first, utterance=replace(first.utterance, utterance_id=f"u{i}", audio_path=f"{i}.wav"))
                for i in range(rows)
            ),
        )
        write_jsonl(
            folder / "traces.jsonl",
            (ReasoningTrace(f"u{i}", f"Clip {i} is loud and the pitch is high.", Emotion.ANGRY) for i in range(rows)),
        )
        code = (
            "import resource, sys; from cotgen import cli; sys.argv[0] = 'cotgen'\n"
            "try: cli.main()\n"
            "except SystemExit: pass\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        arguments = ["verify", "traces.jsonl", "--profiles", "measured.jsonl", "-o", "verified.jsonl"]
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, check=True
        )
        assert len(list(records(folder / "verified.jsonl", ReasoningTrace, print))) == rows
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 8, peaks


def test_variety_is_that_of_a_sample_of_fixed_size() -> None:
    """Of 1 500 texts 1 000 are kept, the same ones each time; 1 000 distinct ones of two words that no other has."""
    traces = [ReasoningTrace("a", f"word{i} tail{i}", Emotion.SAD) for i in range(1_500)]
    variety = summarise([], iter(traces)).variety
    assert (variety.texts, variety.distinct_1, variety.distinct_2) == (1_000, 1.0, 1.0)
    assert summarise([], iter(traces)).variety == variety


def test_german_traces_keep_their_claims_and_have_them_judged_again() -> None:
    """Written for `loud`, held against `loud` and then against `quiet`, which is low, quiet and slow."""
    loud, quiet, *_ = read_jsonl(CLIPS, MeasuredUtterance)
    trace = generate(loud, label_set=PAPER_9, seed=1, style=Style.VARIED, language=Language.GERMAN)
    assert is_german(trace.think)
    assert verify_trace(trace, loud) == trace
    verdicts = {c.cue: c.verdict for c in verify_trace(trace, quiet).claims}
    assert verdicts[Cue.ENERGY] is verdicts[Cue.RATE] is Verdict.CONTRADICTED
    english = generate(loud, label_set=PAPER_9, seed=1, style=Style.VARIED)
    assert not is_german(english.think)
    found = verify_trace(english, loud).claims
    assert sorted((c.cue, c.value) for c in found) == sorted((c.cue, c.value) for c in english.claims)
