"""The command: graded data sets from files, reports, and what bad input does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rewardmodel import RUBRIC, CorruptionError, Fault, GradedTrace, RewardModelError, Rubric, ScoredTrace, build
from rewardmodel.cli import app
from speech_records import PAPER_9, Cue, Emotion, ReasoningTrace, RewardScores, read_jsonl, write_jsonl

TraceMaker = Callable[..., ReasoningTrace]
Sentences = Sequence[tuple[str, Sequence[tuple[str, Cue, str]]]]

runner = CliRunner()


@pytest.fixture
def traces(make_trace: TraceMaker, angry: Sentences) -> list[ReasoningTrace]:
    """Twelve clips of one sentence, four of them sad."""
    sad = [*angry[:-1], ("The most likely emotion is sad.", [])]
    return [make_trace(f"u{i}") if i % 3 else make_trace(f"u{i}", sad, answer=Emotion.SAD) for i in range(12)]


def test_build_writes_the_same_graded_traces_for_the_same_seed(traces: list[ReasoningTrace], tmp_path: Path) -> None:
    write_jsonl(tmp_path / "traces.jsonl", traces)
    outputs = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        out = tmp_path / f"{name}.jsonl"
        result = runner.invoke(app, ["build", str(tmp_path / "traces.jsonl"), "-o", str(out), "--seed", str(seed)])
        assert result.exit_code == 0
        assert result.stdout == ""
        assert "60 graded traces of 12" in result.stderr
        outputs.append(out.read_text())
    assert outputs[0] == outputs[1] != outputs[2]
    read = list(read_jsonl(tmp_path / "a.jsonl", GradedTrace))
    assert Counter(g.utterance_id for g in read) == {t.utterance_id: 5 for t in traces}
    assert {g.fault for g in read} == set(Fault)


def test_other_traces_do_not_change_the_faults_of_one(traces: list[ReasoningTrace]) -> None:
    """The draws depend on seed and id; only what is borrowed can differ."""
    whole = [g for g in build(traces, label_set=PAPER_9, seed=0).graded if g.utterance_id == "u5"]
    alone = build(traces[5:6], label_set=PAPER_9, seed=0).graded
    assert [g for g in whole if g.fault is not Fault.BORROWED] == [g for g in alone if g.fault is not Fault.BORROWED]


def test_what_cannot_be_damaged_is_counted(make_trace: TraceMaker) -> None:
    """A trace without claims has no facts and no cues; alone it cannot borrow either. The rest is still there."""
    bare = make_trace(sentences=[("It sounds angry.", [])])
    result = build([bare], label_set=PAPER_9, seed=0, per_trace=7)
    assert result.skipped == {Fault.WRONG_FACTS: 1, Fault.MISSING_CUES: 1, Fault.BORROWED: 1}
    assert {g.fault for g in result.graded} == {
        Fault.NONE, Fault.WRONG_INFERENCE, Fault.BROKEN_LANGUAGE, Fault.MIXED
    }  # fmt: skip


def test_borrowed_traces_speak_the_same_words_where_there_are_any(
    make_trace: TraceMaker, angry: Sentences, traces: list[ReasoningTrace]
) -> None:
    other = [("We hear “Go away.”", [("“Go away.”", Cue.QUOTE, "Go away.")]), *angry[1:]]
    stranger = make_trace("stranger", other)
    borrowed = [
        g for g in build([*traces, stranger], label_set=PAPER_9, seed=0, per_trace=7).graded
        if g.fault is Fault.BORROWED
    ]  # fmt: skip
    assert len(borrowed) == 13
    assert all("Go away" not in g.think for g in borrowed)  # it has no fellow, so it borrows from the others


def test_report_prints_quality_as_json(traces: list[ReasoningTrace], tmp_path: Path) -> None:
    """Predictions equal to the targets: no error."""
    graded = build(traces, label_set=PAPER_9, seed=0).graded
    write_jsonl(tmp_path / "scored.jsonl", [ScoredTrace(g, g.scores) for g in graded])
    result = runner.invoke(app, ["report", str(tmp_path / "scored.jsonl")])
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert set(printed) == {*RewardScores.CRITERIA, "mean"}
    assert printed["factual_alignment"]["mean_absolute_error"] == 0.0
    assert printed["factual_alignment"]["count"] == len(graded)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (None, [], "No such file"),
        ("", [], "holds no trace"),
        ("{", [], "line 1: not JSON"),
        ('{"schema_version": "1.0", "utterance_id": "u1"}', [], "lacks the field 'think'"),
        (None, ["--label-set", "NINE"], "unknown label set 'NINE'"),
        ("TRACE", ["--per-trace", "8"], "per_trace is 8, expected 1 to 7"),
        ("TRACE", ["--label-set", "IEMOCAP_4", "-o", "/nowhere/at/all.jsonl"], "/nowhere"),
    ],
)
def test_bad_input_is_one_clear_line(
    make_trace: TraceMaker, tmp_path: Path, content: str | None, options: list[str], message: str
) -> None:
    path = tmp_path / "traces.jsonl"
    if content == "TRACE":
        write_jsonl(path, [make_trace()])
    elif content is not None:
        path.write_text(content)
    result = runner.invoke(app, ["build", str(path), "-o", str(tmp_path / "out.jsonl"), *options])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_report_refuses_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "scored.jsonl").write_text("")
    result = runner.invoke(app, ["report", str(tmp_path / "scored.jsonl")])
    assert result.exit_code == 1
    assert "expected [N, 4] with N > 0" in result.stderr


def test_an_answer_outside_the_label_set_is_refused(make_trace: TraceMaker) -> None:
    with pytest.raises(CorruptionError, match="answer 'bored' is no label of PAPER_9"):
        build([make_trace(answer=Emotion.BORED)], label_set=PAPER_9, seed=0)


def test_the_rubric_has_the_papers_criteria_in_order() -> None:
    result = runner.invoke(app, ["rubric"])
    places = [result.stdout.index(f"## {key}") for key in RewardScores.CRITERIA]
    assert places == sorted(places)
    assert result.stdout.count("- 5: ") == 4
    with pytest.raises(RewardModelError, match="in this order"):
        Rubric(RUBRIC.criteria[::-1])
