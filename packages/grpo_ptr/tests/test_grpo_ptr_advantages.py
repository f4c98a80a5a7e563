"""Equation (5) and the centred variant against a slow NumPy reference and properties."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from grpo_ptr import (
    ADVANTAGES,
    LOSS_ADVANTAGES,
    LOSSES,
    Deviation,
    OptionError,
    RewardWeights,
    ScoreError,
    ShapeError,
    centred_advantages,
    gdpo_advantages,
    group_advantages,
    leave_one_out_advantages,
    rewards,
)

EPS = 1e-4
OF_TOTALS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "grpo": group_advantages,
    "dr_grpo": centred_advantages,
    "leave_one_out": leave_one_out_advantages,
    "gdpo": lambda total: gdpo_advantages(total[..., None], torch.ones(len(total), 1)),
}
"""Every advantage as a function of one reward."""
matrices = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(0, 1.8))


def reference(rewards: np.ndarray, *, divide: bool, ddof: int = 0) -> np.ndarray:
    """A group at a time, a term at a time."""
    result = np.zeros_like(rewards)
    for b, group in enumerate(rewards):
        mean = sum(group) / len(group)
        std = (sum((r - mean) ** 2 for r in group) / max(len(group) - ddof, 1)) ** 0.5
        for k, r in enumerate(group):
            result[b, k] = (r - mean) / (std + EPS) if divide else r - mean
    return result


def test_by_hand() -> None:
    """Rewards 2, 0, 0, 0: mean 0.5, variance (2.25 + 3 · 0.25) / 4 = 0.75, std 0.8660.

    1.5 / 0.8661 = 1.7319 and -0.5 / 0.8661 = -0.5773.
    """
    rewards = torch.tensor([[2.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(
        group_advantages(rewards), torch.tensor([[1.7319, -0.5773, -0.5773, -0.5773]]), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(centred_advantages(rewards), torch.tensor([[1.5, -0.5, -0.5, -0.5]]))


@settings(deadline=None)
@given(rewards=matrices)
def test_both_equal_the_slow_reference(rewards: np.ndarray) -> None:
    tensor = torch.from_numpy(rewards)
    np.testing.assert_allclose(group_advantages(tensor).numpy(), reference(rewards, divide=True), atol=1e-8)
    np.testing.assert_allclose(centred_advantages(tensor).numpy(), reference(rewards, divide=False), atol=1e-12)
    sample = group_advantages(tensor, deviation=Deviation.SAMPLE).numpy()
    np.testing.assert_allclose(sample, reference(rewards, divide=True, ddof=1), atol=1e-8)


@settings(deadline=None)
@given(rewards=matrices)
def test_leave_one_out_equals_the_slow_reference(rewards: np.ndarray) -> None:
    """Every answer against the mean of the others, 0 where there are none."""
    expected = np.zeros_like(rewards)
    for b, group in enumerate(rewards):
        for k, r in enumerate(group):
            others = [x for j, x in enumerate(group) if j != k]
            expected[b, k] = r - sum(others) / len(others) if others else 0.0
    np.testing.assert_allclose(leave_one_out_advantages(torch.from_numpy(rewards)).numpy(), expected, atol=1e-12)


@settings(deadline=None)
@given(
    parts=hnp.arrays(np.float64, hnp.array_shapes(min_dims=3, max_dims=3, max_side=4), elements=st.floats(0, 1)),
    seed=st.integers(0, 99),
    deviation=st.sampled_from(Deviation),
)
def test_gdpo_equals_the_slow_reference(parts: np.ndarray, seed: int, deviation: Deviation) -> None:
    """As in its paper: each reward standardised in its group, weighed and summed, then mean and std of the batch."""
    b, k, p = parts.shape
    weights = np.random.default_rng(seed).uniform(0, 2, (b, p))
    ddof = 1 if deviation is Deviation.SAMPLE else 0
    alone = [reference(parts[..., i], divide=True, ddof=ddof) * weights[:, i, None] for i in range(p)]
    total = sum(alone[1:], alone[0])
    std = (((total - total.mean()) ** 2).sum() / max(b * k - ddof, 1)) ** 0.5
    result = gdpo_advantages(torch.from_numpy(parts), torch.from_numpy(weights), deviation=deviation)
    np.testing.assert_allclose(result.numpy(), (total - total.mean()) / (std + EPS), atol=1e-6)


def test_trust_does_not_cancel_in_gdpo() -> None:
    """Both groups: right with R_t 0.2 and wrong with R_t 1, so τ = e^-0.8 = 0.4493. With weights 1 of outcome and 1 of
    reasoning an answer's sum is ±(1 - τ), the batch's std the same, so the advantage is ±1. If τ cancelled, as it does
    where τ R_t is standardised inside the group, outcome and reasoning would outweigh each other, and it would be 0."""
    correct = torch.tensor([[True, False], [True, False]])
    scores = torch.tensor([[1.0, 5.0], [1.0, 5.0]])[..., None].expand(2, 2, 4)
    breakdown = rewards(torch.ones_like(correct), correct, scores, coefficients=RewardWeights(0.0, 1.0, 1.0))
    assert breakdown.trust is not None
    assert breakdown.trust.tolist() == pytest.approx([0.4493] * 2, abs=1e-4)
    advantages = ADVANTAGES["gdpo"](breakdown, Deviation.POPULATION)
    torch.testing.assert_close(advantages, torch.tensor([[1.0, -1.0]] * 2), atol=1e-3, rtol=0)


def test_the_table_takes_a_breakdown() -> None:
    """Right, wrong: totals 1.3 and 0.3. Standardised ±0.5 / 0.5001, with the sample's std 0.7071 ±0.7070; centred
    ±0.5; against the other ±1; GDPO as standardised, since only the outcome differs, and its batch's std is 0.9998."""
    breakdown = rewards(
        torch.ones(1, 2, dtype=torch.bool), torch.tensor([[True, False]]), None, reasoning_enabled=False
    )
    expected = {"grpo": 0.9998, "dr_grpo": 0.5, "leave_one_out": 1.0, "gdpo": 0.9999}
    for name, value in expected.items():
        advantages = ADVANTAGES[name](breakdown, Deviation.POPULATION)
        assert advantages.tolist() == [pytest.approx([value, -value], abs=1e-4)]
    assert ADVANTAGES["grpo"](breakdown, Deviation.SAMPLE)[0, 0].item() == pytest.approx(0.7070, abs=1e-4)


