"""The random streams against SplitMix64 in plain integers, and what is drawn with them against the softmax."""

from __future__ import annotations

import math

import pytest
import torch

from policy import sequence_seeds
from policy.randomness import uniforms
from policy.token_sampling import BLOCK, greedy, sample_token

MASK = (1 << 64) - 1


def splitmix(state: int, count: int) -> list[int]:
    """The generator as its authors print it, with a state that is stepped."""
    numbers = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        numbers.append(z ^ (z >> 31))
    return numbers


def test_uniforms_are_those_of_splitmix() -> None:
    """The stepped generator gives its published numbers for the state 1234567; a stream's state is the mix of its
    seed, which is what the generator gives first when its state is the seed less one step."""
    assert splitmix(1234567, 3) == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    seeds = [0, 1, -1, 2**63 - 1, -(2**63)]
    found = uniforms(torch.tensor(seeds), 20)
    for seed, row in zip(seeds, found.tolist(), strict=True):
        (state,) = splitmix((seed - 0x9E3779B97F4A7C15) & MASK, 1)
        assert row == [(z >> 11) / 2**53 for z in splitmix(state, 20)]


def test_streams_are_flat_and_have_nothing_in_common() -> None:
    """1 000 neighbouring seeds by 256 steps: mean 1/2 and variance 1/12 within 5 standard errors, and no pair of
    neighbouring streams or steps more alike than chance."""
    numbers = uniforms(sequence_seeds(0, 10, 100).flatten(), 256)
    n = numbers.numel()
    assert abs(numbers.mean().item() - 0.5) < 5 * math.sqrt(1 / 12 / n)
    assert abs(numbers.var().item() - 1 / 12) < 5 * math.sqrt(1 / 180 / n)
    centred = (numbers - 0.5) * math.sqrt(12)
    for product in (centred[1:] * centred[:-1], centred[:, 1:] * centred[:, :-1]):
        assert abs(product.mean().item()) < 5 / math.sqrt(product.numel())
    assert len(set(sequence_seeds(0, 100, 100).flatten().tolist())) == 10_000


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("vocabulary", [40, 3 * BLOCK + 9])
def test_an_even_comb_of_numbers_draws_every_token_as_often_as_it_is_likely(
    temperature: float, vocabulary: int
) -> None:
    """n evenly spaced numbers meet an interval of length p within one of n·p times; p is the softmax, token by token.
    The larger vocabulary takes four blocks, the last not full."""
    n, logits = 4_000, torch.randn(vocabulary, generator=torch.Generator().manual_seed(2)) * 2
    probabilities = [math.exp(x / temperature) for x in logits.tolist()]
    total = sum(probabilities)
    comb = (torch.arange(n).double() + 0.5) / n
    tokens, logprobs = sample_token(logits.expand(n, -1), comb, temperature=temperature)
    counts = torch.bincount(tokens, minlength=vocabulary).tolist()
    for token, weight in enumerate(probabilities):
        share = weight / total
        assert abs(counts[token] - n * share) <= 1.01
        if counts[token]:
            found = logprobs[tokens == token]
            assert found.allclose(torch.tensor(math.log(share)), atol=1e-5)


def test_the_ends_of_the_range_draw_tokens_that_can_be() -> None:
    """The number 0 does not draw a first token of probability 0, nor does the largest one a last of that kind."""
    logits = torch.tensor([[-torch.inf, 1.0, 2.0, -torch.inf]]).expand(2, -1)
    tokens, _ = sample_token(logits, torch.tensor([0.0, 1 - 2.0**-53], dtype=torch.float64), temperature=1.0)
    assert tokens.tolist() == [1, 2]


def test_rounding_moves_a_draw_only_beside_a_boundary() -> None:
    """10 000 tokens by 500 rows, logits moved by 1e-6 (float32 has 1e-7 of them): where the draw changes, the number
    lay within 1e-5 of the boundary. A neighbour in the vocabulary is drawn then, never a token far away."""
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(500, 10_000, generator=generator)
    moved = logits + 1e-6 * torch.randn(logits.shape, generator=generator)
    numbers = uniforms(sequence_seeds(1, 1, 500).flatten(), 1)[:, 0]
    first, _ = sample_token(logits, numbers, temperature=1.0)
    second, _ = sample_token(moved, numbers, temperature=1.0)
    cumulated = logits.double().softmax(-1).cumsum(-1)
    for row in (first != second).nonzero()[:, 0].tolist():
        low, high = sorted((int(first[row]), int(second[row])))
        assert high - low == 1
        assert abs(cumulated[row, low].item() - numbers[row].item()) < 1e-5
    assert (first == second).float().mean() > 0.98


def test_greedy_takes_the_likeliest() -> None:
    """Probabilities 1/6, 1/2, 1/3."""
    token, logprob = greedy(torch.tensor([[1.0, 3.0, 2.0]]).log())
    assert token.tolist() == [1]
    assert logprob.exp().tolist() == pytest.approx([0.5])
