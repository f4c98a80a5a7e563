"""Advantages of the answers of a group, from their rewards alone: equation (5) and three variants.

    GRPO           (R - mean) / (std + ε)
    Dr. GRPO       R - mean
    leave-one-out  R - mean of the others
    GDPO           each reward standardised by itself, weighed, summed, divided by the std of the batch

No gradient flows through an advantage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

from torch import Tensor

from grpo_ptr._tensors import check_matrix, check_shape, first_index, widen
from grpo_ptr.errors import OptionError, ScoreError, ShapeError
from grpo_ptr.rewards import RewardBreakdown

STD_EPS = 1e-4
"""ε, added to a standard deviation of rewards, in units of reward; the value of TRL's GRPO trainer."""


class Deviation(StrEnum):
    """Which standard deviation divides the advantages of a group of K.

    `POPULATION` (default) divides the squares by K: a right and a wrong answer have advantages of ±1 whatever K is,
    and squared advantages have mean 1, so that one learning rate means the same at every K. `SAMPLE` divides by K - 1,
    as TRL and verl do: their advantages are smaller by √((K - 1) / K), at K = 8 by 6.5 %. GRPO's paper does not say.
    """

    POPULATION = "population"
    SAMPLE = "sample"


def group_advantages(rewards: Tensor, *, deviation: Deviation = Deviation.POPULATION, eps: float = STD_EPS) -> Tensor:
    """Standardised advantages of GRPO, equation (5): A = (R - mean) / (std + ε) within each group.

    A group whose rewards are all equal, as that of one answer, has advantage exactly 0 rather than NaN.

    Args:
        rewards: R_i, float [B, K]; axis 1 is the group.
        deviation: whether std is that of the population or of the sample.
        eps: ε > 0, in units of reward.

    Returns:
        A, float [B, K], in float32 or wider.

    Raises:
        ShapeError, OptionError: `rewards` is not a matrix, or `eps` is not positive.
        ScoreError: a reward is not finite.

    Rewards 1, 1, 0, 0 have mean and standard deviation 0.5, hence ±0.5 / 0.5001 = ±0.9998; that of the sample is
    √(4 · 0.25 / 3) = 0.5774, hence ±0.8659:

    >>> import torch
    >>> group_advantages(torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.3, 0.3, 0.3, 0.3]]))
    tensor([[ 0.9998,  0.9998, -0.9998, -0.9998],
            [ 0.0000,  0.0000,  0.0000,  0.0000]])
    >>> group_advantages(torch.tensor([[1.0, 1.0, 0.0, 0.0]]), deviation=Deviation.SAMPLE)
    tensor([[ 0.8659,  0.8659, -0.8659, -0.8659]])
    """
    if not eps > 0.0:
        raise OptionError(f"eps is {eps}, expected a positive number")
    centred = centred_advantages(rewards)
    k = centred.shape[1]
    variance = centred.square().mean(dim=1, keepdim=True)
    if Deviation(deviation) is Deviation.SAMPLE:
        variance = variance * (k / max(k - 1, 1))
    return centred / (variance.sqrt() + eps)


def centred_advantages(rewards: Tensor) -> Tensor:
    """Advantages of Dr. GRPO: A = R - mean within each group, in units of reward.

    Without the division a group in which almost all answers agree does not weigh more than one that is divided.

    Args:
        rewards: R_i, float [B, K]; axis 1 is the group.

    Raises:
        ShapeError: `rewards` is not a matrix.
        ScoreError: a reward is not finite.

    >>> import torch
    >>> centred_advantages(torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]))
    tensor([[ 0.5000,  0.5000, -0.5000, -0.5000],
            [ 0.7500, -0.2500, -0.2500, -0.2500]])
    """
    check_matrix("rewards", rewards)
    broken = ~rewards.isfinite()
    if broken.any():
        raise ScoreError(f"rewards{first_index(broken)} is not finite")
    rewards = widen(rewards.detach())
    # Counting from the group's smallest reward makes equal rewards exactly 0: the mean of K equal floats may be one
    # rounding away from them, and dividing that by ε would turn it into a signal.
    above = rewards - rewards.amin(dim=1, keepdim=True)
    return above - above.mean(dim=1, keepdim=True)


