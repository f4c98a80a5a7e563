"""Stress-17K's rows, good and bad, and the examples about word stress that a manifest gives."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cotgen import CorpusError, CotgenError, cli, corpora, tasks
from cotgen.batch import Failure
from cotgen.corpora.stress17k import spoken_words
from cotgen.tasks import Phrasing, SFTExample, Task
from cotgen.tasks.stress import stress_examples
from speech_records import PAPER_9, MeasuredUtterance, ProsodyProfile, Utterance, read_jsonl, write_jsonl

GOOD: dict[str, Any] = {"transcription": "I never said she stole it.", "gt_stress_indices": [1], "audio": "a.wav"}


def write(root: Path, name: str, *rows: dict[str, Any] | str) -> Path:
    (root / "a.wav").touch()
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    (root / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return root


def test_rows_become_utterances(tmp_path: Path) -> None:
    """The published fields, with those the release has besides; words are counted from 0."""
    full = {
        "audio_id": "id-7", "transcription_id": "t", "interpretation_id": "i", "description": "…", "label": 0,
        "possible_answers": ["a", "b"], "transcription": "“Really?” That is a well-known risk!",
        "gt_stress_indices": [5, 0], "audio": {"bytes": None, "path": "a.wav"},
        "metadata": {"tts_metadata": {"voice_name": "echo"}},
    }  # fmt: skip
    listing = corpora.load("stress17k", write(tmp_path, "train_full.jsonl", GOOD, "", full))
    assert listing.rejected == ()
    first, second = listing.utterances
    assert (first.utterance_id, first.stressed_words, first.split) == ("train_full-00001", ("never",), "train")
    assert (first.emotion, first.synthetic, first.language, first.speaker_id) == (None, True, "en", "stress17k")
    assert (second.utterance_id, second.stressed_words, second.speaker_id) == ("id-7", ("Really", "known"), "echo")


def test_hyphens_end_words_as_the_authors_count() -> None:
    """Their code puts a space for the hyphen between two words, so of a chain every second hyphen goes."""
    assert spoken_words("my mother-in-law's co-op") == ["my", "mother", "in-law's", "co", "op"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gt_stress_indices": [6]}, "holds 6, the transcription has words 0 to 5"),
        ({"gt_stress_indices": [-1]}, "holds -1"),
        ({"gt_stress_indices": [1.0]}, "list of integers"),
        ({"gt_stress_indices": [True]}, "list of integers"),
        ({"gt_stress_indices": "1"}, "list of integers"),
        ({"gt_stress_indices": None}, "list of integers"),
        ({"transcription": " "}, "transcription must be a text"),
        ({"transcription": None}, "transcription must be a text"),
        ({"transcription": "I – never", "gt_stress_indices": [1], "audio": "b.wav"}, "b.wav is missing"),
        ({"transcription": "I ... never"}, "punctuation only"),
        ({"audio": "../a.wav"}, "must be relative and stay inside"),
        ({"audio": "/a.wav"}, "must be relative and stay inside"),
        ({"audio": "link.wav"}, "leads out of the corpus root"),
        ({"audio": {"bytes": "…"}}, "audio must be a path"),
        ({"audio": None}, "audio must be a path"),
    ],
)
def test_bad_rows_are_rejected_with_their_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """The second of three rows is bad; the others stay."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside.wav").touch()
    (root / "link.wav").symlink_to(tmp_path / "outside.wav")
    listing = corpora.load("stress17k", write(root, "train_full.jsonl", GOOD, GOOD | change, GOOD))
    assert len(listing.utterances) == 2
    (rejected,) = listing.rejected
    assert rejected.where == "train_full.jsonl:2"
    assert message in rejected.reason


def test_broken_lines_repeats_and_what_is_in_both_files(tmp_path: Path) -> None:
    """A clip of both files is read once and counted; twice in one file it is an error; without stress it is dropped."""
    one = GOOD | {"audio_id": 1}
    write(tmp_path, "train_fine.jsonl", one)
    write(tmp_path, "train_full.jsonl", one, GOOD | {"audio_id": 2}, GOOD | {"audio_id": 2}, "{", "[]")
    write(tmp_path, "test.jsonl", GOOD | {"gt_stress_indices": []}, GOOD | {"audio_id": 3})
    listing = corpora.load("stress17k", tmp_path)
    assert [(u.utterance_id, u.split) for u in listing.utterances] == [("3", "test"), ("1", "train"), ("2", "train")]
    assert [r.where for r in listing.rejected] == [f"train_full.jsonl:{n}" for n in (3, 4, 5)]
    assert listing.dropped == (
        ("a clip of train_fine.jsonl that stands in train_full.jsonl too", 1),
        ("no stressed word", 1),
    )
    one_file = corpora.load("stress17k", tmp_path / "train_fine.jsonl")
    assert len(one_file.utterances) == 1
    with pytest.raises(CorpusError, match="does not exist"):
        corpora.load("stress17k", tmp_path / "nowhere")


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


def test_a_manifest_gives_the_examples_of_build(tmp_path: Path) -> None:
    """`build` of the same utterances, measured but empty, is the reference."""
    path = manifest(tmp_path / "m.jsonl")
    measured = [MeasuredUtterance(u, ProsodyProfile(1.0, 16000)) for u in read_jsonl(path, Utterance)]
    for balance in (None, 1.0):
        expected = tasks.build(
            measured,
            [],
            label_set=PAPER_9,
            reasoning_question="Which?",
            seed=5,
            phrasing=Phrasing.STATED,
            balance=balance,
        )
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
    failures: list[Failure] = []
    assert len(list(stress_examples(path, seed=0, report=failures.append))) == 3
    assert [f.where for f in failures] == ["m.jsonl:4", "m.jsonl:5", "m.jsonl:6"]
    assert "'ten' is not in its transcript" in failures[1].message
    out = tmp_path / "stress.jsonl"
    result = CliRunner().invoke(cli.app, ["stress", "--manifest", str(path), "-o", str(out)])
    assert result.exit_code == 1
    assert "3 examples, 3 left out" in result.stderr
    assert {e.task for e in read_jsonl(out, SFTExample)} == {Task.STRESS}
    with pytest.raises(CotgenError, match="does not exist"):
        list(stress_examples(tmp_path / "nowhere.jsonl", seed=0, report=print))


def test_from_rows_to_examples(tmp_path: Path) -> None:
    """The two commands after one another."""
    write(tmp_path, "train_full.jsonl", GOOD, GOOD | {"gt_stress_indices": [0, 5]})
    out = tmp_path / "manifest.out", tmp_path / "stress.out"
    for arguments in (
        ["manifest", "--corpus", "stress17k", "--root", tmp_path, "-o", out[0]],
        ["stress", "--manifest", out[0], "-o", out[1]],
    ):
        assert CliRunner().invoke(cli.app, [str(a) for a in arguments]).exit_code == 0
    assert [e.target for e in read_jsonl(out[1], SFTExample)] == ["never", "i, it"]