@settings(deadline=None)
@given(reward=st.floats(0, 2, width=32), k=st.integers(1, 16), name=st.sampled_from(sorted(OF_TOTALS)))
def test_equal_rewards_give_exactly_zero(reward: float, k: int, name: str) -> None:
    """In float32 too, where the mean of K equal numbers may differ from them by a rounding; K = 1 is such a group."""
    assert torch.equal(OF_TOTALS[name](torch.full((1, k), reward)), torch.zeros(1, k))


@settings(deadline=None)
@given(rewards=matrices, data=st.data(), name=st.sampled_from(sorted(OF_TOTALS)))
def test_permuting_a_group_permutes_its_advantages(rewards: np.ndarray, data: st.DataObject, name: str) -> None:
    order = data.draw(st.permutations(range(rewards.shape[1])))
    tensor = torch.from_numpy(rewards)
    torch.testing.assert_close(OF_TOTALS[name](tensor[:, order]), OF_TOTALS[name](tensor)[:, order], rtol=0, atol=1e-8)


@settings(deadline=None)
@given(rewards=matrices, shift=st.floats(-5, 5), name=st.sampled_from(sorted(OF_TOTALS)))
def test_advantages_sum_to_zero_and_ignore_a_common_shift(rewards: np.ndarray, shift: float, name: str) -> None:
    tensor = torch.from_numpy(rewards)
    advantages = OF_TOTALS[name](tensor)
    torch.testing.assert_close(advantages.sum(dim=1), torch.zeros(len(rewards), dtype=torch.float64), atol=1e-8, rtol=0)
    torch.testing.assert_close(OF_TOTALS[name](tensor + shift), advantages, atol=1e-8, rtol=0)


def test_no_gradient_flows_through_an_advantage_and_half_precision_is_widened() -> None:
    rewards = torch.tensor([[1.0, 0.0]], dtype=torch.bfloat16, requires_grad=True)
    advantages = group_advantages(rewards)
    assert not advantages.requires_grad
    assert advantages.dtype is torch.float32


def test_every_loss_has_its_advantages() -> None:
    assert LOSS_ADVANTAGES.keys() == LOSSES.keys()
    assert set(LOSS_ADVANTAGES.values()) < set(ADVANTAGES)
    assert ADVANTAGES.keys() == OF_TOTALS.keys()


def test_refusals() -> None:
    with pytest.raises(ScoreError, match=r"rewards\[0, 1\] is not finite"):
        group_advantages(torch.tensor([[0.0, torch.nan]]))
    with pytest.raises(ShapeError, match="two axes"):
        centred_advantages(torch.zeros(3))
    with pytest.raises(ShapeError, match="none of them empty"):
        group_advantages(torch.zeros(2, 0))
    with pytest.raises(OptionError, match="eps is 0"):
        group_advantages(torch.zeros(1, 2), eps=0.0)
    with pytest.raises(ShapeError, match="three axes"):
        gdpo_advantages(torch.zeros(1, 2), torch.ones(1, 2))
    with pytest.raises(ShapeError, match=r"weights has shape \(1, 2\), expected \(1, 3\)"):
        gdpo_advantages(torch.zeros(1, 2, 3), torch.ones(1, 2))
    with pytest.raises(ScoreError, match=r"weights\[0, 1\] is -1"):
        gdpo_advantages(torch.zeros(1, 2, 2), torch.tensor([[1.0, -1.0]]))
