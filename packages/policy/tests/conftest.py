"""A model small enough for a test, whose answers vary and sometimes end, clips of noise for it, and Pearson's X²."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from speechlm import PocketSize, SpeechLM, pocket, train_tokenizer

TINY = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=2, num_mel_bins=16)
TEXTS = ["How does the voice sound?", "The pitch is high and the voice is loud.", "The pitch is low; it sounds sad."]
ClipMaker = Callable[..., list[Tensor]]
Lively = Callable[..., SpeechLM]
Excess = Callable[[Tensor, Tensor], float]


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Models of this size lose time to threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def lively() -> Lively:
    """`lively(seed)` has weights four times as wide as usual, so that distributions are far from flat and depend on the
    clip; the end token's wider still, so that some answers end."""

    def make(seed: int, size: PocketSize = TINY) -> SpeechLM:
        built = pocket(train_tokenizer(TEXTS, vocab_size=270), seed=seed, size=size).eval()
        with torch.no_grad():
            for weight in built.parameters():
                if weight.ndim > 1:
                    weight.mul_(4)
            built.head.weight[built.end_id] *= 2.5
        return built

    return make


@pytest.fixture
def model(lively: Lively) -> SpeechLM:
    return lively(0)


@pytest.fixture(scope="session")
def excess() -> Excess:
    """`excess(tokens, logits)`: Pearson's X² of tokens drawn, against the softmax of `logits`, as standard deviations
    above its mean. Tokens expected fewer than 5 times are counted together; for d degrees of freedom the mean is d and
    the variance 2 d."""

    def of(tokens: Tensor, logits: Tensor) -> float:
        counts = torch.bincount(tokens.flatten(), minlength=len(logits)).double()
        expected = tokens.numel() * logits.double().softmax(-1)
        common = expected >= 5
        groups = [(counts[common], expected[common]), (counts[~common].sum()[None], expected[~common].sum()[None])]
        x2 = sum(((c - e) ** 2 / e).sum().item() for c, e in groups)
        d = int(common.sum())
        assert d > 5  # else it says little
        return float((x2 - d) / (2 * d) ** 0.5)

    return of


@pytest.fixture(scope="session")
def clips() -> ClipMaker:
    """`clips(40, 64)`: two clips of 40 and 64 frames of noise, always the same."""

    def make(*frames: int) -> list[Tensor]:
        generator = torch.Generator().manual_seed(7)
        return [torch.randn(TINY.num_mel_bins, n, generator=generator) for n in frames]

    return make
