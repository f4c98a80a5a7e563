"""Policy losses over sampled completions: equations (6) to (10), GRPO and four variants.

All variants share the loss of a token,

    l_t = -w_t s_t + β KL_t       s_t = min(r_t A, clip(r_t, 1 - ε_low, 1 + ε_high) A),

with w_t = 1 unless weights are given, and differ in how tokens are averaged, and the last two in s_t:

    GRPO      1/N Σ_i 1/T_i Σ_t l_t      every completion weighs the same
    Dr. GRPO  Σ_i Σ_t l_t / (N · L_max)  every token weighs the same, whatever the batch holds
    DAPO      Σ_i Σ_t l_t / Σ_i T_i      every token of the step weighs the same
    GSPO      as GRPO                    r is one for the whole completion: the geometric mean of its r_t
    CISPO     as DAPO                    s_t = sg(clip(r_t)) A log π_t: a cut token keeps its gradient

N and Σ_i T_i are those of the whole optimiser step (`LossInputs.step_completions`, `step_tokens`), so that losses of
micro-batches add up to the loss of the step; the KL term is one of `KL_ESTIMATORS`.

N completions of all groups lie along axis 0, their tokens, padded to T, along axis 1. Half precision is widened to
float32. What is at padding, NaN included, changes neither loss nor gradient.

Loss and gradient are finite for all finite inputs: beyond a log-ratio of `MAX_LOG_RATIO` the exponentials of (6) and
(7) go on as straight lines, so that the gradient keeps its direction. Inputs that are not finite raise `ScoreError`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor

from grpo_ptr._tensors import check_bool, check_matrix, check_shape, first_index, widen
from grpo_ptr.errors import OptionError, ScoreError, ShapeError
from grpo_ptr.kl import KL_ESTIMATORS
from grpo_ptr.surrogates import (
    CLIP,
    CLIP_HIGH_CISPO,
    CLIP_HIGH_DAPO,
    CLIP_HIGH_GSPO,
    CLIP_LOW_CISPO,
    CLIP_LOW_GSPO,
    cispo_surrogate,
    clipped_surrogate,
    importance_ratio,
    sequence_ratio,
)

KL_COEFFICIENT = 0.04
"""β of the EmotionThinker paper."""


@dataclass(frozen=True, slots=True, eq=False)
class LossInputs:
    """N completions of at most T tokens, ready for any loss of `LOSSES`.

    Attributes:
        logprobs: log π(token) under the policy being trained, float [N, T]; the only field that needs a gradient.
        mask: which positions hold tokens of the completion, bool [N, T]. A row may be empty.
        advantages: A of each completion, float [N]: `advantages[B, K].flatten()`; or of each token, [N, T].
        old_logprobs: under the policy that sampled, [N, T]; `None` when that is the policy being trained (strictly
            on-policy), where the ratio is 1 and an extra forward pass would only repeat `logprobs`.
        ref_logprobs: under the reference policy, [N, T]; needed only where β > 0.
        token_weights: factor w >= 0 of every token's surrogate, [N, T], no gradient; `None` for 1. Where another
            program sampled, min(π_old / π_program, C) corrects for its rounding (truncated importance sampling).
            The KL term is not weighted.
        step_completions: completions of the whole optimiser step, over all its micro-batches and processes; `None`
            for N. The losses of the micro-batches then add up to that of the step, whatever each of them holds.
            Where gradients are averaged over W processes (DDP), give the step's number divided by W.
        step_tokens: the same of tokens; `None` for those of `mask`.
    """

    logprobs: Tensor
    mask: Tensor
    advantages: Tensor
    old_logprobs: Tensor | None = None
    ref_logprobs: Tensor | None = None
    token_weights: Tensor | None = None
    step_completions: float | None = None
    step_tokens: float | None = None

    def __post_init__(self) -> None:
        shape = check_matrix("logprobs", self.logprobs)
        check_shape("mask", self.mask, shape)
        check_bool("mask", self.mask)
        if tuple(self.advantages.shape) not in (shape[:1], shape):
            raise ShapeError(f"advantages has shape {tuple(self.advantages.shape)}, expected {shape[:1]} or {shape}")
        optional = ("old_logprobs", "ref_logprobs", "token_weights")
        for name, x in ((name, getattr(self, name)) for name in optional):
            if x is not None:
                check_shape(name, x, shape)
        for name in ("step_completions", "step_tokens"):
            count = getattr(self, name)
            if count is not None and not (math.isfinite(count) and count > 0):
                raise OptionError(f"{name} is {count}, expected a number above 0")

    @property
    def completions(self) -> float:
        """By what a mean over the step's completions is divided."""
        return float(len(self.mask)) if self.step_completions is None else float(self.step_completions)

    @property
    def tokens(self) -> Tensor:
        """By what a mean over the step's tokens is divided."""
        if self.step_tokens is None:
            return self.mask.sum().clamp(min=1)
        return self.mask.new_tensor(self.step_tokens, dtype=torch.float32)


