"""What all Lightning modules here share: device transfer of our batches, the optimiser, and the history of metrics."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from policy import memory_limit
from speechlm import SpeechLM
from trainer.distributed import average_gradients, average_metrics
from trainer.errors import CollapseError, ConfigError
from trainer.settings import OptimizerSettings
from trainer.sharding import Shards, by_kind, gradient_norm

WEIGHT_DECAY = 0.01
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the system counts the memory of a process."""


class OnDevice(Protocol):
    """What can be moved to another device."""

    def to(self, device: torch.device) -> Self:
        """The same there."""


Planned = TypeVar("Planned")
Ready = TypeVar("Ready")
Movable = TypeVar("Movable", bound=OnDevice)


class Batches(Generic[Planned, Ready]):
    """A training plan as an iterable of batches, each made from its plan when its turn comes."""

    def __init__(self, plan: Sequence[Planned], make: Callable[[Planned], Ready]) -> None:
        self._plan, self._make = plan, make
        self.seconds = 0.0
        """What making the last batch took."""

    def __len__(self) -> int:
        return len(self._plan)

    def __iter__(self) -> Iterator[Ready]:
        for planned in self._plan:
            began = time.perf_counter()
            batch = self._make(planned)
            self.seconds = time.perf_counter() - began
            yield batch

    def after(self, steps: int) -> Batches[Planned, Ready]:
        """The batches after the first `steps`, which are not made."""
        return Batches(self._plan[steps:], self._make)

    def shared(self, rank: int, ranks: int) -> Batches[Any, Ready]:
        """Of every batch, whose plan is a list, the share of one of several processes."""
        return Batches([share_of(batch, rank, ranks) for batch in self._plan], self._make)  # type: ignore[arg-type]


def share_of(batch: Sequence[Planned], rank: int, ranks: int) -> list[Planned]:
    """What one of several processes does of a batch. Raises `ConfigError` where they cannot have equal shares."""
    if len(batch) % ranks:
        raise ConfigError(f"a batch of {len(batch)} cannot be shared evenly by devices × nodes = {ranks} processes")
    return list(batch[rank::ranks])


@dataclass(frozen=True, slots=True)
class MicroBatches(Generic[Movable]):
    """A step's batch in parts, each of which has a backward pass of its own."""

    parts: tuple[Movable, ...]

    @classmethod
    def of(cls, plan: Sequence[Planned], size: int | None, make: Callable[[Sequence[Planned]], Movable]) -> Self:
        """Made from the `plan` of a step, `size` of it in each part, or all in one."""
        size = size or len(plan)
        return cls(tuple(make(plan[start : start + size]) for start in range(0, len(plan), size)))

    def to(self, device: torch.device) -> MicroBatches[Movable]:
        """The same parts on another device."""
        return MicroBatches(tuple(part.to(device) for part in self.parts))


