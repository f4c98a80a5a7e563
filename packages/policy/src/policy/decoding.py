"""One token at a time for many answers, without copying what stands behind them at every step.

transformers' own cache is laid anew with each token, and its attention repeats grouped keys for every query head. Here
the cache has room to grow into, and queries that share keys are multiplied with them together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, Cache
from transformers.cache_utils import DynamicLayer
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

GROUPED = "policy_grouped"
ROOM = 64  # tokens that a grown cache has room for


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # its __init_subclass__
    """Keys and values `[rows, heads, tokens, width]` at the beginning of larger tensors."""

    room: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append, and return all keys and values."""
        if self.keys is None or self.values is None:
            return super().update(key_states, value_states, *args, **kwargs)
        old, new = self.keys.shape[2], self.keys.shape[2] + key_states.shape[2]
        if self.room is None or self.room[0].shape[2] < new:
            self.room = _roomy(self.keys, new), _roomy(self.values, new)
        keys, values = self.room
        keys[:, :, old:new], values[:, :, old:new] = key_states, value_states
        self.keys, self.values = keys[:, :, :new], values[:, :, :new]
        return self.keys, self.values

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Each row `repeats` times in a row."""
        super().batch_repeat_interleave(repeats)
        self.room = None

    def batch_select_indices(self, indices: Tensor) -> None:
        """These rows only."""
        super().batch_select_indices(indices)
        self.room = None


def roomy_cache() -> Cache:
    """An empty cache of `RoomyLayer`s."""
    return Cache(layer_class_to_replicate=RoomyLayer)


@contextmanager
def grouped_attention(text_tower: nn.Module) -> Iterator[None]:
    """Have the text tower attend with `_attend` meanwhile."""
    config: Any = text_tower.config
    before = config._attn_implementation  # noqa: SLF001 - read at every call; its setter walks all submodules
    config._attn_implementation = GROUPED  # noqa: SLF001
    try:
        yield
    finally:
        config._attn_implementation = before  # noqa: SLF001


def _roomy(old: Tensor, tokens: int) -> Tensor:
    rows, heads, _, width = old.shape
    new = old.new_empty(rows, heads, tokens + ROOM, width)
    new[:, :, : old.shape[2]] = old
    return new


def _attend(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention of one new token `query[N, heads, 1, D]` to the keys on which `attention_mask[N, 1, 1, T]` is true."""
    rows, heads, _one, width = query.shape
    grouped = query.reshape(rows, key.shape[1], heads // key.shape[1], width)
    scores = (grouped * scaling) @ key.transpose(-1, -2)
    if attention_mask is not None:
        scores = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(-1, dtype=torch.promote_types(scores.dtype, torch.float32)).to(value.dtype)
    return (weights @ value).reshape(rows, 1, heads, width), None


AttentionInterface.register(GROUPED, _attend)
AttentionMaskInterface.register(GROUPED, sdpa_mask)
