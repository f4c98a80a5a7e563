"""Scoring answers to the families, by the strict form that the targets have.

Forgiven are white space around an answer and its parts, letter case, quotation marks around a word and one full stop at
the end. Anything else outside the form is invalid, and an invalid answer is wrong:

| family | form | partial credit, in [0, 1] |
|---|---|---|
| stress | words with commas between them | F1 of the set of words |
| attribute | `NAME VALUE` with commas between, each name once, no name that was not asked for | share of the known attributes that are right |
| comparative | as many levels as there are parts, none twice, commas between | share of the pairs of parts in the right order |
| reasoning | `<think>…</think><answer>LABEL</answer>` | 0.3 / 1.3 for the form alone, the paper's weights of form and outcome |
| label | `LABEL` | none |
| asr | words | 1 less the word error rate, at least 0 |
| text | words | as asr |

An attribute that was asked for but could not be measured (the contour of whispered speech) is not scored whatever is
answered; one that was measured and is not answered is wrong.
"""  # noqa: E501  (a table)

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType

from cotgen.tasks.phrasing import ATTRIBUTES, VALUES
from cotgen.tasks.records import SFTExample, Task
from speech_claims.quotes import words
from speech_records import AnswerFormatError, Emotion, LabelSet, UnknownEmotionError, parse_response

FORMAT_CREDIT = 0.3 / 1.3
"""What the think/answer form is worth without the right label: the paper weighs format 0.3 and outcome 1.0."""
_QUOTES = "'\"“”‘’„«»"
_RATES = frozenset(VALUES["rate"])
_LEVELS = frozenset(VALUES["energy"])


@dataclass(frozen=True, slots=True)
class Score:
    """What one answer is worth.

    `valid`: it has the form that was asked for. `exact`: all of it is right. `credit`, in [0, 1]: the family's partial
    credit, 1 exactly when all is right. `problem` says what is invalid; empty when nothing is.
    """

    example_id: str
    task: Task
    valid: bool
    exact: bool
    credit: float
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TaskScore:
    """Mean scores of one family, each in [0, 1]; invalid answers are wrong and stay in every mean."""

    answers: int
    exact: float
    credit: float
    invalid: float


class _InvalidError(ValueError):
    """An answer that lacks the form; its text says why."""


def score(example: SFTExample, answer: str, *, label_set: LabelSet | None = None) -> Score:
    """Hold an answer against the example's target, by the rules that the module lists.

    With `label_set` emotion labels are mapped into it first, so that another name for the same label counts.

    >>> example = SFTExample("a/stress", Task.STRESS, "a", "a.wav", "Which word is stressed?", "kids, door")
    >>> found = score(example, "Kids")
    >>> found.valid, found.exact, round(found.credit, 2)
    (True, False, 0.67)
    >>> score(example, "I think it is kids.").problem
    "'i think it is kids' is not one word"
    """
    try:
        if example.task in _LABELLED:
            credit = _LABELLED[example.task](example, answer, label_set)
        else:
            credit = _SCORERS[example.task](example, answer)
    except _InvalidError as problem:
        return Score(example.example_id, example.task, valid=False, exact=False, credit=0.0, problem=str(problem))
    return Score(example.example_id, example.task, valid=True, exact=credit == 1.0, credit=credit)


def summarise(scores: Iterable[Score]) -> dict[Task, TaskScore]:
    """Mean scores by family, in the order of `Task`; families without an answer are left out.

    >>> made = [Score("a", Task.STRESS, True, True, 1.0), Score("b", Task.STRESS, False, False, 0.0, "empty")]
    >>> summarise(made)[Task.STRESS]
    TaskScore(answers=2, exact=0.5, credit=0.5, invalid=0.5)
    """
    sums: dict[Task, list[float]] = {}
    for one in scores:
        row = sums.setdefault(one.task, [0, 0, 0, 0])
        for i, value in enumerate((1.0, one.exact, one.credit, not one.valid)):
            row[i] += value
    return {
        task: TaskScore(int(sums[task][0]), *(value / sums[task][0] for value in sums[task][1:]))
        for task in Task
        if task in sums
    }


