"""A model small enough for a test, and clips of noise for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5OmniConfig,
    Qwen2_5OmniForConditionalGeneration,
    WhisperFeatureExtractor,
)

from speechlm import PocketSize, SpeechLM, pocket, train_tokenizer

TINY = PocketSize(audio_width=32, audio_layers=2, text_width=64, text_layers=2, num_mel_bins=16)
TEXTS = ["How does the voice sound?", "The pitch is high and the voice is loud.", "The pitch is low; it sounds sad."]
ClipMaker = Callable[..., list[Tensor]]
TALKER = {
    "hidden_size": 32,
    "embedding_size": 64,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "vocab_size": 32,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 6, 6]},
    "tts_codec_start_token_id": 1,
    "tts_codec_end_token_id": 2,
    "tts_codec_pad_token_id": 3,
    "tts_codec_mask_token_id": 4,
}
VOCODER = {
    "dit_config": {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "head_dim": 32,
        "emb_dim": 16,
        "num_embeds": 10,
        "mel_dim": 8,
        "enc_emb_dim": 8,
        "enc_dim": 8,
        "enc_channels": [8, 8, 8, 8, 24],
        "enc_attention_channels": 4,
        "enc_se_channels": 4,
        "look_backward_layers": [0],
    },
    "bigvgan_config": {"mel_dim": 8, "upsample_initial_channel": 64},
}


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Models of this size lose time to threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(TEXTS, vocab_size=300)


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerFast) -> SpeechLM:
    return pocket(tokenizer, seed=0, size=TINY).eval()


@pytest.fixture(scope="session")
def whole_omni(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole Qwen2.5-Omni as the hub has them, Thinker, talker and vocoder, but tiny and with random weights.

    Like the released ones it has 128 mel bins, short attention windows in the audio tower, fewer key than query heads
    and a head of its own; its tokenizer knows by name which special token is which.
    """
    folder = tmp_path_factory.mktemp("whole-omni")
    ours = train_tokenizer(TEXTS, vocab_size=300)
    names = {kind: f"<|{kind.upper()}|>" for kind in ("image", "audio", "video")}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=ours.backend_tokenizer,
        pad_token=ours.pad_token,
        eos_token=ours.eos_token,
        clean_up_tokenization_spaces=False,
        extra_special_tokens={f"{kind}_token": token for kind, token in names.items()}
        | {"audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>"}
        | {"vision_bos_token": "<|vision_bos|>", "vision_eos_token": "<|vision_bos|>"},
    )
    thinker = pocket(ours, seed=3, size=TINY).thinker.config.to_dict()
    for key in [key for key in thinker if key.startswith("audio_feature_")]:
        del thinker[key]
    thinker["audio_config"] |= {"num_mel_bins": 128, "n_window": 20}
    thinker["text_config"] |= {"num_key_value_heads": 1, "tie_word_embeddings": False}
    thinker["tie_word_embeddings"] = False
    torch.manual_seed(3)
    whole = Qwen2_5OmniForConditionalGeneration(
        Qwen2_5OmniConfig(thinker_config=thinker, talker_config=TALKER, token2wav_config=VOCODER)
    )
    whole.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=128).save_pretrained(folder)
    (folder / "spk_dict.pt").write_bytes(b"voices of the talker, which are not read")
    return folder


@pytest.fixture(scope="session")
def clips() -> ClipMaker:
    """`clips(40, 64)`: two clips of 40 and 64 frames of noise, always the same."""

    def make(*frames: int, num_mel_bins: int = TINY.num_mel_bins) -> list[Tensor]:
        generator = torch.Generator().manual_seed(7)
        return [torch.randn(num_mel_bins, n, generator=generator) for n in frames]

    return make
