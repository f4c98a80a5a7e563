"""Equations (6) to (9): a slow NumPy reference, analytic gradients, `gradcheck`, and properties of every loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grpo_ptr import (
    KL_ESTIMATORS,
    LOSSES,
    LossInputs,
    LossResult,
    OptionError,
    ScoreError,
    ShapeError,
    clipped_surrogate,
    dapo_loss,
    dr_grpo_loss,
    grpo_loss,
    gspo_loss,
    importance_ratio,
    k2_kl,
    k3_kl,
)

L_MAX = 9
SETTINGS: dict[str, dict[str, Any]] = {name: {} for name in LOSSES} | {"dr_grpo": {"max_tokens": L_MAX}}
names = st.sampled_from(sorted(LOSSES))


def call(name: str, inputs: LossInputs, **settings: Any) -> LossResult:
    return LOSSES[name](inputs, **(SETTINGS[name] | settings))


@st.composite
def batches(draw: st.DrawFn, *, max_width: int = 6) -> LossInputs:
    """Completions of 0 to T tokens, in float64, half of them with weights, with NaN at padding wherever only padding
    would see it."""
    n, width = draw(st.integers(1, 5)), draw(st.integers(1, max_width))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = np.array(draw(st.lists(st.integers(0, width), min_size=n, max_size=n)))
    mask = np.arange(width)[None] < lengths[:, None]
    logprobs = -rng.exponential(1.0, (n, width))
    old, ref = (logprobs + rng.normal(0.0, 0.4, (n, width)) for _ in range(2))
    weights = rng.exponential(1.0, (n, width))
    old[~mask], ref[~mask], weights[~mask] = np.nan, np.nan, np.nan
    return LossInputs(
        logprobs=torch.from_numpy(logprobs),
        mask=torch.from_numpy(mask),
        advantages=torch.from_numpy(rng.normal(0.0, 1.0, n)),
        old_logprobs=torch.from_numpy(old),
        ref_logprobs=torch.from_numpy(ref),
        token_weights=torch.from_numpy(weights) if draw(st.booleans()) else None,
    )


def reference(
    name: str, inputs: LossInputs, *, clip_low: float, clip_high: float, beta: float, kl: str = "k3"
) -> tuple[float, float, float]:
    """Loss, mean KL estimate and share of clipped tokens, a token at a time."""
    assert inputs.old_logprobs is not None
    assert inputs.ref_logprobs is not None
    lp, old, ref = (x.numpy() for x in (inputs.logprobs, inputs.old_logprobs, inputs.ref_logprobs))
    mask, advantages = inputs.mask.numpy(), inputs.advantages.numpy()
    weights = np.ones_like(lp) if inputs.token_weights is None else inputs.token_weights.numpy()
    n, tokens, clipped, kl_sum = len(mask), int(mask.sum()), 0, 0.0
    loss = 0.0
    for i in range(n):
        row = 0.0
        real = np.flatnonzero(mask[i])
        mean = sum(lp[i, t] - old[i, t] for t in real) / max(len(real), 1)
        for t in real:
            ratio = math.exp(mean if name == "gspo" else lp[i, t] - old[i, t])
            bounded = min(max(ratio, 1 - clip_low), 1 + clip_high)
            surrogate = min(ratio * advantages[i], bounded * advantages[i])
            clipped += bounded != ratio if name == "cispo" else surrogate != ratio * advantages[i]
            if name == "cispo":
                surrogate = bounded * advantages[i] * lp[i, t]
            d = ref[i, t] - lp[i, t]
            divergence = {"k1": -d, "k2": d * d / 2, "k3": math.exp(d) - d - 1}[kl]
            kl_sum += divergence
            row += -weights[i, t] * surrogate + beta * divergence
        by_completion = row / max(mask[i].sum(), 1) / n
        loss += {
            "grpo": by_completion,
            "dr_grpo": row / (n * L_MAX),
            "dapo": row / max(tokens, 1),
            "gspo": by_completion,
            "cispo": row / max(tokens, 1),
        }[name]
    return loss, kl_sum / max(tokens, 1), clipped / max(tokens, 1)


# --- the parts ---


def test_ratio_is_one_where_nothing_moved() -> None:
    logprobs = torch.tensor([-0.1, -3.0])
    assert torch.equal(importance_ratio(logprobs, logprobs), torch.ones(2))


@settings(deadline=None)
@given(ratio=st.floats(0.01, 10), advantage=st.floats(-3, 3), low=st.floats(0, 1), high=st.floats(0, 2))
def test_surrogate_never_exceeds_the_unclipped_one(ratio: float, advantage: float, low: float, high: float) -> None:
    """min(r A, ·) is a pessimistic bound, and equals r A inside the trust region."""
    value = clipped_surrogate(
        torch.tensor(ratio, dtype=torch.float64), torch.tensor(advantage, dtype=torch.float64),
        clip_low=low, clip_high=high,
    ).item()  # fmt: skip
    assert value <= ratio * advantage
    if 1 - low <= ratio <= 1 + high:
        assert value == ratio * advantage


@settings(deadline=None)
@given(d=st.floats(-5, 5))
def test_k3_is_never_negative_and_zero_only_at_equality(d: float) -> None:
    """e^d - d - 1 >= d² / 2 · e^min(d, 0) >= 0 by Taylor's theorem with the Lagrange remainder."""
    kl = k3_kl(torch.zeros(1, dtype=torch.float64), torch.tensor([d], dtype=torch.float64)).item()
    assert kl >= 0.0
    assert kl == pytest.approx(math.exp(d) - d - 1, abs=1e-12)