def parts(answer: str) -> list[str]:
    """The parts of an answer between its commas, in small letters, without what is forgiven.

    >>> parts(" 'Kids', door. ")
    ['kids', 'door']
    """
    text = answer.strip().removesuffix(".")
    return [part.strip().strip(_QUOTES).casefold() for part in text.split(",")]


def _stress(example: SFTExample, answer: str) -> float:
    given, expected = {_word(part) for part in parts(answer)}, {_word(part) for part in parts(example.target)}
    return 2 * len(given & expected) / (len(given) + len(expected))


def _word(part: str) -> str:
    """The word as it is compared, without punctuation; a word that has no letter (an emoji) as it is."""
    if not part or re.search(r"\s", part):
        raise _InvalidError(f"{part!r} is not one word" if part else "a word is empty")
    return " ".join(words(part)) or part


def _attribute(example: SFTExample, answer: str) -> float:
    asked = {name for name in ATTRIBUTES if re.search(rf"\b{name}\b", example.question)}
    expected = dict(part.split(" ", 1) for part in parts(example.target))
    given: dict[str, str] = {}
    for part in parts(answer):
        name, _, value = part.partition(" ")
        if name not in asked:
            raise _InvalidError(f"{part!r} names none of {', '.join(sorted(asked))}")
        if name in given:
            raise _InvalidError(f"{name} is answered twice")
        if value.strip() not in VALUES[name]:
            raise _InvalidError(f"{part!r} gives {name} none of {', '.join(VALUES[name])}")
        given[name] = value.strip()
    return sum(given.get(name) == value for name, value in expected.items()) / len(expected)


def _comparative(example: SFTExample, answer: str) -> float:
    given, expected = parts(answer), parts(example.target)
    known = _LEVELS if set(expected) <= _LEVELS else _RATES
    if not set(given) <= known:
        raise _InvalidError(f"{', '.join(sorted(set(given) - known))!r} is none of {', '.join(sorted(known))}")
    if len(given) != len(expected) or len(set(given)) != len(given):
        raise _InvalidError(f"{len(expected)} different levels are needed, not {', '.join(given)!r}")
    if set(given) != set(expected):
        return 0.0
    pairs = list(combinations(expected, 2))
    return sum(given.index(first) < given.index(second) for first, second in pairs) / len(pairs)


def word_errors(spoken: str, given: str) -> tuple[int, int]:
    """How many words must be put in, left out or replaced to get from one text to another, and how many the first has.

    Letter case and punctuation count nothing. The sums over many texts give the word error rate.

    >>> word_errors("Kids are talking by the door.", "kids talking by a door now")
    (3, 6)
    """
    wanted, heard = words(spoken), words(given)
    row = list(range(len(heard) + 1))
    for i, word in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(heard, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1], len(wanted)


def _words(example: SFTExample, answer: str) -> float:
    errors, count = word_errors(example.target, answer)
    return max(0.0, 1.0 - errors / max(1, count))


def _reasoning(example: SFTExample, answer: str, label_set: LabelSet | None) -> float:
    try:
        given = _label(parse_response(answer, strict=True).answer, label_set)
    except AnswerFormatError as error:
        raise _InvalidError(str(error)) from error
    return 1.0 if given is _label(parse_response(example.target, strict=True).answer, label_set) else FORMAT_CREDIT


def _label_alone(example: SFTExample, answer: str, label_set: LabelSet | None) -> float:
    return float(_label(answer, label_set) is _label(example.target, label_set))


def _label(text: str, label_set: LabelSet | None) -> Emotion:
    try:
        found = Emotion.parse(text.strip().rstrip(".!"))
    except UnknownEmotionError as error:
        raise _InvalidError(str(error)) from error
    mapped = found if label_set is None else label_set.map(found)
    if mapped is None:
        raise _InvalidError(f"{text!r} is not a label of {label_set.name if label_set else 'any set'}")
    return mapped


_SCORERS: Mapping[Task, Callable[[SFTExample, str], float]] = MappingProxyType(
    {
        Task.STRESS: _stress,
        Task.ATTRIBUTE: _attribute,
        Task.COMPARATIVE: _comparative,
        Task.ASR: _words,
        Task.TEXT: _words,
    }
)
_LABELLED: Mapping[Task, Callable[[SFTExample, str, LabelSet | None], float]] = MappingProxyType(
    {Task.REASONING: _reasoning, Task.LABEL: _label_alone}
)
