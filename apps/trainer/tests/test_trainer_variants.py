"""Variants of a clip, made of its features: what one would get from the changed sound."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cotgen.tasks import Attribute
from speechlm import FeatureSpec, log_mel
from trainer.variants import vary

RATE = 16_000
POCKET = FeatureSpec(num_mel_bins=128, window_samples=1024, hop_samples=320)


def tone(hertz: float, *, seconds: float = 1.0, gain: float = 0.02) -> NDArray[np.float32]:
    """All harmonics of a tone, through one smooth spectrum whatever its pitch: a vowel that is sung."""
    times = np.arange(round(seconds * RATE)) / RATE
    harmonics = hertz * np.arange(1, int(7600 / hertz))
    amplitudes = gain / (1 + (harmonics / 800) ** 2)
    return (amplitudes[:, None] * np.sin(2 * np.pi * harmonics[:, None] * times)).sum(0).astype(np.float32)


@pytest.mark.parametrize("semitones", [-4.0, 4.0])
def test_pitch_moves_harmonics_and_leaves_the_timbre(semitones: float) -> None:
    """Truth: the features of the tone that is sung so much higher or lower, through the same spectrum. Below 1 kHz,
    where harmonics are resolved, their peaks are where those of that tone are; thirds of the spectrum stay the same."""
    sung = log_mel(tone(140.0), POCKET)[:, 5:-5].mean(1)
    other = log_mel(tone(140.0 * 2 ** (semitones / 12)), POCKET)[:, 5:-5].mean(1)
    varied = vary(log_mel(tone(140.0), POCKET), Attribute.PITCH, semitones)[:, 5:-5].mean(1)

    def resolved(clip: torch.Tensor) -> torch.Tensor:
        return torch.stack([clip[8:40] - clip[8:40].mean()]).flatten()

    def likeness(one: torch.Tensor) -> float:
        return float(torch.nn.functional.cosine_similarity(resolved(one), resolved(other), dim=0))

    assert likeness(varied) > 0.8
    assert likeness(sung) < 0.5
    broad = (varied - sung)[:120].unflatten(0, (3, 40)).mean(1)
    assert float(broad.abs().max()) < 0.05  # 2 dB


def test_energy_is_a_gain() -> None:
    """Truth: the features of the samples times two, which are 6.02 dB more."""
    varied = vary(log_mel(tone(140.0), POCKET), Attribute.ENERGY, 20 * np.log10(2))
    torch.testing.assert_close(varied, log_mel(2 * tone(140.0), POCKET), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("amount", "frames"), [(0.25, 40), (-0.2, 62), (20.0, 4)])
def test_rate_is_a_length(amount: float, frames: int) -> None:
    """50 frames at 1.25 and 0.8 times the tempo; a clip keeps the four frames that a model needs at least."""
    clip = log_mel(tone(140.0), POCKET)
    varied = vary(clip, Attribute.RATE, amount)
    assert varied.shape == (128, frames)
    torch.testing.assert_close(varied[:, 1:-1].mean(1), clip[:, 5:-5].mean(1), atol=0.05, rtol=0)


def test_no_change_is_none() -> None:
    """By no semitone, no decibel and no share of the tempo."""
    clip = log_mel(tone(140.0), POCKET)
    for attribute in Attribute:
        torch.testing.assert_close(vary(clip, attribute, 0.0), clip, atol=1e-5, rtol=0)
