"""Several processes that train one model: each computes its share of every step, and gradients are averaged.

Lightning starts a process for each device, on one machine or, under torchrun, on several. The model is not wrapped into
`DistributedDataParallel`, which expects one forward and one backward pass a step: a step of reinforcement samples, may
take several backward passes, and may have nothing to learn from on one process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn


class SharedGradients(DDPStrategy):
    """A process for each device, with a model of its own; `average_gradients` keeps them equal."""

    def configure_ddp(self) -> None:
        """Leave the model as it is."""


def place() -> tuple[int, int]:
    """The rank of this process, and how many there are."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def coming_rank() -> int:
    """The rank that this process will have, before the processes know one another."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")))


def average_gradients(weights: Iterable[nn.Parameter]) -> None:
    """Put the mean over all processes in place of each gradient; one that a process does not have counts as 0.

    Where no process has any, nothing changes, so that the optimiser passes over the step.
    """
    if place()[1] == 1:
        return
    trained = [weight for weight in weights if weight.requires_grad]
    if not sum_over_ranks(float(any(weight.grad is not None for weight in trained))):
        return
    for weight in trained:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        dist.all_reduce(weight.grad)
        weight.grad /= place()[1]


def sum_over_ranks(value: float) -> float:
    """The sum of `value` over all processes."""
    if place()[1] == 1:
        return value
    total: Tensor = torch.tensor(value, dtype=torch.float64, device=_device())
    dist.all_reduce(total)
    return float(total)


def average_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """The mean of each metric over the processes that have it."""
    if place()[1] == 1:
        return dict(metrics)
    gathered: list[Any] = [None] * place()[1]
    dist.all_gather_object(gathered, dict(metrics))
    names = dict.fromkeys(name for row in gathered for name in row)
    found = {name: [row[name] for row in gathered if name in row] for name in names}
    return {name: sum(values) / len(values) for name, values in found.items()}


def leave(trainer: Trainer) -> None:
    """End all processes but the first, which waits for those that it started; the result is the first one's to save."""
    rank, size = place()
    if size == 1:
        return
    dist.barrier()
    dist.destroy_process_group()
    if rank:
        sys.exit(0)
    for process in getattr(trainer.strategy.launcher, "procs", ()):
        process.wait()


def _device() -> str:
    return "cuda" if dist.get_backend() == "nccl" else "cpu"