def test_k3_is_an_unbiased_estimate_of_the_kl() -> None:
    """π = (0.7, 0.3), π_ref = (0.5, 0.5): E_π[k3] must be Σ π log(π / π_ref) = 0.0823 nats."""
    pi, ref = torch.tensor([0.7, 0.3]), torch.tensor([0.5, 0.5])
    expected = (pi * (pi / ref).log()).sum()
    torch.testing.assert_close((pi * k3_kl(pi.log(), ref.log())).sum(), expected)
    assert expected.item() == pytest.approx(0.0823, abs=1e-4)


def test_k3_keeps_small_differences_in_float32() -> None:
    """d = 1e-3: e^d - d - 1 = d² / 2 + d³ / 6 = 5.0017e-7, where float32's e^d - 1 alone has an error of 1e-7."""
    kl = k3_kl(torch.zeros(1), torch.tensor([1e-3])).item()
    assert kl == pytest.approx(5.0017e-7, rel=1e-3)


# --- every loss ---


@settings(deadline=None)
@given(
    inputs=batches(),
    name=names,
    clip=st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)),
    beta=st.sampled_from([0.0, 0.04, 1.0]),
    estimator=st.sampled_from(sorted(KL_ESTIMATORS)),
)
def test_losses_equal_the_slow_reference(
    inputs: LossInputs, name: str, clip: tuple[float, float], beta: float, estimator: str
) -> None:
    low, high = clip
    result = call(name, inputs, clip_low=low, clip_high=high, beta=beta, kl=estimator)
    loss, kl, clip_share = reference(name, inputs, clip_low=low, clip_high=high, beta=beta, kl=estimator)
    assert result.loss.item() == pytest.approx(loss, abs=1e-9)
    assert result.clip_share.item() == pytest.approx(clip_share)
    assert result.tokens.item() == inputs.mask.sum().item()
    if beta > 0:
        assert result.kl is not None
        assert result.kl.item() == pytest.approx(kl, abs=1e-9)
        without, _, _ = reference(name, inputs, clip_low=low, clip_high=high, beta=0.0)
        assert result.policy_loss.item() == pytest.approx(without, abs=1e-9)
    else:
        assert result.kl is None


