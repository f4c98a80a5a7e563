"""The command: data on stdout, errors on stderr and beside the output, status 1 when a record was left out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotgen import cli
from cotgen.tasks import SFTExample
from speech_records import ReasoningTrace, read_jsonl

CLIPS = Path(__file__).parent / "data" / "claims_clips.jsonl"


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    return result.exit_code, result.stdout, result.stderr


def errors(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_build_screen_tasks_and_stats_follow_one_another(tmp_path: Path) -> None:
    """The four clips of the claims data, all of which have a label in PAPER_9."""
    assert run("build", "--profiles", CLIPS, "--style", "plain", "-o", tmp_path)[0] == 0
    traces = tmp_path / "traces.jsonl"
    assert len(list(read_jsonl(traces, ReasoningTrace))) == 4
    assert len((tmp_path / "emotioncot.jsonl").read_text(encoding="utf-8").splitlines()) == 4

    assert run("screen", traces, "--profiles", CLIPS, "-o", tmp_path / "admitted.jsonl")[0] == 0
    assert (tmp_path / "admitted.jsonl").read_bytes() == traces.read_bytes()

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
    assert [f["id"] for f in errors(out / "errors.jsonl")] == ["hush", "measured.jsonl:5", "measured.jsonl:6"]
    assert "3 traces by rules, 3 left out" in stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
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


@pytest.mark.parametrize(
    "command", ["build", "screen", "tasks", "stress", "variants", "perception", "conflict", "score", "stats"]
)
def test_every_command_explains_itself(command: str) -> None:
    status, stdout, _ = run(command, "--help")
    assert status == 0
    assert "Usage" in stdout
