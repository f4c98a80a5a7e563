"""Equations (1) to (3) against worked numbers, a slow NumPy reference written from the equations, and properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grpo_ptr import (
    Factual,
    OptionError,
    RewardWeights,
    ScoreError,
    ShapeError,
    Unparseable,
    factual_scores,
    overlong_penalty,
    reasoning_reward,
    rewards,
    trust_weight,
)

TAU_MIN = math.exp(-0.8)  # the largest gap between two R_t in [0.2, 1]

device_params = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")],
    ),
]


# --- the slow reference: one loop per sum, as the paper writes it ---


def reference_reasoning(g: np.ndarray, w: list[float]) -> float:
    total = 0.0
    for j in range(4):
        total += w[j] * g[j] / 5.0
    return total


def reference_trust(reasoning: list[float], correct: list[bool], degenerate: float) -> float:
    right = [r for r, c in zip(reasoning, correct, strict=True) if c]
    wrong = [r for r, c in zip(reasoning, correct, strict=True) if not c]
    if not right or not wrong:
        return degenerate
    mean_right, mean_wrong = sum(right) / len(right), sum(wrong) / len(wrong)
    return 1.0 if mean_right >= mean_wrong else math.exp(mean_right - mean_wrong)


def reference_rewards(
    format_ok: np.ndarray, correct: np.ndarray, scores: np.ndarray, *, w: list[float], degenerate: float, exclude: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """R_t [B, K], τ [B], R [B, K]."""
    b, k = format_ok.shape
    reasoning, tau, total = np.zeros((b, k)), np.zeros(b), np.zeros((b, k))
    for i in range(b):
        members = [j for j in range(k) if format_ok[i, j] or not exclude]
        for j in members:
            reasoning[i, j] = reference_reasoning(scores[i, j], w)
        tau[i] = reference_trust([reasoning[i, j] for j in members], [bool(correct[i, j]) for j in members], degenerate)
        for j in range(k):
            total[i, j] = 0.3 * format_ok[i, j] + 1.0 * correct[i, j] + 0.5 * tau[i] * reasoning[i, j]
    return reasoning, tau, total


# --- groups for the properties ---

Case = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """format_ok[B,K], correct[B,K] (never without form), scores[B,K,4]."""
    b, k = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    format_ok = np.array(draw(st.lists(st.booleans(), min_size=b * k, max_size=b * k))).reshape(b, k)
    correct = np.array(draw(st.lists(st.booleans(), min_size=b * k, max_size=b * k))).reshape(b, k) & format_ok
    values = st.lists(st.floats(1, 5, allow_nan=False), min_size=b * k * 4, max_size=b * k * 4)
    return format_ok, correct, np.array(draw(values)).reshape(b, k, 4)


def tensors(case: Case) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    format_ok, correct, scores = case
    return torch.from_numpy(format_ok), torch.from_numpy(correct), torch.from_numpy(scores)


# --- worked numbers ---


def test_reasoning_reward_by_hand() -> None:
    """All ones: 1/5. All fives: 1. Weights 0.1, 0.2, 0.3, 0.4 on 1, 2, 3, 4: (0.1 + 0.4 + 0.9 + 1.6) / 5 = 0.6."""
    scores = torch.tensor([[1.0, 1.0, 1.0, 1.0], [5.0, 5.0, 5.0, 5.0], [1.0, 2.0, 3.0, 4.0]])
    torch.testing.assert_close(reasoning_reward(scores)[:2], torch.tensor([0.2, 1.0]))
    torch.testing.assert_close(reasoning_reward(scores, [0.1, 0.2, 0.3, 0.4])[2], torch.tensor(0.6))


def test_trust_reaches_its_bounds() -> None:
    """Worst case: the wrong answer is perfect (R_t = 1), the right one as bad as can be (0.2): τ = e^-0.8 = 0.449.

    Equal means count as trustworthy: τ = 1 exactly.
    """
    reasoning = torch.tensor([[0.2, 1.0], [0.6, 0.6]])
    correct = torch.tensor([[True, False], [True, False]])
    worst, equal = trust_weight(reasoning, correct).tolist()
    assert worst == pytest.approx(0.4493, abs=1e-4)
    assert equal == 1.0


@pytest.mark.parametrize("correct", [[True, True], [False, False]], ids=["all right", "all wrong"])
def test_trust_of_a_group_without_opposites_is_the_named_option(correct: list[bool]) -> None:
    reasoning, mask = torch.tensor([[0.9, 0.2]]), torch.tensor([correct])
    assert trust_weight(reasoning, mask).item() == 1.0
    assert trust_weight(reasoning, mask, degenerate=0.0).item() == 0.0
    assert trust_weight(reasoning[:, :1], mask[:, :1], degenerate=0.25).item() == 0.25  # K = 1 never has opposites


def test_an_answer_without_form_earns_nothing_and_buys_no_trust() -> None:
    """Right 0.4, wrong 0.8, one without form: τ = exp(0.4 - 0.8) = 0.6703, as if the third were not there.

    Counted as a wrong answer with R_t = 0 it would pull the wrong mean down to 0.4 and τ up to 1.
    """
    format_ok, correct = torch.tensor([[True, True, False]]), torch.tensor([[True, False, False]])
    scores = torch.tensor([[[2.0] * 4, [4.0] * 4, [float("nan")] * 4]])
    breakdown = rewards(format_ok, correct, scores)
    assert breakdown.trust is not None
    assert breakdown.reasoning is not None
    assert breakdown.trust.item() == pytest.approx(0.6703, abs=1e-4)
    assert breakdown.reasoning[0, 2].item() == 0.0
    assert breakdown.total[0, 2].item() == 0.0
    as_wrong_zero = trust_weight(torch.tensor([[0.4, 0.8, 0.0]]), correct)
    assert as_wrong_zero.item() == pytest.approx(1.0)


def test_an_answer_without_form_can_be_judged_as_a_wrong_one() -> None:
    """Right 0.4, wrong 0.8, without form 1.0: τ = exp(0.4 - 0.9) = 0.6065; its total is 0.5 · 0.6065 · 1.0 = 0.3033."""
    format_ok, correct = torch.tensor([[True, True, False]]), torch.tensor([[True, False, False]])
    scores = torch.tensor([[[2.0] * 4, [4.0] * 4, [5.0] * 4]])
    breakdown = rewards(format_ok, correct, scores, unparseable=Unparseable.JUDGE)
    assert breakdown.trust is not None
    assert breakdown.trust.item() == pytest.approx(0.6065, abs=1e-4)
    assert breakdown.total[0, 2].item() == pytest.approx(0.3033, abs=1e-4)
    unread = rewards(format_ok, correct, scores.where(format_ok[..., None], torch.nan), unparseable=Unparseable.JUDGE)
    assert unread.usable.tolist() == [False]


def test_a_group_of_which_nothing_parses() -> None:
    """Nothing to compare: τ is the option for such groups, every total is 0."""
    none = torch.zeros(1, 3, dtype=torch.bool)
    breakdown = rewards(none, none, torch.full((1, 3, 4), torch.nan))
    assert breakdown.trust is not None
    assert breakdown.trust.tolist() == [1.0]
    assert breakdown.total.tolist() == [[0.0, 0.0, 0.0]]


def test_coefficients_and_the_closed_gate() -> None:
    """2 · 1 + 3 · 1 + 4 · τ · R_t with R_t = 0.6 and τ = 1 (a group of one): 7.4; with the gate closed 5.

    While the gate is closed, scores that are there are still reported, and none need be there.
    """
    yes = torch.ones(1, 1, dtype=torch.bool)
    scores = torch.full((1, 1, 4), 3.0)
    weights = RewardWeights(format=2.0, outcome=3.0, reasoning=4.0)
    assert rewards(yes, yes, scores, coefficients=weights).total.item() == pytest.approx(7.4)
    closed = rewards(yes, yes, scores, coefficients=weights, reasoning_enabled=False)
    assert closed.total.item() == pytest.approx(5.0)
    assert closed.reasoning is not None
    assert closed.reasoning.item() == pytest.approx(0.6)
    unjudged = rewards(yes, yes, None, coefficients=weights, reasoning_enabled=False)
    assert unjudged.total.item() == pytest.approx(5.0)
    assert unjudged.reasoning is None
    assert unjudged.trust is None


@pytest.mark.parametrize("device", device_params)
def test_half_precision_scores_are_widened(device: str) -> None:
    """Scores 3.0 are exact in bfloat16, so the total 0.3 + 1 + 0.5 · 0.6 = 1.6 must be right to float32's digits."""
    yes = torch.ones(1, 2, dtype=torch.bool, device=device)
    breakdown = rewards(yes, yes, torch.full((1, 2, 4), 3.0, dtype=torch.bfloat16, device=device))
    assert breakdown.total.dtype is torch.float32
    assert breakdown.total.device.type == device
    torch.testing.assert_close(breakdown.total.cpu(), torch.full((1, 2), 1.6), rtol=1e-6, atol=0.0)


