"""Whether a system knows when it is right: calibration of its confidence, and accuracy where it is confident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 10
"""Bins of equal width of the expected calibration error (Guo et al. 2017)."""
COVERAGES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class Selective:
    """Accuracy on the share `coverage` of the clips that a system is most confident about."""

    coverage: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of `clips` with a confidence; `expected_error` is the mean distance of confidence and accuracy over the bins."""

    clips: int
    confidence: float
    accuracy: float
    expected_error: float
    selective: tuple[Selective, ...]


def calibrate(confidences: Sequence[float], right: Sequence[bool]) -> Calibration:
    """The calibration of answers whose `confidences` are in [0, 1]; clips of equal confidence count in their order.

    Two answers of 0.9, one of them right, and one of 0.2 that is wrong: (2 · |0.9 - 0.5| + |0.2 - 0|) / 3 = 0.3333.

    >>> result = calibrate([0.9, 0.9, 0.2], [True, False, False])
    >>> round(result.expected_error, 4), result.selective[0]
    (0.3333, Selective(coverage=0.25, accuracy=1.0))
    """
    sure, hits = np.asarray(confidences, dtype=float), np.asarray(right, dtype=float)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    error = sum(abs(float((sure[bins == b] - hits[bins == b]).sum())) for b in range(BINS)) / len(sure)
    ranked = hits[np.argsort(-sure, kind="stable")]
    selective = tuple(Selective(c, float(ranked[: int(np.ceil(c * len(ranked)))].mean())) for c in COVERAGES)
    return Calibration(len(sure), float(sure.mean()), float(hits.mean()), error, selective)
