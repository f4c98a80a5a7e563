"""Which attention the text tower runs: in float32 where a CPU would lower it for nothing.

Under autocast torch attends in bfloat16, which over short rows takes a CPU more time than float32, and over long rows
less (`docs/experiments.md`, *A step of `compact` on a CPU*).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

FLOAT32 = "speechlm_float32"
LONGEST = 256
"""Most tokens attended to in float32: forward and backward pass took 0.6 of bfloat16's time at 123 tokens, 0.9 at 258
and 1.2 at 320."""

Attend = Callable[..., tuple[Tensor, Tensor | None]]
"""Attention as transformers calls it: module, query, key, value, mask and options to output and weights."""


@contextmanager
def float32_attention(text_tower: nn.Module) -> Iterator[None]:
    """Have the text tower attend in float32 where autocast on a CPU would attend in less, gradients are wanted, and
    rows are not longer than `LONGEST`.
    """
    wanted = _is_lowered(next(text_tower.parameters())) and is_replaceable(text_tower)
    with attending(text_tower, FLOAT32 if wanted else None):
        yield


def is_replaceable(text_tower: nn.Module) -> bool:
    """Whether torch's attention was asked for, and no gradient checkpointing is on: with it layers are run again after
    a context such as `attending`, with the attention that the tower has then.
    """
    config: Any = text_tower.config
    checkpointing = (
        text_tower.training and torch.is_grad_enabled() and getattr(text_tower, "gradient_checkpointing", False)
    )
    return config._attn_implementation == "sdpa" and not checkpointing  # noqa: SLF001 - it has no public name


@contextmanager
def attending(text_tower: nn.Module, implementation: str | None) -> Iterator[None]:
    """Have the text tower attend by a registered `implementation`, or as before where that is `None`."""
    config: Any = text_tower.config
    before = config._attn_implementation  # noqa: SLF001 - read at every call; its setter walks all submodules
    config._attn_implementation = implementation or before  # noqa: SLF001
    try:
        yield
    finally:
        config._attn_implementation = before  # noqa: SLF001


def in_float32(attend: Attend) -> Attend:
    """`attend` in at least float32, in the cases of `float32_attention`."""

    @wraps(attend)
    def attend_in_float32(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **options: Any
    ) -> tuple[Tensor, Tensor | None]:
        if not _is_lowered(query) or key.shape[-2] > LONGEST:
            return attend(module, query, key, value, mask, **options)
        with torch.autocast("cpu", enabled=False):
            if mask is not None and mask.is_floating_point():
                mask = _full(mask)
            return attend(module, _full(query), _full(key), _full(value), mask, **options)

    return attend_in_float32


def _is_lowered(x: Tensor) -> bool:
    """Whether autocast on a CPU lowers the precision of what is computed of `x` for gradients."""
    return x.device.type == "cpu" and torch.is_autocast_enabled("cpu") and torch.is_grad_enabled()


def _full(x: Tensor) -> Tensor:
    """At least float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


AttentionInterface.register(FLOAT32, in_float32(sdpa_attention_forward))
AttentionMaskInterface.register(FLOAT32, sdpa_mask)
