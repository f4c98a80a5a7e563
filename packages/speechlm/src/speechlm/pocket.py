"""`pocket`: the Qwen2.5-Omni Thinker at a few million parameters, for laptops and tests, trained from scratch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
)

from speechlm.errors import SpeechLMError
from speechlm.model import SpeechLM
from speechlm.thinker_config import rope_parameters, special_token_ids, text_token_ids, unused_vision_tower

INIT_STD = 0.05
"""Standard deviation of random weights; 0.02 is for models twenty times as wide."""
FEATURE_GAIN = 2.5
"""Factor on log-mel features before the first convolution; seemed to speed learning from random weights, in runs that
also differed otherwise (`docs/experiments.md`)."""
HEAD_DIM = 32
"""Width of an attention head; the smallest that fast attention kernels support."""


@dataclass(frozen=True, slots=True)
class PocketSize:
    """Width and depth of both towers, and their features. The widths must be multiples of the head width, 32.

    Windows of 64 ms and mel bins 23 Hz apart resolve the harmonics of a low voice, Whisper's 25 ms do not; a model
    learns pitch faster from the former. A frame each 20 ms halves the work (`docs/experiments.md`).
    """

    audio_width: int = 128
    audio_layers: int = 3
    text_width: int = 160
    text_layers: int = 4
    num_mel_bins: int = 128
    window_samples: int = 1024
    hop_samples: int = 320


def pocket(tokenizer: PreTrainedTokenizerFast, *, seed: int, size: PocketSize | None = None) -> SpeechLM:
    """A randomly initialised Thinker with the vocabulary of `tokenizer`.

    The same seed gives the same weights; the global random state is left as it was. Raises `SpeechLMError` for a
    size that is not positive or a width that is not a multiple of 32.
    """
    config = _config(tokenizer, size or PocketSize())
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed every GPU too
        thinker = Qwen2_5OmniThinkerForConditionalGeneration(config)
    return SpeechLM(thinker, tokenizer)


def _config(tokenizer: PreTrainedTokenizerFast, size: PocketSize) -> Qwen2_5OmniThinkerConfig:
    for name, value in asdict(size).items():
        if value < 1:
            raise SpeechLMError(f"{name} must be at least 1, got {value}")
        if name.endswith("_width") and value % HEAD_DIM:
            raise SpeechLMError(f"{name} must be a multiple of {HEAD_DIM}, got {value}")
    own: dict[str, Any] = {  # read by `SpeechLM`, unknown to the class
        "audio_feature_gain": FEATURE_GAIN,
        "audio_feature_window": size.window_samples,
        "audio_feature_hop": size.hop_samples,
    }
    return Qwen2_5OmniThinkerConfig(
        audio_config=_audio_config(size),
        text_config=_text_config(tokenizer, size),
        vision_config=unused_vision_tower(size.text_width),
        tie_word_embeddings=True,
        **special_token_ids(tokenizer),
        **own,
    )


def _audio_config(size: PocketSize) -> dict[str, Any]:
    return {
        "num_mel_bins": size.num_mel_bins,
        "initializer_range": INIT_STD,
        "d_model": size.audio_width,
        "encoder_layers": size.audio_layers,
        "encoder_attention_heads": size.audio_width // HEAD_DIM,
        "encoder_ffn_dim": 4 * size.audio_width,
        "output_dim": size.text_width,
        "n_window": 1500,  # frames; a window is twice that: every clip is one, so that all of it is attended to
    }


def _text_config(tokenizer: PreTrainedTokenizerFast, size: PocketSize) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "initializer_range": INIT_STD,
        "hidden_size": size.text_width,
        "intermediate_size": 3 * size.text_width,
        "num_hidden_layers": size.text_layers,
        "num_attention_heads": size.text_width // HEAD_DIM,
        "num_key_value_heads": size.text_width // HEAD_DIM,
        "max_position_embeddings": 4096,
        "rope_parameters": rope_parameters(HEAD_DIM, theta=10_000.0),
        **text_token_ids(tokenizer),
        "tie_word_embeddings": True,
    }