@dataclass(frozen=True, slots=True, eq=False)
class LossResult:
    """A loss to call `backward` on, and what to log of it: scalars without gradient, on the loss's device.

    Attributes:
        loss: what is minimised.
        policy_loss: its part without the KL term.
        kl: mean estimate of KL(π || π_ref) over the tokens of this call, in nats; `None` where β = 0.
        clip_share: share of tokens in [0, 1] whose gradient the clip removed, or in CISPO bounded.
        ratio_min, ratio_max: the extremes of r_t over the tokens of this call, 1 where there are none.
        tokens: number of tokens of this call.
    """

    loss: Tensor
    policy_loss: Tensor
    kl: Tensor | None
    clip_share: Tensor
    ratio_min: Tensor
    ratio_max: Tensor
    tokens: Tensor

    def detach(self) -> LossResult:
        """What there is to log, without the graph that `loss` holds on to."""
        return replace(self, loss=self.loss.detach())


def grpo_loss(
    inputs: LossInputs,
    *,
    clip_low: float = CLIP,
    clip_high: float = CLIP,
    beta: float = KL_COEFFICIENT,
    kl: str = "k3",
) -> LossResult:
    """Loss of GRPO, equation (8): 1/N Σ_i 1/T_i Σ_t l_t. An empty completion adds 0 and counts in N.

    Args:
        inputs: the completions.
        clip_low, clip_high: ε_low and ε_high.
        beta: weight β >= 0 of the KL term; at 0 the reference is neither needed nor looked at.
        kl: which of `KL_ESTIMATORS` the KL term is.

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
    return _loss(inputs, _by_completion(inputs), _Clip(clip_low, clip_high), beta=beta, kl=kl)


def dr_grpo_loss(
    inputs: LossInputs,
    *,
    max_tokens: int,
    clip_low: float = CLIP,
    clip_high: float = CLIP,
    beta: float = 0.0,
    kl: str = "k3",
) -> LossResult:
    """Loss of Dr. GRPO: Σ_i Σ_t l_t / (N · L_max), to be used with `centred_advantages`.

    Args:
        inputs: the completions.
        max_tokens: L_max, the limit under which completions were sampled, not their padded length, so that the
            scale does not change from batch to batch.
        clip_low, clip_high, beta, kl: as in `grpo_loss`; Dr. GRPO uses no KL term.

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
    width = inputs.mask.shape[1]
    if width > max_tokens:
        raise ShapeError(f"completions are padded to {width} tokens, max_tokens allows {max_tokens}")
    denominator = inputs.mask.new_tensor(inputs.completions * max_tokens, dtype=torch.float32)
    return _loss(inputs, denominator, _Clip(clip_low, clip_high), beta=beta, kl=kl)


