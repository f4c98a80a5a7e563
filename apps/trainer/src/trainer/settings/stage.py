"""What several stages take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from trainer.settings.checks import check, check_positive


class Strategy(StrEnum):
    """What each of several processes holds: the whole model, or its share of weights, gradients and moments."""

    DDP = "ddp"
    FSDP2 = "fsdp2"


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """Linear warm-up to `learning_rate` over `warmup_steps`, then a cosine to a tenth of it.

    Every `save_every` steps, 0 for never, the state of the training is kept, from which the same command goes on.
    `devices` of each of `nodes` machines share every step; on several machines torchrun starts the command. `strategy`
    says whether each holds the whole model (`ddp`) or a share of it (`fsdp2`).
    Of a step's examples, clips or prompts, `micro_batch_size` take part in one backward pass, all unless specified;
    fewer take less memory, and the step's loss and gradient are the same. `bf16` computes products in bfloat16
    (autocast), for processors that are fast at it; the weights stay float32.
    """

    learning_rate: float
    warmup_steps: int
    seed: int = 0
    save_every: int = 200
    devices: int = 1
    nodes: int = 1
    strategy: Strategy = Strategy.DDP
    micro_batch_size: int | None = None
    bf16: bool = False

    def __post_init__(self) -> None:
        check("learning_rate", self.learning_rate, self.learning_rate > 0, "> 0")
        check("warmup_steps", self.warmup_steps, self.warmup_steps >= 0, ">= 0")
        check("seed", self.seed, self.seed >= 0, ">= 0")
        check("save_every", self.save_every, self.save_every >= 0, ">= 0, 0 for never")
        check_positive(self, "devices", "nodes")
        size = self.micro_batch_size
        check("micro_batch_size", size, size is None or size >= 1, ">= 1, or null for all of a step")


@dataclass(frozen=True, kw_only=True)
class StageSettings:
    """What every stage takes; `workers` processes synthesise or load audio, `tracking_uri` names an MLflow store."""

    name: str
    seed: int = 0
    workers: int = 2
    tracking_uri: str | None = None
    model: Mapping[str, Any] = field(default_factory=lambda: {"preset": "pocket"})

    def __post_init__(self) -> None:
        check_positive(self, "workers")


@dataclass(frozen=True, kw_only=True)
class TrainStage(StageSettings):
    """`data` is an annotated data set, `out` the checkpoint's folder, `policy` the checkpoint to start from."""

    data: str
    out: str
    policy: str


@dataclass(frozen=True, kw_only=True)
class PolicyStage(TrainStage):
    """`train` names the parts to train, of audio_encoder, adapter, llm and lora, everything unless specified.

    New LoRA adapters have `lora_rank`. `gradient_checkpointing` takes less memory and more time.
    """

    train: tuple[str, ...] | None = None
    lora_rank: int = 16
    gradient_checkpointing: bool = False
