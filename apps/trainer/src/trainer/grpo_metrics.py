"""What is recorded of a step of reinforcement: its rewards and advantages, and the loss made of them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from grpo_ptr import LossResult, RewardBreakdown, mixed_groups
from trainer.rollouts import Groups


def reward_metrics(breakdown: RewardBreakdown, advantages: Tensor, groups: Groups) -> dict[str, float]:
    """Of the groups that the step learns from.

    `one_sided_advantages` is the share of the squared advantages in groups that are all right or all wrong, where R_t
    alone decides.
    """
    squared, one_sided = advantages.square().sum(dim=1), ~mixed_groups(groups.correct)
    metrics = {
        "reward": breakdown.total.mean(),
        "tokens": groups.mask.sum(-1).float().mean(),
        "one_sided_advantages": squared[one_sided].sum() / squared.sum().clamp(min=1e-12),
    }
    if breakdown.length is not None:
        metrics["length_penalty"] = breakdown.length.mean()
    if breakdown.reasoning is not None and breakdown.trust is not None:
        metrics["reasoning"] = breakdown.reasoning.mean()
        metrics["trust_mean"] = breakdown.trust.mean()
        metrics["trust_min"] = breakdown.trust.min()
        metrics["distrusted_groups"] = (breakdown.trust < 1).float().mean()
    return {name: float(value) for name, value in metrics.items()}


def loss_metrics(parts: Sequence[LossResult]) -> dict[str, float]:
    """Of a step whose loss is the sum of `parts`; means over tokens are those of all parts."""
    tokens = sum(float(part.tokens) for part in parts)
    share = [float(part.tokens) / max(tokens, 1.0) for part in parts]
    metrics = {
        "loss": sum(float(part.loss) for part in parts),
        "clip_share": sum(w * float(part.clip_share) for w, part in zip(share, parts, strict=True)),
    }
    kls = [part.kl for part in parts if part.kl is not None]
    if kls:
        metrics["kl"] = sum(w * float(kl) for w, kl in zip(share, kls, strict=True))
    return metrics
