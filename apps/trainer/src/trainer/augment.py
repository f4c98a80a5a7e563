"""Training clips as other voices or microphones might have given them, with the prosody left as it is."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from speechlm.features import PER_DB, TO_LOG_POWER

CONTROL_POINTS = 6
"""Frequencies, evenly spaced on the mel axis, at which a gain is drawn; between them it is interpolated."""


def random_eq_bands(features: Tensor, sd_db: float, generator: Generator) -> Tensor:
    """The clip `[n_mels, frames]` through a random smooth filter, its total power unchanged.

    Gains are drawn from a normal distribution of `sd_db` decibels, so the timbre becomes another speaker's, while
    pitch, contour, rate and level stay: a model can no longer read them off the voices that it was trained on. After
    FilterAugment (Nam, Kim & Park 2022, ICASSP), with the level restored, because energy is one of our cues.
    Equal generators give equal filters; `sd_db` 0 leaves the clip alone.

    >>> clip = torch.rand(8, 20)
    >>> filtered = random_eq_bands(clip, 6.0, Generator().manual_seed(0))
    >>> bool(torch.isclose(log_power(filtered), log_power(clip), atol=1e-4))
    True
    """
    if sd_db == 0:
        return features
    gains = torch.randn(CONTROL_POINTS, generator=generator) * sd_db * PER_DB
    curve = interpolate(gains[None, None], size=features.shape[0], mode="linear", align_corners=True)[0, 0]
    filtered = features + curve[:, None]
    return filtered - (log_power(filtered) - log_power(features)) / TO_LOG_POWER


def mask_time(features: Tensor, share: float, generator: Generator) -> Tensor:
    """The clip `[n_mels, frames]` with one stretch of frames, of up to `share` of them, at the clip's mean.

    The length is drawn evenly from 0 to that share. After SpecAugment (Park et al. 2019), in time only: a level needs
    all frequencies. Equal generators give equal masks; `share` 0 leaves the clip alone.

    >>> clip = torch.rand(8, 20)
    >>> masked = mask_time(clip, 0.5, Generator().manual_seed(0))
    >>> int((masked != clip).any(0).sum()) <= 10
    True
    """
    if share == 0:
        return features
    frames = features.shape[1]
    drawn_length, drawn_start = torch.rand(2, generator=generator).tolist()
    length = round(drawn_length * share * frames)
    start = round(drawn_start * (frames - length))
    masked = features.clone()
    masked[:, start : start + length] = features.mean(1, keepdim=True)
    return masked


def log_power(features: Tensor) -> Tensor:
    """Natural logarithm of a clip's total mel power, up to a constant."""
    return (TO_LOG_POWER * features).logsumexp((0, 1))
