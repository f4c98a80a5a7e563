"""Policy losses over sampled completions: equations (6) to (9), GRPO and two variants.

All variants share the loss of a token,

    l_t = -w_t min(r_t A, clip(r_t, 1 - ε_low, 1 + ε_high) A) + β k3_t,

with w_t = 1 unless weights are given, and differ in how tokens are averaged:

    GRPO      1/N Σ_i 1/T_i Σ_t l_t      every completion weighs the same
    Dr. GRPO  Σ_i Σ_t l_t / (N · L_max)  every token weighs the same, whatever the batch holds
    DAPO      Σ_i Σ_t l_t / Σ_i T_i      every token of this batch weighs the same

N completions of all groups lie along axis 0, their tokens, padded to T, along axis 1. Half precision is widened to
float32. What is at padding, NaN included, changes neither loss nor gradient.

Loss and gradient are finite for all finite inputs: beyond a log-ratio of `MAX_LOG_RATIO` the exponentials of (6) and
(7) go on as straight lines, so that the gradient keeps its direction. Inputs that are not finite raise `ScoreError`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from grpo_ptr._tensors import check_bool, check_matrix, check_shape, first_index, widen
from grpo_ptr.errors import OptionError, ScoreError, ShapeError

CLIP = 0.2
"""ε of PPO and GRPO (Schulman et al. 2017; the EmotionThinker paper publishes none)."""
CLIP_HIGH_DAPO = 0.28
"""ε_high of DAPO."""
KL_COEFFICIENT = 0.04
"""β of the EmotionThinker paper."""
MAX_LOG_RATIO = 20.0
"""Largest difference of log-probabilities, in nats, whose exponential is taken as it is (e^20 = 4.9e8). float32 ends
at e^88.7; a gradient of that size would not survive the way back through a model. NeMo-RL caps at 20 too."""


@dataclass(frozen=True, slots=True, eq=False)
class LossInputs:
    """N completions of at most T tokens, ready for any loss of `LOSSES`.

    Attributes:
        logprobs: log π(token) under the policy being trained, float [N, T]; the only field that needs a gradient.
        mask: which positions hold tokens of the completion, bool [N, T]. A row may be empty.
        advantages: A of each completion, float [N]: `advantages[B, K].flatten()`.
        old_logprobs: under the policy that sampled, [N, T]; `None` when that is the policy being trained (strictly
            on-policy), where the ratio is 1 and an extra forward pass would only repeat `logprobs`.
        ref_logprobs: under the reference policy, [N, T]; needed only where β > 0.
        token_weights: factor w >= 0 of every token's surrogate, [N, T], no gradient; `None` for 1. Where another
            program sampled, min(π_old / π_program, C) corrects for its rounding (truncated importance sampling).
            The KL term is not weighted.
    """

    logprobs: Tensor
    mask: Tensor
    advantages: Tensor
    old_logprobs: Tensor | None = None
    ref_logprobs: Tensor | None = None
    token_weights: Tensor | None = None

    def __post_init__(self) -> None:
        shape = check_matrix("logprobs", self.logprobs)
        check_shape("mask", self.mask, shape)
        check_bool("mask", self.mask)
        check_shape("advantages", self.advantages, shape[:1])
        optional = ("old_logprobs", "ref_logprobs", "token_weights")
        for name, x in ((name, getattr(self, name)) for name in optional):
            if x is not None:
                check_shape(name, x, shape)


@dataclass(frozen=True, slots=True, eq=False)
class LossResult:
    """A loss to call `backward` on, and what to log of it: scalars without gradient, on the loss's device.

    Attributes:
        loss: what is minimised.
        policy_loss: its part without the KL term.
        kl: mean k3 estimate of KL(π || π_ref) over tokens, in nats; `None` where β = 0.
        clip_share: share of tokens in [0, 1] whose gradient the clip removed.
        tokens: number of tokens.
    """

    loss: Tensor
    policy_loss: Tensor
    kl: Tensor | None
    clip_share: Tensor
    tokens: Tensor


def importance_ratio(logprobs: Tensor, old_logprobs: Tensor) -> Tensor:
    """Ratio r = π(token) / π_old(token) of equation (6), any shape; above e^20 a line, see `MAX_LOG_RATIO`.

    A token of probability 0.3 that was sampled with probability 0.2 has r = 1.5:

    >>> importance_ratio(torch.tensor([0.3]).log(), torch.tensor([0.2]).log())
    tensor([1.5000])
    """
    d = widen(logprobs) - widen(old_logprobs)
    return _beyond_cap(d, d.clamp(max=MAX_LOG_RATIO).exp())


def _beyond_cap(d: Tensor, exponential: Tensor, shift: float = 0.0) -> Tensor:
    """`exponential`, and where d exceeds the cap c its tangent e^c (1 + d - c) - `shift`.

    `exponential` must come from the clamped d: `where` alone would leave 0 · inf = NaN in the gradient.
    """
    tangent = math.exp(MAX_LOG_RATIO) * (1.0 + d - MAX_LOG_RATIO) - shift
    return torch.where(d > MAX_LOG_RATIO, tangent, exponential)


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
    if not (0.0 <= clip_low <= 1.0 and clip_high >= 0.0):
        raise OptionError(f"clip is ({clip_low}, {clip_high}), expected ε_low in [0, 1] and ε_high >= 0")
    return torch.minimum(ratio * advantages, ratio.clamp(1.0 - clip_low, 1.0 + clip_high) * advantages)


def k3_kl(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """Schulman's k3 estimate of KL(π || π_ref) per token, equation (7): e^d - d - 1 with d = log π_ref - log π.

    Never negative, 0 only where the two agree, in nats, any shape.

    π = 0.5 and π_ref = 0.25: d = -0.6931, k3 = 0.5 + 0.6931 - 1 = 0.1931:

    >>> k3_kl(torch.tensor([0.5, 0.5]).log(), torch.tensor([0.25, 0.5]).log())
    tensor([0.1931, 0.0000])
    """
    d = widen(ref_logprobs) - widen(logprobs)
    # expm1 keeps the digits of small d that e^d - 1 would lose
    return _beyond_cap(d, d.clamp(max=MAX_LOG_RATIO).expm1(), shift=1.0) - d


def grpo_loss(
    inputs: LossInputs, *, clip_low: float = CLIP, clip_high: float = CLIP, beta: float = KL_COEFFICIENT
) -> LossResult:
    """Loss of GRPO, equation (8): 1/N Σ_i 1/T_i Σ_t l_t. An empty completion adds 0 and counts in N.

    Args:
        inputs: the completions.
        clip_low, clip_high: ε_low and ε_high.
        beta: weight β >= 0 of the KL term; at 0 the reference is neither needed nor looked at.

    Raises:
        OptionError: a setting is out of range, or β > 0 without `ref_logprobs`.

    Two completions on-policy (r = 1), of two tokens and of one, with A = 1 and -2:
    (-1 + 2) / 2 = 0.5. The first token's k3 is 0.1931 (see `k3_kl`), its mean over the two tokens 0.0966, over both
    completions 0.0483, times β = 0.04: 0.0019.

    >>> inputs = LossInputs(
    ...     logprobs=torch.tensor([[0.5, 0.5], [0.5, 0.5]]).log(),
    ...     mask=torch.tensor([[True, True], [True, False]]),
    ...     advantages=torch.tensor([1.0, -2.0]),
    ...     ref_logprobs=torch.tensor([[0.25, 0.5], [0.5, 0.1]]).log(),
    ... )
    >>> result = grpo_loss(inputs)
    >>> result.policy_loss, result.loss, result.kl
    (tensor(0.5000), tensor(0.5019), tensor(0.0644))
    """
    lengths = inputs.mask.sum(dim=1, keepdim=True)
    denominator = len(lengths) * lengths.clamp(min=1)
    return _loss(inputs, denominator, clip_low=clip_low, clip_high=clip_high, beta=beta)


def dr_grpo_loss(
    inputs: LossInputs, *, max_tokens: int, clip_low: float = CLIP, clip_high: float = CLIP, beta: float = 0.0
) -> LossResult:
    """Loss of Dr. GRPO: Σ_i Σ_t l_t / (N · L_max), to be used with `centred_advantages`.

    Args:
        inputs: the completions.
        max_tokens: L_max, the limit under which completions were sampled, not their padded length, so that the
            scale does not change from batch to batch.
        clip_low, clip_high, beta: as in `grpo_loss`; Dr. GRPO uses no KL term.

    Raises:
        OptionError: a setting is out of range, or β > 0 without `ref_logprobs`.
        ShapeError: the completions are padded to more than `max_tokens`.

    Two tokens with A = 3 and one with A = -2, where completions of two tokens were allowed: (-3 - 3 + 2) / 4 = -1.

    >>> inputs = LossInputs(
    ...     torch.zeros(2, 2), torch.tensor([[True, True], [True, False]]), torch.tensor([3.0, -2.0])
    ... )
    >>> dr_grpo_loss(inputs, max_tokens=2).loss
    tensor(-1.)
    """
    n, width = inputs.mask.shape
    if width > max_tokens:
        raise ShapeError(f"completions are padded to {width} tokens, max_tokens allows {max_tokens}")
    denominator = inputs.mask.new_tensor(n * max_tokens, dtype=torch.long)
    return _loss(inputs, denominator, clip_low=clip_low, clip_high=clip_high, beta=beta)


def dapo_loss(
    inputs: LossInputs, *, clip_low: float = CLIP, clip_high: float = CLIP_HIGH_DAPO, beta: float = 0.0
) -> LossResult:
    """Token-level loss of DAPO: Σ_i Σ_t l_t / Σ_i T_i, with the upper clip raised.

    Only its loss: resampling of groups with equal rewards and the length penalty belong to the rollout. The
    denominator is this call's number of tokens, so micro-batches of unequal length are not averaged exactly.

    Args:
        inputs: the completions.
        clip_low, clip_high, beta: as in `grpo_loss`; DAPO clips at 0.2 and 0.28 and uses no KL term.

    Raises:
        OptionError: a setting is out of range, or β > 0 without `ref_logprobs`.

    The example of `dr_grpo_loss` has three tokens: (-3 - 3 + 2) / 3 = -1.3333.

    >>> inputs = LossInputs(
    ...     torch.zeros(2, 2), torch.tensor([[True, True], [True, False]]), torch.tensor([3.0, -2.0])
    ... )
    >>> dapo_loss(inputs).loss
    tensor(-1.3333)
    """
    denominator = inputs.mask.sum().clamp(min=1)
    return _loss(inputs, denominator, clip_low=clip_low, clip_high=clip_high, beta=beta)


def _loss(inputs: LossInputs, denominator: Tensor, *, clip_low: float, clip_high: float, beta: float) -> LossResult:
    """Σ l / denominator over all tokens; `denominator` broadcasts over [N, T]."""
    if not beta >= 0.0:
        raise OptionError(f"beta is {beta}, expected a number >= 0")
    # Padding is overwritten before any exp: masking a product afterwards would leave 0 · inf = NaN in the gradient.
    mask = inputs.mask
    logprobs = _unpadded(inputs, "logprobs")
    old_logprobs = logprobs.detach() if inputs.old_logprobs is None else _unpadded(inputs, "old_logprobs")
    ratio = importance_ratio(logprobs, old_logprobs)
    advantages = widen(inputs.advantages.detach())[:, None]
    if not advantages.isfinite().all():
        raise ScoreError(f"advantages{first_index(~inputs.advantages.isfinite())} is not finite")
    surrogate = clipped_surrogate(ratio, advantages, clip_low=clip_low, clip_high=clip_high)
    if inputs.token_weights is not None:
        surrogate = surrogate * widen(_unpadded(inputs, "token_weights"))
    policy_loss = -(mask * surrogate / denominator).sum()

    loss, mean_kl = policy_loss, None
    tokens = mask.sum()
    if beta > 0.0:
        if inputs.ref_logprobs is None:
            raise OptionError(f"beta is {beta}, but inputs.ref_logprobs is None; give them or set beta to 0")
        kl = k3_kl(logprobs, _unpadded(inputs, "ref_logprobs"))
        loss = policy_loss + beta * (kl / denominator).sum()  # k3 of the overwritten padding is 0
        mean_kl = kl.detach().sum() / tokens.clamp(min=1)

    clipped = ((ratio < 1.0 - clip_low) & (advantages < 0.0)) | ((ratio > 1.0 + clip_high) & (advantages > 0.0))
    clip_share = clipped.sum() / tokens.clamp(min=1)  # the ratio of the overwritten padding is 1
    return LossResult(loss, policy_loss.detach(), kl=mean_kl, clip_share=clip_share, tokens=tokens)


def _unpadded(inputs: LossInputs, name: str) -> Tensor:
    """A field [N, T] with 0 at padding; only `logprobs` keeps its gradient. Raises `ScoreError` naming the answer."""
    x: Tensor = getattr(inputs, name)
    x = (x if name == "logprobs" else x.detach()).masked_fill(~inputs.mask, 0.0)
    broken = ~x.isfinite()
    if broken.any():
        row, token = first_index(broken)
        value = x[row, token].item()
        raise ScoreError(f"{name} of answer {row} is {value} at token {token}, expected a finite number")
    return x


LOSSES: Mapping[str, Callable[..., LossResult]] = MappingProxyType(
    {"grpo": grpo_loss, "dr_grpo": dr_grpo_loss, "dapo": dapo_loss}
)
"""Every loss by the name that a configuration gives it; its keyword arguments are the settings of that algorithm."""
