"""What a policy perceives: the paper's five columns on recordings, and the order of prosody-modified variants.

Items come from `cotgen.tasks.perception`: clear cases of one split, equally many of every class. Each is asked in the
words that the data set trains on, and answered by the choice that is likeliest as a whole answer. So a model that has
never seen the form of the answers is not wrong for that alone, and guessing scores `chance`.

Where every choice is right equally often, each one's probability is divided by its mean over the questions (Zhou et al.
2024, Batch Calibration): what a model says of any clip, because of how often it was the answer in training or how it is
worded, is nothing that it perceives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cotgen.tasks import Attribute, Phrasing, Task
from cotgen.tasks.perception import Column, PerceptionItem, PerceptionSet
from cotgen.tasks.phrasing import ATTRIBUTES, VALUES, questions
from policy import sequence_logprobs
from speech_claims.cue_values import cue_values
from speech_claims.senses import value_word
from speech_records import FailedItem, MeasuredUtterance
from speechlm import SpeechLM
from trainer.baselines import feature_values, prosody_classifier
from trainer.dataset import TRAIN, AnnotatedCorpus, feature_key
from trainer.errors import DataSetError
from trainer.features import as_float
from trainer.metrics import RESAMPLES, Draws, Estimate, share
from trainer.progress import track

NAMES: Mapping[Column, str] = {
    Column.PITCH: "pitch",
    Column.RATE: "rate",
    Column.ENERGY: "energy",
    Column.INTONATION: "contour",
}
"""What the data set's questions and answers call a column; stress has no such name."""
CONTOUR_SHAPES = "contour_"
"""How the names of the measurements begin that are the answer about intonation itself."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about one clip, the answers to choose from, and the number of the right one."""

    column: str
    utterance_id: str
    key: str
    question: str
    choices: tuple[str, ...]
    right: int


@dataclass(frozen=True, slots=True)
class PerceptionColumn:
    """How many questions about one property were answered right.

    - `accuracy` with its interval over speakers; `chance` is what guessing gives
    - `regression`: accuracy of a logistic regression on the measured profiles, on the same clips; `None` where a
      profile does not hold the answer (stress, the order of variants)
    - `confusion`: counts, rows are right choices, columns chosen ones, in the order of `choices`; of words none
    """

    name: str
    asked: int
    speakers: int
    accuracy: Estimate
    chance: float
    regression: float | None = None
    choices: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class PerceptionReport:
    """The perception test of one policy.

    `columns` are the paper's, `order` is of comparative clips by what they vary; `macro` is the mean of `columns`.
    `known_sentences` is the share of the questions about recordings whose sentence is in the training split too.
    """

    columns: tuple[PerceptionColumn, ...]
    order: tuple[PerceptionColumn, ...]
    macro: Estimate | None
    known_sentences: float


