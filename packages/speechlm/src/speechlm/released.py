"""The shapes of the released Thinkers, to measure what they cost or to look at them without their weights."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
)

from speechlm.errors import PresetError
from speechlm.model import SpeechLM
from speechlm.thinker_config import TOKENS_BY_ROLE, rope_parameters
from speechlm.tokenizer import PAD, TURN_END

SHAPES: dict[str, dict[str, Any]] = {
    "omni3b": {
        "vocab_size": 151_936,
        "hidden_size": 2_048,
        "intermediate_size": 11_008,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
    },
    "omni7b": {
        "vocab_size": 152_064,
        "hidden_size": 3_584,
        "intermediate_size": 18_944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
    },
}
"""Text towers of the released sizes; audio towers are the same but for the width they project to."""

TOKEN_IDS = {
    "<|endoftext|>": 151_643,
    "<|im_start|>": 151_644,
    "<|im_end|>": 151_645,
    "<|AUDIO|>": 151_646,
    "<|audio_bos|>": 151_647,
    "<|audio_eos|>": 151_648,
    "<|vision_bos|>": 151_652,
    "<|IMAGE|>": 151_655,
    "<|VIDEO|>": 151_656,
}
"""Special tokens of every released size."""


def released_config(size: str) -> Qwen2_5OmniThinkerConfig:
    """The configuration of a released Thinker, `omni3b` or `omni7b`, as their files on the hub have it.

    Raises `PresetError` for another size.

    >>> released_config("omni7b").text_config.hidden_size
    3584
    """
    if size not in SHAPES:
        raise PresetError(f"no released size {size!r}; there are {', '.join(SHAPES)}")
    shape = SHAPES[size]
    width = shape["hidden_size"]
    tokens: dict[str, Any] = {name: TOKEN_IDS[token] for name, token in TOKENS_BY_ROLE.items()}
    return Qwen2_5OmniThinkerConfig(
        audio_config={
            "num_mel_bins": 128,
            "d_model": 1_280,
            "encoder_layers": 32,
            "encoder_attention_heads": 20,
            "encoder_ffn_dim": 5_120,
            "max_source_positions": 1_500,
            "n_window": 100,
            "output_dim": width,
        },
        text_config=shape
        | {
            "max_position_embeddings": 32_768,
            "rms_norm_eps": 1e-6,
            "rope_parameters": rope_parameters(128, theta=1e6),
            "pad_token_id": TOKEN_IDS["<|endoftext|>"],
            "eos_token_id": TOKEN_IDS["<|im_end|>"],
            "tie_word_embeddings": False,
        },
        vision_config={
            "depth": 32,
            "hidden_size": 1_280,
            "intermediate_size": 3_420,
            "num_heads": 16,
            "out_hidden_size": width,
            "fullatt_block_indexes": [7, 15, 23, 31],
        },
        user_token_id=872,  # the word "user"
        **tokens,
        tie_word_embeddings=False,
    )


def random_released(size: str, *, device: str | torch.device) -> SpeechLM:
    """A released size with random bfloat16 weights: to measure its cost, or its shapes on the `meta` device.

    Its tokenizer has the special tokens of the released ones at their ids, and bytes for words. Raises `PresetError`
    for another size.
    """
    thinker_class: Any = Qwen2_5OmniThinkerForConditionalGeneration  # its constructors are untyped
    cards = [torch.device(device)] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(devices=cards), torch.device(device):
        torch.manual_seed(0)
        thinker = thinker_class._from_config(released_config(size), dtype=torch.bfloat16)  # noqa: SLF001
    return SpeechLM(thinker, _stand_in_tokenizer())


def _stand_in_tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, fillers up to the first special token, then the special tokens at their ids."""
    first, last = min(TOKEN_IDS.values()), max(TOKEN_IDS.values())
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    ordinary = [*alphabet, *(f"filler {i}" for i in range(first - len(alphabet)))]
    backend = Tokenizer(models.BPE({token: i for i, token in enumerate(ordinary)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    by_id = {index: token for token, index in TOKEN_IDS.items()}
    special = [by_id.get(i, f"<|unused {i}|>") for i in range(first, last + 1)]
    backend.add_special_tokens([AddedToken(token, special=True) for token in special])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, pad_token=PAD, eos_token=TURN_END
    )
