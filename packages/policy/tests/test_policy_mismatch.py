"""Mismatch and its correction against a slow reference, a known divergence, and the expectation they should repair."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from policy import OptionError, PolicyError, importance_weights, logprob_mismatch


@st.composite
def scored(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    """Engine, trainer and mask of answers of 0 to T tokens, at least one of them not empty, NaN at padding."""
    b, k, t = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = rng.integers(0, t + 1, (b, k))
    lengths[0, 0] = t
    mask = np.arange(t) < lengths[..., None]
    engine = -rng.exponential(1.0, (b, k, t))
    trainer = engine + rng.normal(0.0, 0.5, (b, k, t))  # may pass 0: formulas do not care
    engine[~mask], trainer[~mask] = np.nan, np.nan
    return torch.from_numpy(engine), torch.from_numpy(trainer), torch.from_numpy(mask)


@given(scored(), st.floats(0.01, 1.0))
def test_the_report_is_what_a_loop_over_tokens_finds(case: tuple[Tensor, Tensor, Tensor], threshold: float) -> None:
    """Every figure by its definition, a token at a time, from probabilities instead of their logarithms."""
    engine, trainer, mask = case
    report = logprob_mismatch(engine, trainer, mask, threshold=threshold)
    ratios = [
        [[math.exp(trainer[b, k, t]) / math.exp(engine[b, k, t]) for t in mask[b, k].nonzero()[:, 0].tolist()]
         for k in range(mask.shape[1])] for b in range(mask.shape[0])
    ]  # fmt: skip
    flat = [ratio for prompt in ratios for answer in prompt for ratio in answer]
    assert report.tokens == len(flat)
    assert report.mean_abs == pytest.approx(sum(abs(math.log(r)) for r in flat) / len(flat))
    assert report.max_abs == pytest.approx(max(abs(math.log(r)) for r in flat))
    assert report.kl_k1 == pytest.approx(-sum(math.log(r) for r in flat) / len(flat), abs=1e-9)
    assert report.kl_k3 == pytest.approx(sum(r - 1 - math.log(r) for r in flat) / len(flat), abs=1e-9)
    assert report.kl_k3 >= 0
    assert report.share_beyond == sum(abs(math.log(r)) > threshold for r in flat) / len(flat)
    assert report.threshold == threshold
    expected = torch.tensor([[math.prod(answer) for answer in prompt] for prompt in ratios], dtype=torch.float64)
    torch.testing.assert_close(report.sequence_ratio, expected)


@given(scored(), st.floats(0.5, 3.0))
def test_weights_are_truncated_ratios(case: tuple[Tensor, Tensor, Tensor], cap: float) -> None:
    """By definition, again from probabilities, of tokens and of whole answers; never above the cap, never negative, 0
    at padding."""
    engine, trainer, mask = case
    weights = importance_weights(engine, trainer, mask, cap=cap)
    whole = importance_weights(engine, trainer, mask, cap=cap, by_answer=True)
    assert not whole[~mask].any()
    for b, k, t in mask.nonzero().tolist():
        real = mask[b, k]
        ratios = (trainer[b, k, real].exp() / engine[b, k, real].exp()).tolist()
        assert weights[b, k, t].item() == pytest.approx(min(ratios[t], cap), rel=1e-5)
        assert whole[b, k, t].item() == pytest.approx(min(math.prod(ratios), cap), rel=1e-5)
    assert weights.dtype == torch.float32
    assert not weights[~mask].any()
    assert (weights >= 0).all()


def test_equal_logprobs_mean_no_mismatch_and_no_correction() -> None:
    logprobs, mask = torch.tensor([[[-1.0, -2.0], [-0.5, 0.0]]]), torch.tensor([[[True, True], [True, False]]])
    report = logprob_mismatch(logprobs, logprobs, mask)
    assert (report.mean_abs, report.max_abs, report.kl_k1, report.kl_k3, report.share_beyond) == (0, 0, 0, 0, 0)
    assert report.sequence_ratio.tolist() == [[1, 1]]
    assert torch.equal(importance_weights(logprobs, logprobs, mask), mask.float())


def test_both_estimates_find_a_known_divergence() -> None:
    """Engine (0.7, 0.3), trainer (0.5, 0.5), one token of each outcome in the engine's own proportion: both estimates
    are then the expectation itself, Σ p log(p / q) = 0.0823 nats."""
    p, q = torch.tensor([0.7, 0.3]), torch.tensor([0.5, 0.5])
    drawn = torch.tensor([0] * 7 + [1] * 3)
    engine, trainer = p[drawn].log()[None, None], q[drawn].log()[None, None]
    report = logprob_mismatch(engine, trainer, torch.ones(1, 1, 10).bool())
    assert report.kl_k1 == pytest.approx(0.0823, abs=1e-4)
    assert report.kl_k3 == pytest.approx(0.0823, abs=1e-4)


def test_weights_repair_an_expectation() -> None:
    """All answers of two tokens over {0, 1}, each as often as the engine draws it: the mean of w · (token 1 sampled
    first) must be the trainer's probability of it, 0.4, where the engine has 0.7. Untruncated, as truncation biases."""
    engine_p, trainer_p = torch.tensor([0.3, 0.7]).double(), torch.tensor([0.6, 0.4]).double()
    answers = torch.tensor([[a, b] for a in (0, 1) for b in (0, 1)])
    engine, trainer = engine_p[answers].log()[None], trainer_p[answers].log()[None]
    w = importance_weights(engine, trainer, torch.ones(1, 4, 2).bool(), cap=math.inf)[0, :, 0]
    drawn = engine_p[answers].prod(-1)
    assert float((drawn * w * (answers[:, 0] == 1)).sum()) == pytest.approx(0.4, abs=1e-6)


