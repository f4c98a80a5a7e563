"""What a speech LLM is made of: sizes of its parts, vocabulary, special tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from speechlm.model import SpeechLM
from speechlm.tokenizer import SPECIAL_TOKENS


@dataclass(frozen=True, slots=True)
class TowerSummary:
    """Size of one transformer stack; `parameters` counts all its weights, embeddings included."""

    layers: int
    width: int
    attention_heads: int
    parameters: int


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """A speech LLM in figures.

    - `parameters`: all weights, each counted once; `unused_parameters` of them are never run (the vision tower)
    - `vocabulary`: tokens that the tokenizer knows; `embeddings`: rows of the model's table, at least as many
    - `special_tokens`: the tokens with a role, and their ids
    """

    architecture: str
    dtype: str
    parameters: int
    unused_parameters: int
    audio_tower: TowerSummary
    text_tower: TowerSummary
    num_mel_bins: int
    max_tokens: int
    head_is_tied: bool
    vocabulary: int
    embeddings: int
    special_tokens: Mapping[str, int]


def summarize(model: SpeechLM) -> ModelSummary:
    """The figures of `model`."""
    config = model.thinker.config
    audio, text = config.audio_config, config.text_config
    audio_parameters, text_parameters = _count(model.audio_tower), _count(model.text_tower)
    tied = model.head_is_tied
    total = _count(model.thinker)
    return ModelSummary(
        architecture=config.model_type,
        dtype=str(model.head.weight.dtype).removeprefix("torch."),
        parameters=total,
        unused_parameters=total - audio_parameters - text_parameters - (0 if tied else _count(model.head)),
        audio_tower=TowerSummary(audio.encoder_layers, audio.d_model, audio.encoder_attention_heads, audio_parameters),
        text_tower=TowerSummary(text.num_hidden_layers, text.hidden_size, text.num_attention_heads, text_parameters),
        num_mel_bins=model.features.num_mel_bins,
        max_tokens=model.max_tokens,
        head_is_tied=tied,
        vocabulary=len(model.tokenizer),
        embeddings=text.vocab_size,
        special_tokens=_special_tokens(model),
    )


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _special_tokens(model: SpeechLM) -> dict[str, int]:
    known = model.tokenizer.get_vocab()
    return {token: known[token] for token in SPECIAL_TOKENS if token in known}
