"""Log-mel clips in which one attribute is changed, as `prosody.modify` changes it, without audio.

Energy is a sum and tempo a stretch of the frames, as close as the features go. Pitch moves the harmonics over the
frequencies and leaves the smooth envelope of the spectrum, and with it the timbre, where it was.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from transformers.audio_utils import hertz_to_mel, mel_to_hertz

from cotgen.tasks import Attribute
from speechlm.features import MIN_FRAMES, PER_DB, SAMPLE_RATE

ENVELOPE_HZ = 200.0
"""Spread of the smoothing that leaves the envelope: about the distance of a high voice's harmonics."""


def vary(clip: Tensor, attribute: Attribute, amount: float) -> Tensor:
    """The log-mel clip `[n_mels, frames]` changed by `amount`: semitones of pitch, decibels of energy, or a share that
    is added to the tempo.

    >>> clip = torch.rand(80, 100)
    >>> vary(clip, Attribute.RATE, 0.25).shape
    torch.Size([80, 80])
    >>> bool(torch.allclose(vary(clip, Attribute.ENERGY, 20.0), clip + 0.5))
    True
    """
    match attribute:
        case Attribute.ENERGY:
            return clip + amount * PER_DB
        case Attribute.RATE:
            return interpolate(clip[None], size=varied_frames(clip.shape[1], amount), mode="linear")[0]
        case Attribute.PITCH:
            smoothing, warp = _pitch_matrices(clip.shape[0], amount)
            envelope = smoothing @ clip
            return envelope + warp @ (clip - envelope)


def varied_frames(frames: int, amount: float) -> int:
    """Frames of a clip of so many whose tempo has `amount` added, at least the four that a model needs."""
    return max(MIN_FRAMES, round(frames / (1 + amount)))


@lru_cache(maxsize=512)
def _pitch_matrices(bins: int, semitones: float) -> tuple[Tensor, Tensor]:
    """Matrices `[bins, bins]` over mel bins: what smooths a spectrum, and what moves it up by `semitones`."""
    mels = np.linspace(0.0, float(hertz_to_mel(SAMPLE_RATE / 2, "slaney")), bins + 2)[1:-1]
    hertz = np.asarray(mel_to_hertz(mels, "slaney"))
    near = np.exp(-0.5 * ((hertz[:, None] - hertz) / ENVELOPE_HZ) ** 2) * np.gradient(hertz)
    smoothing = near / near.sum(1, keepdims=True)
    source = np.interp(hertz * 2 ** (-semitones / 12), hertz, np.arange(bins))
    left = np.clip(np.floor(source).astype(int), 0, bins - 2)
    share = source - left
    warp = np.zeros((bins, bins))
    warp[np.arange(bins), left] = 1 - share
    warp[np.arange(bins), left + 1] += share
    return torch.tensor(smoothing, dtype=torch.float32), torch.tensor(warp, dtype=torch.float32)