@settings(deadline=None)
@given(inputs=batches(), name=names, extra=st.integers(1, 3), filler=st.sampled_from([0.0, 50.0, math.inf, math.nan]))
def test_padding_changes_neither_loss_nor_gradient(inputs: LossInputs, name: str, extra: int, filler: float) -> None:
    def widened(x: torch.Tensor | None) -> torch.Tensor:
        assert x is not None
        pad = torch.full((len(x), extra), filler, dtype=x.dtype)
        return torch.cat([x.where(inputs.mask, filler), pad], dim=1)

    padded = LossInputs(
        logprobs=widened(inputs.logprobs).requires_grad_(),
        mask=torch.cat([inputs.mask, torch.zeros(len(inputs.mask), extra, dtype=torch.bool)], dim=1),
        advantages=inputs.advantages,
        old_logprobs=widened(inputs.old_logprobs),
        ref_logprobs=widened(inputs.ref_logprobs),
        token_weights=None if inputs.token_weights is None else widened(inputs.token_weights),
    )
    inputs.logprobs.requires_grad_()
    plain, wide = call(name, inputs, beta=0.04), call(name, padded, beta=0.04)
    torch.testing.assert_close(wide.loss, plain.loss)
    plain.loss.backward()
    wide.loss.backward()
    gradient, wide_gradient = inputs.logprobs.grad, padded.logprobs.grad
    assert gradient is not None
    assert wide_gradient is not None
    torch.testing.assert_close(wide_gradient[:, : gradient.shape[1]], gradient)
    assert not wide_gradient[~padded.mask].any()


@settings(deadline=None)
@given(inputs=batches(), name=names, cut=st.integers(0, 5), processes=st.sampled_from([1, 2]))
def test_losses_and_gradients_of_micro_batches_add_up_to_the_step(
    inputs: LossInputs, name: str, cut: int, processes: int
) -> None:
    """Cut anywhere, the parts having any number of tokens: the sum over micro-batches, or as DDP does it the mean over
    processes that each were given the step's counts divided by their number, is the loss of the whole step."""
    inputs.logprobs.requires_grad_()
    whole = call(name, inputs, beta=0.04).loss
    step = {"step_completions": len(inputs.mask) / processes, "step_tokens": max(int(inputs.mask.sum()), 1) / processes}

    def part(rows: slice) -> torch.Tensor:
        fields = ("logprobs", "mask", "advantages", "old_logprobs", "ref_logprobs", "token_weights")
        tensors = {field: getattr(inputs, field) for field in fields}
        chosen: dict[str, Any] = {field: None if x is None else x[rows] for field, x in tensors.items()}
        return call(name, LossInputs(**chosen | step), beta=0.04).loss

    parts = torch.stack([part(rows) for rows in (slice(0, cut), slice(cut, None)) if len(inputs.mask[rows])])
    together = parts.sum() / processes
    torch.testing.assert_close(together, whole, rtol=1e-6, atol=1e-9)
    gradients = [torch.autograd.grad(loss, inputs.logprobs)[0] for loss in (together, whole)]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-6, atol=1e-9)


@settings(deadline=None)
@given(inputs=batches(), name=names, data=st.data())
def test_the_order_of_completions_does_not_matter(inputs: LossInputs, name: str, data: st.DataObject) -> None:
    assert inputs.old_logprobs is not None
    assert inputs.ref_logprobs is not None
    order = data.draw(st.permutations(range(len(inputs.mask))))
    shuffled = LossInputs(
        inputs.logprobs[order], inputs.mask[order], inputs.advantages[order],
        old_logprobs=inputs.old_logprobs[order], ref_logprobs=inputs.ref_logprobs[order],
        token_weights=None if inputs.token_weights is None else inputs.token_weights[order],
    )  # fmt: skip
    torch.testing.assert_close(call(name, shuffled).loss, call(name, inputs).loss)


@settings(deadline=None)
@given(inputs=batches(), name=names)
def test_zero_advantages_give_zero_loss_and_gradient_without_kl(inputs: LossInputs, name: str) -> None:
    still = LossInputs(
        inputs.logprobs.requires_grad_(), inputs.mask, torch.zeros_like(inputs.advantages), inputs.old_logprobs
    )
    result = call(name, still, beta=0.0)
    result.loss.backward()
    assert result.loss.item() == 0.0
    assert inputs.logprobs.grad is not None
    assert not inputs.logprobs.grad.any()


