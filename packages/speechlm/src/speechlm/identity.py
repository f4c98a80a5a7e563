"""Which model this is: hashes of its parts, cheap enough to take at every save and load."""

from __future__ import annotations

import hashlib
import json

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from speechlm.model import SpeechLM
from speechlm.parts import Part, part_weights
from speechlm.record import BaseIdentity

SAMPLED = 1024
"""Values of each weight that a fingerprint reads; training moves all of them."""


def identify(model: SpeechLM, *, name: str | None = None) -> BaseIdentity | None:
    """The identity of `model` as it is now, LoRA left out; none for a model on the `meta` device, which has no weights.

    Fingerprints read evenly spaced values of every weight, rounded to bfloat16: the same in every precision.
    """
    parts = part_weights(model)
    if any(weight.is_meta for weights in parts.values() for weight in weights.values()):
        return None
    text = model.thinker.config.text_config
    return BaseIdentity(
        name=name,
        hidden_size=int(text.hidden_size),
        layers=int(text.num_hidden_layers),
        fingerprints={str(part): _fingerprint(weights) for part, weights in parts.items() if part is not Part.LORA},
    )


def vocabulary_sha256(tokenizer: PreTrainedTokenizerFast) -> str:
    """Hash of all tokens with their ids."""
    return hashlib.sha256(json.dumps(tokenizer.get_vocab(), sort_keys=True).encode()).hexdigest()


@torch.no_grad()
def _fingerprint(weights: dict[str, torch.nn.Parameter]) -> str:
    digest = hashlib.sha256()
    for name in sorted(weights):
        weight: Tensor = weights[name]
        flat = weight.detach().flatten()
        values = flat[:: max(1, flat.numel() // SAMPLED)].to("cpu", torch.bfloat16).view(torch.int16)
        digest.update(f"{name}{tuple(weight.shape)}".encode())
        digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()
