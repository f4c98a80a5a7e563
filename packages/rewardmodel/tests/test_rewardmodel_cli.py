"""The command: quality of scored traces, the rubric, and what bad input does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from rewardmodel import RUBRIC, Fault, GradedTrace, ScoredTrace, corrupt
from rewardmodel.cli import app
from speech_records import PAPER_9, ReasoningTrace, RewardScores, to_json

runner = CliRunner()


@pytest.fixture
def graded(make_trace: Callable[..., ReasoningTrace]) -> list[GradedTrace]:
    return [
        corrupt(make_trace(f"u{i}"), fault=Fault.MISSING_CUES, severity=i, generator=Random(i), label_set=PAPER_9)
        for i in range(5)
    ]


@pytest.mark.parametrize("bad_lines", [0, 4])
def test_report_prints_quality_as_json(bad_lines: int, graded: list[GradedTrace], tmp_path: Path) -> None:
    """Predictions equal to the targets: no error. A score out of range, NaN, a missing criterion and a line that is cut
    off are named with line and id, and change nothing."""
    good = [to_json(ScoredTrace(g, g.scores)) for g in graded]
    bad = [
        good[0].replace('"factual_alignment": 5.0', '"factual_alignment": 7.0'),
        good[1].replace('"factual_alignment": 5.0', '"factual_alignment": NaN'),
        good[2].replace('"factual_alignment": 5.0, ', ""),
        good[3][:-9],
    ]
    (tmp_path / "scored.jsonl").write_text("\n".join(good + bad[:bad_lines]) + "\n")
    result = runner.invoke(app, ["report", str(tmp_path / "scored.jsonl")])
    assert result.exit_code == int(bad_lines > 0)
    named = [f"scored.jsonl:{line}: u{i}: " for i, line in enumerate(range(6, 6 + bad_lines))]
    assert [part for part in named if part not in result.stderr] == []
    printed = json.loads(result.stdout)
    assert set(printed) == {*RewardScores.CRITERIA, "mean"}
    assert printed["factual_alignment"]["mean_absolute_error"] == 0.0
    assert printed["factual_alignment"]["count"] == len(graded)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "scored.jsonl does not exist"),
        ("", "expected [N, 4] with N > 0"),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "scored.jsonl"
    if content is not None:
        path.write_text(content)
    result = runner.invoke(app, ["report", str(path)])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_rubric_has_the_papers_criteria_in_order() -> None:
    result = runner.invoke(app, ["rubric"])
    places = [result.stdout.index(f"## {key}") for key in RewardScores.CRITERIA]
    assert places == sorted(places)
    assert result.stdout.count("- 5: ") == 4
    assert tuple(criterion.key for criterion in RUBRIC) == RewardScores.CRITERIA
