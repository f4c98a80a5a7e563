"""A stream of uniform numbers for every sequence, from its seed and the step alone.

The numbers are SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014) used
as a counter: number t of a seed is the mix of its key plus t times the golden gamma. They are int64 arithmetic, so
every device gives the same ones, and one expression gives those of all sequences and steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

GAMMA = 0x9E3779B97F4A7C15 - (1 << 64)  # as int64
MIX = ((30, 0xBF58476D1CE4E5B9 - (1 << 64)), (27, 0x94D049BB133111EB - (1 << 64)))


def sequence_seeds(base: int, prompts: int, k: int) -> Tensor:
    """One seed for each answer: `int64[prompts, k]`, a function of `base`, the prompt's place and the answer's alone.

    More prompts or answers leave the seeds of the others as they are:

    >>> torch.equal(sequence_seeds(7, 2, 3), sequence_seeds(7, 5, 8)[:2, :3])
    True
    """
    of_prompt = _mix(_mix(torch.tensor(base)) + torch.arange(1, prompts + 1) * GAMMA)
    return _mix(of_prompt[:, None] + torch.arange(1, k + 1) * GAMMA)


def uniforms(seeds: Tensor, steps: int) -> Tensor:
    """`float64[N, steps]` in [0, 1), 53 bits each, for seeds `int64[N]`."""
    counters = torch.arange(1, steps + 1, device=seeds.device) * GAMMA
    return _shift(_mix(_mix(seeds)[:, None] + counters), 11).double() * 2.0**-53


def _mix(x: Tensor) -> Tensor:
    for shift, factor in MIX:
        x = (x ^ _shift(x, shift)) * factor
    return x ^ _shift(x, 31)


def _shift(x: Tensor, n: int) -> Tensor:
    """Right shift that fills with zeros; torch's repeats the sign."""
    return (x >> n) & ((1 << (64 - n)) - 1)
