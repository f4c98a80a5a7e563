"""Answers of other systems, confidence, and the tests between two systems."""

from __future__ import annotations

import json
from math import comb
from pathlib import Path

import pytest
import torch

from speech_records import PAPER_9, Emotion, MeasuredUtterance, ProsodyProfile, Utterance
from speechlm import PocketSize, pocket, train_tokenizer
from trainer.calibration import Selective, calibrate
from trainer.errors import DataSetError
from trainer.evaluate import as_prediction, read_predictions
from trainer.metrics import Prediction, compare, evaluate
from trainer.predict import write_answers

SAD, HAPPY = Emotion.SAD, Emotion.HAPPY


def clip(name: str, emotion: Emotion | None = SAD) -> MeasuredUtterance:
    profile = ProsodyProfile(duration_s=1.0, sample_rate=16_000)
    return MeasuredUtterance(Utterance(name, "made", f"{name}.wav", "s", emotion), profile)


def written(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_answers_of_another_system_are_read_as_ours_are(tmp_path: Path) -> None:
    """A response in the form, one without it, a label alone, and one about a clip that is not asked about."""
    file = written(
        tmp_path / "other.jsonl",
        {"utterance_id": "b", "answer": "happy", "confidence": 0.75},
        {"utterance_id": "a", "text": "<think>Low.</think><answer>sad</answer>", "confidence": 0.25},
        {"utterance_id": "z", "answer": "sad"},
        {"utterance_id": "c", "text": "It is sad."},
    )
    answers = read_predictions(file, [clip("a"), clip("b", HAPPY), clip("c")], PAPER_9)
    assert [(a.utterance_id, a.predicted, a.confidence) for a in answers] == [
        ("a", SAD, 0.25), ("b", HAPPY, 0.75), ("c", None, None),
    ]  # fmt: skip
    result = evaluate([as_prediction(a) for a in answers], label_set=PAPER_9)
    assert result.accuracy.value == pytest.approx(2 / 3)
    assert result.calibration is not None
    assert (result.calibration.clips, result.calibration.accuracy, result.calibration.confidence) == (2, 1.0, 0.5)
    assert result.calibration.expected_error == pytest.approx((0.75 + 0.25) / 2)


def test_what_a_policy_answers_is_written_as_an_evaluation_reads_it(tmp_path: Path) -> None:
    """One line for every clip, in their order; a clip without a label is answered like the others."""
    size = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
    model = pocket(train_tokenizer(["It sounds sad."], vocab_size=270), seed=0, size=size)
    clips = [clip("a"), clip("b", None)]
    features = {name: torch.rand(16, 40 if name == "a" else 60) for name in "ab"}
    path = write_answers(model, clips, features, dict.fromkeys("ab", "Which?"), out=tmp_path, max_new_tokens=8)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["utterance_id"] for row in rows] == ["a", "b"]
    assert [answer.text for answer in read_predictions(path, clips[:1], PAPER_9)] == [rows[0]["text"]]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"utterance_id": "a", "answer": "sad"}], "has no line for 1 of 2 clips, b among them"),
        ([{"utterance_id": "a", "answer": "sad"}] * 2, ":2: a was answered twice"),
        ([{"utterance_id": "a"}], ":1: neither text nor answer is given"),
        ([{"utterance_id": "a", "answer": "sad", "confidence": 7}], ":1: confidence is 7, expected a probability"),
        (["{"], "does not hold predictions"),
        ([{"answer": "sad"}], "does not hold predictions"),
        (["[1]"], "does not hold predictions"),
    ],
)
def test_a_file_that_cannot_be_evaluated_is_refused_in_one_line(tmp_path: Path, rows: list[object], said: str) -> None:
    with pytest.raises(DataSetError, match=said) as refused:
        read_predictions(written(tmp_path / "other.jsonl", *rows), [clip("a"), clip("b")], PAPER_9)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"nothing\.jsonl"):
        read_predictions(tmp_path / "nothing.jsonl", [clip("a")], PAPER_9)


def test_calibration_by_hand() -> None:
    """Bins [0.2, 0.3) with one answer, wrong; [0.5, 0.6) with two, one right; [0.9, 1] with one at 1.0, right:
    (0.25 + |1.1 - 1| + 0) / 4. The most confident quarter is right, half: one of the two at 0.55 comes first."""
    result = calibrate([0.25, 0.55, 0.55, 1.0], [False, True, False, True])
    assert result.expected_error == pytest.approx((0.25 + 0.1 + 0.0) / 4)
    assert result.selective == (Selective(0.25, 1.0), Selective(0.5, 1.0), Selective(0.75, pytest.approx(2 / 3)))


def test_mcnemar_is_exact() -> None:
    """Of ten clips the first is right on clips 0 and 1 alone, the second on 2 to 8, none on 9: nine differ, two of them
    to one side: 2 · Σ_{i ≤ 2} C(9, i) / 2⁹."""

    def system(right: set[int]) -> list[Prediction]:
        return [Prediction(f"c{i}", f"s{i % 2}", SAD, SAD if i in right else HAPPY) for i in range(10)]

    both = compare(system({0, 1}), system({2, 3, 4, 5, 6, 7, 8}), label_set=PAPER_9)
    assert both.mcnemar_p == pytest.approx(2 * sum(comb(9, i) for i in range(3)) / 2**9)
    assert compare(system({0}), system({0}), label_set=PAPER_9).mcnemar_p == 1.0
