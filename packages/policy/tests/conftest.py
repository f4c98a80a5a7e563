"""A model small enough for a test, whose answers vary and sometimes end, and clips of noise for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from speechlm import PocketSize, SpeechLM, pocket, train_tokenizer

TINY = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=2, num_mel_bins=16)
TEXTS = ["How does the voice sound?", "The pitch is high and the voice is loud.", "The pitch is low; it sounds sad."]
ClipMaker = Callable[..., list[Tensor]]


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Models of this size lose time to threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def model() -> SpeechLM:
    """Weights four times as wide as usual, so that distributions are far from flat and depend on the clip; the end
    token's wider still, so that some answers end."""
    built = pocket(train_tokenizer(TEXTS, vocab_size=270), seed=0, size=TINY).eval()
    with torch.no_grad():
        for weight in built.parameters():
            if weight.ndim > 1:
                weight.mul_(4)
        built.head.weight[built.end_id] *= 2.5
    return built


@pytest.fixture(scope="session")
def clips() -> ClipMaker:
    """`clips(40, 64)`: two clips of 40 and 64 frames of noise, always the same."""

    def make(*frames: int) -> list[Tensor]:
        generator = torch.Generator().manual_seed(7)
        return [torch.randn(TINY.num_mel_bins, n, generator=generator) for n in frames]

    return make
