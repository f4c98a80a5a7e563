"""Trust in the reasoning rewards of one group: equation (2) of GRPO-PTR.

A reward model that praises the reasoning of wrong answers above that of right ones is not to be trusted in this group,
and less the larger that gap is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from grpo_ptr._tensors import check_bool, check_matrix, check_shape, first_index, widen
from grpo_ptr.errors import OptionError, ScoreError


def trust_weight(
    reasoning: Tensor, correct: Tensor, *, counted: Tensor | None = None, degenerate: float = 1.0
) -> Tensor:
    """Trust weight of each group, equation (2).

        τ = 1                          if mean_right >= mean_wrong
        τ = exp(mean_right - mean_wrong)   otherwise

    With R_t in [0.2, 1] it lies in [e^-0.8, 1] = [0.449, 1].

    Args:
        reasoning: R_t, float [B, K]; axis 1 is the group.
        correct: whether each answer equals the label, bool [B, K].
        counted: bool [B, K], which answers enter the two means; all of them by default. What `reasoning` holds
            elsewhere is ignored, NaN included.
        degenerate: τ in [0, 1] of a group in which the counted answers are all right or all wrong (or none is
            counted), where one of the means does not exist. The paper does not say; 1 trusts the reward model as
            long as nothing speaks against it, 0 lets reasoning count only where it can be checked against correctness.

    Returns:
        τ, float [B], in float32 or wider.

    Raises:
        ShapeError: the tensors do not fit together.
        OptionError: `degenerate` is outside [0, 1].
        ScoreError: a counted R_t is not finite.

    Right answers 0.5 and 0.7, wrong ones 0.8 and 1.0: the means are 0.6 and 0.9, so τ = e^-0.3 = 0.7408. The second
    group is the other way round; the third is all wrong.

    >>> reasoning = torch.tensor([[0.5, 0.7, 0.8, 1.0], [0.8, 1.0, 0.5, 0.7], [0.9, 0.2, 0.4, 0.6]])
    >>> correct = torch.tensor([[True, True, False, False]] * 2 + [[False] * 4])
    >>> trust_weight(reasoning, correct)
    tensor([0.7408, 1.0000, 1.0000])
    """
    check_matrix("reasoning", reasoning)
    check_shape("correct", correct, tuple(reasoning.shape))
    check_bool("correct", correct)
    if not 0.0 <= degenerate <= 1.0:
        raise OptionError(f"degenerate is {degenerate}, expected a trust weight in [0, 1]")
    if counted is None:
        counted = torch.ones_like(correct)
    check_shape("counted", counted, tuple(reasoning.shape))
    check_bool("counted", counted)
    broken = counted & ~reasoning.isfinite()
    if broken.any():
        raise ScoreError(f"reasoning{first_index(broken)} is not finite; judge the answer or leave it out of `counted`")

    right, wrong = correct & counted, ~correct & counted
    gap = _masked_mean(widen(reasoning), right) - _masked_mean(widen(reasoning), wrong)
    comparable = right.any(dim=1) & wrong.any(dim=1)
    return torch.where(comparable, gap.clamp(max=0.0).exp(), degenerate)


def _masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over axis 1 of what `mask` selects; 0 where it selects nothing. [B, K] -> [B]"""
    return x.where(mask, 0.0).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