def dapo_loss(
    inputs: LossInputs,
    *,
    clip_low: float = CLIP,
    clip_high: float = CLIP_HIGH_DAPO,
    beta: float = 0.0,
    kl: str = "k3",
) -> LossResult:
    """Token-level loss of DAPO: Σ_i Σ_t l_t / Σ_i T_i, with the upper clip raised.

    Only its loss: `mixed_groups` says which groups its dynamic sampling keeps, `overlong_penalty` is its length
    penalty. For micro-batches give `LossInputs.step_tokens`.

    Args:
        inputs: the completions.
        clip_low, clip_high, beta, kl: as in `grpo_loss`; DAPO clips at 0.2 and 0.28 and uses no KL term.

    Raises:
        OptionError: a setting is out of range, or β > 0 without `ref_logprobs`.

    The example of `dr_grpo_loss` has three tokens: (-3 - 3 + 2) / 3 = -1.3333.

    >>> inputs = LossInputs(
    ...     torch.zeros(2, 2), torch.tensor([[True, True], [True, False]]), torch.tensor([3.0, -2.0])
    ... )
    >>> dapo_loss(inputs).loss
    tensor(-1.3333)
    """
    return _loss(inputs, inputs.tokens, _Clip(clip_low, clip_high), beta=beta, kl=kl)


def gspo_loss(
    inputs: LossInputs,
    *,
    clip_low: float = CLIP_LOW_GSPO,
    clip_high: float = CLIP_HIGH_GSPO,
    beta: float = 0.0,
    kl: str = "k3",
) -> LossResult:
    """Loss of GSPO (Zheng et al. 2025): that of GRPO with one ratio for a completion, `sequence_ratio`.

    All tokens of a completion are clipped together. On-policy its gradient is that of GRPO.

    Args:
        inputs: the completions.
        clip_low, clip_high, beta, kl: as in `grpo_loss`; GSPO clips at 3e-4 and 4e-4 and uses no KL term.

    Raises:
        OptionError: a setting is out of range, or β > 0 without `ref_logprobs`.

    Ratios 4 and 1/2 of one completion with A = 1 make sqrt(2), cut to 1.0004; one of ratio 1 with A = -2 stays:
    (-1.0004 + 2) / 2 = 0.4998. Two of the three tokens are clipped.

    >>> inputs = LossInputs(
    ...     logprobs=torch.tensor([[0.8, 0.1], [0.5, 0.5]]).log(),
    ...     mask=torch.tensor([[True, True], [True, False]]),
    ...     advantages=torch.tensor([1.0, -2.0]),
    ...     old_logprobs=torch.tensor([[0.2, 0.2], [0.5, 0.5]]).log(),
    ... )
    >>> result = gspo_loss(inputs)
    >>> result.loss, result.clip_share
    (tensor(0.4998), tensor(0.6667))
    """
    clip = _Clip(clip_low, clip_high, by_sequence=True)
    return _loss(inputs, _by_completion(inputs), clip, beta=beta, kl=kl)


def cispo_loss(
    inputs: LossInputs,
    *,
    clip_low: float = CLIP_LOW_CISPO,
    clip_high: float = CLIP_HIGH_CISPO,
    beta: float = 0.0,
    kl: str = "k3",
) -> LossResult:
    """Loss of CISPO (MiniMax-M1, 2025): the mean over tokens, as in DAPO, of -`cispo_surrogate`.

    Its value is that of a weighted log-likelihood and means nothing by itself; on-policy its gradient is that of DAPO.

    Args:
        inputs: the completions.
        clip_low, clip_high, beta, kl: as in `grpo_loss`; CISPO bounds weights at 5, not from below, and uses no KL
            term.

    Raises:
        OptionError: a setting is out of range, or β > 0 without `ref_logprobs`.

    Ratio 8, cut to 5, on a token of probability 0.8 with A = 1: 5 log 0.8 = -1.1157; ratio 1 on one of 0.5 with
    A = -2: -2 log 0.5 = 1.3863. Their mean, negated: -(−1.1157 + 1.3863) / 2 = -0.1353.

    >>> inputs = LossInputs(
    ...     logprobs=torch.tensor([[0.8], [0.5]]).log(),
    ...     mask=torch.tensor([[True], [True]]),
    ...     advantages=torch.tensor([1.0, -2.0]),
    ...     old_logprobs=torch.tensor([[0.1], [0.5]]).log(),
    ... )
    >>> result = cispo_loss(inputs)
    >>> result.loss, result.clip_share
    (tensor(-0.1353), tensor(0.5000))
    """
    clip = _Clip(clip_low, clip_high, weights_only=True)
    return _loss(inputs, inputs.tokens, clip, beta=beta, kl=kl)


