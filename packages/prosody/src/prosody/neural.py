"""What the optional models share: torch and transformers when they are there, weights that are checked.

No model is part of this package, and nothing else in it needs one: the extra `emotionthinker-prosody[models]` brings
torch, transformers and safetensors. They are loaded by name when a model's folder is given, never on import, so that
the rest of the package neither knows nor needs them. Weights are safetensors; pickled ones are refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from prosody.errors import ModelError


def optional(name: str) -> Any:
    """The module `name` of the extra `models`; `ModelError` says how to install it."""
    # docs/adr/0006: the one place that loads modules by name.
    try:
        return import_module(name)
    except ImportError as error:
        raise ModelError(
            f"{name.partition('.')[0]} is not installed: pip install 'emotionthinker-prosody[models]'"
        ) from error


def file_of(folder: Path, name: str) -> Path:
    """`folder/name`; `ModelError` when it is missing, naming a pickled file that lies there instead."""
    path = folder / name
    if path.is_file():
        return path
    pickled = [other.name for other in sorted(folder.glob("*")) if other.suffix in {".pt", ".bin", ".pth"}]
    hint = f"; {', '.join(pickled)} is not read: convert it as docs/prosody.md says" if pickled else ""
    raise ModelError(f"{folder}: no {name} there{hint}")


def tensors(path: Path) -> dict[str, Any]:
    """Every tensor of a safetensors file by name; `ModelError` when it is none."""
    optional("torch")
    reader, broken = optional("safetensors.torch"), optional("safetensors").SafetensorError
    try:
        return dict(reader.load_file(path))
    except (OSError, broken) as error:
        raise ModelError(f"{path}: not a safetensors file ({error})") from error


def fill(module: Any, weights: dict[str, Any], where: str, *, may_lack: Iterable[str] = ()) -> None:
    """Load `weights` into `module` and put it to use; every parameter must be there, with its shape, and no other.

    A head that is silently left at its random start answers too: hence a `ModelError` for whatever does not fit.
    """
    try:
        result = module.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise ModelError(f"{where}: the weights have other shapes than the model ({error})") from error
    missing = sorted(set(result.missing_keys) - set(may_lack))
    if missing or result.unexpected_keys:
        raise ModelError(f"{where}: weights missing {missing[:5]}, not of this model {result.unexpected_keys[:5]}")
    module.eval()
