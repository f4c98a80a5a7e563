"""Small tensor helpers shared by the formulas: checks of shape and dtype, and the precision in which we calculate."""

from __future__ import annotations

import torch
from torch import Tensor

from grpo_ptr.errors import ShapeError


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
