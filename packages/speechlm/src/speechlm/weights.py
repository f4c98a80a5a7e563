"""Weight files before and after they are read: complete, no pickles, finite, within memory."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from speechlm.errors import CheckpointError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
SHARD_SIZE = "5GB"
"""Weights above it are written in several files unless specified otherwise."""
PICKLES = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_HEADER_LENGTH = 8
"""Bytes at the start of a safetensors file that say how long its header is."""
_GIB = 1024**3
OOM_MESSAGES = ("can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory")
"""How libraries say that memory ran out where they have no error of its own for it, torch's CPU allocator for one."""


def weight_files(directory: Path) -> list[Path]:
    """The weight files of a whole model, one or its shards; all there and complete.

    Raises `CheckpointError` when one is missing or truncated, or when there are only pickles.
    """
    index = directory / INDEX
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{index}: weights cannot be loaded: not a valid index of shards: {error}") from error
        missing = [name for name in names if not (directory / name).is_file()]
        if missing:
            raise CheckpointError(
                f"{directory}: weights cannot be loaded: {len(missing)} of {len(names)} shards are missing, for "
                f"example {missing[0]}: copy the checkpoint again"
            )
        files = [directory / name for name in names]
    else:
        files = [_require_weights(directory)]
    for path in files:
        _check_complete(path)
    return files


def _require_weights(directory: Path) -> Path:
    path = directory / WEIGHTS
    if path.is_file():
        return path
    pickles = sorted(found.name for pattern in PICKLES for found in directory.glob(pattern))
    if pickles:
        raise CheckpointError(
            f"{directory}: weights cannot be loaded: {pickles[0]} is a pickle, which can run any code when it is read; "
            f"convert it to {WEIGHTS} (safetensors) where you trust it"
        )
    raise CheckpointError(f"{directory}: weights cannot be loaded: no {WEIGHTS}: copy or save the checkpoint again")


def _check_complete(path: Path) -> None:
    """Raise `CheckpointError` unless the safetensors file is as long as its header says."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_HEADER_LENGTH), "little")
            header: dict[str, Any] = json.loads(file.read(length) if length < size else b"")
        ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise CheckpointError(
            f"{path}: weights cannot be loaded: the file ({size} bytes) is cut off or not safetensors: copy it again"
        ) from error
    expected = _HEADER_LENGTH + length + max(ends, default=0)
    if size != expected:
        raise CheckpointError(
            f"{path}: weights cannot be loaded: it has {size} bytes, its header promises {expected}: copy it again"
        )


def check_finite(weights: Mapping[str, Tensor], directory: Path, *, remedy: str = "load an earlier one") -> None:
    """Raise `CheckpointError` naming the first weight that holds NaN or infinity."""
    for name, weight in weights.items():
        if weight.is_floating_point() and weight.numel() and not _is_finite(weight):
            bad = int((~weight.isfinite()).sum())
            raise CheckpointError(
                f"{directory}: weight {name} holds {bad} of {weight.numel()} values that are NaN or infinite, so "
                f"training diverged: {remedy}"
            )


def _is_finite(weight: Tensor) -> bool:
    """In one pass without a mask as large as the weight: NaN would be smallest and largest value alike."""
    return all(bool(value.isfinite()) for value in weight.detach().aminmax())


@contextmanager
def reading(path: Path, *, what: str = "it", size: int = 0) -> Iterator[None]:
    """Turn whatever the readers of other libraries raise on a foreign file into one line.

    `size` bytes of weights are about to be read: named with what to lower when memory runs out.
    """
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise CheckpointError(
                f"{path}: out of memory while loading {size / _GIB:.2f} GiB of weights: load with dtype=torch.bfloat16 "
                "if they are float32, onto another device, or take a smaller model"
            ) from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise CheckpointError(f"{path}: {what} cannot be loaded: {reason[:300]}") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that it came from, is about memory; libraries have many for it."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    text = str(error).lower()
    if any(words in text for words in OOM_MESSAGES):
        return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)
