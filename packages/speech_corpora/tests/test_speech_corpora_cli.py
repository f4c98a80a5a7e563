"""The command: data on stdout, errors on stderr and beside the output, status 1 when a record was left out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import speech_corpora
from speech_corpora import CorpusError, cli
from speech_records import Utterance, read_jsonl


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    return result.exit_code, result.stdout, result.stderr


def errors(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_manifest_writes_the_good_and_names_the_bad(tmp_path: Path) -> None:
    """One of two files has a name that RAVDESS does not explain."""
    folder = tmp_path / "corpus" / "Actor_01"
    folder.mkdir(parents=True)
    (folder / "03-01-05-01-02-01-01.wav").touch()
    (folder / "stray.wav").touch()
    out = tmp_path / "out.jsonl"
    status, stdout, stderr = run("manifest", "ravdess", tmp_path / "corpus", "-o", out)
    assert (status, stdout) == (1, "")
    assert [u.utterance_id for u in read_jsonl(out, Utterance)] == ["03-01-05-01-02-01-01"]
    (failure,) = errors(tmp_path / "out.jsonl.errors.jsonl")
    assert failure["id"] == "Actor_01/stray.wav"
    assert set(failure) == {"id", "stage", "error", "message"}
    assert "Actor_01/stray.wav" in stderr

    (folder / "stray.wav").unlink()
    assert run("manifest", "ravdess", tmp_path / "corpus", "-o", out)[0] == 0
    assert not (tmp_path / "out.jsonl.errors.jsonl").exists()


def test_corpora_are_listed() -> None:
    """One line of five columns for each; RAVDESS's licence as its publishers give it."""
    status, stdout, _ = run("list")
    rows = [line.split("\t") for line in stdout.splitlines()]
    assert (status, [row[0] for row in rows]) == (0, list(speech_corpora.CORPORA))
    assert {len(row) for row in rows} == {5}
    assert rows[1][3] == "CC-BY-NC-SA-4.0"


def test_named_speakers_test_and_the_others_train(tmp_path: Path) -> None:
    """nEMO has no split of its own; names as in its files, with or without blanks after the comma."""
    (tmp_path / "samples").mkdir()
    for speaker in ("SK0", "TP0", "MP0"):
        (tmp_path / "samples" / f"{speaker}_anger_1.wav").touch()
    out = tmp_path / "split.jsonl"
    run("manifest", "nemo", tmp_path, "-o", out, "--test-speakers", "TP0, MP0")
    splits = {u.speaker_id: u.split for u in read_jsonl(out, Utterance)}
    assert splits == {"SK0": "train", "TP0": "test", "MP0": "test"}
    for named, message in (
        ("TP0,ZZ9", "'ZZ9' is none of the speakers MP0, SK0, TP0"),
        ("SK0,TP0,MP0", "names every speaker: nothing would be left to train on"),
    ):
        with pytest.raises(CorpusError, match=message):
            cli.manifest("nemo", tmp_path, out=out, test_speakers=named)
    with pytest.raises(CorpusError, match="either --fold or --test-speakers"):
        cli.manifest("nemo", tmp_path, out=out, fold="1/2", test_speakers="TP0")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["manifest", "emodb", "nowhere", "-o", "x"], "root nowhere does not exist"),
        (["manifest", "nope", ".", "-o", "x"], "unknown corpus 'nope'"),
        (["manifest", "nope", ".", "-o", "missing/x"], "the folder 'missing' does not exist"),
        (["check", "emodb", "nowhere"], "root nowhere does not exist"),
    ],
)
def test_what_cannot_be_done_at_all_is_one_line_and_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str],
    message: str,
) -> None:  # fmt: skip
    """Through the entry point, as a shell calls it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["speech-corpora", *arguments])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    captured = capsys.readouterr()
    assert (exit_info.value.code, captured.out) == (1, "")
    assert captured.err.startswith("speech-corpora: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