class PerceptionTest:
    """The questions of one split, at most `most` of each class, with the speakers that they are about.

    Raises `DataSetError` where a speaker of the split is in the training split, too.
    """

    def __init__(self, corpus: AnnotatedCorpus, *, split: str, most: int, seed: int) -> None:
        self._train, self._clips = corpus.split(TRAIN), {m.utterance.utterance_id: m for m in corpus.split(split)}
        self._seed = seed
        trained = {m.utterance.speaker_id for m in self._train}
        if both := sorted(trained & {m.utterance.speaker_id for m in self._clips.values()}):
            raise DataSetError(f"speaker {both[0]} is in {TRAIN} and {split}: perception is tested on unseen speakers")
        measured = corpus.folder / "measured.jsonl"
        drawn = PerceptionSet(measured, split=split, seed=seed, report=_ignore, most=most)
        self.recorded = [_asked(item, corpus.phrasing) for item in drawn.items() if item.utterance_id in self._clips]
        self.varied = list(_orders(corpus, split, self._clips, most=most, seed=seed))
        sentences = {_sentence(m) for m in self._train}
        known = [_sentence(self._clips[q.utterance_id]) in sentences for q in self.recorded]
        self.known_sentences = fmean(known) if known else 0.0
        self._regression = {column: self._regress(column) for column in NAMES}

    def report(self, chosen: Sequence[int]) -> PerceptionReport:
        """The scores of the answers `chosen` to all questions, those about recordings first."""
        answers = list(zip([*self.recorded, *self.varied], chosen, strict=True))
        rows = [self._column(c.value, [a for a in answers if a[0].column == c.value], self._regression.get(c))
                for c in Column]  # fmt: skip
        order = [self._column(name, [a for a in answers if a[0].column == name], None)
                 for name in (f"order of {attribute}" for attribute in Attribute)]  # fmt: skip
        columns = tuple(row for row in rows if row is not None)
        return PerceptionReport(
            columns=columns,
            order=tuple(row for row in order if row is not None),
            macro=self.macro(chosen),
            known_sentences=self.known_sentences,
        )

    def macro(self, chosen: Sequence[int], before: Sequence[int] | None = None) -> Estimate | None:
        """Mean accuracy of the paper's columns, or how much it is above that of the answers `before`."""
        names = list(dict.fromkeys(q.column for q in self.recorded))
        speakers = sorted({self._speaker(q) for q in self.recorded})
        if not names:
            return None
        counts = np.zeros((len(speakers), len(names), 2))
        for i, q in enumerate(self.recorded):
            gained = float(chosen[i] == q.right) - (0.0 if before is None else float(before[i] == q.right))
            counts[speakers.index(self._speaker(q)), names.index(q.column)] += (gained, 1)

        def mean(summed: NDArray[np.float64]) -> NDArray[np.float64]:
            means: NDArray[np.float64] = np.nanmean(share(summed), axis=-1)
            return means

        return Draws(RESAMPLES, self._seed).estimate(mean, counts)

    def _speaker(self, question: Asked) -> str:
        return self._clips[question.utterance_id].utterance.speaker_id

    def _column(
        self, name: str, answers: Sequence[tuple[Asked, int]], regression: float | None
    ) -> PerceptionColumn | None:
        if not answers:
            return None
        speakers = sorted({self._speaker(q) for q, _ in answers})
        counts = np.zeros((len(speakers), 2))
        for q, choice in answers:
            counts[speakers.index(self._speaker(q))] += (choice == q.right, 1)
        listed = {q.choices for q, _ in answers}
        choices = listed.pop() if len(listed) == 1 else ()
        confusion = np.zeros((len(choices), len(choices)), dtype=int)
        for q, choice in answers if choices else ():
            confusion[q.right, choice] += 1
        return PerceptionColumn(
            name=name,
            asked=len(answers),
            speakers=len(speakers),
            accuracy=Draws(RESAMPLES, self._seed).estimate(share, counts),
            chance=fmean(1 / len(q.choices) for q, _ in answers),
            regression=regression,
            choices=choices,
            confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        )

    def _regress(self, column: Column) -> float | None:
        """What a logistic regression on the measurements of the training clips gets right of a column's questions."""
        cue, prefix = ATTRIBUTES[NAMES[column]], f"{NAMES[column]} "
        asked = [q for q in self.recorded if q.column == column.value]
        values = [(m, cue_values(m.profile, m.levels).get(cue)) for m in self._train]
        known = [(m, prefix + value_word(cue, v.value)) for m, v in values if v is not None and len(v.accepted) == 1]
        known = [(m, answer) for m, answer in known if asked and answer in asked[0].choices]
        if len({answer for _, answer in known}) < 2:
            return None

        def rows(clips: Sequence[MeasuredUtterance]) -> NDArray[np.float64]:
            named = [feature_values(m.profile) for m in clips]
            kept = [k for k in named[0] if column is not Column.INTONATION or not k.startswith(CONTOUR_SHAPES)]
            return np.array([[row[k] for k in kept] for row in named], dtype=np.float64)

        classifier = prosody_classifier().fit(rows([m for m, _ in known]), [answer for _, answer in known])
        given = classifier.predict(rows([self._clips[q.utterance_id] for q in asked]))
        return fmean(answer == q.choices[q.right] for answer, q in zip(given, asked, strict=True))


@torch.no_grad()
def choose(
    model: SpeechLM,
    asked: Sequence[Asked],
    features: Mapping[str, Tensor],
    *,
    what: str | None,
    batch_size: int = 32,
) -> list[int]:
    """For every question the number of the choice that is the likeliest answer, its end included (`calibrated`)."""
    order = sorted(range(len(asked)), key=lambda i: features[asked[i].key].shape[-1])
    found: dict[int, list[float]] = {}
    starts = range(0, len(order), batch_size)
    for start in starts if what is None else track(starts, total=len(starts), what=what):
        batch = [asked[i] for i in order[start : start + batch_size]]
        clips = as_float(features[q.key] for q in batch)
        packed = model.pack(clips, [q.question for q in batch], [list(q.choices) for q in batch])
        scores = packed.unpack(sequence_logprobs(model, packed)).sum(-1).tolist()
        for i, q in zip(order[start:], batch, strict=False):
            found[i], scores = scores[: len(q.choices)], scores[len(q.choices) :]
    return calibrated(asked, [found[i] for i in range(len(asked))])