# --- the reference and the properties ---


@settings(deadline=None)
@given(
    case=cases(),
    raw=st.lists(st.floats(0.01, 1), min_size=4, max_size=4),
    degenerate=st.floats(0, 1),
    unparseable=st.sampled_from(Unparseable),
)
def test_rewards_equal_the_slow_reference(
    case: Case, raw: list[float], degenerate: float, unparseable: Unparseable
) -> None:
    w = [x / sum(raw) for x in raw]
    result = rewards(*tensors(case), weights=w, degenerate=degenerate, unparseable=unparseable)
    reasoning, tau, total = reference_rewards(
        *case, w=w, degenerate=degenerate, exclude=unparseable is Unparseable.EXCLUDE
    )
    assert result.reasoning is not None
    assert result.trust is not None
    np.testing.assert_allclose(result.reasoning.numpy(), reasoning, atol=1e-9)
    np.testing.assert_allclose(result.trust.numpy(), tau, atol=1e-9)
    np.testing.assert_allclose(result.total.numpy(), total, atol=1e-9)


@settings(deadline=None)
@given(case=cases())
def test_bounds(case: Case) -> None:
    """R_t in [0.2, 1] where judged, τ in [e^-0.8, 1], R in [0, 1.8]; no form earns less than any form."""
    format_ok, _, _ = tensors(case)
    result = rewards(*tensors(case))
    assert result.reasoning is not None
    assert result.trust is not None
    judged = result.reasoning[format_ok]
    assert bool(((judged >= 0.2 - 1e-9) & (judged <= 1 + 1e-9)).all())
    assert bool(((result.trust >= TAU_MIN - 1e-9) & (result.trust <= 1.0)).all())
    assert bool(((result.total >= 0) & (result.total <= 1.8 + 1e-9)).all())
    assert bool((result.total[~format_ok] == 0).all())
    assert bool((result.total[format_ok] >= 0.3).all())


