"""Checkpoints of what was trained only: adapters in peft's files, other trained parts in one of ours.

They are laid over their base when loaded, which must be the very model that they were trained from.
"""

from __future__ import annotations

from pathlib import Path

import torch
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from torch import Tensor

from speechlm.errors import CheckpointError
from speechlm.identity import identify
from speechlm.lora import insert_lora, lora_weights
from speechlm.model import SpeechLM
from speechlm.parts import Part, part_weights
from speechlm.record import BaseIdentity, CheckpointRecord, LoraSettings
from speechlm.training import train_only
from speechlm.weights import check_complete, check_finite, reading, require_safetensors

ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
PARTS = "parts.safetensors"
PEFT_PREFIX = "base_model.model."
"""Before the name of each weight in peft's files."""


def check_adapter_only(model: SpeechLM, directory: Path) -> None:
    """Raise `CheckpointError` for what could not be put together again from its base."""
    if Part.LLM in model.trained:
        raise CheckpointError("the language model itself was trained or merged: save the whole model")
    if not model.trained or model.base is None:
        raise CheckpointError("nothing was trained by add_lora or train_only: save the whole model")
    if model.base.name is not None and Path(model.base.name) == Path(directory).resolve():
        raise CheckpointError(f"{directory} holds the base that the adapters need: save them into another folder")
    now = identify(model)
    fingerprints = now.fingerprints if now else {}
    changed = [p for p, v in model.base.fingerprints.items() if p not in model.trained and fingerprints.get(p) != v]
    if changed:
        raise CheckpointError(
            f"{', '.join(changed)} changed though it was not among the trained parts: name it in train_only, or save "
            "the whole model"
        )


def save_adapter(model: SpeechLM, folder: Path) -> None:
    """Write configuration, adapters and the other trained parts into `folder`."""
    model.thinker.config.save_pretrained(folder)
    stored: dict[str, Tensor] = {}
    if model.lora is not None:
        _peft_config(model, model.lora).save_pretrained(str(folder))
        prefix = f"{PEFT_PREFIX}{text_tower_name(model)}."
        weights = {f"{prefix}{name}": weight.detach().contiguous() for name, weight in lora_weights(model).items()}
        save_file(weights, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    for part, of_part in part_weights(model).items():
        if part in model.trained and part is not Part.LORA:
            stored |= {f"{part}.{name}": weight.detach().contiguous() for name, weight in of_part.items()}
    if stored:
        save_file(stored, folder / PARTS, metadata={"format": "pt"})


def find_base(directory: Path, record: CheckpointRecord) -> Path:
    """Where the base was, or a folder of its name beside the adapters. Raises `CheckpointError` when neither is."""
    name = record.base.name if record.base else None
    if name is None:
        raise CheckpointError(f"{directory}: adapters of a base that was never saved: name it with base=")
    places = (Path(name), directory.resolve().parent / Path(name).name)
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise CheckpointError(f"{directory}: its base {name} is not there: name its folder with base=")
    return found


def check_base(directory: Path, record: CheckpointRecord, place: Path, found: BaseIdentity | None) -> None:
    """Raise `CheckpointError` unless the model `found` at `place` is the one that the adapters were trained on."""
    wanted = record.base
    if wanted is None or found is None:
        raise CheckpointError(f"{directory}: does not say which base its adapters belong to: save them again")
    for what in ("hidden_size", "layers"):
        theirs, ours = getattr(found, what), getattr(wanted, what)
        if theirs != ours:
            raise CheckpointError(
                f"{directory}: adapters for another base: theirs has {what} {ours}, {place} has {theirs}: name the "
                "right folder with base="
            )
    changed = [part for part, value in wanted.fingerprints.items() if found.fingerprints.get(part) != value]
    if changed:
        raise CheckpointError(
            f"{directory}: adapters for another base: the weights of {', '.join(changed)} in {place} are not those "
            "they were trained with: name the right folder with base="
        )


def check_files(directory: Path, record: CheckpointRecord) -> None:
    """Raise `CheckpointError` unless every weight file of an adapter checkpoint is there and complete."""
    for name in record.files:
        check_complete(require_safetensors(directory, name))


def lay_over(model: SpeechLM, directory: Path, record: CheckpointRecord) -> None:
    """Turn `model`, the base, into what was saved in `directory`; what was trained then is trainable again.

    Raises `CheckpointError` for weights that are not finite or do not fit.
    """
    if record.lora is not None:
        insert_lora(model, record.lora)
    stored = {name: weight for file in record.files for name, weight in _read(directory / file).items()}
    check_finite(stored, directory)
    _fill(_places(model, record), stored, directory)
    train_only(model, record.trained)


def _peft_config(model: SpeechLM, lora: LoraSettings) -> LoraConfig:
    """For peft itself: over the whole Thinker, whose audio tower has layers of the same names."""
    tower = text_tower_name(model).replace(".", r"\.")
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # peft divides it by the rank, whatever its type
        lora_dropout=lora.dropout,
        target_modules=rf"{tower}\.layers\.\d+\.\w+\.({'|'.join(lora.targets)})",
        inference_mode=True,
    )
    config.base_model_name_or_path = model.base.name if model.base else None
    return config


def _read(path: Path) -> dict[str, Tensor]:
    with reading(path, what="weights", size=path.stat().st_size):
        return load_file(path)


def _places(model: SpeechLM, record: CheckpointRecord) -> dict[str, Tensor]:
    """Where each stored weight belongs, by its name in the files without what peft and transformers put before it."""
    places: dict[str, Tensor] = dict(lora_weights(model))
    for part, weights in part_weights(model).items():
        if part in record.trained and part is not Part.LORA:
            places |= {f"{part}.{name}": weight for name, weight in weights.items()}
    return places


@torch.no_grad()
def _fill(places: dict[str, Tensor], stored: dict[str, Tensor], directory: Path) -> None:
    plain = {_plain(name): weight for name, weight in stored.items()}
    wrong = sorted(places.keys() ^ plain.keys())
    wrong += sorted(n for n in places.keys() & plain.keys() if places[n].shape != plain[n].shape)
    if wrong:
        raise CheckpointError(f"{directory}: weights do not fit the configuration, for example {wrong[:3]}")
    for name, weight in plain.items():
        places[name].copy_(weight)


def _plain(name: str) -> str:
    """A weight of the adapters by its name in the text tower, whatever the tower was called when it was saved."""
    return name[name.index("layers.") :] if name.startswith(PEFT_PREFIX) else name


def text_tower_name(model: SpeechLM) -> str:
    """What transformers calls the text tower within the Thinker."""
    return next(str(name) for name, module in model.thinker.named_modules() if module is model.text_tower)