def test_on_policy_gradient_is_that_of_reinforce() -> None:
    """At r = 1 the gradient of token t of completion i is -A_i times its weight: 1 / (N T_i) in GRPO and GSPO,
    1 / (N L_max) in Dr. GRPO, 1 / ΣT in DAPO and CISPO. Here N = 2, T = (2, 1), L_max = 9, A = (1, -3)."""
    expected = {
        "grpo": [[-1 / 4, -1 / 4], [3 / 2, 0.0]],
        "dr_grpo": [[-1 / 18, -1 / 18], [3 / 18, 0.0]],
        "dapo": [[-1 / 3, -1 / 3], [3 / 3, 0.0]],
        "gspo": [[-1 / 4, -1 / 4], [3 / 2, 0.0]],
        "cispo": [[-1 / 3, -1 / 3], [3 / 3, 0.0]],
    }
    assert expected.keys() == LOSSES.keys()
    for name, gradient in expected.items():
        logprobs = torch.tensor([[-1.0, -2.0], [-0.5, -7.0]], requires_grad=True)
        mask = torch.tensor([[True, True], [True, False]])
        call(name, LossInputs(logprobs, mask, torch.tensor([1.0, -3.0])), beta=0.0).loss.backward()
        torch.testing.assert_close(logprobs.grad, torch.tensor(gradient))


def test_without_old_logprobs_equals_old_logprobs_of_the_same_policy() -> None:
    logprobs = torch.tensor([[-1.0, -2.0]], dtype=torch.float64, requires_grad=True)
    mask, advantages = torch.ones(1, 2, dtype=torch.bool), torch.tensor([0.7])
    for name in LOSSES:
        implicit = call(name, LossInputs(logprobs, mask, advantages), beta=0.0).loss
        explicit = call(name, LossInputs(logprobs, mask, advantages, old_logprobs=logprobs.detach()), beta=0.0).loss
        assert torch.equal(implicit, explicit)
        assert torch.equal(*(torch.autograd.grad(loss, logprobs)[0] for loss in (implicit, explicit)))


def test_a_token_that_cispo_cuts_still_has_a_gradient() -> None:
    """r = 8 is cut to 5 and r = 0.5 is not: with A = 1 on two tokens the gradients are -5 / 2 and -0.5 / 2; in GRPO
    that of the first is 0."""
    logprobs = torch.tensor([[0.8, 0.1]]).log().requires_grad_()
    old = torch.tensor([[0.1, 0.2]]).log()
    inputs = LossInputs(logprobs, torch.ones(1, 2, dtype=torch.bool), torch.ones(1), old_logprobs=old)
    for name, gradient in (("cispo", [-2.5, -0.25]), ("grpo", [0.0, -0.25])):
        (got,) = torch.autograd.grad(call(name, inputs, beta=0.0).loss, logprobs)
        assert got[0].tolist() == pytest.approx(gradient)


def test_gspo_moves_all_tokens_of_a_completion_by_its_one_ratio() -> None:
    """Ratios 1.1 and 1 of one completion, wide clip: s = sqrt(1.1); each token's gradient is -A s / (N T) = -s / 2.
    Beyond the clip there is none for either token."""
    logprobs = torch.tensor([[0.22, 0.3]]).log().requires_grad_()
    old = torch.tensor([[0.2, 0.3]]).log()
    inputs = LossInputs(logprobs, torch.ones(1, 2, dtype=torch.bool), torch.ones(1), old_logprobs=old)
    (wide,) = torch.autograd.grad(gspo_loss(inputs, clip_low=0.2, clip_high=0.2).loss, logprobs)
    assert wide[0].tolist() == pytest.approx([-math.sqrt(1.1) / 2] * 2)
    (cut,) = torch.autograd.grad(gspo_loss(inputs).loss, logprobs)
    assert cut[0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"cispo"}))
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    """`gradcheck` in float64 at ratios away from the kinks at 0.8 and 1.2 (1.28), clipped tokens too. Not CISPO, whose
    gradient is by design not that of its value."""
    ratios = torch.tensor([[0.5, 0.9, 1.1], [1.5, 1.05, 0.6]], dtype=torch.float64)
    old = torch.full((2, 3), -1.0, dtype=torch.float64)
    ref = torch.tensor([[-0.7, -1.4, -0.9], [-1.1, -2.0, -0.2]], dtype=torch.float64)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    advantages = torch.tensor([1.3, -0.8], dtype=torch.float64)

    def loss(logprobs: torch.Tensor) -> torch.Tensor:
        inputs = LossInputs(logprobs, mask, advantages, old_logprobs=old, ref_logprobs=ref)
        return call(name, inputs, beta=0.5, **({"clip_low": 0.2, "clip_high": 0.2} if name == "gspo" else {})).loss

    assert torch.autograd.gradcheck(loss, (old + ratios.log()).requires_grad_())


