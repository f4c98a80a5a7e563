"""The commands that make sets to test on and score answers: files out, figures printed, bad lines reported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotgen import CotgenError, cli
from cotgen.tasks import SFTExample
from cotgen.tasks.conflict import ConflictItem, ConflictRecipe
from cotgen.tasks.perception import Column, PerceptionItem
from speech_records import Emotion, MeasuredUtterance, RecordFileError, read_jsonl, write_jsonl

CLIPS = list(read_jsonl(Path(__file__).parent / "data" / "claims_clips.jsonl", MeasuredUtterance))


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    if isinstance(result.exception, CotgenError | RecordFileError):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    """Sixty utterances of three clips (high, low and middle levels), all in the split `test`."""
    measured = []
    for i in range(60):
        one = (CLIPS[0], CLIPS[1], CLIPS[3])[i % 3]
        measured.append(replace(one, utterance=replace(one.utterance, utterance_id=f"u{i:02}", split="test")))
    write_jsonl(tmp_path / "m.jsonl", measured)
    return tmp_path / "m.jsonl"


def answer(path: Path, answers: Mapping[str, str]) -> Path:
    lines = (json.dumps({"item_id": name, "answer": text}) + "\n" for name, text in answers.items())
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_perception_and_its_score(profiles: Path, tmp_path: Path) -> None:
    """Twenty of each level, ten asked; one always says low: a third is right, which is chance."""
    out = tmp_path / "perception.jsonl"
    status, stdout, stderr = run("perception", "--profiles", profiles, "--most", 10, "-o", out)
    assert (status, stdout) == (0, "")
    assert "pitch: 10 of each of low, normal, high (clear cases: 20 low, 20 normal, 20 high)" in stderr
    items = list(read_jsonl(out, PerceptionItem))
    answers = answer(tmp_path / "a.jsonl", {i.item_id: "low" for i in items if i.column is Column.PITCH})
    status, stdout, stderr = run("score", out, "--answers", answers, "--report", tmp_path / "r.json")
    assert status == 0
    head, pitch, rate, *_ = stdout.splitlines()
    assert head.split() == ["answers", "accuracy", "lower", "upper", "chance", "invalid"]
    assert pitch.split() == ["pitch", "30", "33.3", "%", "19.2", "%", "51.2", "%", "33.3", "%", "0.0", "%"]
    assert rate.split()[:4] == ["rate", "30", "0.0", "%"]
    figures = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert figures["rows"]["rate"]["invalid"] == 1.0
    assert figures["unanswered"] == len(items) - 30
    assert f"{len(items) - 30} items without an answer" in stderr


def test_a_perception_set_names_speakers_of_other_splits(profiles: Path, tmp_path: Path) -> None:
    """The same man also stands in train."""
    with profiles.open("a", encoding="utf-8") as file:
        line = profiles.read_text(encoding="utf-8").splitlines()[0]
        file.write(line.replace('"u00"', '"x"').replace('"split": "test"', '"split": "train"') + "\n{}\n")
    status, _, stderr = run("perception", "--profiles", profiles, "-o", tmp_path / "p.jsonl")
    assert status == 1
    assert "1 speakers are also in other splits: claims m1" in stderr
    assert "m.jsonl:62" in (tmp_path / "p.jsonl.errors.jsonl").read_text(encoding="utf-8")


def test_conflict_and_its_score(tmp_path: Path) -> None:
    """Two sad sentences in an angry voice, one followed by its words."""
    loud = CLIPS[0].utterance
    measured = [
        replace(CLIPS[0], utterance=replace(loud, utterance_id=f"u{i}", transcript=text, emotion=Emotion.ANGRY))
        for i, text in enumerate(("I am so lonely", "The funeral is tomorrow", "Kids are talking"))
    ]
    write_jsonl(tmp_path / "m.jsonl", measured)
    out = tmp_path / "conflict.jsonl"
    status, _, stderr = run("conflict", "--profiles", tmp_path / "m.jsonl", "-o", out)
    assert status == 0
    assert "conflict, voice angry: 2 found, 2 written" in stderr
    assert "1 without an item: no loaded word" in stderr
    assert [i.words_evidence for i in read_jsonl(out, ConflictItem)] == [("lonely",), ("funeral",)]
    answers = answer(tmp_path / "a.jsonl", {"u0/conflict": "sad", "u1/conflict": "angry"})
    status, stdout, _ = run("score", out, "--answers", answers)
    assert status == 0
    assert stdout.splitlines()[0].split() == ["answers", "voice", "words", "neither", "invalid", "chance"]
    assert stdout.splitlines()[1].split()[:6] == ["conflict", "2", "50.0", "%", "50.0", "%"]


def test_recipes(tmp_path: Path) -> None:
    """32 sentences in each of seven other emotions; without profiles or recipes there is nothing to do."""
    status, _, stderr = run("conflict", "--recipes", "-o", tmp_path / "r.jsonl")
    assert (status, len(list(read_jsonl(tmp_path / "r.jsonl", ConflictRecipe)))) == (0, 224)
    assert "224 recipes" in stderr
    with pytest.raises(CotgenError, match="--profiles FILE, or --recipes"):
        run("conflict", "-o", tmp_path / "r.jsonl")


def test_scores_of_sft_examples(profiles: Path, tmp_path: Path) -> None:
    """Targets as answers score 100 % in every family that the clips give."""
    traces, out = tmp_path / "annotated" / "traces.jsonl", tmp_path / "sft.jsonl"
    assert run("build", "--profiles", profiles, "-o", tmp_path / "annotated")[0] == 0
    assert run("tasks", "--profiles", profiles, "--traces", traces, "--question", "Which?", "-o", out)[0] == 0
    answers = answer(tmp_path / "a.jsonl", {e.example_id: e.target for e in read_jsonl(out, SFTExample)})
    status, stdout, _ = run("score", out, "--answers", answers)
    assert status == 0
    rows = [line.split() for line in stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == ["stress", "attribute", "reasoning", "label"]
    assert {tuple(row[2:]) for row in rows} == {("100.0", "%", "100.0", "%", "0.0", "%")}


def test_bad_answers_are_reported(profiles: Path, tmp_path: Path) -> None:
    """A broken line, an answer given twice and one to nothing; files that hold no items at all."""
    out = tmp_path / "p.jsonl"
    run("perception", "--profiles", profiles, "-o", out)
    name = next(read_jsonl(out, PerceptionItem)).item_id
    answers = answer(tmp_path / "a.jsonl", {name: "low", "nothing": "low"})
    with answers.open("a", encoding="utf-8") as file:
        file.write(f'{{"item_id": "{name}", "answer": "high"}}\n{{"item_id": 3}}\n')
    status, _, stderr = run("score", out, "--answers", answers)
    assert status == 1
    for part in ("answered twice", "a.jsonl:4", "answer to 'nothing': p.jsonl has no such item"):
        assert part in stderr
    for content, message in (("[]\n", "is not an SFT example"), ("x\n", "is not JSON"), ("", "is empty")):
        (tmp_path / "x.jsonl").write_text(content, encoding="utf-8")
        with pytest.raises(CotgenError, match=message):
            run("score", tmp_path / "x.jsonl", "--answers", answers)
    with pytest.raises(RecordFileError, match="does not exist"):
        run("score", tmp_path / "nowhere.jsonl", "--answers", answers)


@pytest.mark.parametrize("command", ["tasks", "perception", "conflict", "score"])
def test_every_command_explains_itself(command: str) -> None:
    status, stdout, _ = run(command, "--help")
    assert status == 0
    assert "Example:" in stdout


def test_many_broken_lines_fill_a_file_and_not_the_screen(profiles: Path, tmp_path: Path) -> None:
    """Seventy of them: all stand in the file, the first fifty on stderr."""
    with profiles.open("a", encoding="utf-8") as file:
        file.write("{}\n" * 70)
    out = tmp_path / "recipes.jsonl"
    status, _, stderr = run("variants", "--profiles", profiles, "-o", out)
    assert status == 1
    assert stderr.count("m.jsonl:") == 50
    assert "further ones are not shown" in stderr
    assert "60 recipes, 70 left out" in stderr
    assert len((tmp_path / "recipes.jsonl.errors.jsonl").read_text(encoding="utf-8").splitlines()) == 70


def test_an_output_that_cannot_be_written_is_refused_before_the_work(profiles: Path, tmp_path: Path) -> None:
    """A folder that is not there, and a folder where a file is wanted: status 2, as for any wrong option."""
    status, _, stderr = run("variants", "--profiles", profiles, "-o", tmp_path / "none" / "r.jsonl")
    assert status == 2
    assert "does not exist: make it first" in " ".join(stderr.replace("│", " ").split())
    assert run("variants", "--profiles", profiles, "-o", tmp_path)[0] == 2
    assert run("build", "--profiles", profiles, "-o", profiles)[0] == 2
    assert not list(tmp_path.glob("*.errors.jsonl"))


def test_a_split_without_utterances_names_those_that_have_some(profiles: Path, tmp_path: Path) -> None:
    """The sixty of the fixture stand in `test`."""
    with pytest.raises(CotgenError, match=r"no usable utterance in split 'dev'; 60 in test$"):
        run("perception", "--profiles", profiles, "--split", "dev", "-o", tmp_path / "p.jsonl")


@pytest.mark.parametrize("command", ["build", "variants", "perception", "conflict"])
def test_a_folder_instead_of_a_file_is_called_one(command: str, tmp_path: Path) -> None:
    """The words of every command that reads measurements."""
    with pytest.raises(RecordFileError, match="is a folder: name a file in it"):
        run(command, "--profiles", tmp_path, "-o", tmp_path / "out")
