"""Equation (5) and the centred variant against a slow NumPy reference and properties."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from grpo_ptr import ADVANTAGES, LOSSES, OptionError, ScoreError, ShapeError, centred_advantages, group_advantages

EPS = 1e-4
matrices = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(0, 1.8))


def reference(rewards: np.ndarray, *, divide: bool) -> np.ndarray:
    """A group at a time, a term at a time."""
    result = np.zeros_like(rewards)
    for b, group in enumerate(rewards):
        mean = sum(group) / len(group)
        std = (sum((r - mean) ** 2 for r in group) / len(group)) ** 0.5
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


@settings(deadline=None)
@given(reward=st.floats(0, 2, width=32), k=st.integers(1, 16), name=st.sampled_from(sorted(ADVANTAGES)))
def test_equal_rewards_give_exactly_zero(reward: float, k: int, name: str) -> None:
    """In float32 too, where the mean of K equal numbers may differ from them by a rounding; K = 1 is such a group."""
    assert torch.equal(ADVANTAGES[name](torch.full((1, k), reward)), torch.zeros(1, k))


@settings(deadline=None)
@given(rewards=matrices, data=st.data(), name=st.sampled_from(sorted(ADVANTAGES)))
def test_permuting_a_group_permutes_its_advantages(rewards: np.ndarray, data: st.DataObject, name: str) -> None:
    order = data.draw(st.permutations(range(rewards.shape[1])))
    tensor = torch.from_numpy(rewards)
    torch.testing.assert_close(
        ADVANTAGES[name](tensor[:, order]), ADVANTAGES[name](tensor)[:, order], rtol=0, atol=1e-8
    )


@settings(deadline=None)
@given(rewards=matrices, shift=st.floats(-5, 5), name=st.sampled_from(sorted(ADVANTAGES)))
def test_advantages_sum_to_zero_and_ignore_a_common_shift(rewards: np.ndarray, shift: float, name: str) -> None:
    tensor = torch.from_numpy(rewards)
    advantages = ADVANTAGES[name](tensor)
    torch.testing.assert_close(advantages.sum(dim=1), torch.zeros(len(rewards), dtype=torch.float64), atol=1e-8, rtol=0)
    torch.testing.assert_close(ADVANTAGES[name](tensor + shift), advantages, atol=1e-8, rtol=0)


def test_no_gradient_flows_through_an_advantage_and_half_precision_is_widened() -> None:
    rewards = torch.tensor([[1.0, 0.0]], dtype=torch.bfloat16, requires_grad=True)
    advantages = group_advantages(rewards)
    assert not advantages.requires_grad
    assert advantages.dtype is torch.float32


def test_every_loss_has_its_advantages() -> None:
    assert ADVANTAGES.keys() == LOSSES.keys()


def test_refusals() -> None:
    with pytest.raises(ScoreError, match=r"rewards\[0, 1\] is not finite"):
        group_advantages(torch.tensor([[0.0, torch.nan]]))
    with pytest.raises(ShapeError, match="two axes"):
        centred_advantages(torch.zeros(3))
    with pytest.raises(ShapeError, match="none of them empty"):
        group_advantages(torch.zeros(2, 0))
    with pytest.raises(OptionError, match="eps is 0"):
        group_advantages(torch.zeros(1, 2), eps=0.0)
