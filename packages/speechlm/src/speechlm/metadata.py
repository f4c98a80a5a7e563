"""What is known of a model beside its weights: what it was trained from and in which parts, and `checkpoint.json`.

`TrainState` travels with a `SpeechLM`; `CheckpointRecord` is what a checkpoint stores of it. Neither imports the model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from speechlm.errors import CheckpointError, PartError

RECORD = "checkpoint.json"
KIND = "full"
SCHEMA = "1.0"
SAMPLED_VALUES = 1024
"""Values of each weight that a fingerprint reads; training moves all of them."""
LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Every linear layer of a decoder layer, by its last name."""


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """Low-rank adapters on the text tower: `W x + alpha / rank · B A x`, with `B` zero at the start.

    `targets` are last names of linear layers of the text tower. Raises `PartError` outside the ranges.

    >>> LoraSettings(rank=8).scale
    4.0
    """

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    targets: tuple[str, ...] = LINEAR_LAYERS

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise PartError(f"rank must be at least 1, got {self.rank}")
        if not self.alpha > 0:
            raise PartError(f"alpha must be above 0, got {self.alpha}")
        if not 0 <= self.dropout < 1:
            raise PartError(f"dropout must be at least 0 and below 1, got {self.dropout}")
        if not self.targets or set(self.targets) - set(LINEAR_LAYERS):
            raise PartError(
                f"targets must be among {', '.join(LINEAR_LAYERS)}, got {', '.join(self.targets) or 'none'}"
            )

    @property
    def scale(self) -> float:
        """The factor on `B A`."""
        return self.alpha / self.rank


@dataclass(frozen=True, slots=True)
class BaseIdentity:
    """The model that a checkpoint was trained from.

    `name` says where it was loaded from, none when it was built in memory; `fingerprints` has a hash of every part.
    """

    name: str | None
    hidden_size: int
    layers: int
    fingerprints: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TrainState:
    """What training has made of a model; replaced, never changed.

    - `base`: what it was when it was loaded, or when training was first declared
    - `trained`: names of the parts that training was allowed to move since
    - `lora`: the settings of its adapters, if it has any
    """

    base: BaseIdentity | None = None
    trained: frozenset[str] = frozenset()
    lora: LoraSettings | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """What only the caller knows of a checkpoint; it goes into its record and its card.

    - `description`: what it is, in a sentence; `stage`: which training made it
    - `label_set`: the answers it was trained to give; `data`: names of data sets or files and their SHA-256
    - `synthetic`: whether no person's voice was in the training data; none when unknown
    """

    description: str = ""
    stage: str = ""
    label_set: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    synthetic: bool | None = None


@dataclass(frozen=True, slots=True)
class CheckpointRecord:
    """The contents of `checkpoint.json`.

    - `kind`: always `full`, every weight
    - `trained`: parts that differ from `base`; empty when nobody declared them
    - `parameters`: number of weights by part
    - `lora`: settings of the adapters that were merged into the weights
    - `vocabulary`: tokens, and `vocabulary_sha256` of them with their ids
    - `versions`: of the code that wrote it; `files`: the names of the weight files
    """

    kind: str
    base: BaseIdentity | None
    trained: tuple[str, ...]
    parameters: Mapping[str, int]
    lora: LoraSettings | None
    vocabulary: int
    vocabulary_sha256: str
    versions: Mapping[str, str]
    provenance: Provenance
    files: tuple[str, ...]
    schema_version: str = SCHEMA


def identity_of(
    parts: Mapping[str, Mapping[str, Tensor]], *, hidden_size: int, layers: int, name: str | None = None
) -> BaseIdentity | None:
    """The identity of a model from its `parts`' weights by name; none on the `meta` device, which has no values.

    Fingerprints read evenly spaced values of every weight, rounded to bfloat16: the same in every precision.
    """
    if any(weight.is_meta for weights in parts.values() for weight in weights.values()):
        return None
    return BaseIdentity(
        name, hidden_size, layers, {str(part): _fingerprint(weights) for part, weights in parts.items()}
    )


@torch.no_grad()
def _fingerprint(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(weights):
        flat = weights[name].detach().flatten()
        values = flat[:: max(1, flat.numel() // SAMPLED_VALUES)].to("cpu", torch.bfloat16).view(torch.int16)
        digest.update(f"{name}{tuple(weights[name].shape)}".encode())
        digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()


def vocabulary_sha256(tokenizer: PreTrainedTokenizerFast) -> str:
    """Hash of all tokens with their ids."""
    return hashlib.sha256(json.dumps(tokenizer.get_vocab(), sort_keys=True).encode()).hexdigest()


def write_record(record: CheckpointRecord, directory: Path) -> None:
    """Write `record` into `directory`."""
    (directory / RECORD).write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")


def read_record(directory: Path) -> CheckpointRecord | None:
    """The record of a checkpoint; none for one without (older than records, or written by another program).

    Raises `CheckpointError` for a record that cannot be read or is of a later major version.
    """
    path = directory / RECORD
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version = str(data["schema_version"])
        if version.partition(".")[0] != SCHEMA.partition(".")[0]:
            raise CheckpointError(f"{path}: schema {version}, this version reads {SCHEMA}: install a newer speechlm")
        return _record(data)
    except CheckpointError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: is not a valid checkpoint record: {type(error).__name__}: {error}") from error


def _record(data: dict[str, Any]) -> CheckpointRecord:
    base, lora = data["base"], data["lora"]
    if data["kind"] != KIND:
        raise ValueError(f"kind must be {KIND!r}, got {data['kind']!r}")
    known = {name: data[name] for name in CheckpointRecord.__slots__ if name in data}
    known |= {
        "base": base and BaseIdentity(**_fields(BaseIdentity, base)),
        "lora": lora and LoraSettings(**_fields(LoraSettings, lora) | {"targets": tuple(lora["targets"])}),
        "provenance": Provenance(**_fields(Provenance, data["provenance"])),
        "trained": tuple(data["trained"]),
        "files": tuple(data["files"]),
    }
    return CheckpointRecord(**known)


def _fields(kind: Any, data: dict[str, Any]) -> dict[str, Any]:
    """The fields that this version knows; a later minor version may have more."""
    return {name: data[name] for name in kind.__slots__ if name in data}