def calibrated(asked: Sequence[Asked], scores: Sequence[Sequence[float]]) -> list[int]:
    """The likeliest choices by the log-probabilities `scores` of all of them.

    Of questions with the same choices, each of which is right equally often, probabilities are divided by their mean.

    >>> asked = [Asked("rate", f"u{i}", f"u{i}", "?", ("slow", "fast"), i) for i in range(2)]
    >>> calibrated(asked, [[-1.0, -2.0], [-1.0, -1.5]])
    [0, 1]
    """
    groups: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for i, q in enumerate(asked):
        groups.setdefault((q.column, q.choices), []).append(i)
    chosen = [0] * len(asked)
    for (_, choices), members in groups.items():
        logs = torch.tensor([scores[i] for i in members], dtype=torch.float64).log_softmax(-1)
        right = Counter(asked[i].right for i in members)
        if len(right) == len(choices) and len(set(right.values())) == 1:
            logs = logs - logs.logsumexp(0)
        for i, best in zip(members, logs.argmax(-1).tolist(), strict=True):
            chosen[i] = best
    return chosen


def perception_table(reports: Mapping[str, PerceptionReport]) -> str:
    """The test as Markdown: a row for each property, a column for each policy by its name."""
    first = next(iter(reports.values()))
    lines = [
        f"| | questions | chance | logistic regression | {' | '.join(reports)} |",
        "|---" * (4 + len(reports)) + "|",
    ]
    for i, row in enumerate([*first.columns, *first.order]):
        found = [_shown([*report.columns, *report.order][i].accuracy) for report in reports.values()]
        regression = "–" if row.regression is None else f"{row.regression:.3f}"
        lines.append(f"| {row.name} | {row.asked} | {row.chance:.3f} | {regression} | {' | '.join(found)} |")
    chance = fmean(row.chance for row in first.columns) if first.columns else float("nan")
    macro = [_shown(report.macro) for report in reports.values()]
    lines.append(f"| macro of recordings | | {chance:.3f} | – | {' | '.join(macro)} |")
    return "\n".join(lines) + "\n"


def _shown(estimate: Estimate | None) -> str:
    if estimate is None or estimate.low is None:
        return "–" if estimate is None else f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _asked(item: PerceptionItem, phrasing: Phrasing) -> Asked:
    """A question of the test set in the words that the data set is asked in."""
    right, name = item.choices.index(item.answer), NAMES.get(item.column)
    if name is None:
        question, choices = questions(phrasing).stress[0], item.choices
    else:
        question = questions(phrasing, name).attribute[0].format(name=name)
        choices = tuple(f"{name} {value}" for value in item.choices)
    return Asked(item.column.value, item.utterance_id, item.utterance_id, question, choices, right)


def _orders(
    corpus: AnnotatedCorpus, split: str, clips: Mapping[str, MeasuredUtterance], *, most: int, seed: int
) -> Iterator[Asked]:
    """Questions about the order of variants, at most `most` of each attribute; every order is a choice."""
    examples = [e for e in corpus.examples(split) if e.task is Task.COMPARATIVE and e.utterance_id in clips]
    varied = {c.audio_path: c.attribute for c in corpus.data.clips()}
    left = dict.fromkeys(Attribute, most)
    for i in np.random.default_rng(seed).permutation(len(examples)):
        example = examples[i]
        attribute = varied[example.audio_path]
        if left[attribute]:
            left[attribute] -= 1
            words = VALUES[attribute.value][:3]
            choices = tuple(", ".join(order) for order in permutations(words))
            right = choices.index(example.target)
            key = feature_key(example)
            yield Asked(f"order of {attribute}", example.utterance_id, key, example.question, choices, right)


def _sentence(clip: MeasuredUtterance) -> str:
    return " ".join((clip.utterance.transcript or "").casefold().split())


def _ignore(_: FailedItem) -> None:
    """Bad lines are named where the data set is read."""