class Stopwatch:
    """Seconds spent in the named phases since they were last read."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = {}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Count the time inside the block."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._spent[phase] = self._spent.get(phase, 0.0) + time.perf_counter() - began

    def read(self) -> dict[str, float]:
        """`seconds_PHASE` of every phase, which start at 0 again."""
        seconds = {f"seconds_{phase}": round(spent, 4) for phase, spent in self._spent.items()}
        self._spent.clear()
        return seconds


class StageModule(LightningModule):
    """A module whose every step appends its metrics to `history`.

    Of several processes each is given its share of a batch, or all of it where the module `shares_batches` itself.
    A step whose batch is in parts gives `add_up` the losses of these; the gradient is that of their sum.
    `done` counts the steps of an earlier process that it continues. `generators`, by name, are all that its batches and
    steps draw random numbers from, besides torch's own; they, `state` and the weights make a resumed training the same.
    """

    shares_batches = False

    def __init__(self, settings: OptimizerSettings, *, steps: int) -> None:
        super().__init__()
        self.learning_rate, self.warmup_steps, self.steps = settings.learning_rate, settings.warmup_steps, steps
        self.history: list[dict[str, float]] = []
        self.done = 0
        self.shards: list[Shards] = []
        self.generators: dict[str, torch.Generator] = {}
        self.clock = Stopwatch()
        self._later: list[Callable[[], Tensor]] = []

    def sharded(self) -> Iterable[SpeechLM]:
        """The models to shard, where processes have shares of them; what is trained besides is small, and in each."""
        return ()

    def configure_model(self) -> None:
        """Shard where the strategy says so."""
        if self.device_mesh is not None and not self.shards:
            self.shards = [Shards(model, self.device_mesh["data_parallel"]) for model in self.sharded()]

    @contextmanager
    def whole_model(self, model: SpeechLM) -> Iterator[SpeechLM]:
        """`model` as one that can be sampled and saved; processes must enter together."""
        shards = next((shards for shards in self.shards if shards.model is model), None)
        if shards is None:
            yield model
        else:
            with shards.whole() as plain:
                yield plain

    @property
    def can_stop(self) -> bool:
        """Whether the state after this step is all that is needed to go on."""
        return True

    @property
    def frozen_models(self) -> Mapping[str, nn.Module]:
        """By name, models that decide what is learnt and are not trained."""
        return {}

    def state(self) -> dict[str, Any]:
        """What the module has to remember besides its weights, as JSON."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what `state` returned."""

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move a batch by its own `to`."""
        return batch.to(device) if hasattr(batch, "to") else batch

    def add_up(self, losses: Sequence[Callable[[], Tensor]]) -> Tensor:
        """The first of the `losses` of a step's parts, none of which is computed yet; `backward` computes the others,
        each after the backward pass of that before it. They must add up to the loss of the step. Without any, a loss
        that teaches nothing.
        """
        if not losses:
            return torch.zeros((), device=self.device, requires_grad=True)
        first, *self._later = losses
        with self.clock("forward"):
            return first()

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """The backward pass of every part of the step; raises `policy.MemoryLimitError`, which says what to lower, when
        memory runs out.
        """
        lower = "micro_batch_size, the group size or max_new_tokens, or set gradient_checkpointing"
        with memory_limit("the backward pass", lower=lower), self.clock("backward"):
            super().backward(loss, *args, **kwargs)
        while self._later:
            with self.trainer.precision_plugin.train_step_context(), self.clock("forward"):
                loss = self._later.pop(0)()
            with memory_limit("the backward pass", lower=lower), self.clock("backward"):
                super().backward(loss, *args, **kwargs)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradient; its norm before that, and the learning rate, are recorded."""
        average_gradients(weight for weight in self.parameters() if not isinstance(weight, DTensor))
        moved = [weight for weight in self.parameters() if weight.grad is not None]
        norm = gradient_norm(moved) if moved else torch.zeros(())
        if not math.isfinite(norm):
            raise CollapseError(f"step {self.history[-1]['step']}: the gradient is {norm}: lower learning_rate")
        self.history[-1] |= {"gradient_norm": float(norm), "learning_rate": optimizer.param_groups[0]["lr"]}
        self.history[-1] |= self.clock.read()
        if gradient_clip_val is not None and norm > gradient_clip_val:
            for kind in by_kind(moved):
                nn.utils.clip_grads_with_norm_(kind, gradient_clip_val, norm)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """The whole step, forward and backward passes in it; its metrics become those of all processes."""
        began = time.perf_counter()
        super().optimizer_step(*args, **kwargs)
        self.history[-1] |= {"seconds_step": round(time.perf_counter() - began, 4), "memory_gb": peak_memory()}
        self.history[-1] = average_metrics(self.history[-1])

    def record(self, step: int, **metrics: float) -> None:
        """Keep the metrics of one step, counted from 1 in this process, and from there in `history` after `done`."""
        self.history.append({"step": self.done + step, **metrics})

    def groups(self) -> list[dict[str, Any]]:
        """What is trained, in the groups of the optimiser; a group may have a learning rate of its own."""
        return decayed(self.parameters(), WEIGHT_DECAY)

    def configure_optimizers(self) -> Any:
        """AdamW with linear warm-up and cosine decay to a tenth."""
        groups = [group | {"params": kind} for group in self.groups() for kind in by_kind(group["params"])]
        fused = not self.shards  # a third of the time on a CPU; not for weights that are spread
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate, betas=(0.9, 0.95), fused=fused)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: warmup_cosine(step, warmup_steps=self.warmup_steps, steps=self.steps)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def peak_memory() -> float:
    """Gigabytes that this process has held at most: of its GPU where there is one, else of main memory."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 1e9, 3)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT / 1e9, 3)


def warmup_cosine(step: int, *, warmup_steps: int, steps: int, floor: float = 0.1) -> float:
    """Share of the peak learning rate at `step`: linear up to it, then a half cosine down to `floor`.

    >>> [round(warmup_cosine(s, warmup_steps=10, steps=110), 3) for s in (0, 9, 10, 60, 110)]
    [0.1, 1.0, 1.0, 0.55, 0.1]
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, steps - warmup_steps))
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))


def decayed(weights: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Those to be trained in two groups: matrices decay, vectors (norms, biases) do not."""
    trainable = [p for p in weights if p.requires_grad]
    return [
        {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]