def test_a_clipped_token_has_no_gradient() -> None:
    """r = 1.5 with A > 0 and r = 0.5 with A < 0 have moved far enough; the two others pull back with -A r / (N T)."""
    ratios = torch.tensor([[1.5, 0.5], [0.5, 1.5]])
    logprobs = ratios.log().requires_grad_()
    inputs = LossInputs(
        logprobs, torch.ones(2, 2, dtype=torch.bool), torch.tensor([1.0, -1.0]), old_logprobs=torch.zeros(2, 2)
    )
    result = grpo_loss(inputs, beta=0.0)
    result.loss.backward()
    torch.testing.assert_close(logprobs.grad, torch.tensor([[0.0, -0.5 / 4], [0.0, 1.5 / 4]]))
    assert result.clip_share.item() == 0.5


def test_weights_scale_the_gradient_of_their_tokens_and_not_the_kl() -> None:
    """On-policy, N = 1, T = 2, A = 3: token t has gradient -3 w_t / 2; the KL's mean of two tokens, at d = 0.5, has
    β (1 - e^0.5) / 2 = -0.3244 β each. The weights themselves get none."""
    mask, advantages = torch.ones(1, 2, dtype=torch.bool), torch.tensor([3.0])
    weights = torch.tensor([[2.0, 0.5]], requires_grad=True)
    for beta in (0.0, 0.1):
        logprobs = torch.full((1, 2), -1.0, requires_grad=True)
        ref = torch.full((1, 2), -0.5)
        grpo_loss(
            LossInputs(logprobs, mask, advantages, ref_logprobs=ref, token_weights=weights), beta=beta
        ).loss.backward()
        torch.testing.assert_close(logprobs.grad, torch.tensor([[-3.0, -0.75]]) - 0.3244 * beta, atol=1e-4, rtol=0)
    assert weights.grad is None


def test_empty_completions() -> None:
    """An empty completion adds 0: with A = 2 on one token and an empty one, GRPO averages -2 and 0 to -1.

    A batch without any token has loss 0 that can still be stepped on.
    """
    logprobs = torch.tensor([[-1.0], [math.nan]], requires_grad=True)
    inputs = LossInputs(logprobs, torch.tensor([[True], [False]]), torch.tensor([2.0, 5.0]))
    assert grpo_loss(inputs, beta=0.0).loss.item() == -1.0
    for name in LOSSES:
        empty = LossInputs(logprobs, torch.zeros(2, 1, dtype=torch.bool), torch.tensor([2.0, 5.0]))
        result = call(name, empty, beta=0.0)
        (gradient,) = torch.autograd.grad(result.loss, logprobs)
        assert result.loss.item() == 0.0
        assert not gradient.any()


def test_no_reference_is_computed_where_beta_is_zero() -> None:
    """A reference full of NaN is refused where it is looked at; at β > 0 a missing one is refused too."""
    logprobs, mask, advantages = torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.bool), torch.ones(1)
    poisoned = LossInputs(logprobs, mask, advantages, ref_logprobs=torch.full((1, 2), math.nan))
    assert grpo_loss(poisoned, beta=0.0).loss.item() == -1.0
    with pytest.raises(ScoreError, match="ref_logprobs of answer 0 is nan"):
        grpo_loss(poisoned, beta=0.04)
    with pytest.raises(OptionError, match="ref_logprobs is None"):
        grpo_loss(LossInputs(logprobs, mask, advantages), beta=0.04)


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")],
        ),
    ],
)
def test_half_precision_inputs_are_calculated_in_float32(device: str) -> None:
    """The same bfloat16 numbers, widened by hand first, must give the very same loss; the gradient comes back in
    bfloat16 because that is what the policy holds."""
    generator = torch.Generator().manual_seed(0)
    lp, old, ref = (-torch.rand(3, 5, generator=generator).bfloat16().to(device) for _ in range(3))
    mask, advantages = torch.ones(3, 5, dtype=torch.bool, device=device), torch.tensor([1.0, -2.0, 0.5], device=device)
    lp.requires_grad_()
    half = grpo_loss(LossInputs(lp, mask, advantages.bfloat16(), old_logprobs=old, ref_logprobs=ref))
    full = grpo_loss(LossInputs(lp.float(), mask, advantages, old_logprobs=old.float(), ref_logprobs=ref.float()))
    assert half.loss.dtype is torch.float32
    assert half.loss.device.type == device
    assert torch.equal(half.loss, full.loss)
    half.loss.backward()
    assert lp.grad is not None
    assert lp.grad.dtype is torch.bfloat16


