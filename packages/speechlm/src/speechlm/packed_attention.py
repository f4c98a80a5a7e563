"""Attention of packed groups without the products that their block mask would throw away.

A dense pass multiplies every token of a row with every other one. Here each prompt attends to itself once, and each
answer to its prompt and itself, as rows of their own: K answers of T tokens after P cost P² / 2 + K·T·(P + T) instead
of (P + K·T)².
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from speechlm.attention import attending, in_float32, is_replaceable

PACKED = "speechlm_packed"


@dataclass(frozen=True, slots=True, eq=False)
class PackedLayout:
    """The places of the tokens of G prompts and A answers among the R·T of all rows.

    - `prompts` int64[G, longest], `answers` int64[A, longest]: their places, padded with -1
    - `owner` int64[A]: the prompt of each answer
    - `seen` bool[A, 1, answer, prompt + answer]: what each token of an answer attends to
    """

    prompts: Tensor
    answers: Tensor
    owner: Tensor
    seen: Tensor


def layout_of(group: Tensor, answer: Tensor, *, answers: int) -> PackedLayout:
    """The layout of `PackedGroup.group` and `.answer`, both `int64[R, T]`, that holds `answers` of them."""
    group, answer = group.flatten(), answer.flatten()
    prompts = _places(group.masked_fill(answer >= 0, -1), int(group.max()) + 1)
    places = _places(answer, answers)
    owner = group.new_zeros(answers)
    owner[answer[answer >= 0]] = group[answer >= 0]
    width = places.shape[1]
    own = torch.ones(width, width, dtype=torch.bool, device=group.device).tril()
    shared = (prompts >= 0)[owner][:, None].expand(-1, width, -1)
    seen = torch.cat([shared, own.expand(answers, -1, -1)], dim=-1)[:, None]
    return PackedLayout(prompts, places, owner, seen)


@contextmanager
def packed_attention(text_tower: nn.Module) -> Iterator[bool]:
    """Have the text tower attend by the `packed_layout` that it is called with; yields whether it does.

    It does not where layers attend to a window, and where `speechlm.attention.is_replaceable` says no.
    """
    replaceable = is_replaceable(text_tower) and set(text_tower.config.layer_types) == {"full_attention"}  # type: ignore[union-attr, arg-type]
    with attending(text_tower, PACKED if replaceable else None):
        yield replaceable


def _places(key: Tensor, count: int) -> Tensor:
    """The places of each key from 0 to `count` in `key[n]`, in order: `int64[count, longest]`, padded with -1."""
    keys, order = key.sort(stable=True)
    lengths = torch.bincount(keys[keys >= 0], minlength=count)
    real = torch.arange(max(1, int(lengths.max())), device=key.device) < lengths[:, None]
    return order.new_full(real.shape, -1).masked_scatter(real, order[keys >= 0])


def _attend(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    *,
    scaling: float,
    packed_layout: PackedLayout,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention `[R, T, heads, D]` of `query[R, heads, T, D]` to `key` and `value[R, H, T, D]`; 0 on padding."""
    rows, heads, tokens, width = query.shape
    of, repeats = packed_layout, heads // key.shape[1]
    query, key, value = (x.transpose(1, 2).flatten(0, 1) for x in (query, key, value))
    shared = [_taken(x, of.prompts) for x in (key, value)]
    own = [
        torch.cat([s.index_select(0, of.owner), _taken(x, of.answers)], dim=2)
        for s, x in zip(shared, (key, value), strict=True)
    ]
    # Two calls instead of one over the whole row: prompts are causal among themselves (no mask to build), and answers
    # attend to a copy of their prompt's keys, so that no product between two answers is computed at all.
    ways: list[tuple[Tensor, list[Tensor], dict[str, Any]]] = [
        (of.prompts, shared, {"is_causal": True}),
        (of.answers, own, {"attn_mask": of.seen}),
    ]
    result = query.new_zeros(rows * tokens, heads, width)
    for places, kv, options in ways:
        keys, values = (x.repeat_interleave(repeats, dim=1) for x in kv)
        found = scaled_dot_product_attention(_taken(query, places), keys, values, scale=scaling, **options)
        real = places >= 0
        result = result.index_copy(0, places[real], found.transpose(1, 2)[real])
    return result.view(rows, tokens, heads, width), None


def _taken(x: Tensor, places: Tensor) -> Tensor:
    """`x[R·T, heads, D]` at `places[n, m]` as `[n, heads, m, D]`; any token where there is no place."""
    return x.index_select(0, places.clamp(min=0).flatten()).view(*places.shape, *x.shape[1:]).transpose(1, 2)


AttentionInterface.register(PACKED, in_float32(_attend))
