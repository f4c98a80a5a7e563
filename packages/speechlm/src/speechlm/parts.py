"""The parts of a speech LLM that can be trained, by name: which weights each has, and how many are trained.

Names of weights are those within their part, so they are the same whatever transformers calls the towers around them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from torch import nn

from speechlm.model import SpeechLM

PROJECTION = "proj."
IDLE = "audio_bos_eos_token."
"""Embeddings of the audio tower that text output never uses."""
LORA_WEIGHT = "lora_"
"""What the names of peft's weights hold, and of no other."""


class Part(StrEnum):
    """A part that can be trained.

    - `AUDIO_ENCODER`: convolutions, layers and last norm of the audio tower
    - `ADAPTER`: the projection from audio states to text embeddings
    - `LLM`: text tower with embeddings and head; it excludes `LORA`
    - `LORA`: the low-rank matrices beside the text tower's weights (`add_lora`)
    """

    AUDIO_ENCODER = "audio_encoder"
    ADAPTER = "adapter"
    LLM = "llm"
    LORA = "lora"


@dataclass(frozen=True, slots=True)
class PartCounts:
    """Weights by part: those that training moves, those that stay, and `idle` ones that are never run."""

    trainable: Mapping[Part, int]
    frozen: Mapping[Part, int]
    idle: int

    @property
    def trained(self) -> int:
        """How many weights training moves."""
        return sum(self.trainable.values())


def part_weights(model: SpeechLM) -> dict[Part, dict[str, nn.Parameter]]:
    """Every weight that is run, once, by its part and its name there; parts without weights are left out."""
    parts: dict[Part, dict[str, nn.Parameter]] = {part: {} for part in Part}
    for name, weight in model.audio_tower.named_parameters():
        if not name.startswith(IDLE):
            parts[Part.ADAPTER if name.startswith(PROJECTION) else Part.AUDIO_ENCODER][name] = weight
    for name, weight in model.text_tower.named_parameters():
        parts[Part.LORA if LORA_WEIGHT in name else Part.LLM][name.replace(".base_layer.", ".")] = weight
    if not model.head_is_tied:
        parts[Part.LLM]["head.weight"] = model.head.weight  # type: ignore[assignment]
    return {part: weights for part, weights in parts.items() if weights}


def count_parts(model: SpeechLM) -> PartCounts:
    """Weights of `model` by part, each counted once; a part is trainable weight by weight."""
    trainable: dict[Part, int] = {}
    frozen: dict[Part, int] = {}
    for part, weights in part_weights(model).items():
        moving = sum(w.numel() for w in weights.values() if w.requires_grad)
        resting = sum(w.numel() for w in weights.values()) - moving
        trainable |= {part: moving} if moving else {}
        frozen |= {part: resting} if resting else {}
    total = sum(p.numel() for p in model.parameters())
    return PartCounts(trainable, frozen, idle=total - sum(trainable.values()) - sum(frozen.values()))
