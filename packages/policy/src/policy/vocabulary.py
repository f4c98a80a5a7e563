"""Log-probabilities under a head, over a large vocabulary, a block of it at a time.

The scores of all tokens, [tokens, vocabulary], are never held: the forward pass keeps their log-sum, the backward pass
computes each block again and puts its part of the head's gradient where it belongs. Blocks of the vocabulary, not of
the tokens, so that the head's gradient, as large as the head, is written once and not summed up (after Wijmans et al.,
"Cut your losses in large-vocabulary language models", 2024).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

BLOCK = 2**21  # scores held at once
FEWEST = 64  # entries of the vocabulary in a block, however many tokens there are


def head_logprobs(head: nn.Module, states: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Log-probability of each `target[N]` under `head(states[N, D]) / temperature`.

    float32, or float64 from a float64 head. A head that is not a plain linear map (one with adapters or hooks, say)
    takes the scores of `BLOCK` / vocabulary tokens at a time instead and sums up the head's gradient.
    """
    hooked = head._forward_hooks or head._forward_pre_hooks  # noqa: SLF001 - what using its weight would pass by
    if type(head) is nn.Linear and head.bias is None and not hooked:
        scores: Tensor = _HeadLogprobs.apply(states.to(head.weight.dtype), head.weight, target, temperature)
        return scores
    few = max(1, BLOCK // int(getattr(head, "out_features", BLOCK)))
    parts = [
        checkpoint(_score, head, h, t, temperature, use_reentrant=False)
        for h, t in zip(torch.split(states, few), torch.split(target, few), strict=True)
    ]
    return torch.cat(parts)


def _score(head: nn.Module, states: Tensor, target: Tensor, temperature: float) -> Tensor:
    logits = _full(head(states)) / temperature
    chosen: Tensor = logits.gather(-1, target[:, None])[:, 0] - logits.logsumexp(-1)
    return chosen


class _HeadLogprobs(torch.autograd.Function):
    """See the module."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, target: Tensor, temperature: float) -> Tensor:
        total = _full(states.new_full((len(states),), -torch.inf))
        for _, block in _blocks(weight, len(states)):
            logits = _block_logits(states, block, temperature)
            total = torch.logaddexp(total, logits.logsumexp(-1))
        chosen = _full((states * weight[target]).sum(-1)) / temperature
        ctx.save_for_backward(states, weight, target, total)
        ctx.temperature = temperature
        return chosen - total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        states, weight, target, total = ctx.saved_tensors
        gradient = gradients[0] / ctx.temperature
        of_states = torch.zeros_like(states) if ctx.needs_input_grad[0] else None
        of_weight = torch.empty_like(weight) if ctx.needs_input_grad[1] else None
        for first, block in _blocks(weight, len(states)):
            logits = _block_logits(states, block, ctx.temperature)
            slope = logits.sub_(total[:, None]).exp_().mul_(-gradient[:, None])
            row = ((target >= first) & (target < first + len(block))).nonzero()[:, 0]
            slope[row, target[row] - first] += gradient[row]
            slope = slope.to(states.dtype)
            if of_states is not None:
                of_states.addmm_(slope, block)
            if of_weight is not None:
                torch.mm(slope.T, states, out=of_weight[first : first + len(block)])
        return of_states, of_weight, None, None


def _block_logits(states: Tensor, block: Tensor, temperature: float) -> Tensor:
    logits = _full(functional.linear(states, block))
    return logits if temperature == 1 else logits.div_(temperature)


def _blocks(weight: Tensor, tokens: int) -> Iterator[tuple[int, Tensor]]:
    size = max(FEWEST, BLOCK // max(1, tokens))
    for first in range(0, len(weight), size):
        yield first, weight[first : first + size]


def _full(scores: Tensor) -> Tensor:
    """At least float32."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))
