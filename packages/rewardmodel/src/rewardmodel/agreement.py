"""Agreement with people: ratings of reasoning, one JSON object a line, and Krippendorff's alpha among who gave them.

{"utterance_id": "a1", "text": "<think>…</think><answer>angry</answer>", "rater": "r1", "factual_alignment": 4,
 "interpretative_quality": 3, "caption_completeness": 5, "fluency_and_structural_clarity": 5}
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rewardmodel.errors import ScoreShapeError
from rewardmodel.judging import Clip, Judge
from rewardmodel.report import CriterionQuality, criterion_quality
from speech_records import (
    AnswerFormatError,
    FailedItem,
    LabelSet,
    MeasuredUtterance,
    ReasoningTrace,
    RewardScores,
    emotion_question,
    format_answer,
)
from speech_records.failures import Report


@dataclass(frozen=True, slots=True)
class Rating:
    """What one person, or another judge, gave one text about one clip, each score in [1, 5]."""

    utterance_id: str
    text: str
    rater: str
    factual_alignment: float
    interpretative_quality: float
    caption_completeness: float
    fluency_and_structural_clarity: float

    def __post_init__(self) -> None:
        RewardScores(*self.scores)  # raises outside [1, 5]

    @property
    def scores(self) -> tuple[float, float, float, float]:
        """In the order of `RewardScores.CRITERIA`."""
        return (
            self.factual_alignment,
            self.interpretative_quality,
            self.caption_completeness,
            self.fluency_and_structural_clarity,
        )


@dataclass(frozen=True, slots=True)
class CriterionAgreement:
    """People and a model on one criterion.

    `people` is alpha among the raters, `with_model` alpha with the model as one more; `quality` is that of the model's
    scores against the means of the people's.
    """

    people: float | None
    with_model: float | None
    quality: CriterionQuality


def agreement(
    ratings: Iterable[Rating], scores: Mapping[tuple[str, str], Sequence[float]]
) -> Mapping[str, CriterionAgreement]:
    """By criterion, over the texts that `scores` holds the model's scores of, by utterance id and text.

    Raises `ScoreShapeError` when there is none.
    """
    given: dict[tuple[str, str], dict[str, Rating]] = defaultdict(dict)
    for rating in ratings:
        if (rating.utterance_id, rating.text) in scores:
            given[rating.utterance_id, rating.text][rating.rater] = rating
    if not given:
        raise ScoreShapeError("no rating is of a text that was scored")
    raters = sorted({rater for rated in given.values() for rater in rated})
    found = {}
    for j, criterion in enumerate(RewardScores.CRITERIA):
        people = np.array([[r[name].scores[j] if name in r else np.nan for r in given.values()] for name in raters])
        model = np.array([scores[key][j] for key in given])
        means = np.array([fmean(r.scores[j] for r in rated.values()) for rated in given.values()])
        both = np.vstack([people, model])
        found[criterion] = CriterionAgreement(
            krippendorff_alpha(people), krippendorff_alpha(both), criterion_quality(model, means)
        )
    return found


def krippendorff_alpha(ratings: ArrayLike) -> float | None:
    """Krippendorff's alpha for interval data, float [raters, units], NaN where a rater gave nothing.

    1 is full agreement, 0 what chance gives. `None` where no unit has two ratings, or all ratings are the same.
    Krippendorff (2011), *Computing Krippendorff's alpha-reliability*, example C, has 0.849:

    >>> _ = np.nan
    >>> round(krippendorff_alpha([
    ...     [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    ...     [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    ...     [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    ...     [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ... ]), 3)
    0.849
    """
    table: NDArray[np.float64] = np.asarray(ratings, dtype=np.float64)
    units = [unit[~np.isnan(unit)] for unit in table.T]
    units = [unit for unit in units if len(unit) > 1]
    if not units:
        return None
    values = np.concatenate(units)
    expected = _squares(values) / (len(values) - 1)
    if expected == 0:
        return None
    observed = sum(_squares(unit) / (len(unit) - 1) for unit in units)
    return 1.0 - float(observed / expected)


def _squares(values: NDArray[np.float64]) -> float:
    """The sum of squared differences over all ordered pairs."""
    return float(2 * len(values) * np.square(values).sum() - 2 * values.sum() ** 2)


def ratings_by(
    part: Sequence[tuple[ReasoningTrace, MeasuredUtterance]],
    judge: Judge,
    label_set: LabelSet,
    rater: str,
    failed: Report,
) -> Iterator[Rating]:
    """A rating of every text that could be judged on all criteria; the others are reported."""
    texts = [_response(trace, label_set) for trace, _ in part]
    questions = [emotion_question(label_set)] * len(texts)
    found = judge.judge([Clip(measured=clip) for _, clip in part], questions, texts)
    for i, (trace, _) in enumerate(part):
        scores, problem = found.scores[i].tolist(), found.problems.get(i)
        if problem is None and not any(math.isnan(score) for score in scores):
            yield Rating(trace.utterance_id, texts[i], rater, *scores)
        else:
            failed(FailedItem(trace.utterance_id, "judge", "Judgement", problem or "a criterion cannot be told"))


def _response(trace: ReasoningTrace, label_set: LabelSet) -> str:
    """Reasoning and answer as a policy writes them; a text that holds tags is taken for a whole response."""
    try:
        return format_answer(trace.think, label_set.text(trace.answer))
    except AnswerFormatError:
        return trace.think
