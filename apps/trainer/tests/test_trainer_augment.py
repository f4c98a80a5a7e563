"""Filtered training clips: another timbre, the same prosody. Expected values follow from the definition of decibels."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from trainer.augment import random_eq_bands

FRAMES = 50


def clip() -> Tensor:
    """128 mel values a frame that vary over both axes."""
    return torch.rand(128, FRAMES, generator=Generator().manual_seed(1))


def test_the_filter_is_the_same_in_every_frame_and_smooth() -> None:
    change = random_eq_bands(clip(), 6.0, Generator().manual_seed(0)) - clip()
    torch.testing.assert_close(change, change[:, :1].expand(-1, FRAMES), atol=1e-5, rtol=0)
    steps = change[:, 0].diff()
    assert steps.abs().max() < 4 * 6.0 / 40 * 6 / 128  # a few standard deviations over the distance of two points
    assert change[:, 0].std() > 0.5 / 40


def test_power_is_kept() -> None:
    """Power of a value v is 10 ** (4 (v - 1)); its sum must be what it was, within 0.01 dB."""

    def power(features: Tensor) -> Tensor:
        return (10 ** (4 * (features.double() - 1))).sum()

    for seed in range(20):
        filtered = random_eq_bands(clip(), 9.0, Generator().manual_seed(seed))
        assert abs(10 * torch.log10(power(filtered) / power(clip()))) < 0.01


def test_gains_have_the_spread_that_was_asked_for() -> None:
    """At a control point (the first bin) the gain against the last one has sd_db times root two: 8.5 dB for 6."""
    changes = [random_eq_bands(clip(), 6.0, Generator().manual_seed(seed)) - clip() for seed in range(400)]
    difference = torch.stack([(c[0, 0] - c[-1, 0]) * 40 for c in changes])
    assert 7.7 < float(difference.std()) < 9.3  # 8.49 within three standard errors (3.5 % each)


def test_the_same_generator_gives_the_same_filter_and_none_leaves_the_clip_alone() -> None:
    first, second = (random_eq_bands(clip(), 6.0, Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(random_eq_bands(clip(), 0.0, Generator()), clip())
