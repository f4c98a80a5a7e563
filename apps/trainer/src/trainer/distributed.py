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
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy
from torch import Tensor, nn

from trainer.settings import OptimizerSettings
from trainer.settings import Strategy as Sharing

BUCKET = 10_000_000
"""About as many gradients are averaged in one message."""


class SharedGradients(DDPStrategy):
    """A process for each device, with a model of its own; `average_gradients` keeps them equal."""

    def configure_ddp(self) -> None:
        """Leave the model as it is."""


def strategy_of(settings: OptimizerSettings) -> Strategy | str:
    """How Lightning starts processes, and what each of them holds."""
    ranks = settings.devices * settings.nodes
    if ranks == 1:
        return "auto"
    if settings.strategy is Sharing.DDP:
        return SharedGradients()
    return ModelParallelStrategy(data_parallel_size=ranks, tensor_parallel_size=1)


def place() -> tuple[int, int]:
    """The rank of this process, and how many there are."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def coming_rank() -> int:
    """The rank that this process will have, before the processes know one another."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")))


def average_gradients(weights: Iterable[nn.Parameter]) -> None:
    """Put the mean over all processes in place of each gradient; one that a process does not have counts as 0, and what
    has none in any process stays without, so that the optimiser passes over it.
    """
    if place()[1] == 1:
        return
    trained = [weight for weight in weights if weight.requires_grad]
    found = torch.tensor([float(weight.grad is not None) for weight in trained], device=_device())
    dist.all_reduce(found)
    bucket: list[Tensor] = []
    for weight, anywhere in zip(trained, found.tolist(), strict=True):
        if anywhere:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
            if bucket and (bucket[0].dtype != weight.dtype or sum(map(Tensor.numel, bucket)) > BUCKET):
                _average(bucket)
                bucket = []
            bucket.append(weight.grad)
    if bucket:
        _average(bucket)


def _average(tensors: list[Tensor]) -> None:
    """In place, in one message."""
    whole = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(whole)
    whole /= place()[1]
    for tensor, mean in zip(tensors, torch.split(whole, [tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def sum_over_ranks(value: float) -> float:
    """The sum of `value` over all processes."""
    return _reduced(value, dist.ReduceOp.SUM)


def max_over_ranks(value: float) -> float:
    """The largest `value` of all processes."""
    return _reduced(value, dist.ReduceOp.MAX)


def _reduced(value: float, operation: Any) -> float:
    if place()[1] == 1:
        return value
    reduced: Tensor = torch.tensor(value, dtype=torch.float64, device=_device())
    dist.all_reduce(reduced, op=operation)
    return float(reduced)


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
