"""GRPO with progressive, trust-aware reasoning rewards (GRPO-PTR): pure functions on tensors, torch only.

Reading order: `rewards` (equations 1, 3) with `trust` (2), `schedule` (4), `advantages` (5), `claims` (5'),
`surrogates` (6, 10, 11), `kl` (7), `losses` (8, 9).

    format_ok[B,K], correct[B,K], scores[B,K,4]
        ── rewards ──► RewardBreakdown.total[B,K] ── group_advantages ──► A[B,K] ── grpo_loss ──► LossResult

B prompts have K sampled answers each: axis 1 is the group. Everything runs on the device of its inputs, calculates in
float32 or wider, and raises a `GrpoPtrError`.
"""

from grpo_ptr.advantages import (
    ADVANTAGES,
    LOSS_ADVANTAGES,
    Deviation,
    centred_advantages,
    gdpo_advantages,
    group_advantages,
    leave_one_out_advantages,
)
from grpo_ptr.claims import claim_advantages
from grpo_ptr.errors import GrpoPtrError, OptionError, ScoreError, ShapeError, StateError
from grpo_ptr.kl import KL_ESTIMATORS, k1_kl, k2_kl, k3_kl
from grpo_ptr.losses import LOSSES, LossInputs, LossResult, cispo_loss, dapo_loss, dr_grpo_loss, grpo_loss, gspo_loss
from grpo_ptr.rewards import (
    CRITERIA,
    SCORE_MIN,
    Factual,
    RewardBreakdown,
    RewardWeights,
    Unparseable,
    factual_scores,
    mixed_groups,
    overlong_penalty,
    reasoning_reward,
    rewards,
)
from grpo_ptr.schedule import ProgressiveSchedule, ScheduleState
from grpo_ptr.surrogates import cispo_surrogate, clipped_surrogate, importance_ratio, sequence_ratio
from grpo_ptr.trust import trust_weight

__all__ = [
    "ADVANTAGES",
    "CRITERIA",
    "KL_ESTIMATORS",
    "LOSSES",
    "LOSS_ADVANTAGES",
    "SCORE_MIN",
    "Deviation",
    "Factual",
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
    "cispo_loss",
    "cispo_surrogate",
    "claim_advantages",
    "clipped_surrogate",
    "dapo_loss",
    "dr_grpo_loss",
    "factual_scores",
    "gdpo_advantages",
    "group_advantages",
    "grpo_loss",
    "gspo_loss",
    "importance_ratio",
    "k1_kl",
    "k2_kl",
    "k3_kl",
    "leave_one_out_advantages",
    "mixed_groups",
    "overlong_penalty",
    "reasoning_reward",
    "rewards",
    "sequence_ratio",
    "trust_weight",
]