@settings(deadline=None)
@given(case=cases(), data=st.data())
def test_the_order_inside_a_group_does_not_matter(case: Case, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(case[0].shape[1])))
    straight = rewards(*tensors(case))
    shuffled = rewards(*(x[:, order] for x in tensors(case)))
    torch.testing.assert_close(shuffled.total, straight.total[:, order], rtol=0, atol=1e-12)
    torch.testing.assert_close(shuffled.trust, straight.trust, rtol=0, atol=1e-12)


@settings(deadline=None)
@given(case=cases())
def test_groups_do_not_see_one_another(case: Case) -> None:
    together = rewards(*tensors(case)).total
    alone = [rewards(*(x[i : i + 1] for x in tensors(case))).total for i in range(len(together))]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-12)


@settings(deadline=None)
@given(case=cases())
def test_scores_of_excluded_answers_change_nothing(case: Case) -> None:
    format_ok, correct, scores = tensors(case)
    blanked = scores.where(format_ok[..., None], torch.nan)
    assert torch.equal(rewards(format_ok, correct, scores).total, rewards(format_ok, correct, blanked).total)


# --- a reward that is missing ---


@settings(deadline=None)
@given(case=cases(), data=st.data())
def test_a_nan_score_leaves_its_group_out_and_no_other(case: Case, data: st.DataObject) -> None:
    """One score of one answer with form is NaN: its group's totals and τ are NaN, those of the others as before."""
    format_ok, correct, scores = tensors(case)
    places = format_ok.nonzero().tolist()
    if not places:
        return
    b, k = data.draw(st.sampled_from(places))
    broken = scores.clone()
    broken[b, k, data.draw(st.integers(0, 3))] = torch.nan
    whole, result = rewards(format_ok, correct, scores), rewards(format_ok, correct, broken)
    assert result.usable.tolist() == [i != b for i in range(len(scores))]
    assert bool(result.total[b].isnan().all())
    kept, expected = result.select(result.usable), whole.select(result.usable)
    torch.testing.assert_close(kept.total, expected.total, rtol=0, atol=0)
    torch.testing.assert_close(kept.trust, expected.trust, rtol=0, atol=0)
    assert bool(rewards(format_ok, correct, broken, reasoning_enabled=False).usable.all()), "not needed yet"


