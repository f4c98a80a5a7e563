"""What of a speech LLM is trained, and with how much memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from speechlm.errors import PartError
from speechlm.identity import identify
from speechlm.model import SpeechLM
from speechlm.parts import Part, PartCounts, count_parts, part_weights


def train_only(model: SpeechLM, parts: Iterable[Part | str]) -> PartCounts:
    """Freeze everything but `parts`, and say how many weights that leaves.

    The model remembers its parts as trained: a checkpoint of the adapters alone stores them, and a card names them.
    Raises `PartError` for an unknown or missing part, for none, and for `LLM` beside `LORA`.
    """
    chosen = _checked(model, parts)
    if model.base is None:
        model.base = identify(model)
    model.thinker.requires_grad_(False)
    for part, weights in part_weights(model).items():
        for weight in weights.values():
            weight.requires_grad_(part in chosen)
    model.trained |= chosen
    return count_parts(model)


def recompute_activations(model: SpeechLM, *, enabled: bool = True) -> None:
    """Gradient checkpointing: in training mode keep the input of every layer only, and run it again in the backward.

    Gradients stay the same; memory falls to one layer's activations, at the price of a second forward pass.
    """
    thinker: Any = model.thinker
    verb = "enable" if enabled else "disable"
    names = (f"activation_checkpointing_{verb}", f"gradient_checkpointing_{verb}")  # older transformers: the latter
    switch = next(getattr(thinker, name) for name in names if hasattr(thinker, name))
    if enabled:
        switch({"use_reentrant": False})
        thinker.disable_input_require_grads()  # only reentrant recomputation needs them: frozen towers get no backward
    else:
        switch()


def _checked(model: SpeechLM, parts: Iterable[Part | str]) -> frozenset[Part]:
    known = ", ".join(Part)
    for part in (names := list(parts)):
        if part not in list(Part):
            raise PartError(f"{part!r} is no part of a speech LLM; choose among {known}")
    chosen = frozenset(Part(part) for part in names)
    if not chosen:
        raise PartError(f"no part to train was named; choose among {known}")
    if Part.LORA in chosen and Part.LORA not in part_weights(model):
        raise PartError("the model has no LoRA to train: call add_lora first")
    if {Part.LORA, Part.LLM} <= chosen:
        raise PartError("llm and lora exclude one another: LoRA stands in for the language model's own weights")
    return chosen