@dataclass(frozen=True, slots=True)
class _Clip:
    """How ratios are formed and cut: the whole difference between GRPO, GSPO and CISPO for one token."""

    low: float
    high: float
    by_sequence: bool = False
    weights_only: bool = False

    def surrogate(self, inputs: LossInputs, logprobs: Tensor, old: Tensor, advantages: Tensor) -> tuple[Tensor, Tensor]:
        """s_t, and which tokens were cut, both [N, T]."""
        ratio = importance_ratio(logprobs, old)
        if self.by_sequence:
            ratio = sequence_ratio(logprobs, old, inputs.mask).expand_as(logprobs)
        below, above = ratio < 1.0 - self.low, ratio > 1.0 + self.high
        if self.weights_only:
            surrogate = cispo_surrogate(logprobs, ratio, advantages, clip_low=self.low, clip_high=self.high)
            return surrogate, below | above
        surrogate = clipped_surrogate(ratio, advantages, clip_low=self.low, clip_high=self.high)
        return surrogate, (below & (advantages < 0.0)) | (above & (advantages > 0.0))


def _by_completion(inputs: LossInputs) -> Tensor:
    """Denominators N · T_i of GRPO's mean of means, [N, 1]."""
    return inputs.completions * inputs.mask.sum(dim=1, keepdim=True).clamp(min=1)


def _loss(inputs: LossInputs, denominator: Tensor, clip: _Clip, *, beta: float, kl: str) -> LossResult:
    """Σ l / denominator over all tokens; `denominator` broadcasts over [N, T]."""
    if not beta >= 0.0:
        raise OptionError(f"beta is {beta}, expected a number >= 0")
    if kl not in KL_ESTIMATORS:
        raise OptionError(f"kl is {kl!r}, expected one of {', '.join(KL_ESTIMATORS)}")
    # Padding is overwritten before any exp: masking a product afterwards would leave 0 · inf = NaN in the gradient.
    mask = inputs.mask
    logprobs = _unpadded(inputs, "logprobs")
    old_logprobs = logprobs.detach() if inputs.old_logprobs is None else _unpadded(inputs, "old_logprobs")
    advantages = widen(inputs.advantages.detach())
    if not advantages.isfinite().all():
        raise ScoreError(f"advantages{first_index(~inputs.advantages.isfinite())} is not finite")
    advantages = advantages if advantages.ndim == 2 else advantages[:, None]
    surrogate, clipped = clip.surrogate(inputs, logprobs, old_logprobs, advantages)
    if inputs.token_weights is not None:
        surrogate = surrogate * widen(_unpadded(inputs, "token_weights"))
    policy_loss = -(mask * surrogate / denominator).sum()

    loss, mean_kl = policy_loss, None
    tokens = mask.sum()
    if beta > 0.0:
        if inputs.ref_logprobs is None:
            raise OptionError(f"beta is {beta}, but inputs.ref_logprobs is None; give them or set beta to 0")
        divergence = KL_ESTIMATORS[kl](logprobs, _unpadded(inputs, "ref_logprobs"))
        loss = policy_loss + beta * (divergence / denominator).sum()  # that of the overwritten padding is 0
        mean_kl = divergence.detach().sum() / tokens.clamp(min=1)

    clip_share = (clipped & mask).sum() / tokens.clamp(min=1)
    ratios = importance_ratio(logprobs.detach(), old_logprobs)[mask]
    low, high = ratios.aminmax() if len(ratios) else (policy_loss.new_ones(()), policy_loss.new_ones(()))
    return LossResult(loss, policy_loss.detach(), mean_kl, clip_share, ratio_min=low, ratio_max=high, tokens=tokens)


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
    {"grpo": grpo_loss, "dr_grpo": dr_grpo_loss, "dapo": dapo_loss, "gspo": gspo_loss, "cispo": cispo_loss}
)
"""Every loss by the name that a configuration gives it; its keyword arguments are the settings of that algorithm."""
