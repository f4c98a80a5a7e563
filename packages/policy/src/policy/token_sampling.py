"""One token per row from the scores of a model, with its log-probability."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 256  # tokens whose probabilities are summed up before the sums are searched
BELOW_ONE = 1 - 2.0**-52  # times any float64 it stays below it, which 1 − 2⁻⁵³ does not after rounding


def greedy(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest token of each row of `logits[N, V]` and its log-probability at temperature 1."""
    token = logits.argmax(-1, keepdim=True)
    return token[:, 0], (logits.gather(-1, token) - logits.logsumexp(-1, keepdim=True))[:, 0]


def sample_token(logits: Tensor, uniform: Tensor, *, temperature: float) -> tuple[Tensor, Tensor]:
    """The token at which the cumulated probability of each row passes `uniform[N]`, and its log-probability.

    The distribution is the softmax of `logits / temperature`, cumulated in vocabulary order: rounding in the logits
    moves a boundary between two tokens by little, and only a number that falls beside it gives another token.
    """
    weights = logits - logits.amax(-1, keepdim=True)
    weights = (weights if temperature == 1 else weights.div_(temperature)).exp_()
    # Two searches, first for the block and then within it, as most of the time would go into 64-bit sums of all tokens.
    # A block or token of weight 0 adds nothing to the sum, so the first sum above the number is never its own.
    padded = torch.nn.functional.pad(weights, (0, -weights.shape[-1] % BLOCK)).view(len(weights), -1, BLOCK)
    blocks = padded.sum(-1).double()
    upto = blocks.cumsum(-1)
    passed = uniform.clamp(max=BELOW_ONE)[:, None] * upto[:, -1:]
    block = _first_above(upto, passed)
    rest = (passed - (upto - blocks).gather(-1, block)) / blocks.gather(-1, block)
    within = padded[torch.arange(len(padded), device=padded.device), block[:, 0]].cumsum(-1, dtype=torch.float64)
    token = block * BLOCK + _first_above(within, rest.clamp(0, BELOW_ONE) * within[:, -1:])
    token = token.clamp(max=weights.shape[-1] - 1)  # passed only where weights are NaN
    return token[:, 0], (weights.gather(-1, token).double().log() - upto[:, -1:].log())[:, 0].to(logits.dtype)


def _first_above(sums: Tensor, number: Tensor) -> Tensor:
    """The first of each row of ascending `sums[N, M]` that is above `number[N, 1]`: `int64[N, 1]`."""
    return torch.searchsorted(sums, number, right=True).clamp(max=sums.shape[-1] - 1)
