"""Stress examples from a manifest that marks stressed words."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotgen import cli
from cotgen.tasks import Phrasing, SFTExample, Task, TaskConfig
from cotgen.tasks.balancing import selection
from cotgen.tasks.examples import draw
from cotgen.tasks.stress import stress_examples
from speech_records import (
    PAPER_9,
    FailedItem,
    MeasuredUtterance,
    ProsodyProfile,
    RecordFileError,
    Utterance,
    read_jsonl,
    write_jsonl,
)


def manifest(path: Path, count: int = 30) -> Path:
    """Sentences of six words, the stress on each in turn, but half of them on the first."""
    spoken = ["one", "two", "three", "four", "five", "six"]
    words = [spoken[0] if i % 2 else spoken[i // 2 % 6] for i in range(count)]
    write_jsonl(
        path,
        [
            Utterance(f"u{i:02}", "c", f"{i}.wav", "s", transcript=" ".join(spoken), stressed_words=(word,))
            for i, word in enumerate(words)
        ],
    )
    return path


def test_a_manifest_gives_the_examples_of_its_utterances(tmp_path: Path) -> None:
    """Those of the same utterances, measured but empty, are the reference."""
    path = manifest(tmp_path / "m.jsonl")
    measured = [MeasuredUtterance(u, ProsodyProfile(1.0, 16000)) for u in read_jsonl(path, Utterance)]
    for balance in (None, 1.0):
        config = TaskConfig(PAPER_9, "Which?", 5, Phrasing.STATED, balance)
        drawn = [d for item in measured for d in draw(item, [], config)]
        keeps = selection(lambda drawn=drawn: drawn, balance=balance, seed=5)
        expected = [d.example for d in drawn if keeps(d)]
        found = stress_examples(path, seed=5, report=print, phrasing=Phrasing.STATED, balance=balance)
        assert list(found) == expected


def test_balance_is_by_place_in_the_sentence(tmp_path: Path) -> None:
    """15 stress the first word, the others each word in turn: 21 at the start, 5 in the middle, 4 at the end."""
    path = manifest(tmp_path / "m.jsonl")
    assert len(list(stress_examples(path, seed=0, report=print))) == 30
    targets = Counter(e.target for e in stress_examples(path, seed=0, report=print, balance=1.0))
    assert sum(targets[w] for w in ("one", "two")) == 4
    assert sum(targets[w] for w in ("three", "four")) == 4
    assert sum(targets[w] for w in ("five", "six")) == 4


def test_bad_lines_of_a_manifest_are_reported(tmp_path: Path) -> None:
    """A repeat, a stressed word that is not there, a broken line; the command leaves with status 1."""
    path = manifest(tmp_path / "m.jsonl", 3)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    with path.open("a", encoding="utf-8") as file:
        file.write(
            f"{first}\n{first.replace('u00', 'x').replace(chr(34) + 'one' + chr(34), chr(34) + 'ten' + chr(34))}\n{{\n"
        )
    failures: list[FailedItem] = []
    assert len(list(stress_examples(path, seed=0, report=failures.append))) == 3
    assert [f.id for f in failures] == ["m.jsonl:4", "m.jsonl:5", "m.jsonl:6"]
    assert "'ten' is not in its transcript" in failures[1].message
    out = tmp_path / "stress.jsonl"
    result = CliRunner().invoke(cli.app, ["stress", "--manifest", str(path), "-o", str(out)])
    assert result.exit_code == 1
    assert "3 examples, 3 left out" in result.stderr
    assert {e.task for e in read_jsonl(out, SFTExample)} == {Task.STRESS}
    with pytest.raises(RecordFileError, match="does not exist"):
        list(stress_examples(tmp_path / "nowhere.jsonl", seed=0, report=print))