def test_metrics_carry_no_gradient() -> None:
    inputs = LossInputs(
        torch.zeros(1, 2, requires_grad=True), torch.ones(1, 2, dtype=torch.bool), torch.ones(1),
        ref_logprobs=torch.zeros(1, 2),
    )  # fmt: skip
    result = grpo_loss(inputs)
    assert result.loss.requires_grad
    assert result.kl is not None
    assert not any(x.requires_grad for x in (result.policy_loss, result.kl, result.clip_share))


# --- far from the policy that sampled ---


@pytest.mark.parametrize(
    ("advantage", "loss", "gradient"),
    [
        (1.0, -(1.2 + 1.0) / 2, [0.0, -0.5]),  # cut at 1 + ε
        (0.0, 0.0, [0.0, 0.0]),  # a group of equal rewards
        (-1.0, (math.exp(20) * 80.9 + 1.0) / 2, [math.exp(20) / 2, 0.5]),  # kept: the tangent at 20, 79.9 further on
    ],
)
def test_a_ratio_beyond_float_range_gives_a_finite_loss_and_gradient(
    advantage: float, loss: float, gradient: list[float]
) -> None:
    """Two tokens, log-ratios 99.9 and 0: r = e^20 (1 + 79.9) and 1; the loss of a token is -A r, or -1.2 A."""
    logprobs = torch.tensor([[-0.1, -1.0]], requires_grad=True)
    old = torch.tensor([[-100.0, -1.0]])
    mask = torch.ones(1, 2, dtype=torch.bool)
    result = grpo_loss(LossInputs(logprobs, mask, torch.tensor([advantage]), old_logprobs=old), beta=0.0)
    result.loss.backward()
    assert logprobs.grad is not None
    assert result.loss.item() == pytest.approx(loss, rel=1e-5)
    assert logprobs.grad[0].tolist() == pytest.approx(gradient, rel=1e-5)


def test_k3_beyond_float_range_is_finite_and_pulls_back() -> None:
    """d = 100: e^20 (1 + 80) - 1 - 100, with the gradient 1 - e^20 in log π, which raises it; d = -100: 99, and 1."""
    logprobs = torch.tensor([-100.1, -0.1], requires_grad=True)
    kl = k3_kl(logprobs, torch.tensor([-0.1, -100.1]))
    kl.sum().backward()
    assert logprobs.grad is not None
    assert kl.tolist() == pytest.approx([math.exp(20) * 81 - 101, 99.0], rel=1e-5)
    assert logprobs.grad.tolist() == pytest.approx([1 - math.exp(20), 1.0], rel=1e-5)


@pytest.mark.parametrize("estimator", sorted(KL_ESTIMATORS))
@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize("d", [100.0, -100.0, 1e4, -1e4])
def test_every_loss_with_every_kl_is_finite_far_from_its_reference(name: str, estimator: str, d: float) -> None:
    """Log-probabilities and references |d| nats apart, sampled as far away: loss and gradient are finite."""
    logprobs = torch.full((1, 2), -abs(d), requires_grad=True)
    far = torch.full((1, 2), d - abs(d))
    mask = torch.ones(1, 2, dtype=torch.bool)
    for advantage in (1.0, -1.0):
        inputs = LossInputs(logprobs, mask, torch.tensor([advantage]), old_logprobs=far, ref_logprobs=far)
        result = call(name, inputs, beta=0.04, kl=estimator)
        (gradient,) = torch.autograd.grad(result.loss, logprobs)
        assert result.loss.isfinite()
        assert gradient.isfinite().all()


