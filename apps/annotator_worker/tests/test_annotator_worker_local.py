"""The local run: what it writes, that it is the same whatever way it came about, and that it continues."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from annotator_worker.cli import cli
from annotator_worker.listing import CorpusRequest, list_corpus
from annotator_worker.local import WORK_FILE, run
from annotator_worker.records import Stage
from cotgen import DataSetError, Style
from cotgen.dataset import DataSet
from cotgen.reasoning import ReasoningConfig
from prosody import LevelScale, analyze
from speech_records import MeasuredUtterance, ReasoningTrace, Verdict, read_jsonl

CLIPS = 84
"""After the first, which the tests below wait for, there is work for more than a second."""
TRAIN, TEST = 63, 21
COMPARATIVE = 2


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    return kit.write_corpus(tmp_path_factory.mktemp("local") / "corpus", clips=CLIPS)


def listing(root: Path, **options):
    return list_corpus(CorpusRequest("manifest", root, seed=3, comparative=COMPARATIVE, **options))


@pytest.fixture(scope="module")
def whole(root: Path) -> Path:
    """The data set of one process that was never stopped."""
    out = root.parent / "whole"
    run(listing(root), out)
    return out


def test_every_file_speaks_of_the_same_utterances(whole: Path) -> None:
    """Three of every four clips were made as train clips."""
    index = json.loads((whole / "dataset.json").read_text())
    measured = list(read_jsonl(whole / "measured.jsonl", MeasuredUtterance))
    traces = list(read_jsonl(whole / "traces.jsonl", ReasoningTrace))
    ids = [f"made-{i:03}" for i in range(CLIPS)]
    assert [m.utterance.utterance_id for m in measured] == [t.utterance_id for t in traces] == ids
    assert index["counts"]["splits"] == {"test": TEST, "train": TRAIN}
    assert index["synthetic"] is True
    assert index["audio_root"] == str(whole.parent / "corpus")
    assert (index["label_set"], index["seed"]) == ("PAPER_9", 3)


def test_index_names_the_hash_of_every_file(whole: Path, kit) -> None:
    files = json.loads((whole / "dataset.json").read_text())["files"]
    assert set(files) == set(kit.contents(whole)) - {"dataset.json"}
    DataSet.open(whole)


def test_no_claim_contradicts_and_check_finds_a_forged_level(whole: Path, tmp_path: Path) -> None:
    """`verify` counts verdicts of an untouched data set; a file that was edited is refused for its hash."""
    verdicts = Counter(c.verdict for _, trace in DataSet.open(whole).rows() for c in trace.claims)
    assert verdicts[Verdict.CONTRADICTED] == 0
    assert verdicts[Verdict.SUPPORTED] >= 3 * CLIPS
    told = CliRunner().invoke(cli, ["verify", str(whole)])
    assert (told.exit_code, f"{verdicts[Verdict.SUPPORTED]} claims supported" in told.stdout) == (0, True)
    forged = tmp_path / "forged"
    subprocess.run(["cp", "-r", str(whole), str(forged)], check=True)
    text = (forged / "measured.jsonl").read_text()
    (forged / "measured.jsonl").write_text(text.replace('"low"', '"high"', 1))
    with pytest.raises(DataSetError, match=r"measured\.jsonl differs from the SHA-256"):
        DataSet.open(forged)
    assert CliRunner().invoke(cli, ["verify", str(forged)]).exit_code == 2


def test_the_scale_knows_the_train_split_only(whole: Path) -> None:
    """All train clips, and only they: every one is voiced."""
    scale = LevelScale.load(whole / "scale.json")
    assert {measure: groups["pooled"].n for measure, groups in scale.groups.items()} == dict.fromkeys(
        ("pitch", "energy", "rate"), TRAIN
    )


def test_two_processes_give_the_same_bytes(root: Path, whole: Path, kit) -> None:
    out = root.parent / "two"
    run(listing(root), out, workers=2)
    assert kit.contents(out) == kit.contents(whole)


def test_another_seed_words_it_differently_and_measures_the_same(root: Path, whole: Path, tmp_path: Path) -> None:
    run(list_corpus(CorpusRequest("manifest", root, seed=4)), tmp_path)
    assert (tmp_path / "measured.jsonl").read_bytes() == (whole / "measured.jsonl").read_bytes()
    assert (tmp_path / "traces.jsonl").read_bytes() != (whole / "traces.jsonl").read_bytes()


def test_a_killed_run_continues_to_the_same_bytes(root: Path, whole: Path, tmp_path: Path, kit) -> None:
    """Killed with SIGKILL once its first clip is kept; the second run measures only what is missing."""
    out = tmp_path / "out"
    command = [
        sys.executable, "-m", "annotator_worker", "run", "--local", "--corpus", "manifest", "--root", str(root),
        "-o", str(out), "--workers", "1", "--seed", "3", "--comparative", str(COMPARATIVE),
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for_lines(out / WORK_FILE, 1, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with (out / WORK_FILE).open("a") as work:
        work.write('{"key": "cut short')
    kept = (out / WORK_FILE).read_text().count("\n")
    assert 0 < kept < CLIPS
    assert not (out / "dataset.json").exists()
    reports: list[tuple[Stage, int, int]] = []
    run(listing(root), out, report=lambda *r: reports.append(r))
    assert reports[0] == (Stage.MEASURE, kept, CLIPS)
    assert kit.contents(out) == kit.contents(whole)


def wait_for_lines(path: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < end, "the run kept nothing within a minute"
        time.sleep(0.001)


def test_an_interrupt_is_one_line_and_status_130(root: Path, tmp_path: Path) -> None:
    """Sent to the whole group, as a terminal does: the workers leave it to the run, which says how to go on.

    A shell starts what it puts in the background with interrupts ignored, and children inherit that.
    """
    command = [
        sys.executable, "-m", "annotator_worker", "run", "--local", "--corpus", "manifest", "--root", str(root),
        "-o", str(tmp_path / "out"), "--workers", "2",
    ]  # fmt: skip
    with (tmp_path / "stderr").open("w") as stderr:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(command, stderr=stderr, start_new_session=True)
        signal.signal(signal.SIGINT, before)
        try:
            wait_for_lines(tmp_path / "out" / WORK_FILE, 1, process)
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            if group_is_alive(process.pid):
                os.killpg(process.pid, signal.SIGKILL)
    lines = (tmp_path / "stderr").read_text().splitlines()
    assert lines[-1] == "stopped; the same command continues"
    assert "Traceback" not in "".join(lines)


def test_workers_end_with_a_killed_parent(root: Path, tmp_path: Path) -> None:
    """A worker of a run that was killed alone, without its group, must not wait for work without end."""
    command = [
        sys.executable, "-m", "annotator_worker", "run", "--local", "--corpus", "manifest", "--root", str(root),
        "-o", str(tmp_path), "--workers", "2",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for_lines(tmp_path / WORK_FILE, 1, process)
        process.kill()
        process.wait()
        end = time.monotonic() + 20
        while group_is_alive(process.pid):
            assert time.monotonic() < end, "workers outlive their parent"
            time.sleep(0.05)
    finally:
        if group_is_alive(process.pid):
            os.killpg(process.pid, signal.SIGKILL)


def group_is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_nothing_to_do_changes_nothing_and_asks_no_generator(root: Path, whole: Path) -> None:
    """The second run reports measuring and clips as done at once, and comes to no further stage."""
    before = {
        path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.is_file() and ".work" not in path.parts
    }
    reports: list[tuple[Stage, int, int]] = []
    run(listing(root), whole, report=lambda *r: reports.append(r))
    assert reports == [(Stage.MEASURE, CLIPS, CLIPS), (Stage.COMPARE, 2 * COMPARATIVE, 2 * COMPARATIVE)]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_changed_audio_is_measured_again(tmp_path: Path, kit) -> None:
    """An octave up: the median F0 of the one clip that changed doubles, the others are taken from the work file."""
    root = kit.write_corpus(tmp_path / "corpus", clips=4)
    run(list_corpus(CorpusRequest("manifest", root)), tmp_path / "out")
    soundfile.write(root / "audio" / "001.flac", kit.speechlike(300.0, syllables=5, rate_sps=4.0, peak=0.3), 16_000)
    reports: list[tuple[Stage, int, int]] = []
    run(list_corpus(CorpusRequest("manifest", root)), tmp_path / "out", report=lambda *r: reports.append(r))
    assert reports[0] == (Stage.MEASURE, 3, 4)
    measured = list(read_jsonl(tmp_path / "out" / "measured.jsonl", MeasuredUtterance))
    assert measured[1].profile.f0_median_hz == pytest.approx(300.0 * 2 ** (-1 / 12), rel=0.03)


def test_limit_takes_the_first_of_the_corpus(root: Path, tmp_path: Path) -> None:
    summary = run(list_corpus(CorpusRequest("manifest", root, limit=3)), tmp_path)
    assert summary.description["counts"]["utterances"] == 3


def test_comparative_clips_vary_what_they_say(whole: Path) -> None:
    """Each third of a clip is measured by itself: the order of what is measured must be the order that is told."""
    measure = {
        "pitch": lambda p: p.f0_median_hz,
        "energy": lambda p: p.energy_dbfs,
        "rate": lambda p: -p.duration_s,
    }
    words = {"low": 0, "slow": 0, "normal": 1, "high": 2, "fast": 2}
    examples = [json.loads(line) for line in (whole / "sft.jsonl").read_text().splitlines()]
    clips = [e for e in examples if e["task"] == "comparative"]
    assert len(clips) == 2 * COMPARATIVE
    assert {c["split"] for c in clips} == {"train", "test"}
    for clip in clips:
        attribute = next(name for name in measure if name in clip["question"])
        samples, rate = soundfile.read(whole / clip["audio_path"])
        found = [measure[attribute](analyze(part, rate)) for part in parts(samples, rate)]
        assert list(np.argsort(np.argsort(found))) == [words[w.strip()] for w in clip["target"].split(",")]


def parts(samples: np.ndarray, rate: int) -> list[np.ndarray]:
    """The clip cut at its exact digital silences of at least 0.2 s."""
    silent = np.flatnonzero(np.convolve(np.abs(samples), np.ones(int(0.2 * rate)), mode="valid") == 0)
    cuts = [int(np.median(run)) + int(0.1 * rate) for run in np.split(silent, np.flatnonzero(np.diff(silent) > 1) + 1)]
    assert len(cuts) == 2
    return np.split(samples, cuts)


def test_what_a_corpus_leaves_out_on_purpose_is_said(tmp_path: Path, kit) -> None:
    """An MSP-Podcast tree of two angry clips and one that no two raters agreed on (`X`), which our labels lack."""
    root = tmp_path / "msp"
    for folder in ("Labels", "Audios"):
        (root / folder).mkdir(parents=True)
    rows = ["FileName,EmoClass,SpkrID,Split_Set,Gender"]
    for i, label in enumerate("AAX"):
        rows.append(f"MSP-PODCAST_0001_000{i}.wav,{label},7,Train,Female")
        clip = kit.speechlike(180.0, syllables=5, rate_sps=4.0 + i, peak=0.3)
        soundfile.write(root / "Audios" / f"MSP-PODCAST_0001_000{i}.wav", clip, 16_000)
    (root / "Labels" / "labels_consensus.csv").write_text("\n".join(rows) + "\n")
    summary = run(list_corpus(CorpusRequest("msp_podcast", root)), tmp_path / "out")
    assert summary.description["measuring"]["dropped"] == [{"reason": "label X", "count": 1}]
    assert summary.description["counts"]["utterances"] == 2


def test_reasoning_is_written_as_asked(root: Path, tmp_path: Path) -> None:
    """The generators' names are those of `cotgen`'s styles; varied is what a data team wants, so it needs no asking."""
    written = {}
    for name, options in {
        "varied": {},
        "plain": {"reasoning": ReasoningConfig(style=Style.PLAIN)},
    }.items():
        run(list_corpus(CorpusRequest("manifest", root, limit=3, **options)), tmp_path / name)
        written[name] = {t.generator for t in read_jsonl(tmp_path / name / "traces.jsonl", ReasoningTrace)}
    assert written == {"varied": {"rules/4"}, "plain": {"rules/3"}}
