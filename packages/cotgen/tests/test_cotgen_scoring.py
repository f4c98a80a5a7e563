"""The scorers of the four families: targets score 1, worked partial credit, and what is invalid."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotgen.tasks import SFTExample, Task
from cotgen.tasks.scoring import FORMAT_CREDIT, Score, score, summarise
from speech_records import PAPER_9, RAVDESS_8, format_answer

ALL = "Describe pitch, energy, rate, contour and melody."


def example(task: Task, target: str, question: str = "Which?") -> SFTExample:
    return SFTExample("a/x", task, "a", "a.wav", question, target)


STRESS = example(Task.STRESS, "kids, door")
JOINT = example(Task.ATTRIBUTE, "pitch high, energy low, rate fast, contour rising, melody flat", ALL)
SINGLE = example(Task.ATTRIBUTE, "rate slow", "What is the rate?")
ORDER = example(Task.COMPARATIVE, "low, high, normal")
RATES = example(Task.COMPARATIVE, "fast, slow, normal")
REASONING = example(Task.REASONING, format_answer("Low and slow.", "contempt or disgust"))
SAID = example(Task.ASR, "Kids are talking by the door.")
EXAMPLES = [STRESS, JOINT, SINGLE, ORDER, RATES, REASONING, SAID]


@pytest.mark.parametrize("one", EXAMPLES, ids=lambda e: f"{e.task}-{e.target[:10]}")
def test_the_target_itself_is_worth_one(one: SFTExample) -> None:
    """By definition of a target; a full stop, capitals and spaces change nothing where the form has none."""
    assert score(one, one.target) == Score("a/x", one.task, valid=True, exact=True, credit=1.0)
    if one.task is not Task.REASONING:
        assert score(one, f"  {one.target.upper()}. ").exact


@pytest.mark.parametrize(
    ("one", "answer", "credit"),
    [
        (STRESS, "door", 2 / 3),  # precision 1, recall 1/2
        (STRESS, "“Kids”, door, talking", 0.8),  # precision 2/3, recall 1
        (STRESS, "kids, kids", 2 / 3),  # a set: the second says nothing
        (STRESS, "table", 0.0),
        (JOINT, "pitch high, energy high, rate fast, contour rising, melody expressive", 3 / 5),
        (JOINT, "melody flat", 1 / 5),  # what is not answered is wrong
        (SINGLE, "rate fast", 0.0),
        (example(Task.ATTRIBUTE, "pitch unvoiced, energy low", ALL), "pitch unvoiced, energy low, melody flat", 1.0),
        (ORDER, "low, normal, high", 2 / 3),  # of three pairs low-high and low-normal stand right
        (ORDER, "normal, high, low", 0.0),
        (RATES, "slow, fast, normal", 2 / 3),
        (example(Task.COMPARATIVE, "low, high"), "low, normal", 0.0),  # another set of levels
        (REASONING, "<think>Loud.</think><answer>angry</answer>", FORMAT_CREDIT),
        (SAID, "Kids talking by a door", 4 / 6),  # one word is missing, one is another
        (SAID, "one two three four five six seven", 0.0),  # seven errors in six words
        (example(Task.TEXT, "Paris"), "It is Paris.", 0.0),
    ],
)
def test_partial_credit_by_hand(one: SFTExample, answer: str, credit: float) -> None:
    """Worked beside each case by the rules in the module's docstring."""
    found = score(one, answer)
    assert found.valid, found.problem
    assert found.credit == pytest.approx(credit)
    assert found.exact == (credit == 1.0)


@pytest.mark.parametrize(
    ("one", "answer", "problem"),
    [
        (STRESS, "", "empty"),
        (STRESS, "kids, ,", "empty"),
        (STRESS, "the word kids", "not one word"),
        (JOINT, "high, low, fast, rising, flat", "names none of"),
        (JOINT, "pitch loud", "'pitch loud' gives pitch none of low, normal, high"),
        (JOINT, "pitch high, pitch high", "pitch is answered twice"),
        (JOINT, "the pitch is high", "names none of"),
        (SINGLE, "pitch high", "names none of rate"),
        (SINGLE, "rate high", "gives rate none of slow"),
        (ORDER, "low, low, high", "3 different levels"),
        (ORDER, "low, high", "3 different levels"),
        (ORDER, "slow, fast, normal", "'fast, slow' is none of high, low, normal"),
        (RATES, "low, high, normal", "none of fast, normal, slow"),
        (REASONING, "disgust", "<think>"),
        (REASONING, "<think>Loud.</think><answer>purple</answer>", "unknown emotion label 'purple'"),
    ],
)
def test_what_lacks_the_form_is_invalid_and_worth_nothing(one: SFTExample, answer: str, problem: str) -> None:
    """Each breaks one rule of its form."""
    found = score(one, answer)
    assert (found.valid, found.exact, found.credit) == (False, False, 0.0)
    assert problem in found.problem


def test_labels_may_be_mapped_into_a_set() -> None:
    """Disgust is `contempt or disgust` in PAPER_9 and a label of its own without it; confused is none of RAVDESS_8."""
    answer = "<think>Low.</think><answer>Disgust.</answer>"
    assert score(REASONING, answer).credit == FORMAT_CREDIT
    assert score(REASONING, answer, label_set=PAPER_9).exact
    other = score(REASONING, "<think>Low.</think><answer>confused</answer>", label_set=RAVDESS_8)
    assert other.problem == "'confused' is not a label of RAVDESS_8"


def test_words_are_compared_as_a_reader_would() -> None:
    """Typographic apostrophes, German sharp s, full-width letters, Arabic, and an emoji that is all of a word."""
    for target, answer in (
        ("don’t", "DON'T"),
        ("straße", "STRASSE"),
        ("ｋｉｄｓ", "kids"),
        ("الباب", "الباب"),
        ("🙂", "🙂"),
    ):
        assert score(example(Task.STRESS, target), answer).exact, target


@given(st.text(max_size=60))
def test_any_text_gets_a_score(answer: str) -> None:
    """Credit lies in [0, 1], is 1 exactly when all is right, and 0 when the form is broken."""
    for one in EXAMPLES:
        found = score(one, answer)
        assert 0.0 <= found.credit <= 1.0
        assert found.exact == (found.credit == 1.0)
        assert found.valid or (found.credit == 0.0 and found.problem)


def test_a_guess_of_the_order_is_worth_a_half() -> None:
    """A random order puts each pair right half of the time: 0.5, here over 600 draws within four standard errors."""
    rng = random.Random(0)
    worth = [score(ORDER, ", ".join(rng.sample(["low", "normal", "high"], 3))).credit for _ in range(600)]
    assert abs(sum(worth) / 600 - 0.5) < 4 * 0.32 / 600**0.5


def test_means_by_family_count_invalid_answers_as_wrong() -> None:
    """Of two stress answers one is invalid: exact 1/2, invalid 1/2."""
    scores = [score(STRESS, "kids, door"), score(STRESS, "I hear nothing"), score(ORDER, "low, normal, high")]
    found = summarise(scores)
    assert list(found) == [Task.STRESS, Task.COMPARATIVE]
    assert (found[Task.STRESS].exact, found[Task.STRESS].credit, found[Task.STRESS].invalid) == (0.5, 0.5, 0.5)
    assert found[Task.COMPARATIVE].credit == pytest.approx(2 / 3)
