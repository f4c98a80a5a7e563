"""The prosody-perception test set, in the five columns of the paper's table: pitch, rate, energy, intonation, stress.

Made from measured utterances of one held-out split. Only clear cases are asked: a level that lies near the border to
its neighbour, an uncertain contour, or more than one stressed word gives no item. Each column has equally many items of
each class, so that chance is one over the number of choices for any way of guessing:

- pitch, rate, energy: low, normal, high; slow, normal, fast
- intonation: the course of the pitch: rising, falling, rising-falling, falling-rising, level
- stress: which of four words of the sentence, listed in its order; the classes are the places in that list

How the paper drew its own set was not published, so scores on this one are not comparable with its table.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from cotgen.errors import TaskError
from cotgen.tasks.balancing import Class, Selection
from cotgen.tasks.examples import known_stress
from cotgen.tasks.joining import measured_lines
from cotgen.tasks.phrasing import VALUES
from cotgen.tasks.scoring import parts
from speech_claims.cue_values import cue_values
from speech_claims.quotes import sanitize, words
from speech_claims.senses import value_word
from speech_records import Cue, InvalidRecordError, MeasuredUtterance
from speech_records.failures import Report


class Column(StrEnum):
    """The columns of the paper's table, in its order."""

    PITCH = "pitch"
    RATE = "rate"
    ENERGY = "energy"
    INTONATION = "intonation"
    STRESS = "stress"


STRESS_CHOICES = 4
_PLACES = tuple(f"place {i}" for i in range(1, STRESS_CHOICES + 1))
_CUES: Mapping[Column, Cue] = MappingProxyType(
    {
        Column.PITCH: Cue.PITCH,
        Column.RATE: Cue.RATE,
        Column.ENERGY: Cue.ENERGY,
        Column.INTONATION: Cue.CONTOUR_SHAPE,
    }
)
_QUESTIONS: Mapping[Column, str] = MappingProxyType(
    {
        Column.PITCH: "How high is the pitch of this voice, for a speaker of its kind?",
        Column.RATE: "How fast does this speaker speak?",
        Column.ENERGY: "How loud is this speech?",
        Column.INTONATION: "Which course does the pitch take over the whole clip?",
        Column.STRESS: "Which of these words does the speaker stress?",
    }
)
_NAMES: Mapping[Column, frozenset[str]] = MappingProxyType(
    {column: frozenset({column.value}) for column in Column} | {Column.INTONATION: frozenset({"intonation", "contour"})}
)


@dataclass(frozen=True, slots=True)
class PerceptionItem:
    """One question of the test set, whose `answer` is one of `choices`. `audio_path` is the utterance's own."""

    schema_version: ClassVar[str] = "1.0"

    item_id: str
    column: Column
    utterance_id: str
    audio_path: str
    question: str
    choices: tuple[str, ...]
    answer: str
    split: str | None = None
    synthetic: bool = False

    def __post_init__(self) -> None:
        if len(self.choices) < 2 or len(set(self.choices)) != len(self.choices) or self.answer not in self.choices:
            raise InvalidRecordError(
                f"PerceptionItem {self.item_id!r}: answer {self.answer!r} must be one of two or more different choices"
            )


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """How many clear cases of each class a column has, which classes are asked, and how many items of each."""

    found: Mapping[str, int]
    asked: tuple[str, ...]
    per_class: int


@dataclass(frozen=True, slots=True)
class PerceptionScore:
    """Answers to one column: shares in [0, 1]; `lower` and `upper` end the 95 % interval (Wilson's) of the accuracy.

    `chance` is what guessing gives; invalid answers are wrong.
    """

    answers: int
    accuracy: float
    lower: float
    upper: float
    chance: float
    invalid: float


