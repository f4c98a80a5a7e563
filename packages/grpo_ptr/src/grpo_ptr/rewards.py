"""The rewards of GRPO-PTR: equation (1) for the reasoning, equation (3) for the total.

The paper leaves three things open; here each is an option with a name: the weights of the four criteria (a quarter
each), the trust weight of a group that is all right or all wrong (`degenerate`, see `trust.py`), and what an answer
counts as that does not have the think/answer form (`Unparseable`).

Beside them are what the paper does not have: a factual criterion that is measured (`Factual`), DAPO's length penalty
and its choice of groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from grpo_ptr._tensors import check_bool, check_matrix, check_shape, first_index, widen
from grpo_ptr.errors import OptionError, ScoreError, ShapeError
from grpo_ptr.trust import trust_weight

CRITERIA = 4
"""Number of criteria that a reward model scores (paper, reward section); factual alignment is the first."""
SCORE_MIN, SCORE_MAX = 1.0, 5.0
"""Range of one score (paper, reward section)."""


class Unparseable(StrEnum):
    """What an answer without the think/answer form counts as. Format and outcome reward are 0 in either case.

    `EXCLUDE` (default): its reasoning reward is 0 and it is left out of both means of τ. There is no reasoning part
    that a judge could have read, so any score would be about something else. Its total is 0, below that of every
    well-formed answer. Counting the 0 among the wrong answers instead would lower their mean and raise τ: broken
    answers would buy trust for the reward model.

    `JUDGE`: the reward model scored the raw text; its reasoning reward is that of equation (1) and it counts as a
    wrong answer in τ.
    """

    EXCLUDE = "exclude"
    JUDGE = "judge"


class Factual(StrEnum):
    """Whose word the factual criterion g_1 is, equation (1').

    `JUDGED` (default, the paper): the reward model's. `VERIFIED` (ours): that of the measurement, 1 + 4 R_v, with R_v
    in [0, 1] for how much of what is said about the sound the measured prosody supports. `BOTH` (ours): the mean of the
    two.
    """

    JUDGED = "judged"
    VERIFIED = "verified"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class RewardWeights:
    """Coefficients of the three rewards in equation (3); the defaults are the paper's."""

    format: float = 0.3
    outcome: float = 1.0
    reasoning: float = 0.5

    def __post_init__(self) -> None:
        for name, value in (("format", self.format), ("outcome", self.outcome), ("reasoning", self.reasoning)):
            if not (isfinite(value) and value >= 0.0):
                raise OptionError(f"reward weight {name} is {value}, expected a finite number >= 0")


@dataclass(frozen=True, slots=True, eq=False)
class RewardBreakdown:
    """The rewards of B groups of K answers before weighting, and their weighted total.

    Attributes:
        format: R_f, 0 or 1, [B, K].
        outcome: R_o, 0 or 1, [B, K].
        reasoning: R_t in [0.2, 1], or 0 for an excluded answer, NaN where a score was NaN, [B, K]; `None` where
            nothing was judged.
        trust: τ of each group, NaN where a score was NaN, [B]; `None` where nothing was judged.
        length: penalty for overlong answers in [-1, 0], [B, K]; `None` where there is none.
        total: the R_i that the advantages are made of, [B, K]; NaN in a whole group of which a needed score was NaN.
        coefficients: of format, outcome and reasoning in the total; that of reasoning is 0 while the gate is closed.
    """

    format: Tensor
    outcome: Tensor
    reasoning: Tensor | None
    trust: Tensor | None
    length: Tensor | None
    total: Tensor
    coefficients: RewardWeights

    @property
    def usable(self) -> Tensor:
        """Groups whose rewards are all numbers, bool [B]; `select` them before advantages are taken."""
        return self.total.isfinite().all(dim=1)

    def select(self, groups: Tensor) -> RewardBreakdown:
        """Only the groups that bool [B] marks."""
        tensors = ("format", "outcome", "reasoning", "trust", "length", "total")
        held = {name: getattr(self, name) for name in tensors}
        chosen: dict[str, Any] = {name: None if x is None else x[groups] for name, x in held.items()}
        return replace(self, **chosen)

    def parts(self) -> tuple[Tensor, Tensor]:
        """The rewards that make up the total, [B, K, P], and their weights of each group, [B, P], τ included."""
        c, ones = self.coefficients, self.total.new_ones(len(self.total))
        parts = [(self.format, c.format * ones), (self.outcome, c.outcome * ones)]
        if self.reasoning is not None and self.trust is not None and c.reasoning > 0.0:
            parts.append((self.reasoning, c.reasoning * self.trust))
        if self.length is not None:
            parts.append((self.length, ones))
        return torch.stack([reward for reward, _ in parts], -1), torch.stack([weight for _, weight in parts], -1)


def factual_scores(scores: Tensor, verified: Tensor, factual: Factual) -> Tensor:
    """Scores g_j whose factual criterion is judged, verified, or the mean of both, equation (1').

    Args:
        scores: the reward model's, in [1, 5], float [B, K, 4].
        verified: R_v in [0, 1] of each answer, float [B, K].
        factual: see `Factual`.

    Raises:
        ShapeError: the tensors do not fit together.
        ScoreError: an R_v is outside [0, 1]; NaN is let through and leaves its group out, see `rewards`.

    R_v = 0.75: 1 + 4 · 0.75 = 4 in the place of 2, or (2 + 4) / 2 = 3 beside it.

    >>> scores, verified = torch.tensor([[[2.0, 5.0, 5.0, 5.0]]]), torch.tensor([[0.75]])
    >>> [factual_scores(scores, verified, factual)[0, 0, 0].item() for factual in Factual]
    [2.0, 4.0, 3.0]
    """
    check_shape("verified", verified, tuple(scores.shape[:-1]))
    broken = (verified < 0.0) | (verified > 1.0)
    if broken.any():
        index = first_index(broken)
        raise ScoreError(f"verified{index} is {verified[tuple(index)].item()}, expected a share in [0, 1]")
    measured = SCORE_MIN + (SCORE_MAX - SCORE_MIN) * widen(verified)
    judged = widen(scores)[..., 0]
    first = {Factual.JUDGED: judged, Factual.VERIFIED: measured, Factual.BOTH: (judged + measured) / 2}[factual]
    return torch.cat([first[..., None], widen(scores)[..., 1:]], dim=-1)


def overlong_penalty(lengths: Tensor, *, max_tokens: int, buffer: int) -> Tensor:
    """Soft overlong punishment of DAPO, equation (12), in [-1, 0]: 0 up to L_max - buffer tokens, -1 from L_max on.

    Args:
        lengths: number of tokens of each answer, any shape.
        max_tokens: L_max, the limit under which answers were sampled.
        buffer: over how many tokens below that limit the penalty grows, in [1, L_max].

    Raises:
        OptionError: `buffer` is out of range.

    Limit 100, buffer 20: nothing at 80, half at 90, all at 100.

    >>> overlong_penalty(torch.tensor([[80, 90, 100]]), max_tokens=100, buffer=20)
    tensor([[ 0.0000, -0.5000, -1.0000]])
    """
    if not 1 <= buffer <= max_tokens:
        raise OptionError(f"buffer is {buffer}, expected 1 to {max_tokens} tokens")
    return (max_tokens - buffer - lengths.float()).div(buffer).clamp(-1.0, 0.0) + 0.0


def mixed_groups(correct: Tensor) -> Tensor:
    """Groups that DAPO's dynamic sampling keeps, bool [B]: neither all right nor all wrong.

    >>> mixed_groups(torch.tensor([[True, False], [True, True], [False, False]]))
    tensor([ True, False, False])
    """
    check_matrix("correct", correct)
    check_bool("correct", correct)
    return correct.any(dim=1) & ~correct.all(dim=1)


def reasoning_reward(scores: Tensor, weights: Sequence[float] | None = None) -> Tensor:
    """Reasoning reward R_t = Σ_j w_j g_j / 5 of every answer, equation (1), in [0.2, 1].

    Args:
        scores: g_j in [1, 5], float [..., 4]; the last axis holds the criteria.
        weights: four w_j >= 0 that sum to 1; a quarter each by default (not published).

    Raises:
        ShapeError: the last axis does not hold four criteria.
        OptionError: the weights are not four non-negative numbers that sum to 1.
        ScoreError: a score is NaN or outside [1, 5].

    (5 + 4 + 3 + 4) / 4 / 5 = 0.8; with all the weight on the third criterion 3 / 5 = 0.6:

    >>> scores = torch.tensor([5.0, 4.0, 3.0, 4.0])
    >>> reasoning_reward(scores), reasoning_reward(scores, [0, 0, 1, 0])
    (tensor(0.8000), tensor(0.6000))
    """
    if scores.ndim == 0 or scores.shape[-1] != CRITERIA:
        raise ShapeError(f"scores has shape {tuple(scores.shape)}, expected {CRITERIA} criteria on its last axis")
    weights = [1.0 / CRITERIA] * CRITERIA if weights is None else [float(w) for w in weights]
    if len(weights) != CRITERIA or min(weights) < 0.0 or not abs(sum(weights) - 1.0) <= 1e-6:
        raise OptionError(f"weights are {weights}, expected {CRITERIA} numbers >= 0 that sum to 1")
    scores = widen(scores)
    broken = ~((scores >= SCORE_MIN) & (scores <= SCORE_MAX))  # written so that NaN is broken too
    if broken.any():
        index = first_index(broken)
        value = scores[tuple(index)].item()
        raise ScoreError(f"scores{index} is {value}, expected a number in [{SCORE_MIN:g}, {SCORE_MAX:g}]")
    return (scores * scores.new_tensor(weights)).sum(dim=-1) / SCORE_MAX


def rewards(
    format_ok: Tensor,
    correct: Tensor,
    scores: Tensor | None,
    *,
    weights: Sequence[float] | None = None,
    coefficients: RewardWeights = RewardWeights(),
    reasoning_enabled: bool = True,
    unparseable: Unparseable = Unparseable.EXCLUDE,
    degenerate: float = 1.0,
    trust: bool = True,
    length_penalty: Tensor | None = None,
) -> RewardBreakdown:
    """Rewards of B groups of K answers, equation (3): R_i = 0.3 R_f + 1.0 R_o + 0.5 τ R_t.

    Args:
        format_ok: whether each answer has the think/answer form, bool [B, K]; axis 1 is the group.
        correct: whether each answer equals the label, bool [B, K]; never true where `format_ok` is false.
        scores: the reward model's scores in [1, 5], float [B, K, 4]. Under `Unparseable.EXCLUDE` the rows of
            answers without form may hold anything. A NaN elsewhere leaves its group out: while reasoning is enabled
            the totals of the whole group are NaN, see `RewardBreakdown.usable`. `None` when nothing was judged, which
            only `reasoning_enabled=False` allows.
        weights: w_j of equation (1), a quarter each by default.
        coefficients: of the three rewards.
        reasoning_enabled: whether R_t enters the total (the schedule's gate, equation (4)). While it does not,
            `scores` that are given are still reported as `reasoning` and `trust`.
        unparseable: what an answer without form counts as.
        degenerate: τ of groups that are all right or all wrong, see `trust_weight`.
        trust: whether τ weighs R_t; without, τ is 1 in every group (the paper's ablation V4).
        length_penalty: added to the total, float [B, K], such as that of `overlong_penalty`.

    Raises:
        ShapeError, OptionError: the arguments do not fit together.
        ScoreError: the scores are missing, one that is needed is outside [1, 5], or an answer is both correct and
            unparseable.

    One group of four: right with poor reasoning (R_t = 0.4), wrong with good reasoning (0.8), right and good (0.6),
    and one without form that nobody judged. τ = exp(0.5 - 0.8) = 0.7408, so the first total is
    0.3 + 1 + 0.5 · 0.7408 · 0.4 = 1.4482:

    >>> format_ok = torch.tensor([[True, True, True, False]])
    >>> correct = torch.tensor([[True, False, True, False]])
    >>> scores = torch.tensor([[[2.0] * 4, [4.0] * 4, [3.0] * 4, [float("nan")] * 4]])
    >>> breakdown = rewards(format_ok, correct, scores)
    >>> breakdown.trust, breakdown.total
    (tensor([0.7408]), tensor([[1.4482, 0.5963, 1.5222, 0.0000]]))

    Before the gate opens nothing need be judged:

    >>> rewards(format_ok, correct, None, reasoning_enabled=False).total
    tensor([[1.3000, 0.3000, 1.3000, 0.0000]])
    """
    shape = check_matrix("format_ok", format_ok)
    check_shape("correct", correct, shape)
    check_bool("format_ok", format_ok)
    check_bool("correct", correct)
    impossible = correct & ~format_ok
    if impossible.any():
        raise ScoreError(
            f"correct{first_index(impossible)} is true, but an answer without form has no answer to compare"
        )
    if scores is None and reasoning_enabled:
        raise ScoreError("scores are None, but reasoning is enabled; judge the answers first")

    precision = torch.float32 if scores is None else torch.promote_types(scores.dtype, torch.float32)
    r_format, r_outcome = format_ok.to(precision), correct.to(precision)
    total = coefficients.format * r_format + coefficients.outcome * r_outcome
    if length_penalty is not None:
        check_shape("length_penalty", length_penalty, shape)
        total = total + length_penalty
    r_reasoning, tau = None, None
    if scores is not None:
        check_shape("scores", scores, (*shape, CRITERIA))
        judged = format_ok if unparseable is Unparseable.EXCLUDE else torch.ones_like(format_ok)
        r_reasoning, tau = _judged_reasoning(scores, correct, judged, weights=weights, degenerate=degenerate)
        tau = tau if trust else torch.where(tau.isnan(), tau, 1.0)
    if reasoning_enabled and r_reasoning is not None and tau is not None:
        total = total + coefficients.reasoning * tau[:, None] * r_reasoning
    return RewardBreakdown(
        r_format,
        r_outcome,
        reasoning=r_reasoning,
        trust=tau,
        length=length_penalty,
        total=total,
        coefficients=coefficients if reasoning_enabled else replace(coefficients, reasoning=0.0),
    )


def _judged_reasoning(
    scores: Tensor, correct: Tensor, judged: Tensor, *, weights: Sequence[float] | None, degenerate: float
) -> tuple[Tensor, Tensor]:
    """R_t [B, K] and τ [B], NaN where a score that should count is NaN."""
    unscored = judged & scores.isnan().any(dim=-1)
    counted = judged & ~unscored
    readable = scores.where(counted[..., None], SCORE_MIN)  # any valid score: it is masked out in the next line
    reasoning = reasoning_reward(readable, weights).where(counted, 0.0)
    trust = trust_weight(reasoning, correct, counted=counted, degenerate=degenerate)
    return reasoning.masked_fill(unscored, torch.nan), trust.masked_fill(unscored.any(dim=1), torch.nan)
