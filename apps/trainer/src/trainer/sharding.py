"""Weights, gradients and optimiser moments spread over processes: FSDP2, by torch's `fully_shard`.

Every layer of the two towers is a group of its own, gathered when it runs; what lies around them is another. The model
is run by its `forward`, which is all that training does. Sampling and saving go past it, and are given a plain model
that holds whole weights for as long as they take.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from speechlm import SpeechLM


class Shards:
    """Shards `model` in place over the processes of `mesh`."""

    def __init__(self, model: SpeechLM, mesh: DeviceMesh) -> None:
        self.model, self._plain = model, _without_weights(model)
        for tower in (model.audio_tower, model.text_tower):
            for layer in tower.layers:  # type: ignore[union-attr]
                fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)

    @contextmanager
    def whole(self) -> Iterator[SpeechLM]:
        """A plain model with the weights as they are now, in every process; they must enter together."""
        self._gather()
        try:
            yield self._plain
        finally:
            for weight in self._plain.parameters():
                weight.data = weight.data.new_empty(0)

    def end(self) -> None:
        """Make the model plain again, in place: whole and in this process alone."""
        self._gather()
        self.model.__class__ = type(self._plain)
        self.model.__dict__ = self._plain.__dict__

    def _gather(self) -> None:
        for weight, part in zip(self._plain.parameters(), self.model.parameters(), strict=True):
            weight.data = whole(part.detach())


def _without_weights(model: SpeechLM) -> SpeechLM:
    """A copy whose weights are empty, but shared where those of `model` are."""
    memo = {id(w): nn.Parameter(w.detach().new_empty(0), w.requires_grad) for w in model.parameters()}
    return copy.deepcopy(model, memo)


def whole(tensor: Tensor) -> Tensor:
    """A tensor itself, or all of one that is spread over processes, which must call together."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def spread_like(tensor: Tensor, example: Tensor) -> Tensor:
    """A whole tensor as `example` is spread, if it is."""
    if not isinstance(example, DTensor):
        return tensor
    return distribute_tensor(tensor.to(example.device), example.device_mesh, example.placements)


def gradient_norm(weights: list[nn.Parameter]) -> Tensor:
    """The norm of all gradients, whether they are spread or not."""
    norms = [whole(nn.utils.get_total_norm([w.grad for w in kind if w.grad is not None])) for kind in by_kind(weights)]
    return norms[0] if len(norms) == 1 else torch.stack([n.to(norms[0].device) for n in norms]).norm()


def by_kind(weights: list[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Those that are spread and those that are not, which torch does not take in one call."""
    kinds = [[w for w in weights if isinstance(w, DTensor) is spread] for spread in (True, False)]
    return [kind for kind in kinds if kind]
