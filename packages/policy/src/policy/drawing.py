"""One token per row from the scores of a model, with its log-probability."""

from __future__ import annotations

import torch
from torch import Tensor


def greedy(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest token of each row of `logits[N, V]` and its log-probability at temperature 1."""
    token = logits.argmax(-1, keepdim=True)
    return token[:, 0], (logits.gather(-1, token) - logits.logsumexp(-1, keepdim=True))[:, 0]


def draw(logits: Tensor, uniform: Tensor, *, temperature: float, top_p: float) -> tuple[Tensor, Tensor]:
    """The token at which the cumulated probability of each row passes `uniform[N]`, and its log-probability.

    The distribution is the softmax of `logits / temperature`, with `top_p` below 1 cut to the fewest likeliest tokens
    whose probabilities reach `top_p` and divided by their sum; the log-probability is that of this distribution.
    Cumulated in vocabulary order and float64: rounding in the logits moves a boundary between two tokens by little,
    and only a number that falls beside it gives another token.
    """
    logprobs = (logits / temperature).log_softmax(-1)
    if top_p < 1:
        logprobs = _nucleus(logprobs, top_p)
    cumulated = logprobs.exp().cumsum(-1, dtype=torch.float64)
    passed = (uniform * cumulated[:, -1])[:, None]
    # a token of probability 0 adds nothing to the sum, so the first sum above the number is never its own
    token = torch.searchsorted(cumulated, passed, right=True).clamp(max=logits.shape[-1] - 1)
    return token[:, 0], logprobs.gather(-1, token)[:, 0]


def _nucleus(logprobs: Tensor, top_p: float) -> Tensor:
    ordered, order = logprobs.sort(dim=-1, descending=True, stable=True)
    probabilities = ordered.exp()
    before = probabilities.cumsum(-1, dtype=torch.float64) - probabilities
    cut = torch.zeros_like(logprobs, dtype=torch.bool).scatter(-1, order, before >= top_p)
    kept = logprobs.masked_fill(cut, -torch.inf)
    return kept - kept.logsumexp(-1, keepdim=True)
