"""`pocket`: the Qwen2.5-Omni Thinker at a few million parameters, for laptops and tests, trained from scratch."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
)

from speechlm.model import SpeechLM
from speechlm.tokenizer import (
    AUDIO,
    AUDIO_END,
    AUDIO_START,
    IMAGE,
    PAD,
    TURN_END,
    TURN_START,
    VIDEO,
    VISION_START,
    token_id,
)

HEAD_DIM = 32
"""Width of an attention head; the smallest that fast attention kernels support."""


@dataclass(frozen=True, slots=True)
class PocketSize:
    """Width and depth of both towers. The widths must be multiples of the head width, 32."""

    audio_width: int = 192
    audio_layers: int = 3
    text_width: int = 192
    text_layers: int = 4
    num_mel_bins: int = 80


def pocket(tokenizer: PreTrainedTokenizerFast, *, seed: int, size: PocketSize | None = None) -> SpeechLM:
    """A randomly initialised Thinker with the vocabulary of `tokenizer`; the same seed gives the same weights."""
    config = _config(tokenizer, size or PocketSize())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        thinker = Qwen2_5OmniThinkerForConditionalGeneration(config)
    return SpeechLM(thinker, tokenizer)


def _config(tokenizer: PreTrainedTokenizerFast, size: PocketSize) -> Qwen2_5OmniThinkerConfig:
    for name, width in asdict(size).items():
        if name.endswith("_width") and width % HEAD_DIM:
            raise ValueError(f"{name} must be a multiple of {HEAD_DIM}, got {width}")
    half = HEAD_DIM // 2
    return Qwen2_5OmniThinkerConfig(
        audio_config={
            "num_mel_bins": size.num_mel_bins,
            "d_model": size.audio_width,
            "encoder_layers": size.audio_layers,
            "encoder_attention_heads": size.audio_width // HEAD_DIM,
            "encoder_ffn_dim": 4 * size.audio_width,
            "output_dim": size.text_width,
            "n_window": 1500,  # one attention window for clips up to 30 s: shorter ones cost accuracy
        },
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": size.text_width,
            "intermediate_size": 3 * size.text_width,
            "num_hidden_layers": size.text_layers,
            "num_attention_heads": size.text_width // HEAD_DIM,
            "num_key_value_heads": size.text_width // HEAD_DIM,
            "max_position_embeddings": 4096,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10_000.0,
                "mrope_section": [half // 4, 3 * half // 8, 3 * half // 8],
            },
            "pad_token_id": token_id(tokenizer, PAD),
            "eos_token_id": token_id(tokenizer, TURN_END),
            "bos_token_id": None,
            "tie_word_embeddings": True,
        },
        vision_config={  # the class demands a vision tower; ours is never run
            "depth": 1,
            "hidden_size": HEAD_DIM,
            "intermediate_size": HEAD_DIM,
            "num_heads": 1,
            "out_hidden_size": size.text_width,
            "fullatt_block_indexes": [0],
        },
        audio_token_index=token_id(tokenizer, AUDIO),
        audio_start_token_id=token_id(tokenizer, AUDIO_START),
        audio_end_token_id=token_id(tokenizer, AUDIO_END),
        image_token_index=token_id(tokenizer, IMAGE),
        video_token_index=token_id(tokenizer, VIDEO),
        vision_start_token_id=token_id(tokenizer, VISION_START),
        user_token_id=token_id(tokenizer, TURN_START),
        pad_token_id=token_id(tokenizer, PAD),
        tie_word_embeddings=True,
    )
