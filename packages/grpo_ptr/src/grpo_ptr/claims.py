"""Advantages of single claims, for rewards that are given to parts of an answer (ours, not the paper's)."""

from __future__ import annotations

import torch
from torch import Tensor

from grpo_ptr._tensors import check_bool, check_shape, widen
from grpo_ptr.advantages import STD_EPS
from grpo_ptr.errors import ShapeError


def claim_advantages(supported: Tensor, members: Tensor, *, eps: float = STD_EPS) -> Tensor:
    """Standardised advantages of C claims: equation (5) among the claims that say something of the same thing.

    A reward for a whole answer tells the policy that something in it was wrong; this tells it what. As only claims of
    one thing are compared, nothing is earned by saying more or less.

    Args:
        supported: whether the measurement supports each claim, bool [C].
        members: which thing each claim speaks of (a cue of a clip, or the clip), numbered from 0, integers [C].
        eps: ε, added to the standard deviation.

    Returns:
        A, float [C]; 0 where all claims of a thing fare alike.

    Raises:
        ShapeError: the two are not of one length or of another type.

    Of three claims about the pitch one is right: mean 1/3, deviation √2/3; the two about the energy are both right:

    >>> claim_advantages(torch.tensor([True, False, False, True, True]), torch.tensor([0, 0, 0, 1, 1]))
    tensor([ 1.4139, -0.7070, -0.7070,  0.0000,  0.0000])
    """
    check_shape("supported", supported, (supported.numel(),))
    check_bool("supported", supported)
    check_shape("members", members, tuple(supported.shape))
    if members.is_floating_point() or (members.numel() and int(members.min()) < 0):
        raise ShapeError("members must be integers >= 0")
    values, things = widen(supported.float()), int(members.max()) + 1 if members.numel() else 0

    def mean(x: Tensor) -> Tensor:
        totals, counts = x.new_zeros(things), x.new_zeros(things)
        totals, counts = totals.index_add(0, members, x), counts.index_add(0, members, torch.ones_like(x))
        return (totals / counts.clamp(min=1))[members]

    centred = values - mean(values)
    return centred / (mean(centred.square()).sqrt() + eps)