# --- what the paper does not have ---


def test_a_verified_criterion_beside_the_judged_one_or_instead_of_it() -> None:
    """R_v = 1, 0.5, 0 are worth 5, 3, 1. The other three criteria are 5, judged is 1, a quarter each:
    R_t = (g_1 + 15) / 20; g_1 is 1; 5, 3, 1; or (1 + 5) / 2 = 3, 2, 1."""
    scores = torch.tensor([1.0, 5.0, 5.0, 5.0]).expand(1, 3, 4)
    verified = torch.tensor([[1.0, 0.5, 0.0]])
    expected = {Factual.JUDGED: [16, 16, 16], Factual.VERIFIED: [20, 18, 16], Factual.BOTH: [18, 17, 16]}
    for factual, values in expected.items():
        reasoning = reasoning_reward(factual_scores(scores, verified, factual))
        assert reasoning[0].tolist() == pytest.approx([v / 20 for v in values])
    nan = factual_scores(scores, torch.tensor([[1.0, torch.nan, 0.0]]), Factual.VERIFIED)
    yes = torch.ones(1, 3, dtype=torch.bool)
    assert rewards(yes, yes, nan).usable.tolist() == [False]
    with pytest.raises(ScoreError, match=r"verified\[0, 1\] is 1.5, expected a share"):
        factual_scores(scores, torch.tensor([[0.0, 1.5, 0.0]]), Factual.VERIFIED)
    with pytest.raises(ShapeError, match="verified has shape"):
        factual_scores(scores, verified[:, :2], Factual.VERIFIED)


@settings(deadline=None)
@given(limit=st.integers(1, 200), data=st.data())
def test_the_overlong_penalty_is_that_of_dapo(limit: int, data: st.DataObject) -> None:
    """Equation (13) of DAPO with L_max the limit and L_cache the buffer, case by case."""
    buffer = data.draw(st.integers(1, limit))
    length = data.draw(st.integers(0, limit + 5))
    if length <= limit - buffer:
        expected = 0.0
    elif length <= limit:
        expected = (limit - buffer - length) / buffer
    else:
        expected = -1.0
    penalty = overlong_penalty(torch.tensor([length]), max_tokens=limit, buffer=buffer)
    assert penalty.item() == pytest.approx(expected)


def test_a_length_penalty_enters_the_total_and_the_parts() -> None:
    """Right and full length: 1.3 - 1 = 0.3; wrong and short: 0.3. The parts weighed by their weights sum to that."""
    yes, correct = torch.ones(1, 2, dtype=torch.bool), torch.tensor([[True, False]])
    penalty = overlong_penalty(torch.tensor([[10, 5]]), max_tokens=10, buffer=2)
    breakdown = rewards(yes, correct, None, reasoning_enabled=False, length_penalty=penalty)
    torch.testing.assert_close(breakdown.total, torch.tensor([[0.3, 0.3]]))
    with pytest.raises(OptionError, match="buffer is 11, expected 1 to 10"):
        overlong_penalty(torch.tensor([1]), max_tokens=10, buffer=11)


