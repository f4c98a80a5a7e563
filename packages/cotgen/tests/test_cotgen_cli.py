"""The command: data on stdout, errors on stderr and beside the output, status 1 when a record was left out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotgen import cli, corpora
from cotgen.tasks import SFTExample
from speech_records import MeasuredUtterance, ReasoningTrace, Utterance, read_jsonl, to_json

CLIPS = Path(__file__).parent / "data" / "claims_clips.jsonl"


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
    status, stdout, stderr = run("manifest", "--corpus", "ravdess", "--root", tmp_path / "corpus", "-o", out)
    assert (status, stdout) == (1, "")
    assert [u.utterance_id for u in read_jsonl(out, Utterance)] == ["03-01-05-01-02-01-01"]
    (failure,) = errors(tmp_path / "out.jsonl.errors.jsonl")
    assert failure["where"] == "Actor_01/stray.wav"
    assert set(failure) == {"where", "stage", "error", "message"}
    assert "Actor_01/stray.wav" in stderr

    (folder / "stray.wav").unlink()
    assert run("manifest", "--corpus", "ravdess", "--root", tmp_path / "corpus", "-o", out)[0] == 0
    assert not (tmp_path / "out.jsonl.errors.jsonl").exists()


def test_build_verify_tasks_and_stats_follow_one_another(tmp_path: Path) -> None:
    """The four clips of the claims data, all of which have a label in PAPER_9."""
    assert run("build", "--profiles", CLIPS, "--style", "plain", "-o", tmp_path)[0] == 0
    traces = tmp_path / "traces.jsonl"
    assert len(list(read_jsonl(traces, ReasoningTrace))) == 4
    assert len((tmp_path / "emotioncot.jsonl").read_text(encoding="utf-8").splitlines()) == 4

    status, stdout, _ = run("verify", "--profiles", CLIPS, "--traces", traces)
    assert (status, stdout) == (0, traces.read_text(encoding="utf-8"))

    sft = tmp_path / "sft.jsonl"
    assert run("tasks", "--profiles", CLIPS, "--traces", traces, "--question", "Which?", "-o", sft)[0] == 0
    assert "Which?" in {e.question for e in read_jsonl(sft, SFTExample)}

    status, stdout, _ = run("stats", "--profiles", CLIPS, "--traces", traces)
    summary = json.loads(stdout)
    assert (status, summary["traces"], summary["contradicted_traces"], summary["distinct_texts"]) == (0, 4, 0.0, 1.0)
    assert summary["emotions"] == {"angry": 1, "neutral": 1, "sad": 1, "whisper": 1}


def test_build_leaves_out_broken_lines_repeats_and_labels_outside_the_set(tmp_path: Path) -> None:
    """Four good lines, one broken, one repeated; IEMOCAP's four classes hold no whisper."""
    profiles = tmp_path / "measured.jsonl"
    lines = CLIPS.read_text(encoding="utf-8")
    profiles.write_text(lines + '{"utterance": 3}\n' + lines.splitlines()[0] + "\n", encoding="utf-8")
    out = tmp_path / "out"
    status, _, stderr = run("build", "--profiles", profiles, "--label-set", "IEMOCAP_4", "-o", out)
    assert status == 1
    assert len(list(read_jsonl(out / "traces.jsonl", ReasoningTrace))) == 3
    assert [f["where"] for f in errors(out / "errors.jsonl")] == [f"measured.jsonl:{n}" for n in (3, 5, 6)]
    assert "3 traces by rules, 3 left out" in stderr


def test_verify_finds_a_trace_that_claims_what_was_not_measured(tmp_path: Path) -> None:
    """`loud` is high in pitch; a trace of a clip that was never measured cannot be verified at all."""
    traces = tmp_path / "traces.jsonl"
    wrong = ReasoningTrace("loud", "The pitch is low.", next(read_jsonl(CLIPS, MeasuredUtterance)).utterance.emotion)  # type: ignore[arg-type]
    unknown = ReasoningTrace("nobody", "The pitch is low.", wrong.answer)
    traces.write_text(f"{to_json(wrong)}\n{to_json(unknown)}\n", encoding="utf-8")
    status, _, stderr = run("verify", "--profiles", CLIPS, "--traces", traces, "-o", tmp_path / "out.jsonl")
    assert status == 1
    assert [f["error"] for f in errors(tmp_path / "out.jsonl.errors.jsonl")] == ["Contradicted", "CotgenError"]
    assert "measured 190 Hz: high" in stderr


def test_corpora_are_listed() -> None:
    """One line of five columns for each; RAVDESS's licence as its publishers give it."""
    status, stdout, _ = run("corpora")
    rows = [line.split("\t") for line in stdout.splitlines()]
    assert (status, [row[0] for row in rows]) == (0, list(corpora.CORPORA))
    assert {len(row) for row in rows} == {5}
    assert rows[1][3] == "CC-BY-NC-SA-4.0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["manifest", "--corpus", "emodb", "--root", "nowhere", "-o", "x"], "root nowhere does not exist"),
        (["manifest", "--corpus", "nope", "--root", ".", "-o", "x"], "unknown corpus 'nope'"),
        (["build", "--profiles", "nowhere.jsonl", "-o", "x"], "nowhere.jsonl does not exist"),
        (["build", "--profiles", str(CLIPS), "--label-set", "NOPE", "-o", "x"], "unknown label set 'NOPE'"),
    ],
)
def test_what_cannot_be_done_at_all_is_one_line_and_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str],
    message: str,
) -> None:  # fmt: skip
    """Through the entry point, as a shell calls it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cotgen", *arguments])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    captured = capsys.readouterr()
    assert (exit_info.value.code, captured.out) == (1, "")
    assert captured.err.startswith("cotgen: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("command", ["corpora", "manifest", "build", "verify", "tasks", "stats"])
def test_every_command_explains_itself(command: str) -> None:
    status, stdout, _ = run(command, "--help")
    assert status == 0
    assert "Usage" in stdout
