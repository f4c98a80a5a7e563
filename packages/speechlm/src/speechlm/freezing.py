"""The parts of a speech LLM that can be trained, by name: their weights, freezing, gradient checkpointing.

Names of weights are those within their part, so they are the same whatever transformers calls the towers around them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from typing import Any

from torch import nn

from speechlm.errors import PartError
from speechlm.metadata import BaseIdentity, identity_of
from speechlm.model import SpeechLM

PROJECTION = "proj."
UNUSED = "audio_bos_eos_token."
"""Embeddings of the audio tower that text output never uses."""
LORA_WEIGHT = "lora_"
"""What the names of peft's weights contain, and no other weight's."""


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


def part_weights(model: SpeechLM) -> dict[Part, dict[str, nn.Parameter]]:
    """Every weight that is run, once, by its part and its name there; parts without weights are left out."""
    parts: dict[Part, dict[str, nn.Parameter]] = {part: {} for part in Part}
    for name, weight in model.audio_tower.named_parameters():
        if not name.startswith(UNUSED):
            parts[Part.ADAPTER if name.startswith(PROJECTION) else Part.AUDIO_ENCODER][name] = weight
    for name, weight in model.text_tower.named_parameters():
        parts[Part.LORA if LORA_WEIGHT in name else Part.LLM][name.replace(".base_layer.", ".")] = weight
    if not model.head_is_tied:
        parts[Part.LLM]["head.weight"] = model.head.weight  # type: ignore[assignment]
    return {part: weights for part, weights in parts.items() if weights}


def trainable_parts(model: SpeechLM) -> dict[Part, int]:
    """How many weights training moves, by part; a part is trainable weight by weight."""
    counts = {part: sum(w.numel() for w in ws.values() if w.requires_grad) for part, ws in part_weights(model).items()}
    return {part: count for part, count in counts.items() if count}


def identify(model: SpeechLM, *, name: str | None = None) -> BaseIdentity | None:
    """The identity of `model` as it is now, without its LoRA; none for a model on the `meta` device."""
    parts = {str(part): weights for part, weights in part_weights(model).items() if part is not Part.LORA}
    text = model.thinker.config.text_config
    return identity_of(parts, hidden_size=int(text.hidden_size), layers=int(text.num_hidden_layers), name=name)


def train_only(model: SpeechLM, parts: Iterable[Part | str]) -> dict[Part, int]:
    """Freeze everything but `parts`, and say how many weights that leaves.

    `model.train_state` remembers the parts as trained, and checkpoints name them.
    Raises `PartError` for an unknown or missing part, for none, and for `LLM` beside `LORA`.
    """
    chosen = _checked(model, parts)
    model.thinker.requires_grad_(False)
    for part, weights in part_weights(model).items():
        for weight in weights.values():
            weight.requires_grad_(part in chosen)
    state = model.train_state
    model.train_state = replace(state, base=state.base or identify(model), trained=state.trained | chosen)
    return trainable_parts(model)


def enable_gradient_checkpointing(model: SpeechLM) -> None:
    """Keep only the input of every layer for the backward pass, which runs the layer again, and set training mode.

    Gradients stay the same; memory falls to one layer's activations, at the price of a second forward pass. The layers
    of transformers do this in training mode only, and a loaded model is in evaluation mode.
    """
    thinker: Any = model.thinker
    names = ("activation_checkpointing_enable", "gradient_checkpointing_enable")  # older transformers: the latter
    switch = next(getattr(thinker, name) for name in names if hasattr(thinker, name))
    switch({"use_reentrant": False})
    thinker.disable_input_require_grads()  # needed by reentrant checkpointing only: frozen towers get no backward
    model.train()


def _checked(model: SpeechLM, parts: Iterable[Part | str]) -> frozenset[Part]:
    known = ", ".join(Part)
    for part in (names := list(parts)):
        if part not in list(Part):
            raise PartError(f"{part!r} is not a part of a speech LLM; choose among {known}")
    chosen = frozenset(Part(part) for part in names)
    if not chosen:
        raise PartError(f"no part to train was named; choose among {known}")
    if Part.LORA in chosen and Part.LORA not in part_weights(model):
        raise PartError("the model has no LoRA to train: call add_lora first")
    if {Part.LORA, Part.LLM} <= chosen:
        raise PartError("llm and lora exclude one another: LoRA replaces training of the language model's own weights")
    return chosen
