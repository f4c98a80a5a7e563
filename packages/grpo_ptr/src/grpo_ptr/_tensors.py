"""Small helpers shared by the formulas: checks of shape and dtype, precision, exponentials that stay finite."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from grpo_ptr.errors import ShapeError

MAX_LOG_RATIO = 20.0
"""Largest difference of log-probabilities, in nats, whose exponential is taken as it is (e^20 = 4.9e8). float32 ends
at e^88.7; a gradient of that size would not survive the way back through a model. NeMo-RL caps at 20 too."""


def widen(x: Tensor) -> Tensor:
    """`x` in at least float32: sums of exponentials in bfloat16 lose everything beyond the third digit.

    >>> widen(torch.zeros(1, dtype=torch.bfloat16)).dtype, widen(torch.zeros(1, dtype=torch.float64)).dtype
    (torch.float32, torch.float64)
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


def check_shape(name: str, x: Tensor, shape: tuple[int, ...]) -> None:
    """Raise `ShapeError` unless `x` has exactly `shape`."""
    if tuple(x.shape) != shape:
        raise ShapeError(f"{name} has shape {tuple(x.shape)}, expected {shape}")


def check_matrix(name: str, x: Tensor) -> tuple[int, int]:
    """The two sizes of `x`; raises `ShapeError` unless it has two axes and at least one element on each."""
    if x.ndim != 2 or 0 in x.shape:
        raise ShapeError(f"{name} has shape {tuple(x.shape)}, expected two axes, none of them empty")
    return x.shape[0], x.shape[1]


def check_bool(name: str, x: Tensor) -> None:
    """Raise `ShapeError` unless `x` is boolean."""
    if x.dtype is not torch.bool:
        raise ShapeError(f"{name} has dtype {x.dtype}, expected torch.bool; convert it with name.bool()")


def first_index(mask: Tensor) -> list[int]:
    """Index of the first true element, for messages.

    >>> first_index(torch.tensor([[False, False], [True, True]]))
    [1, 0]
    """
    index: list[int] = mask.nonzero()[0].tolist()
    return index


def beyond_cap(d: Tensor, exponential: Tensor, shift: float = 0.0) -> Tensor:
    """`exponential`, and where d exceeds the cap c its tangent e^c (1 + d - c) - `shift`.

    `exponential` must come from the clamped d: `where` alone would leave 0 · inf = NaN in the gradient.
    """
    tangent = math.exp(MAX_LOG_RATIO) * (1.0 + d - MAX_LOG_RATIO) - shift
    return torch.where(d > MAX_LOG_RATIO, tangent, exponential)
