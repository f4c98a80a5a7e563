"""Estimates of KL(π || π_ref) per token from log-probabilities of the two: equation (7) and two others.

Schulman 2020, "Approximating KL divergence". All are 0 where the two agree, and finite for all finite inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import Tensor

from grpo_ptr._tensors import MAX_LOG_RATIO, beyond_cap, widen


def k1_kl(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """Schulman's k1 estimate of KL(π || π_ref) per token: log π - log π_ref, in nats, any shape.

    Unbiased and of either sign. As a loss its gradient is that of log π, whose expectation is 0: of use to be
    reported, not to hold a policy back.

    π = 0.5 and π_ref = 0.25: log 2 = 0.6931:

    >>> import torch
    >>> k1_kl(torch.tensor([0.5]).log(), torch.tensor([0.25]).log())
    tensor([0.6931])
    """
    return widen(logprobs) - widen(ref_logprobs)


def k2_kl(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """Schulman's k2 estimate of KL(π || π_ref) per token: (log π - log π_ref)² / 2, in nats, any shape.

    Biased, never negative; as a loss its expected on-policy gradient is that of the KL itself, which that of k3 is not.

    π = 0.5 and π_ref = 0.25: 0.6931² / 2 = 0.2402:

    >>> import torch
    >>> k2_kl(torch.tensor([0.5]).log(), torch.tensor([0.25]).log())
    tensor([0.2402])
    """
    return k1_kl(logprobs, ref_logprobs).square() / 2


def k3_kl(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """Schulman's k3 estimate of KL(π || π_ref) per token, equation (7): e^d - d - 1 with d = log π_ref - log π.

    Never negative, 0 only where the two agree, in nats, any shape.

    π = 0.5 and π_ref = 0.25: d = -0.6931, k3 = 0.5 + 0.6931 - 1 = 0.1931:

    >>> import torch
    >>> k3_kl(torch.tensor([0.5, 0.5]).log(), torch.tensor([0.25, 0.5]).log())
    tensor([0.1931, 0.0000])
    """
    d = widen(ref_logprobs) - widen(logprobs)
    # expm1 keeps the digits of small d that e^d - 1 would lose
    return beyond_cap(d, d.clamp(max=MAX_LOG_RATIO).expm1(), shift=1.0) - d


KL_ESTIMATORS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {"k1": k1_kl, "k2": k2_kl, "k3": k3_kl}
)
"""Every estimate of KL(π || π_ref) by name, from log-probabilities of the policy and of the reference."""
