"""Measures against hand-worked numbers and scikit-learn; intervals against what the bootstrap must do."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from speech_records import EMODB_7, PAPER_9, Claim, Cue, Emotion, LabelSet, Verdict
from trainer.errors import DataSetError
from trainer.metrics import Estimate, Prediction, compare, evaluate, sound_verdicts

HAPPY, SAD, ANGRY = Emotion.HAPPY, Emotion.SAD, Emotion.ANGRY
THREE = LabelSet("THREE", (HAPPY, SAD, ANGRY))


def predictions(*rows: tuple[str, Emotion, Emotion | None]) -> list[Prediction]:
    return [Prediction(f"clip{i}", speaker, truth, answer) for i, (speaker, truth, answer) in enumerate(rows)]


HAND = predictions(
    ("anna", HAPPY, HAPPY),
    ("anna", HAPPY, HAPPY),
    ("anna", HAPPY, SAD),
    ("anna", HAPPY, None),
    ("ben", SAD, SAD),
    ("ben", SAD, HAPPY),
)
"""Happy: 2 of 4 right, one answered sad, one unparseable. Sad: 1 of 2 right, one answered happy. No angry clips."""


def test_hand_worked_measures() -> None:
    """Accuracy 3/6. Recall: happy 2/4, sad 1/2. Precision: happy 2/3, sad 1/2. F1: happy 2·2/(4+3), sad 2·1/(2+2)."""
    result = evaluate(HAND, label_set=THREE)
    assert result.accuracy.value == pytest.approx(3 / 6)
    assert result.unweighted_average_recall.value == pytest.approx((2 / 4 + 1 / 2) / 2)
    assert result.macro_f1.value == pytest.approx((4 / 7 + 2 / 4) / 2)
    happy, sad, angry = result.per_emotion
    assert (happy.support, happy.recall, happy.precision, happy.f1) == (4, 0.5, 2 / 3, 4 / 7)
    assert (sad.support, sad.recall, sad.precision, sad.f1) == (2, 0.5, 0.5, 0.5)
    assert (angry.support, angry.recall, angry.precision, angry.f1) == (0, None, None, None)


def test_unparseable_answers_are_wrong_and_have_the_last_column() -> None:
    assert evaluate(HAND, label_set=THREE).confusion.counts == ((2, 1, 0, 1), (1, 1, 0, 0), (0, 0, 0, 0))


def test_agrees_with_scikit_learn_on_random_answers() -> None:
    """Unparseable answers become a label of their own there, which no clip has."""
    generator = np.random.default_rng(0)
    labels = PAPER_9.labels
    made = predictions(
        *(
            (f"speaker{i % 7}", labels[t], None if a == len(labels) else labels[a])
            for i, (t, a) in enumerate(generator.integers(0, [len(labels), len(labels) + 1], size=(400, 2)))
        )
    )
    truth = [p.truth.value for p in made]
    answers = ["unparseable" if p.answer is None else p.answer.value for p in made]
    names = [label.value for label in labels]
    result = evaluate(made, label_set=PAPER_9)
    assert result.accuracy.value == pytest.approx(accuracy_score(truth, answers))
    assert result.unweighted_average_recall.value == pytest.approx(
        recall_score(truth, answers, labels=names, average="macro")
    )
    assert result.macro_f1.value == pytest.approx(f1_score(truth, answers, labels=names, average="macro"))
    assert [e.recall for e in result.per_emotion] == pytest.approx(
        list(recall_score(truth, answers, labels=names, average=None))
    )
    assert [e.precision for e in result.per_emotion] == pytest.approx(
        list(precision_score(truth, answers, labels=names, average=None))
    )


def test_format_and_claim_shares() -> None:
    """Three of four texts have the form; of five claims three are supported, one contradicted, one unverifiable."""
    supported, contradicted, unverifiable = Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.UNVERIFIABLE
    rows = predictions(*[("anna", HAPPY, HAPPY), ("ben", SAD, SAD)] * 2)
    rows = [
        replace(rows[0], format_ok=True, verdicts=(supported, supported)),
        replace(rows[1], format_ok=True, verdicts=(supported, contradicted, unverifiable)),
        replace(rows[2], format_ok=True),
        replace(rows[3], format_ok=False),
    ]
    result = evaluate(rows, label_set=THREE)
    assert result.valid_format is not None
    assert result.valid_format.value == 0.75
    assert result.claims is not None
    assert result.claims.claims == 5
    shares = (result.claims.supported, result.claims.contradicted, result.claims.unverifiable)
    assert [share.value for share in shares] == [0.6, 0.2, 0.2]


def test_claims_about_the_sound_count_once() -> None:
    """By hand: a quote and a gender are no sound; pitch high is said twice and counts once; rate slow is another cue,
    and contradicted. So one of two claims is supported, where four of five of all are."""
    cues = [(Cue.QUOTE, "at last"), (Cue.GENDER, "male"), (Cue.PITCH, "high"), (Cue.PITCH, "high"), (Cue.RATE, "slow")]
    claims = [Claim(0, 1, "x", cue, value, Verdict.SUPPORTED) for cue, value in cues]
    claims[-1] = replace(claims[-1], verdict=Verdict.CONTRADICTED)
    assert sound_verdicts(claims) == (Verdict.SUPPORTED, Verdict.CONTRADICTED)
    row = replace(HAND[0], verdicts=tuple(c.verdict for c in claims), sound_verdicts=sound_verdicts(claims))
    result = evaluate([row], label_set=THREE)
    assert result.claims is not None
    assert result.sound_claims is not None
    assert (result.claims.supported.value, result.sound_claims.supported.value) == (0.8, 0.5)


def test_faithfulness_is_the_mean_of_the_scored_clips() -> None:
    """Scores 0.5 and 0 of Anna and 1 of Ben are 0.5 on average; Ben's second clip has none."""
    rows = predictions(*[("anna", HAPPY, HAPPY), ("ben", SAD, SAD)] * 2)
    rows = [replace(row, faithfulness=score) for row, score in zip(rows, (0.5, 1.0, 0.0, None), strict=True)]
    made = evaluate(rows, label_set=THREE).faithfulness
    assert made is not None
    assert made.value == 0.5
    assert made.low == 0.25
    assert made.high == 1.0


