"""LoRA on the text tower: peft's layers in place of its linear ones, so that `SpeechLM` runs the towers as before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn

from speechlm.errors import PartError
from speechlm.freezing import Part, part_weights, train_only
from speechlm.metadata import LoraSettings
from speechlm.model import SpeechLM

ADAPTER = "default"


class NarrowLora(LoraLinear):
    """peft's layer with less to move: what autocast would convert for every product is converted once, and the scale is
    multiplied where the adapter is as narrow as its rank.
    """

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """`W x + B (scale · A x)` in the precision of `W x`."""
        if self.disable_adapters or self.merged:
            return super().forward(x, *args, **kwargs)
        down, up, device = self.lora_A[ADAPTER], self.lora_B[ADAPTER], x.device.type
        is_autocast = torch.is_autocast_enabled(device)
        if is_autocast and x.dtype == torch.float32:
            x = x.to(torch.get_autocast_dtype(device))
        result: Tensor = self.base_layer(x)
        narrow = x if is_autocast else x.to(next(down.parameters()).dtype)
        added: Tensor = up(down(self.lora_dropout[ADAPTER](narrow)) * self.scaling[ADAPTER])
        return (result + added).to(result.dtype)


def add_lora(model: SpeechLM, settings: LoraSettings | None = None, *, seed: int = 0) -> LoraSettings:
    """Put new adapters into the text tower and freeze everything else; what the model computes stays the same.

    Their weights are float32 whatever the model's precision; `seed` makes the first matrices. To train other parts
    beside them, call `train_only`. Raises `PartError` when the model has adapters already.
    """
    settings = settings or LoraSettings()
    if has_lora(model):
        raise PartError("the model has LoRA already: train the one it has, or save the model, which merges it")
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]  # peft divides it by the rank, whatever its type
        lora_dropout=settings.dropout,
        target_modules=list(settings.targets),
    )
    config._register_custom_module({nn.Linear: NarrowLora})  # noqa: SLF001 - peft's documented way
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        inject_adapter_in_model(config, model.text_tower, ADAPTER)
    for weight in lora_weights(model).values():
        weight.data = weight.data.float()
    for layer in lora_layers(model).values():
        layer.train(model.training)
    model.train_state = replace(model.train_state, lora=settings)
    train_only(model, [Part.LORA])
    return settings


def has_lora(model: SpeechLM) -> bool:
    """Whether the text tower has adapters."""
    return model.train_state.lora is not None


def lora_layers(model: SpeechLM) -> dict[str, LoraLinear]:
    """The layers with adapters, by their names in the text tower."""
    return {name: layer for name, layer in model.text_tower.named_modules() if isinstance(layer, LoraLinear)}


def lora_weights(model: SpeechLM) -> dict[str, nn.Parameter]:
    """The adapters' weights, by their names in the text tower without the adapter's own."""
    weights = part_weights(model).get(Part.LORA, {})
    return {name.replace(f".{ADAPTER}.", "."): weight for name, weight in weights.items()}


def lora_is_new(model: SpeechLM) -> bool:
    """Whether the adapters are as `add_lora` made them: they change nothing yet."""
    return has_lora(model) and not any(bool(w.any()) for n, w in lora_weights(model).items() if ".lora_B." in n)


@contextmanager
def adapters_off(model: SpeechLM) -> Iterator[SpeechLM]:
    """Run `model` without its adapters inside the block, in evaluation mode; adapters and mode are restored afterwards.

    Raises `PartError` when there are none, or when other parts were trained too: then the model without its adapters
    is not the one that training began with.
    """
    if not has_lora(model):
        raise PartError("the model has no adapters to switch off: keep a frozen copy as the reference")
    others = sorted(model.train_state.trained - {Part.LORA})
    if others:
        raise PartError(
            f"{', '.join(others)} was trained beside LoRA, so the model without adapters is not the one that training "
            "began with: keep a frozen copy as the reference"
        )
    layers, weights = list(lora_layers(model).values()), list(lora_weights(model).values())
    moving, was_training = [weight.requires_grad for weight in weights], model.training
    model.eval()
    for layer in layers:
        layer.enable_adapters(enabled=False)
    try:
        yield model
    finally:
        for layer in layers:
            layer.enable_adapters(enabled=True)
        for weight, requires_grad in zip(weights, moving, strict=True):
            weight.requires_grad_(requires_grad)
        model.train(was_training)


@torch.no_grad()
def merged_weights(model: SpeechLM) -> Iterator[tuple[str, Tensor]]:
    """Name in the text tower and `W + scale · B A` of every layer with adapters, in `W`'s precision; nothing changes.

    Raises `PartError` for a sum that is not finite.
    """
    for name, layer in lora_layers(model).items():
        weight: Tensor = layer.get_base_layer().weight  # type: ignore[assignment]
        merged = (weight.float() + layer.get_delta_weight(ADAPTER).float()).to(weight.dtype)
        if not bool(merged.isfinite().all()):
            raise PartError(f"merging LoRA into {name} gives values that are not finite: it cannot be used")
        yield name, merged
