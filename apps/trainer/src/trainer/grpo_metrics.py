"""What is recorded of a step of reinforcement: its rewards and advantages, and the loss made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from torch import Tensor

from grpo_ptr import RewardBreakdown, mixed_groups
from speech_records import LabelSet
from trainer.packed_loss import PackedLoss
from trainer.predict import expected_label
from trainer.rollouts import Groups, label_of


def rollout_metrics(groups: Groups, label_set: LabelSet) -> dict[str, float]:
    """Of all answers of a step, whether they are learnt from or not.

    `entropy` is that of the sampled distribution in nats a token, estimated by the tokens drawn; `top_label` the share
    of the most frequent label among the answers that name one, 0 where none does; `accuracy_LABEL` the accuracy on the
    clips of that label.
    """
    named = [label for texts in groups.texts for text in texts if (label := label_of(text, label_set)) is not None]
    metrics = {
        "accuracy": float(groups.correct.float().mean()),
        "format": float(groups.format_ok.float().mean()),
        "one_sided_groups": float((~mixed_groups(groups.correct)).float().mean()),
        "entropy": -float(groups.logprobs[groups.mask].mean()),
        "truncated": 1 - float(groups.ended.float().mean()),
        "top_label": max(Counter(named).values()) / len(named) if named else 0.0,
    }
    by_label: dict[str, list[float]] = {}
    for clip, correct in zip(groups.batch, groups.correct.float().mean(dim=1).tolist(), strict=True):
        by_label.setdefault(expected_label(clip, label_set).value, []).append(correct)
    return metrics | {f"accuracy_{label}": sum(shares) / len(shares) for label, shares in sorted(by_label.items())}


def reward_metrics(breakdown: RewardBreakdown, advantages: Tensor, groups: Groups) -> dict[str, float]:
    """Of the groups that the step learns from.

    `one_sided_advantages` is the share of the squared advantages in groups that are all right or all wrong, where R_t
    alone decides.
    """
    squared, one_sided = advantages.square().sum(dim=1), ~mixed_groups(groups.correct)
    metrics = {
        "reward": breakdown.total.mean(),
        "reward_sd": breakdown.total.std(dim=1, correction=0).mean(),
        "advantage_sd": advantages.std(correction=0),
        "advantage_max": advantages.abs().max(),
        "tokens": groups.mask.sum(-1).float().mean(),
        "tokens_max": groups.mask.sum(-1).max(),
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


def loss_metrics(parts: Sequence[PackedLoss], *, step_tokens: float) -> dict[str, float]:
    """Of a step whose loss is the sum of `parts`, which have `step_tokens` tokens in all; means are over these."""
    results = [part.result for part in parts]
    share = [float(result.tokens) / step_tokens for result in results]
    metrics = {
        "loss": sum(float(result.loss) for result in results),
        "clip_share": sum(w * float(result.clip_share) for w, result in zip(share, results, strict=True)),
        "ratio_min": min(float(result.ratio_min) for result in results),
        "ratio_max": max(float(result.ratio_max) for result in results),
    }
    for name, values in (("kl", [r.kl for r in results]), ("mismatch", [part.mismatch for part in parts])):
        found = [w * float(value) for w, value in zip(share, values, strict=True) if value is not None]
        metrics |= {name: sum(found)} if found else {}
    return metrics
