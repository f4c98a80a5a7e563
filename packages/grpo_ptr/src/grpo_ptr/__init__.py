"""GRPO with progressive, trust-aware reasoning rewards (GRPO-PTR): pure functions on tensors, torch only.

Reading order: `rewards` (equations 1, 3) with `trust` (2), `schedule` (4), `advantages` (5), `losses` (6 to 9).

    format_ok[B,K], correct[B,K], scores[B,K,4]
        ── rewards ──► RewardBreakdown.total[B,K] ── group_advantages ──► A[B,K] ── grpo_loss ──► LossResult

B prompts have K sampled answers each: axis 1 is the group. Everything runs on the device of its inputs, calculates in
float32 or wider, and raises a `GrpoPtrError`.
"""

from grpo_ptr.advantages import ADVANTAGES, centred_advantages, group_advantages
from grpo_ptr.errors import GrpoPtrError, OptionError, ScoreError, ShapeError, StateError
from grpo_ptr.losses import (
    LOSSES,
    LossInputs,
    LossResult,
    clipped_surrogate,
    dapo_loss,
    dr_grpo_loss,
    grpo_loss,
    importance_ratio,
    k3_kl,
)
from grpo_ptr.rewards import RewardBreakdown, RewardWeights, Unparseable, reasoning_reward, rewards
from grpo_ptr.schedule import ProgressiveSchedule, ScheduleState
from grpo_ptr.trust import trust_weight

__all__ = [
    "ADVANTAGES",
    "LOSSES",
    "GrpoPtrError",
    "LossInputs",
    "LossResult",
    "OptionError",
    "ProgressiveSchedule",
    "RewardBreakdown",
    "RewardWeights",
    "ScheduleState",
    "ScoreError",
    "ShapeError",
    "StateError",
    "Unparseable",
    "centred_advantages",
    "clipped_surrogate",
    "dapo_loss",
    "dr_grpo_loss",
    "group_advantages",
    "grpo_loss",
    "importance_ratio",
    "k3_kl",
    "reasoning_reward",
    "rewards",
    "trust_weight",
]