def test_the_gradient_of_k2_is_that_of_the_kl_and_that_of_k3_is_not() -> None:
    """π = (0.7, 0.3), softmax of its logits, against (0.5, 0.5), in expectation over π. k2's gradient, taken at fixed
    samples, must be that of Σ π log(π / π_ref); that of k3 is that of the KL the other way round."""
    logits = torch.tensor([0.7, 0.3], dtype=torch.float64).log().requires_grad_()
    ref = torch.tensor([0.5, 0.5], dtype=torch.float64)
    pi = logits.softmax(0)
    (expected,) = torch.autograd.grad((pi * (pi / ref).log()).sum(), logits, retain_graph=True)
    (reverse,) = torch.autograd.grad((ref * (ref / pi).log()).sum(), logits, retain_graph=True)
    for estimate, gradient in ((k2_kl, expected), (k3_kl, reverse)):
        (got,) = torch.autograd.grad((pi.detach() * estimate(pi.log(), ref.log())).sum(), logits, retain_graph=True)
        torch.testing.assert_close(got, gradient)


@settings(deadline=None)
@given(d=st.floats(-80, 20, width=32))
def test_in_the_ordinary_range_every_bit_is_that_of_the_exponential(d: float) -> None:
    """Expected: torch's own exp and expm1 and their gradients."""
    capped, plain = (torch.tensor([d], requires_grad=True) for _ in range(2))
    zero = torch.zeros(1)
    ratio, kl = importance_ratio(capped, zero), k3_kl(zero, capped)
    assert torch.equal(ratio, plain.exp())
    assert torch.equal(kl, plain.expm1() - plain)
    for ours, theirs in ((ratio, plain.exp()), (kl, plain.expm1() - plain)):
        (ours_gradient,) = torch.autograd.grad(ours, capped)
        (their_gradient,) = torch.autograd.grad(theirs, plain)
        assert torch.equal(ours_gradient, their_gradient)


@pytest.mark.parametrize("field", ["logprobs", "old_logprobs", "ref_logprobs", "token_weights", "advantages"])
def test_what_is_not_finite_is_refused_with_the_answer_it_belongs_to(field: str) -> None:
    """Answer 1 of 2 holds the broken number, at token 1 where it has tokens."""
    tensors: dict[str, Any] = {
        name: torch.zeros(2, 3) for name in ("logprobs", "old_logprobs", "ref_logprobs", "token_weights")
    }
    tensors["advantages"] = torch.zeros(2)
    place = (1,) if field == "advantages" else (1, 1)
    tensors[field][place] = -math.inf
    said = r"advantages\[1\] is not finite" if field == "advantages" else f"{field} of answer 1 is -inf at token 1"
    with pytest.raises(ScoreError, match=said):
        grpo_loss(LossInputs(mask=torch.ones(2, 3, dtype=torch.bool), **tensors))


def test_refusals() -> None:
    logprobs, mask, advantages = torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool), torch.ones(2)
    with pytest.raises(ShapeError, match=r"advantages has shape \(1, 2\), expected \(2,\) or \(2, 3\)"):
        LossInputs(logprobs, mask, advantages[None])
    with pytest.raises(ShapeError, match="mask has dtype"):
        LossInputs(logprobs, mask.long(), advantages)
    with pytest.raises(ShapeError, match=r"ref_logprobs has shape \(2, 2\)"):
        LossInputs(logprobs, mask, advantages, ref_logprobs=logprobs[:, :2])
    with pytest.raises(ShapeError, match=r"token_weights has shape \(2,\), expected \(2, 3\)"):
        LossInputs(logprobs, mask, advantages, token_weights=advantages)
    inputs = LossInputs(logprobs, mask, advantages)
    with pytest.raises(ShapeError, match="padded to 3 tokens, max_tokens allows 2"):
        dr_grpo_loss(inputs, max_tokens=2)
    with pytest.raises(OptionError, match="step_tokens is 0"):
        LossInputs(logprobs, mask, advantages, step_tokens=0)
    with pytest.raises(OptionError, match="kl is 'k4', expected one of k1, k2, k3"):
        grpo_loss(inputs, kl="k4")
    with pytest.raises(OptionError, match="beta is -1"):
        dapo_loss(inputs, beta=-1.0)
    with pytest.raises(OptionError, match="clip is"):
        dapo_loss(inputs, clip_low=1.5)
