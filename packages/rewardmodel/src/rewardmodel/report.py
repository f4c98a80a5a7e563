"""How good a reward model is: agreement of its scores with the targets on traces it has not learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import pearsonr, spearmanr

from rewardmodel.errors import ScoreShapeError
from speech_records import RewardScores

MIN_GAP = 0.5
"""Targets closer than this are no pair whose order counts: graders disagree by more."""


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Traces whose target rounds to `target`: how many, and the means of their targets and of the model's scores."""

    target: int
    count: int
    mean_target: float
    mean_predicted: float


@dataclass(frozen=True, slots=True)
class CriterionQuality:
    """Agreement on one criterion over `count` traces.

    Attributes:
        pearson, spearman: correlations in [-1, 1]; `None` where targets or predictions are all the same.
        pair_accuracy: share in [0, 1] of the pairs whose targets lie at least `MIN_GAP` apart that the model puts in
            the right order, ties counting half; `None` where there is no such pair.
        kappa: quadratic weighted kappa of the scores rounded to 1..5; `None` where both are one and the same number.
        mean_absolute_error: in points of score.
        calibration: by rounded target, ascending, empty bins left out.
    """

    count: int
    pearson: float | None
    spearman: float | None
    pair_accuracy: float | None
    kappa: float | None
    mean_absolute_error: float
    calibration: tuple[CalibrationBin, ...]


def quality(predicted: ArrayLike, target: ArrayLike) -> Mapping[str, CriterionQuality]:
    """Quality by criterion, and of the mean over the criteria under the key `mean`.

    Args:
        predicted: the model's scores, float [N, 4].
        target: the scores that the traces deserve, float [N, 4].

    Raises:
        ScoreShapeError: the shapes differ from [N, 4], N is 0, or a score is not finite.

    >>> target = [[1, 5, 5, 5], [3, 5, 5, 5], [5, 5, 5, 5]]
    >>> predicted = [[2, 4, 4, 4], [3, 4, 4, 4], [2.5, 4, 4, 4]]
    >>> facts = quality(predicted, target)["factual_alignment"]
    >>> facts.spearman, facts.pair_accuracy, facts.mean_absolute_error
    (0.5, 0.6666666666666666, 1.1666666666666667)
    """
    p, t = _scores("predicted", predicted), _scores("target", target)
    if p.shape != t.shape:
        raise ScoreShapeError(f"{len(p)} predictions for {len(t)} targets")
    result = {key: criterion_quality(p[:, j], t[:, j]) for j, key in enumerate(RewardScores.CRITERIA)}
    return result | {"mean": criterion_quality(p.mean(axis=1), t.mean(axis=1))}


def criterion_quality(predicted: NDArray[np.float64], target: NDArray[np.float64]) -> CriterionQuality:
    """Quality on one criterion; both arrays are float [N]."""
    is_constant = bool(np.ptp(predicted) == 0.0 or np.ptp(target) == 0.0)
    return CriterionQuality(
        count=len(target),
        pearson=None if is_constant else float(pearsonr(predicted, target).statistic),
        spearman=None if is_constant else float(spearmanr(predicted, target).statistic),
        pair_accuracy=pair_accuracy(predicted, target),
        kappa=quadratic_kappa(predicted, target),
        mean_absolute_error=float(np.abs(predicted - target).mean()),
        calibration=tuple(_calibration(predicted, target)),
    )


def pair_accuracy(predicted: NDArray[np.float64], target: NDArray[np.float64]) -> float | None:
    """Share of pairs in the right order, see `CriterionQuality`; both arrays are float [N].

    Of the three pairs here the first is in order, the second reversed, the third a tie: (1 + 0 + 0.5) / 3.

    >>> pair_accuracy(np.array([2.0, 3.0, 2.0]), np.array([1.0, 3.0, 5.0]))
    0.5
    """
    right, pairs = 0.0, 0
    for p, t in zip(predicted, target, strict=True):  # a row of the N x N comparison at a time, so memory stays O(N)
        lower = target <= t - MIN_GAP
        pairs += int(lower.sum())
        right += float((predicted[lower] < p).sum() + 0.5 * (predicted[lower] == p).sum())
    return right / pairs if pairs else None


def quadratic_kappa(predicted: NDArray[np.float64], target: NDArray[np.float64]) -> float | None:
    """Cohen's kappa of rounded scores, disagreements weighted by their squares; `None` for one and the same number.

    Squares 1, 0, 0; of all nine pairs 1 + 1 + 9 + 4 + 0 + 4 + 16 + 4 + 0: 1 - (1/3) / (39/9)

    >>> round(quadratic_kappa(np.array([2.0, 3.0, 5.0]), np.array([1.0, 3.0, 5.0])), 4)
    0.9231
    """
    p, t = _rounded(predicted), _rounded(target)
    by_chance = float(((p[:, None] - t) ** 2).mean())
    return 1.0 - float(((p - t) ** 2).mean()) / by_chance if by_chance else None


def _rounded(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.floor(scores + 0.5).astype(np.int64)


def _calibration(predicted: NDArray[np.float64], target: NDArray[np.float64]) -> Sequence[CalibrationBin]:
    rounded = _rounded(target)
    return [
        CalibrationBin(
            target=int(value),
            count=int((rounded == value).sum()),
            mean_target=float(target[rounded == value].mean()),
            mean_predicted=float(predicted[rounded == value].mean()),
        )
        for value in np.unique(rounded)
    ]


def _scores(name: str, values: ArrayLike) -> NDArray[np.float64]:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 2 or scores.shape[1] != len(RewardScores.CRITERIA) or len(scores) == 0:
        raise ScoreShapeError(f"{name} has shape {scores.shape}, expected [N, {len(RewardScores.CRITERIA)}] with N > 0")
    if not np.isfinite(scores).all():
        raise ScoreShapeError(f"{name} holds a score that is not finite")
    return scores
