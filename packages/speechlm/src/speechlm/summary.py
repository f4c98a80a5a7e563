"""What a speech LLM is made of: sizes of its parts, vocabulary, special tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from speechlm.freezing import part_weights
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
    """A speech LLM in numbers.

    - `parameters`: all weights, each counted once; `unused_parameters` of them are never run (the vision tower)
    - `parts`: weights by the part that they are trained with
    - `vocabulary`: tokens of the tokenizer; `embeddings`: rows of the model's table, at least as many
    - `special_tokens`: the tokens with a role, and their ids
    """

    architecture: str
    dtype: str
    parameters: int
    unused_parameters: int
    parts: Mapping[str, int]
    audio_tower: TowerSummary
    text_tower: TowerSummary
    num_mel_bins: int
    max_tokens: int
    head_is_tied: bool
    vocabulary: int
    embeddings: int
    special_tokens: Mapping[str, int]


def summarize(model: SpeechLM) -> ModelSummary:
    """Sizes, vocabulary and special tokens of `model`."""
    config, known = model.thinker.config, model.tokenizer.get_vocab()
    audio, text = config.audio_config, config.text_config
    sizes = [_count(module) for module in (model.audio_tower, model.text_tower)]
    total, head = _count(model.thinker), 0 if model.head_is_tied else _count(model.head)
    return ModelSummary(
        architecture=config.model_type,
        dtype=str(model.head.weight.dtype).removeprefix("torch."),
        parameters=total,
        unused_parameters=total - sum(sizes) - head,
        parts={part: sum(w.numel() for w in weights.values()) for part, weights in part_weights(model).items()},
        audio_tower=TowerSummary(audio.encoder_layers, audio.d_model, audio.encoder_attention_heads, sizes[0]),
        text_tower=TowerSummary(text.num_hidden_layers, text.hidden_size, text.num_attention_heads, sizes[1]),
        num_mel_bins=model.features.num_mel_bins,
        max_tokens=model.max_tokens,
        head_is_tied=model.head_is_tied,
        vocabulary=len(model.tokenizer),
        embeddings=text.vocab_size,
        special_tokens={token: known[token] for token in SPECIAL_TOKENS if token in known},
    )


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
