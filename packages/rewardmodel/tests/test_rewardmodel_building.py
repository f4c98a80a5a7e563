"""`rewardmodel build`: a stream in parts, resumable, with faults and grades by rule or by a language model."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from rewardmodel import CompletionError, Fault, GradedSet, GradedTrace, RewardModelError, build
from rewardmodel.building import build_file
from rewardmodel.cli import app
from rewardmodel.completion import Asking
from rewardmodel.graded import scores_at, severity_markdown
from rewardmodel.llm_variants import written_fault
from speech_records import PAPER_9, Emotion, MeasuredUtterance, ReasoningTrace, read_jsonl, write_jsonl

ClipMaker = Callable[..., MeasuredUtterance]
Writer = Callable[[MeasuredUtterance], ReasoningTrace]
LEVELS = ("high high low", "low low high", "normal high low", "low normal normal")


@pytest.fixture
def data(make_clip: ClipMaker, write: Writer) -> list[tuple[MeasuredUtterance, ReasoningTrace]]:
    """Twelve clips in two splits that take turns, each with its trace."""
    clips = [make_clip(f"u{i:02}", LEVELS[i % 4], ("door", "open")[i % 2]) for i in range(12)]
    clips = [replace(c, utterance=replace(c.utterance, split=("train", "test")[i % 2])) for i, c in enumerate(clips)]
    return [(clip, write(clip)) for clip in clips]


def test_parts_are_of_one_split_and_a_stopped_build_goes_on(
    data: list[tuple[MeasuredUtterance, ReasoningTrace]], write: Writer, tmp_path: Path
) -> None:
    """Six clips of each split in parts of four: 4, 4, 2, 2. Stopped behind the second, the second run makes the other
    two only, and the file is that of a build in one go."""
    made: list[list[str]] = []

    def grade(clips: list[MeasuredUtterance], traces: Mapping[str, ReasoningTrace]) -> GradedSet:
        if len(made) == 2 and not (tmp_path / "go-on").exists():
            raise KeyboardInterrupt
        made.append([clip.utterance.utterance_id for clip in clips])
        assert len({clip.utterance.split for clip in clips}) == 1
        return build(clips, traces, write=write, label_set=PAPER_9, seed=0)

    out, settings = tmp_path / "graded.jsonl", {"seed": 0}
    with pytest.raises(KeyboardInterrupt):
        list(build_file(data, out, grade, settings=settings, part_clips=4))
    assert not out.exists()
    with pytest.raises(RewardModelError, match="of other settings or inputs"):
        list(build_file(data, out, grade, settings={"seed": 1}, part_clips=4))
    (tmp_path / "go-on").touch()
    progress = list(build_file(data, out, grade, settings=settings, part_clips=4))
    assert [len(part) for part in made] == [4, 4, 2, 2]
    assert [p.clips for p in progress] == [4, 8, 10, 12]
    graded = list(read_jsonl(out, GradedTrace))
    assert len(graded) == progress[-1].graded
    assert len(graded) + progress[-1].skipped == 12 * 5
    assert not out.with_name("graded.jsonl.parts").exists()
    again = tmp_path / "again.jsonl"
    list(build_file(data, again, grade, settings=settings, part_clips=4))
    assert again.read_bytes() == out.read_bytes()


def test_a_language_model_writes_a_fault_whose_facts_are_checked(
    data: list[tuple[MeasuredUtterance, ReasoningTrace]],
) -> None:
    """The pitch of the first clip is high and its energy too: one of the two claims is wrong, 5 - 4 · 1/2. The rest is
    what severity 2 of wrong facts is meant to cost."""
    clip, trace = data[0]
    answer = {"reasoning": "The pitch is low.  The energy is high.", "answer": "angry"}
    made = written_fault(
        Asking(lambda *_: answer), trace, clip, fault=Fault.WRONG_FACTS, severity=2, label_set=PAPER_9
    )  # fmt: skip
    assert made.think == "The pitch is low. The energy is high."
    assert made.scores.as_tuple() == (3.0, *scores_at(Fault.WRONG_FACTS, 2).as_tuple()[1:]) == (3.0, 4.0, 5.0, 5.0)
    for wrong in ({"reasoning": "", "answer": "angry"}, {"reasoning": "It is low.", "answer": "hungry"}, {}):
        with pytest.raises(CompletionError, match="expected a text and one of the answers"):
            written_fault(
                Asking(lambda *_, a=wrong: a), trace, clip, fault=Fault.MIXED, severity=1, label_set=PAPER_9
            )  # fmt: skip


MODULES = """
import json
from cotgen_free import write
def rewrite(measured, *, like, label_set):
    return write(measured)
def open_client(**options):
    def complete(messages, schema):
        if "reasoning" in schema["required"]:
            if "broken" in messages[0]["content"] or "breaks" in messages[0]["content"]:
                raise ValueError("refused")
            return {"reasoning": "The pitch is low. The energy is low.", "answer": "sad"}
        return dict.fromkeys(schema["required"], 3)
    return complete
"""


@pytest.mark.parametrize("who", ["rules", "llm"])
def test_the_command_builds_what_it_can_and_names_the_rest(
    who: str,
    data: list[tuple[MeasuredUtterance, ReasoningTrace]],
    write: Writer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Left out: a broken line, a trace of no clip, an answer outside the label set. A language model that refuses to
    break language loses these variants alone, and grades all that there are with 3."""
    module = ModuleType("cotgen_free")
    module.write = write  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cotgen_free", module)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / f"made_{who}.py").write_text(MODULES)
    write_jsonl(tmp_path / "measured.jsonl", [clip for clip, _ in data])
    traces = [trace for _, trace in data]
    others = [replace(traces[0], utterance_id="nobody"), replace(traces[1], answer=Emotion.BORED)]
    write_jsonl(tmp_path / "traces.jsonl", [*traces[2:], *others])
    with (tmp_path / "traces.jsonl").open("a") as file:
        file.write("{\n")
    monkeypatch.chdir(tmp_path)
    words = ["build", "--profiles", "measured.jsonl", "--traces", "traces.jsonl", "-o", "graded.jsonl"]
    words += ["--writer", f"made_{who}:rewrite", "--per-trace", "7"]
    if who == "llm":
        words += ["--faults", "llm", "--scores", "llm", "--model", "m", "--client", f"made_{who}:open_client"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1, result.output
    graded = list(read_jsonl(tmp_path / "graded.jsonl", GradedTrace))
    failed = [json.loads(line)["id"] for line in (tmp_path / "graded.jsonl.errors.jsonl").read_text().splitlines()]
    counts = Counter(g.fault for g in graded)
    assert {"nobody", "u01", "traces.jsonl:13"} <= set(failed)
    assert counts[Fault.NONE] == 10
    if who == "llm":
        assert Fault.BROKEN_LANGUAGE not in counts
        assert sum("broken_language" in name for name in failed) == 10
        assert {g.scores.as_tuple() for g in graded} == {(3.0,) * 4}
    else:
        assert counts[Fault.BROKEN_LANGUAGE] == 10
        assert len(failed) == 3
    assert "10 clips" in result.stderr


def test_one_table_says_what_severities_cost() -> None:
    """The README shows the table that the command prints; by hand: wrong facts of severity 1 cost a point of facts and
    half a point of interpretation."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert severity_markdown() in readme
    assert severity_markdown() in CliRunner().invoke(app, ["rubric"]).stdout
    assert scores_at(Fault.WRONG_FACTS, 1).as_tuple() == (4.0, 4.5, 5.0, 5.0)