def test_truncation_only_lowers() -> None:
    engine, trainer = torch.tensor([[[0.1, 0.4, 0.5]]]).log(), torch.tensor([[[0.9, 0.2, 0.5]]]).log()
    mask = torch.ones(1, 1, 3).bool()
    torch.testing.assert_close(importance_weights(engine, trainer, mask), torch.tensor([[[2.0, 0.5, 1.0]]]))
    torch.testing.assert_close(importance_weights(engine, trainer, mask, cap=10), torch.tensor([[[9.0, 0.5, 1.0]]]))


def test_weights_carry_no_gradient() -> None:
    """They say how often an answer should have been drawn; they are nothing to be optimised."""
    trainer = torch.tensor([[[-1.0]]], requires_grad=True)
    assert not importance_weights(torch.tensor([[[-2.0]]]), trainer, torch.ones(1, 1, 1).bool()).requires_grad


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"threshold": 0.0}, OptionError, "threshold must be above 0 nats, got 0.0"),
        ({"threshold": math.nan}, OptionError, "got nan"),
        ({"engine": torch.zeros(1, 1, 3)}, OptionError, r"engine has shape \(1, 1, 3\), the mask \(1, 1, 2\)"),
        ({"trainer": torch.zeros(1, 2)}, OptionError, r"trainer has shape \(1, 2\)"),
        ({"mask": torch.ones(1, 1, 2)}, OptionError, r"mask must be bool\[B, K, T\], got torch.float32"),
        ({"mask": torch.ones(1, 2).bool()}, OptionError, r"of shape \(1, 2\)"),
        ({"mask": torch.zeros(1, 1, 2).bool()}, OptionError, "holds no token"),
        ({"trainer": torch.tensor([[[0.0, math.nan]]])}, PolicyError, "1 of the trainer's log-prob.* not finite"),
        ({"engine": torch.tensor([[[-math.inf, 0.0]]])}, PolicyError, "1 of the engine's"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], error: type[PolicyError], message: str) -> None:
    given = {"engine": torch.zeros(1, 1, 2), "trainer": torch.zeros(1, 1, 2), "mask": torch.ones(1, 1, 2).bool()}
    values: dict[str, object] = {**given, **change}
    with pytest.raises(error, match=message):
        logprob_mismatch(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("cap", [0.0, -1.0, math.nan])
def test_a_cap_must_be_above_zero(cap: float) -> None:
    with pytest.raises(OptionError, match="cap must be above 0"):
        importance_weights(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1), torch.ones(1, 1, 1).bool(), cap=cap)
