"""Advantages of single claims, against a slow reference, and their properties."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grpo_ptr import LOSSES, LossInputs, ShapeError, claim_advantages, group_advantages

claims = st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=30)


def of(rows: list[tuple[bool, int]]) -> torch.Tensor:
    supported, members = zip(*rows, strict=True)
    return claim_advantages(torch.tensor(supported), torch.tensor(members))


@given(claims)
def test_the_claims_of_a_thing_are_a_group_of_equation_5(rows: list[tuple[bool, int]]) -> None:
    """`group_advantages`, which is tested by itself, of the claims of every thing."""
    found = of(rows)
    for thing in {member for _, member in rows}:
        chosen = [i for i, (_, member) in enumerate(rows) if member == thing]
        expected = group_advantages(torch.tensor([[float(rows[i][0]) for i in chosen]]))[0]
        torch.testing.assert_close(found[chosen], expected, atol=1e-4, rtol=1e-4)


@given(claims)
def test_saying_more_earns_nothing_by_itself(rows: list[tuple[bool, int]]) -> None:
    """The advantages of every thing add up to 0, however many claims there are."""
    assert float(of(rows).sum()) == pytest.approx(0.0, abs=1e-4)


def test_no_claims() -> None:
    assert claim_advantages(torch.zeros(0, dtype=torch.bool), torch.zeros(0, dtype=torch.long)).shape == (0,)


@pytest.mark.parametrize(
    ("supported", "members"),
    [
        (torch.tensor([1.0]), torch.tensor([0])),
        (torch.tensor([True]), torch.tensor([0, 1])),
        (torch.tensor([True]), torch.tensor([0.0])),
        (torch.tensor([True]), torch.tensor([-1])),
    ],
)
def test_other_types_lengths_and_numbers_are_refused(supported: torch.Tensor, members: torch.Tensor) -> None:
    with pytest.raises(ShapeError):
        claim_advantages(supported, members)


@pytest.mark.parametrize("name", LOSSES)
def test_an_advantage_for_every_token_is_that_of_its_answer_where_they_are_equal(name: str) -> None:
    """And where they are not, the gradient of a token is that of its own advantage."""
    generator = torch.Generator().manual_seed(0)
    logprobs = torch.rand(3, 5, generator=generator).log()
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2, [True] + [False] * 4])
    advantages = torch.tensor([1.0, -0.5, 2.0])
    options = {"max_tokens": 5} if name == "dr_grpo" else {}

    def loss(given: torch.Tensor) -> torch.Tensor:
        return LOSSES[name](LossInputs(logprobs, mask, given), beta=0.0, **options).loss

    torch.testing.assert_close(loss(advantages), loss(advantages[:, None].expand(3, 5)))
    own = torch.rand(3, 5, generator=generator)
    trained = logprobs.clone().requires_grad_(True)
    LOSSES[name](LossInputs(trained, mask, own), beta=0.0, **options).loss.backward()
    assert trained.grad is not None
    if name != "gspo":  # one ratio for all tokens, so their advantages are shared
        share = -trained.grad / own
        torch.testing.assert_close(share[0], share[0, :1].expand(5))
    assert not trained.grad[~mask].any()
