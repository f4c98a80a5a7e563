"""The cache with room and the grouped attention against transformers' and torch's own."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from transformers import AttentionInterface, DynamicCache

from policy.decoding import GROUPED, ROOM, roomy_cache


@pytest.mark.parametrize("kv_heads", [1, 3, 9])
@pytest.mark.parametrize("masked", [False, True])
def test_grouped_attention_is_torchs(kv_heads: int, *, masked: bool) -> None:
    """torch's scaled dot product over keys repeated for each of nine query heads."""
    torch.manual_seed(0)
    query = torch.randn(2, 9, 1, 8)
    keys, values = torch.randn(2, 2, kv_heads, 5, 8).unbind(0)
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]).bool()[:, None, None] if masked else None
    found, _ = AttentionInterface()[GROUPED](torch.nn.Identity(), query, keys, values, mask, scaling=8**-0.5)
    repeated = [x.repeat_interleave(9 // kv_heads, dim=1) for x in (keys, values)]
    expected = functional.scaled_dot_product_attention(query, *repeated, attn_mask=mask).transpose(1, 2)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_a_cache_with_room_holds_what_transformers_own_holds() -> None:
    """The same tokens through both: a prefix, more tokens than the room takes, rows repeated and rows taken away."""
    torch.manual_seed(0)
    caches = roomy_cache(), DynamicCache()

    def append(rows: int, tokens: int) -> None:
        new = torch.randn(2, rows, 3, tokens, 4)
        (keys, values), (wanted_keys, wanted_values) = (cache.update(*new.unbind(0), 0) for cache in caches)
        assert torch.equal(keys, wanted_keys)
        assert torch.equal(values, wanted_values)

    append(2, 5)
    for cache in caches:
        cache.batch_repeat_interleave(3)
    for _ in range(ROOM + 3):
        append(6, 1)
    for cache in caches:
        cache.batch_select_indices(torch.tensor([0, 2, 5]))
    for _ in range(2):
        append(3, 1)
    assert caches[0].get_seq_length() == caches[1].get_seq_length() == 5 + ROOM + 5
