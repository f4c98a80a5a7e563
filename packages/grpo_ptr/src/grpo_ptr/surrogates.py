"""Importance ratios and the surrogates made of them: equations (6), (10) and (11).

Ratios are finite for all finite inputs: beyond a log-ratio of `MAX_LOG_RATIO` the exponential goes on as a straight
line, so that the gradient keeps its direction.
"""

from __future__ import annotations

import torch
from torch import Tensor

from grpo_ptr._tensors import MAX_LOG_RATIO, beyond_cap, widen
from grpo_ptr.errors import OptionError

CLIP = 0.2
"""ε of PPO and GRPO (Schulman et al. 2017; the EmotionThinker paper publishes none)."""
CLIP_HIGH_DAPO = 0.28
"""ε_high of DAPO."""
CLIP_LOW_GSPO, CLIP_HIGH_GSPO = 3e-4, 4e-4
"""ε of GSPO (Zheng et al. 2025, section 5.1): a completion's mean log-ratio moves far less than that of a token."""
CLIP_LOW_CISPO, CLIP_HIGH_CISPO = 1.0, 4.0
"""ε of CISPO: weights up to 5, as ScaleRL (Khatri et al. 2025) found best, and no lower bound, as in MiniMax-M1."""


def importance_ratio(logprobs: Tensor, old_logprobs: Tensor) -> Tensor:
    """Ratio r = π(token) / π_old(token) of equation (6), any shape; above e^20 a line, see `MAX_LOG_RATIO`.

    A token of probability 0.3 that was sampled with probability 0.2 has r = 1.5:

    >>> importance_ratio(torch.tensor([0.3]).log(), torch.tensor([0.2]).log())
    tensor([1.5000])
    """
    d = widen(logprobs) - widen(old_logprobs)
    return beyond_cap(d, d.clamp(max=MAX_LOG_RATIO).exp())


def sequence_ratio(logprobs: Tensor, old_logprobs: Tensor, mask: Tensor) -> Tensor:
    """Ratio of a whole completion in GSPO, equation (10): exp of the mean log-ratio of its tokens, [N, T] -> [N, 1].

    The geometric mean of r_t, so that long completions do not leave the clip range by their length alone; 1 for an
    empty one.

    Tokens whose probability rose fourfold, fell by half, and did not count: sqrt(4 · 0.5) = 1.4142.

    >>> logprobs, old = torch.tensor([[0.8, 0.1, 0.9]]).log(), torch.tensor([[0.2, 0.2, 0.1]]).log()
    >>> sequence_ratio(logprobs, old, torch.tensor([[True, True, False]]))
    tensor([[1.4142]])
    """
    d = (widen(logprobs) - widen(old_logprobs)).masked_fill(~mask, 0.0)
    mean = d.sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return importance_ratio(mean, torch.zeros_like(mean))


def clipped_surrogate(ratio: Tensor, advantages: Tensor, *, clip_low: float = CLIP, clip_high: float = CLIP) -> Tensor:
    """Clipped surrogate min(r A, clip(r, 1 - ε_low, 1 + ε_high) A) of equation (6), to be maximised.

    Args:
        ratio: r > 0; any shape that broadcasts with `advantages`.
        advantages: A.
        clip_low, clip_high: ε_low in [0, 1] and ε_high >= 0.

    The ratio is cut where it has already moved as the advantage asks (1.5 to 1.2 for A = 2, 0.5 to 0.8 for A = -1),
    and kept where it has moved the wrong way:

    >>> ratio, advantages = torch.tensor([1.5, 0.5, 1.5, 0.5]), torch.tensor([2.0, 2.0, -1.0, -1.0])
    >>> clipped_surrogate(ratio, advantages)
    tensor([ 2.4000,  1.0000, -1.5000, -0.8000])
    """
    return torch.minimum(ratio * advantages, _clipped(ratio, clip_low, clip_high) * advantages)


def cispo_surrogate(
    logprobs: Tensor,
    ratio: Tensor,
    advantages: Tensor,
    *,
    clip_low: float = CLIP_LOW_CISPO,
    clip_high: float = CLIP_HIGH_CISPO,
) -> Tensor:
    """Surrogate of CISPO, equation (11), to be maximised: sg(clip(r, 1 - ε_low, 1 + ε_high)) A log π.

    No gradient flows through the clipped ratio, so a token that moved far is bounded in weight and still learnt from.

    A token of probability 0.5 whose ratio 8 is cut to 5: 5 · 2 · log 0.5 = -6.9315, with the gradient 10 in log π:

    >>> logprobs = torch.tensor([0.5]).log().requires_grad_()
    >>> surrogate = cispo_surrogate(logprobs, torch.tensor([8.0]), torch.tensor([2.0]))
    >>> surrogate.detach(), torch.autograd.grad(surrogate, logprobs)[0]
    (tensor([-6.9315]), tensor([10.]))
    """
    return _clipped(ratio, clip_low, clip_high).detach() * advantages * widen(logprobs)


def _clipped(ratio: Tensor, clip_low: float, clip_high: float) -> Tensor:
    if not (0.0 <= clip_low <= 1.0 and clip_high >= 0.0):
        raise OptionError(f"clip is ({clip_low}, {clip_high}), expected ε_low in [0, 1] and ε_high >= 0")
    return ratio.clamp(1.0 - clip_low, 1.0 + clip_high)
