"""The parts of a Thinker's configuration that are the same for every size."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedTokenizerFast

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

TOKENS_BY_ROLE = {
    "audio_token_index": AUDIO,
    "audio_start_token_id": AUDIO_START,
    "audio_end_token_id": AUDIO_END,
    "image_token_index": IMAGE,
    "video_token_index": VIDEO,
    "vision_start_token_id": VISION_START,
    "pad_token_id": PAD,
}
"""The Thinker's settings that name special tokens, `user_token_id` aside: it is a word in released models."""


def special_token_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """The Thinker's settings that name special tokens."""
    roles = TOKENS_BY_ROLE | {"user_token_id": TURN_START}
    return {name: token_id(tokenizer, token) for name, token in roles.items()}


def text_token_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """The same of the text tower."""
    return {
        "pad_token_id": token_id(tokenizer, PAD),
        "eos_token_id": token_id(tokenizer, TURN_END),
        "bos_token_id": None,
    }


def rope_parameters(head_dim: int, theta: float) -> dict[str, Any]:
    """Plain rotary positions, with the frequencies of a head shared out over the Thinker's three axes."""
    half = head_dim // 2
    return {"rope_type": "default", "rope_theta": theta, "mrope_section": [half // 4, 3 * half // 8, 3 * half // 8]}


def unused_vision_tower(text_width: int) -> dict[str, Any]:
    """The smallest vision tower that the Thinker class accepts; it demands one, and it is never run here."""
    return {
        "depth": 1,
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_heads": 1,
        "out_hidden_size": text_width,
        "fullatt_block_indexes": [0],
    }
