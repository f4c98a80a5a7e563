"""Advantages of the answers of a group, from their rewards alone: equation (5) and a variant.

No gradient flows through an advantage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import Tensor

from grpo_ptr._tensors import check_matrix, first_index, widen
from grpo_ptr.errors import OptionError, ScoreError

STD_EPS = 1e-4
"""Added to the standard deviation of a group's rewards, in units of reward; the value of TRL's GRPO trainer."""


def group_advantages(rewards: Tensor, *, eps: float = STD_EPS) -> Tensor:
    """Standardised advantages of GRPO, equation (5): A = (R - mean) / (std + ε) within each group.

    std is that of the population (divided by K), so that a group of one has advantage 0 rather than NaN. A group
    whose rewards are all equal has advantage exactly 0.

    Args:
        rewards: R_i, float [B, K]; axis 1 is the group.
        eps: ε > 0, in units of reward.

    Returns:
        A, float [B, K], in float32 or wider.

    Raises:
        ShapeError, OptionError: `rewards` is no matrix, or `eps` is not positive.
        ScoreError: a reward is not finite.

    Rewards 1, 1, 0, 0 have mean and standard deviation 0.5, hence ±0.5 / 0.5001 = ±0.9998:

    >>> import torch
    >>> group_advantages(torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.3, 0.3, 0.3, 0.3]]))
    tensor([[ 0.9998,  0.9998, -0.9998, -0.9998],
            [ 0.0000,  0.0000,  0.0000,  0.0000]])
    """
    if not eps > 0.0:
        raise OptionError(f"eps is {eps}, expected a positive number")
    centred = centred_advantages(rewards)
    return centred / (centred.square().mean(dim=1, keepdim=True).sqrt() + eps)


def centred_advantages(rewards: Tensor) -> Tensor:
    """Advantages of Dr. GRPO: A = R - mean within each group, in units of reward.

    Without the division a group in which almost all answers agree does not weigh more than one that is divided.

    Args:
        rewards: R_i, float [B, K]; axis 1 is the group.

    Raises:
        ShapeError: `rewards` is no matrix.
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


ADVANTAGES: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {"grpo": group_advantages, "dr_grpo": centred_advantages, "dapo": group_advantages}
)
"""How each algorithm of `LOSSES` turns rewards [B, K] into advantages [B, K]."""