class PerceptionSet:
    """The set of one split of a file of measurements, read twice: counted when made, drawn by `items`.

    Of each class at most `most` are asked, equally many of every class of a column; a class with fewer than `least`
    clear cases is not asked, nor a column with fewer than two classes. Bad lines go to `report`. Raises `TaskError`
    when no utterance of the file is in the split.
    """

    def __init__(
        self, profiles: Path, *, split: str, seed: int, report: Report, most: int = 100, least: int = 10
    ) -> None:
        self._profiles, self._split, self._seed = profiles, split, seed
        counts: Counter[tuple[Column, str]] = Counter()
        here, elsewhere = set[tuple[str, str]](), set[tuple[str, str]]()
        others: Counter[str] = Counter()
        for item in measured_lines(profiles, report, check_stress=True):
            who = (item.utterance.corpus, item.utterance.speaker_id)
            if item.utterance.split != split:
                elsewhere.add(who)
                others[item.utterance.split or "none"] += 1
                continue
            here.add(who)
            counts.update((column, name) for column, name, _ in self._cases(item))
        if not here:
            found = ", ".join(f"{n} in {name}" for name, n in sorted(others.items())) or "none in any other"
            raise TaskError(f"{profiles}: no usable utterance in split {split!r}; {found}")
        self.shared_speakers = tuple(sorted(f"{corpus} {speaker}" for corpus, speaker in here & elsewhere))
        """Speakers of the split who are also in another one: recognising them is then no test of unknown voices."""
        self.columns = {column: _plan(counts, column, most=most, least=least) for column in Column}

    def items(self) -> Iterator[PerceptionItem]:
        """The items in the order of the file; the same for the same file and seed."""
        counts = {Class(c, name): n for c, plan in self.columns.items() for name, n in plan.found.items()}
        kept = {
            Class(c, name): plan.per_class if name in plan.asked else 0
            for c, plan in self.columns.items()
            for name in plan.found
        }
        selection = Selection(counts, kept, seed=self._seed)
        for item in measured_lines(self._profiles, lambda _: None, check_stress=True):
            if item.utterance.split == self._split:
                for column, name, choices in self._cases(item):
                    if selection.keeps(Class(column, name)):
                        yield self._item(item, column, name, choices)

    def _cases(self, item: MeasuredUtterance) -> Iterator[tuple[Column, str, tuple[str, ...]]]:
        """Column, class and (of stress) choices of everything that is clear about an utterance."""
        readings = cue_values(item.profile, item.levels)
        for column, cue in _CUES.items():
            reading = readings.get(cue)
            if reading is not None and len(reading.accepted) == 1:
                yield column, value_word(cue, reading.value), ()
        yield from self._stress(item)

    def _stress(self, item: MeasuredUtterance) -> Iterator[tuple[Column, str, tuple[str, ...]]]:
        spoken = words(sanitize(item.utterance.transcript or ""))
        stressed = [part for word in known_stress(item) for part in words(sanitize(word))]
        if len(stressed) != 1 or spoken.count(stressed[0]) != 1:
            return
        others = [word for word in dict.fromkeys(spoken) if word != stressed[0]]
        if len(others) >= STRESS_CHOICES - 1:
            rng = random.Random(f"perception:{self._seed}:{item.utterance.utterance_id}")
            drawn = {stressed[0], *rng.sample(others, STRESS_CHOICES - 1)}
            choices = tuple(word for word in dict.fromkeys(spoken) if word in drawn)
            yield Column.STRESS, _PLACES[choices.index(stressed[0])], choices

    def _item(self, item: MeasuredUtterance, column: Column, name: str, choices: tuple[str, ...]) -> PerceptionItem:
        utterance = item.utterance
        listed = choices or self.columns[column].asked
        return PerceptionItem(
            item_id=f"{utterance.utterance_id}/perception-{column}",
            column=column,
            utterance_id=utterance.utterance_id,
            audio_path=utterance.audio_path,
            question=f"{_QUESTIONS[column]} Answer with one of: {', '.join(listed)}.",
            choices=listed,
            answer=choices[_PLACES.index(name)] if choices else name,
            split=utterance.split,
            synthetic=utterance.synthetic,
        )


def choose(item: PerceptionItem, answer: str) -> str | None:
    """The choice that an answer names; `None` when it is invalid.

    The form is one of the choices and nothing else. Letter case, quotation marks and a full stop are forgiven, and so
    is the column's name before the choice, as in the targets of the attribute family.

    >>> item = PerceptionItem("a", Column.PITCH, "a", "a.wav", "How high?", ("low", "high"), "high")
    >>> choose(item, " Pitch high."), choose(item, "It is high")
    ('high', None)
    """
    given = parts(answer)
    if len(given) != 1:
        return None
    name, _, rest = given[0].partition(" ")
    text = rest.strip() if name in _NAMES[item.column] and rest else given[0]
    return text if text in item.choices else None


def score_perception(answers: Iterable[tuple[PerceptionItem, str]]) -> dict[Column, PerceptionScore]:
    """The table: a score for each column that has answers, in the paper's order.

    >>> item = PerceptionItem("a", Column.PITCH, "a", "a.wav", "How high?", ("low", "high"), "high")
    >>> found = score_perception([(item, "high"), (item, "high"), (item, "low"), (item, "loud")])[Column.PITCH]
    >>> found.answers, found.accuracy, round(found.lower, 2), round(found.upper, 2), found.chance, found.invalid
    (4, 0.5, 0.15, 0.85, 0.5, 0.25)
    """
    sums = {column: [0, 0, 0, 0.0] for column in Column}
    for item, answer in answers:
        chosen, row = choose(item, answer), sums[item.column]
        for i, value in enumerate((1, chosen == item.answer, chosen is None, 1 / len(item.choices))):
            row[i] += value
    return {
        column: PerceptionScore(int(n), right / n, *wilson(right / n, int(n)), chance=chance / n, invalid=invalid / n)
        for column, (n, right, invalid, chance) in sums.items()
        if n
    }


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of `count` trials (Wilson 1927); (0, 1) without any.

    >>> [round(end, 3) for end in wilson(0.5, 10)]
    [0.237, 0.763]
    """
    if not count:
        return 0.0, 1.0
    z = 1.959964
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def _plan(counts: Counter[tuple[Column, str]], column: Column, *, most: int, least: int) -> ColumnPlan:
    names = VALUES["contour"] if column is Column.INTONATION else VALUES.get(column, _PLACES)
    found = {name: counts[column, name] for name in names if counts[column, name]}
    asked = tuple(name for name, n in found.items() if n >= max(least, 1))
    if len(asked) < 2:
        return ColumnPlan(found, (), 0)
    return ColumnPlan(found, asked, min(most, *(found[name] for name in asked)))