def leave_one_out_advantages(rewards: Tensor) -> Tensor:
    """Advantages of RLOO (Ahmadian et al. 2024): A = R - mean of the other answers' rewards, in units of reward.

    The baseline does not hold the answer itself, so the gradient is unbiased; A = K / (K - 1) (R - mean), and 0 for a
    group of one.

    Args:
        rewards: R_i, float [B, K]; axis 1 is the group.

    Raises:
        ShapeError: `rewards` is not a matrix.
        ScoreError: a reward is not finite.

    1 against the others' mean of 1/3, and 0 against 2/3:

    >>> import torch
    >>> leave_one_out_advantages(torch.tensor([[1.0, 1.0, 0.0, 0.0]]))
    tensor([[ 0.6667,  0.6667, -0.6667, -0.6667]])
    """
    centred = centred_advantages(rewards)
    k = centred.shape[1]
    return centred * (k / max(k - 1, 1))


def gdpo_advantages(
    rewards: Tensor, weights: Tensor, *, deviation: Deviation = Deviation.POPULATION, eps: float = STD_EPS
) -> Tensor:
    """Advantages of GDPO (Liu et al. 2026): every reward is standardised by itself before they are summed.

        A_i = Σ_p w_p A_ip / (std + ε)      A_ip by equation (5) from reward p alone; std over the batch

    Different mixtures of rewards that have equal totals keep different advantages. The weights, and with them τ, enter
    after the standardisation of the groups: before it they would cancel. The mean over the batch, which GDPO subtracts,
    is 0 here, since that of every group is.

    Args:
        rewards: one reward after another, float [B, K, P].
        weights: w_p >= 0 of each group, float [B, P].
        deviation: which standard deviation, in groups and batch.
        eps: ε > 0.

    Raises:
        ShapeError, OptionError: the tensors do not fit together, or `eps` is not positive.
        ScoreError: a reward or a weight is not finite, or a weight is negative.

    Two groups, each right/wrong (±1) and reasoned badly/well (∓1), both of weight 1, but τ = 0.5 in the second:
    sums 0 and ±0.5, whose standard deviation over the four is √(2 · 0.25 / 4) = 0.3536:

    >>> import torch
    >>> rewards = torch.tensor([[[1.0, 0.2], [0.0, 1.0]], [[1.0, 0.2], [0.0, 1.0]]])
    >>> gdpo_advantages(rewards, torch.tensor([[1.0, 1.0], [1.0, 0.5]])).round(decimals=2) + 0.0
    tensor([[ 0.0000,  0.0000],
            [ 1.4100, -1.4100]])
    """
    if rewards.ndim != 3 or 0 in rewards.shape:
        raise ShapeError(f"rewards has shape {tuple(rewards.shape)}, expected three axes, none of them empty")
    b, k, p = rewards.shape
    check_shape("weights", weights, (b, p))
    broken = ~(weights.isfinite() & (weights >= 0.0))
    if broken.any():
        raise ScoreError(f"weights{first_index(broken)} is {weights[tuple(first_index(broken))]}, expected >= 0")
    flat = rewards.transpose(1, 2).reshape(b * p, k)
    alone = group_advantages(flat, deviation=deviation, eps=eps).view(b, p, k)
    total = (alone * widen(weights.detach())[:, :, None]).sum(dim=1)
    freedom = b * k if Deviation(deviation) is Deviation.POPULATION else max(b * k - 1, 1)
    return total / ((total.square().sum() / freedom).sqrt() + eps)


ADVANTAGES: Mapping[str, Callable[[RewardBreakdown, Deviation], Tensor]] = MappingProxyType(
    {
        "grpo": lambda rewarded, deviation: group_advantages(rewarded.total, deviation=deviation),
        "dr_grpo": lambda rewarded, _: centred_advantages(rewarded.total),
        "leave_one_out": lambda rewarded, _: leave_one_out_advantages(rewarded.total),
        "gdpo": lambda rewarded, deviation: gdpo_advantages(*rewarded.parts(), deviation=deviation),
    }
)
"""Every way from the rewards of B groups of K answers to advantages [B, K], by the name a configuration gives it."""

LOSS_ADVANTAGES: Mapping[str, str] = MappingProxyType(
    {"grpo": "grpo", "dr_grpo": "dr_grpo", "dapo": "grpo", "gspo": "grpo", "cispo": "grpo"}
)
"""The advantages that each loss of `LOSSES` was published with."""