@settings(deadline=None)
@given(case=cases())
def test_the_parts_sum_to_the_total(case: Case) -> None:
    """With the gate open and closed, with a length penalty and without."""
    drawn = -torch.rand(case[0].shape, generator=torch.Generator().manual_seed(0))
    for enabled in (True, False):
        for penalty in (drawn, None):
            breakdown = rewards(*tensors(case), reasoning_enabled=enabled, length_penalty=penalty)
            parts, weights = breakdown.parts()
            torch.testing.assert_close((parts * weights[:, None]).sum(-1), breakdown.total, rtol=1e-6, atol=1e-9)


# --- refusals ---


def test_missing_and_impossible_scores_are_refused_with_their_place() -> None:
    yes = torch.ones(2, 2, dtype=torch.bool)
    scores = torch.full((2, 2, 4), 3.0)
    scores[1, 0, 2] = math.inf
    with pytest.raises(ScoreError, match=r"scores\[1, 0, 2\] is inf"):
        rewards(yes, yes, scores)
    with pytest.raises(ScoreError, match=r"scores\[1, 2\] is nan"):
        reasoning_reward(torch.tensor([[3.0] * 4, [3.0, 3.0, torch.nan, 3.0]]))
    with pytest.raises(ScoreError, match=r"scores\[0\] is 5.5"):
        reasoning_reward(torch.tensor([5.5, 3.0, 3.0, 3.0]))
    with pytest.raises(ScoreError, match="judge the answers first"):
        rewards(yes, yes, None)
    with pytest.raises(ScoreError, match=r"correct\[0, 0\]"):
        rewards(~yes, yes, None, reasoning_enabled=False)
    with pytest.raises(ScoreError, match=r"reasoning\[0, 1\]"):
        trust_weight(torch.tensor([[0.5, torch.nan]]), yes[:1])


def test_shapes_and_options_are_refused() -> None:
    yes = torch.ones(2, 3, dtype=torch.bool)
    scores = torch.full((2, 3, 4), 3.0)
    with pytest.raises(ShapeError, match=r"scores has shape \(2, 3, 3\), expected \(2, 3, 4\)"):
        rewards(yes, yes, scores[..., :3])
    with pytest.raises(ShapeError, match="4 criteria"):
        reasoning_reward(scores[..., :3])
    with pytest.raises(ShapeError, match=r"correct has shape \(3, 2\)"):
        rewards(yes, yes.T, scores)
    with pytest.raises(ShapeError, match=r"dtype torch.float32, expected torch.bool"):
        rewards(yes.float(), yes, scores)
    with pytest.raises(ShapeError, match="two axes"):
        trust_weight(torch.ones(3), yes[0])
    for weights in ([0.5, 0.5], [0.5, 0.5, 0.5, -0.5], [0.1] * 4, [float("nan")] * 4):
        with pytest.raises(OptionError, match="sum to 1"):
            reasoning_reward(scores, weights)
    with pytest.raises(OptionError, match="outcome is -1"):
        RewardWeights(outcome=-1.0)
    with pytest.raises(OptionError, match="degenerate is 2"):
        trust_weight(scores[..., 0], yes, degenerate=2.0)


def test_without_trust_reasoning_counts_in_full() -> None:
    """The first docstring example with τ = 1 in place of e^-0.3: 0.3 + 1 + 0.5 · 0.4 and 0.3 + 0.5 · 0.8. A NaN score
    still leaves its whole group out."""
    format_ok, correct = torch.tensor([[True, True]]), torch.tensor([[True, False]])
    scores = torch.tensor([[[2.0] * 4, [4.0] * 4]])
    result = rewards(format_ok, correct, scores, trust=False)
    assert result.trust is not None
    assert result.trust.tolist() == [1.0]
    assert result.total.tolist() == [pytest.approx([1.5, 0.7])]
    scores[0, 1, 0] = torch.nan
    assert not rewards(format_ok, correct, scores, trust=False).usable.any()
