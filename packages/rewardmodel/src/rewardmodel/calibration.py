"""Whether probabilities order claims, mean what they say, and by what their log-odds must be divided to do so."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logit
from scipy.stats import rankdata

from rewardmodel.errors import ScoreShapeError

BINS = 10


def auroc(probabilities: ArrayLike, outcomes: ArrayLike) -> float | None:
    """The chance that a true claim has the higher probability of a true and a false one, ties counting half.

    `None` where all outcomes are the same.

    >>> auroc([0.9, 0.4, 0.4, 0.1], [1, 1, 0, 0])
    0.875
    """
    p, true = _pairs(probabilities, outcomes)
    positive = int(true.sum())
    negative = len(true) - positive
    if not positive or not negative:
        return None
    ranks = float(rankdata(p)[true].sum())
    return (ranks - positive * (positive + 1) / 2) / (positive * negative)


def reliability(probabilities: ArrayLike, outcomes: ArrayLike) -> list[tuple[float, float, int]]:
    """Mean probability, share of true outcomes and count in `BINS` equal intervals, empty ones left out."""
    p, true = _pairs(probabilities, outcomes)
    of = np.minimum((p * BINS).astype(int), BINS - 1)
    return [(float(p[of == b].mean()), float(true[of == b].mean()), int((of == b).sum())) for b in np.unique(of)]


def expected_calibration_error(probabilities: ArrayLike, outcomes: ArrayLike) -> float:
    """The mean distance of probability and share of true outcomes over the intervals of `reliability`.

    Four claims of which three hold, all called 90 % certain:

    >>> round(expected_calibration_error([0.9] * 4, [1, 1, 1, 0]), 4)
    0.15
    """
    bins = reliability(probabilities, outcomes)
    return sum(count * abs(p - share) for p, share, count in bins) / sum(count for _, _, count in bins)


def fit_temperature(probabilities: ArrayLike, outcomes: ArrayLike) -> float:
    """What the log-odds of `probabilities` are divided by so that `outcomes` are most likely, from 1/20 to 20.

    Log-odds of ±2 of which three in four are right should be ±log 3: 2 / 1.0986.

    >>> round(fit_temperature([1 / (1 + np.exp(-2.0))] * 4, [1, 1, 1, 0]), 2)
    1.82
    """
    p, true = _pairs(probabilities, outcomes)
    z = logit(np.clip(p, 1e-7, 1.0 - 1e-7)) * np.where(true, 1.0, -1.0)
    found = minimize_scalar(lambda t: np.logaddexp(0.0, -z / np.exp(t)).mean(), bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(found.x))


def _pairs(probabilities: ArrayLike, outcomes: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    p, true = np.asarray(probabilities, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    if p.ndim != 1 or p.shape != true.shape or not len(p):
        raise ScoreShapeError(f"probabilities have shape {p.shape}, outcomes {true.shape}; expected [N] with N > 0")
    if not (np.isfinite(p).all() and ((p >= 0.0) & (p <= 1.0)).all()):
        raise ScoreShapeError("probabilities must lie in [0, 1]")
    return p, true > 0.5