def test_classifiers_without_text_have_no_format_and_no_claims() -> None:
    result = evaluate(HAND, label_set=THREE)
    assert result.valid_format is None
    assert result.claims is None
    assert result.faithfulness is None


def test_result_has_a_json_form() -> None:
    shown = json.loads(json.dumps(asdict(evaluate(HAND, label_set=THREE)), allow_nan=False))
    assert shown["confusion"] == {
        "labels": ["happy", "sad", "angry"],
        "counts": [[2, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]],
    }
    assert shown["accuracy"]["value"] == 0.5


# Intervals


def test_two_speakers_one_all_right_one_all_wrong() -> None:
    """Resamples hold anna twice (1/4), both (1/2) or ben twice (1/4), so accuracy is 1, 0.5 or 0."""
    rows = predictions(*[("anna", HAPPY, HAPPY)] * 50, *[("ben", HAPPY, SAD)] * 50)
    assert evaluate(rows, label_set=THREE).accuracy == Estimate(0.5, 0.0, 1.0)


def test_many_clips_of_one_speaker_do_not_narrow_the_interval() -> None:
    """The same two speakers with ten times the clips: a bootstrap over clips would shrink, one over speakers cannot."""
    few = predictions(*[("anna", HAPPY, HAPPY)] * 5, *[("ben", HAPPY, SAD)] * 5)
    many = predictions(*[("anna", HAPPY, HAPPY)] * 50, *[("ben", HAPPY, SAD)] * 50)
    assert evaluate(few, label_set=THREE).accuracy == evaluate(many, label_set=THREE).accuracy


def test_one_speaker_has_no_interval() -> None:
    assert evaluate(predictions(("anna", HAPPY, HAPPY)), label_set=THREE).accuracy == Estimate(1.0, None, None)


def test_seed_decides_the_interval() -> None:
    generator = np.random.default_rng(1)
    rows = predictions(*((f"s{i % 9}", HAPPY, HAPPY if generator.random() < 0.6 else SAD) for i in range(90)))
    assert evaluate(rows, label_set=THREE, seed=3) == evaluate(rows, label_set=THREE, seed=3)
    intervals = {evaluate(rows, label_set=THREE, seed=seed, resamples=50).accuracy for seed in range(5)}
    assert len(intervals) > 1


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """300 studies of 25 speakers whose own accuracies scatter around 0.6: percentile intervals of 25 clusters fall a
    little short of 95 %; with 300 studies the standard error of the share is 1.4 points."""
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        rates = generator.beta(6.0, 4.0, size=25)  # mean 0.6
        rows = predictions(
            *(
                (f"s{s}", HAPPY, HAPPY if generator.random() < rate else SAD)
                for s, rate in enumerate(rates)
                for _ in range(8)
            )
        )
        interval = evaluate(rows, label_set=THREE, resamples=300).accuracy
        assert interval.low is not None
        assert interval.high is not None
        covered += interval.low <= 0.6 <= interval.high
    assert 0.88 <= covered / 300 <= 0.98


# Comparisons


def test_comparison_of_a_system_with_itself_is_zero() -> None:
    assert compare(HAND, HAND, label_set=THREE).accuracy == Estimate(0.0, 0.0, 0.0)


def test_paired_difference_by_hand() -> None:
    """The second system repairs one clip of each of three speakers, two clips each: +1/2 in every resample, whatever
    the speakers' own accuracies."""
    first = predictions(*((s, HAPPY, SAD) for s in ("a", "a", "b", "b", "c", "c")))
    second = [replace(p, answer=HAPPY) if i % 2 else p for i, p in enumerate(first)]
    assert compare(first, second, label_set=THREE).accuracy == Estimate(0.5, 0.5, 0.5)


def test_comparison_does_not_depend_on_the_order_of_clips() -> None:
    second = [replace(p, answer=p.truth) for p in HAND]
    assert compare(HAND, second, label_set=THREE) == compare(HAND, second[::-1], label_set=THREE)


def test_only_the_same_clips_can_be_compared() -> None:
    with pytest.raises(DataSetError, match="clip5"):
        compare(HAND, HAND[:-1], label_set=THREE)


# Bad input


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no predictions"),
        ([HAND[0], HAND[0]], "clip0 was answered twice"),
        ([replace(HAND[0], truth=Emotion.WHISPER)], "clip0: whisper is not a label of EMODB_7"),
    ],
)
def test_bad_predictions_are_refused(rows: list[Prediction], message: str) -> None:
    with pytest.raises(DataSetError, match=message):
        evaluate(rows, label_set=EMODB_7)
