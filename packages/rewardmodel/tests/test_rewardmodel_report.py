"""Quality of scores: against a quadratic reference and numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rewardmodel import CalibrationBin, ScoreShapeError, quality
from rewardmodel.report import MIN_GAP, pair_accuracy

scores = hnp.arrays(np.float64, st.integers(1, 12), elements=st.floats(1, 5, width=16))


def test_perfect_predictions() -> None:
    target = np.array([[1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 5.0], [5.0, 4.0, 2.0, 1.0]])
    for criterion in quality(target, target).values():
        assert criterion.spearman == pytest.approx(1.0)
        assert criterion.pearson == pytest.approx(1.0)
        assert criterion.pair_accuracy == 1.0
        assert criterion.mean_absolute_error == 0.0
        assert all(b.mean_target == b.mean_predicted for b in criterion.calibration)


def test_by_hand() -> None:
    """Targets 1, 3, 5 and predictions 2, 3, 2.5. Pearson: deviations (-2, 0, 2) and (-0.5, 0.5, 0) have the product
    sum 1 and norms √8 and √0.5: 1 / 2 = 0.5. Ranks (1, 2, 3) and (1, 3, 2): Spearman 0.5. Errors 1, 0, 2.5."""
    target = np.repeat([[1.0], [3.0], [5.0]], 4, axis=1)
    predicted = np.repeat([[2.0], [3.0], [2.5]], 4, axis=1)
    result = quality(predicted, target)["factual_alignment"]
    assert result.pearson == pytest.approx(0.5)
    assert result.spearman == pytest.approx(0.5)
    assert result.pair_accuracy == pytest.approx(2 / 3)
    assert result.mean_absolute_error == pytest.approx(3.5 / 3)
    assert result.calibration == (
        CalibrationBin(1, 1, 1.0, 2.0), CalibrationBin(3, 1, 3.0, 3.0), CalibrationBin(5, 1, 5.0, 2.5)
    )  # fmt: skip


def test_calibration_rounds_half_up() -> None:
    """4.4 rounds to 4, 4.5 and 5.0 to 5: means (4.5 + 5) / 2 = 4.75 of the targets, (3 + 4) / 2 of the predictions."""
    target = np.repeat([[4.4], [4.5], [5.0]], 4, axis=1)
    predicted = np.repeat([[2.0], [3.0], [4.0]], 4, axis=1)
    low, high = quality(predicted, target)["fluency_and_structural_clarity"].calibration
    assert (low.target, low.count) == (4, 1)
    assert high == CalibrationBin(5, 2, 4.75, 3.5)


def test_what_cannot_be_known_is_none() -> None:
    """Constant predictions have no correlation; they put every pair in half the right order. Constant targets have no
    pairs either."""
    varied, constant = np.array([[1.0] * 4, [5.0] * 4]), np.full((2, 4), 3.0)
    result = quality(constant, varied)["mean"]
    assert result.pearson is None
    assert result.spearman is None
    assert result.pair_accuracy == 0.5
    assert quality(varied, constant)["mean"].pair_accuracy is None


@settings(deadline=None)
@given(predicted=scores, data=st.data())
def test_pair_accuracy_equals_the_count_over_all_pairs(predicted: np.ndarray, data: st.DataObject) -> None:
    target = data.draw(hnp.arrays(np.float64, len(predicted), elements=st.floats(1, 5, width=16)))
    right, pairs = 0.0, 0
    for i in range(len(target)):
        for j in range(i):
            if abs(target[i] - target[j]) >= MIN_GAP:
                pairs += 1
                product = (target[i] - target[j]) * (predicted[i] - predicted[j])
                right += 1.0 if product > 0 else 0.5 if product == 0 else 0.0
    assert pair_accuracy(predicted, target) == (pytest.approx(right / pairs) if pairs else None)


def test_refusals() -> None:
    good = np.full((2, 4), 3.0)
    with pytest.raises(ScoreShapeError, match=r"predicted has shape \(2, 3\)"):
        quality(good[:, :3], good)
    with pytest.raises(ScoreShapeError, match="1 predictions for 2 targets"):
        quality(good[:1], good)
    with pytest.raises(ScoreShapeError, match="with N > 0"):
        quality(good[:0], good[:0])
    with pytest.raises(ScoreShapeError, match="not finite"):
        quality(good * np.nan, good)
