"""A model small enough for a test, and clips of noise for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from speechlm import PocketSize, SpeechLM, pocket, train_tokenizer

TINY = PocketSize(audio_width=32, audio_layers=2, text_width=64, text_layers=2, num_mel_bins=16)
TEXTS = ["How does the voice sound?", "The pitch is high and the voice is loud.", "The pitch is low; it sounds sad."]
ClipMaker = Callable[..., list[Tensor]]


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
def clips() -> ClipMaker:
    """`clips(40, 64)`: two clips of 40 and 64 frames of noise, always the same."""

    def make(*frames: int, num_mel_bins: int = TINY.num_mel_bins) -> list[Tensor]:
        generator = torch.Generator().manual_seed(7)
        return [torch.randn(num_mel_bins, n, generator=generator) for n in frames]

    return make
