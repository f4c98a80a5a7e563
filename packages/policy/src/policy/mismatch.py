"""Where the engine that sampled and the trainer that learns disagree on a token's probability, and what to do about it.

Two programs that run the same weights round differently, and one may still hold older weights. The answers then come
from another policy than the one whose gradient is taken. `logprob_mismatch` measures by how much; `importance_weights`
are the correction by truncated importance sampling (Ionides, "Truncated Importance Sampling",
Journal of Computational and Graphical Statistics 17(2), 2008; between an engine and a trainer: Yao et al., "On the
Rollout-Training Mismatch in Modern RL Systems", NeurIPS 2025 workshop, openreview.net/forum?id=8MHqvb4lK9).

Everywhere `engine[B, K, T]` are a `Rollout`'s `logprobs`, `trainer[B, K, T]` those that the trainer gives to the same
tokens at the same temperature, and `mask bool[B, K, T]` says which tokens are real; what is elsewhere is not looked
at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from policy.errors import OptionError, PolicyError

CAP = 2.0
"""Largest weight; the default of ms-swift's GRPO too."""
THRESHOLD = 0.1
"""Nats from which on a token counts as one on which the two disagree: a probability 10 % off."""


@dataclass(frozen=True, slots=True, eq=False)
class Mismatch:
    """How far the trainer's log-probabilities are from the engine's, in nats.

    - `tokens`: how many were compared
    - `mean_abs`, `max_abs`: of |trainer − engine| over tokens
    - `kl_k1`, `kl_k3`: estimates of KL(engine ‖ trainer) per token from the engine's own samples: the mean of
      −d, which may be negative, and of e^d − d − 1, which may not (d = trainer − engine; Schulman's names)
    - `share_beyond`: share of tokens with |d| above `threshold`
    - `sequence_ratio` float64[B, K]: trainer / engine probability of each whole answer, 1 for an empty one
    """

    tokens: int
    mean_abs: float
    max_abs: float
    kl_k1: float
    kl_k3: float
    share_beyond: float
    threshold: float
    sequence_ratio: Tensor


def logprob_mismatch(engine: Tensor, trainer: Tensor, mask: Tensor, *, threshold: float = THRESHOLD) -> Mismatch:
    """Compare two sets of log-probabilities of the same tokens.

    Raises `OptionError` for tensors of different shape, no token at all or a threshold that is not above 0, and
    `PolicyError` where a real token's log-probability is not finite.

    One answer of two tokens that the engine drew with probabilities 1/2 and 1/4 and the trainer gives 1/4 and 1/4:
    d = (−0.693, 0), so the mean of −d is 0.347, that of e^d − d − 1 is (0.5 + 0.693 − 1) / 2 = 0.097, and the answer
    is half as likely:

    >>> report = logprob_mismatch(
    ...     torch.tensor([[[0.5, 0.25]]]).log(), torch.tensor([[[0.25, 0.25]]]).log(), torch.ones(1, 1, 2).bool()
    ... )
    >>> [round(x, 3) for x in (report.mean_abs, report.max_abs, report.kl_k1, report.kl_k3, report.share_beyond)]
    [0.347, 0.693, 0.347, 0.097, 0.5]
    >>> report.sequence_ratio
    tensor([[0.5000]], dtype=torch.float64)
    """
    if not (math.isfinite(threshold) and threshold > 0):
        raise OptionError(f"threshold must be above 0 nats, got {threshold}")
    d = _difference(engine, trainer, mask)
    tokens = int(mask.sum())
    if not tokens:
        raise OptionError("the mask holds no token: there is nothing to compare")
    size = d.abs()
    return Mismatch(
        tokens=tokens,
        mean_abs=float(size.sum() / tokens),
        max_abs=float(size.max()),
        kl_k1=float(-d.sum() / tokens),
        kl_k3=float((d.expm1() - d).sum() / tokens),  # expm1 keeps the digits of small d
        share_beyond=int((size > threshold).sum()) / tokens,
        threshold=threshold,
        sequence_ratio=d.sum(-1).exp(),
    )


def importance_weights(
    engine: Tensor, trainer: Tensor, mask: Tensor, *, cap: float = CAP, by_answer: bool = False
) -> Tensor:
    """min(π_trainer / π_engine, cap) of every token: `float32[B, K, T]`, 0 where `mask` is false, without gradient.

    `by_answer` gives all tokens of an answer the ratio of the whole answer, which is unbiased but for the cap and
    varies more; that of single tokens ignores what came before them.

    Raises as `logprob_mismatch` does, and `OptionError` for a cap that is not above 0. `cap=inf` truncates nothing.

    Ratios 3, cut to 2, and 1/2; of the answer 3 · 1/2:

    >>> engine, trainer = torch.tensor([[[0.1, 0.4]]]).log(), torch.tensor([[[0.3, 0.2]]]).log()
    >>> importance_weights(engine, trainer, torch.ones(1, 1, 2).bool())
    tensor([[[2.0000, 0.5000]]])
    >>> importance_weights(engine, trainer, torch.ones(1, 1, 2).bool(), by_answer=True)
    tensor([[[1.5000, 1.5000]]])
    """
    if not cap > 0:
        raise OptionError(f"cap must be above 0 (inf truncates nothing), got {cap}")
    log_ratio = _difference(engine, trainer, mask)
    if by_answer:
        log_ratio = log_ratio.sum(-1, keepdim=True).expand_as(mask)
    return log_ratio.clamp(max=math.log(cap)).exp().masked_fill(~mask, 0).float()


def _difference(engine: Tensor, trainer: Tensor, mask: Tensor) -> Tensor:
    """Log-ratio, trainer − engine, in float64; 0 where `mask` is false."""
    if mask.ndim != 3 or mask.dtype != torch.bool:
        raise OptionError(f"mask must be bool[B, K, T], got {mask.dtype} of shape {tuple(mask.shape)}")
    for name, logprobs in (("engine", engine), ("trainer", trainer)):
        if logprobs.shape != mask.shape:
            raise OptionError(f"{name} has shape {tuple(logprobs.shape)}, the mask {tuple(mask.shape)}")
        wrong = int((mask & ~logprobs.detach().isfinite()).sum())
        if wrong:
            raise PolicyError(f"{wrong} of the {name}'s log-probabilities of real tokens are not finite")
    return (trainer.detach().double() - engine.detach().double()).masked_fill(~mask, 0)
