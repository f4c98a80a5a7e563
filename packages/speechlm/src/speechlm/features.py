"""Log-mel features, as Whisper and Qwen2.5-Omni hear speech: 16 kHz, 25 ms windows, one frame each 10 ms.

Clips are never padded to 30 s: the model reads exactly the frames that carry sound.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import WhisperFeatureExtractor

from speechlm.errors import AudioInputError

SAMPLE_RATE = 16_000
HOP_SAMPLES = 160
MAX_SECONDS = 30.0
MIN_FRAMES = 4
"""Fewer frames leave no audio token after the encoder's two halvings."""


def log_mel(samples: NDArray[np.float32], *, num_mel_bins: int = 80) -> Tensor:
    """Log-mel spectrogram of mono samples at 16 kHz: `float32[num_mel_bins, frames]`, 100 frames per second.

    The level of the clip is kept (only values 8 decades below the maximum are lifted), so loudness can be heard.
    Raises `AudioInputError` for anything but 0.04–30 s of finite mono samples.

    >>> log_mel(np.zeros(16_000, dtype=np.float32)).shape
    torch.Size([80, 100])
    """
    if samples.ndim != 1:
        raise AudioInputError(f"samples must be mono (one axis), got shape {samples.shape}")
    seconds = samples.size / SAMPLE_RATE
    if not MIN_FRAMES * HOP_SAMPLES / SAMPLE_RATE <= seconds <= MAX_SECONDS:
        raise AudioInputError(f"audio must last 0.04 to {MAX_SECONDS:g} s at 16 kHz, got {seconds:.3f} s")
    if not np.isfinite(samples).all():
        raise AudioInputError("samples hold NaN or infinity")
    extracted = _extractor(num_mel_bins)(
        samples, sampling_rate=SAMPLE_RATE, padding="do_not_pad", truncation=False, return_tensors="pt"
    )
    features: Tensor = extracted["input_features"][0]
    return features


def audio_token_count(frames: int) -> int:
    """Audio tokens that the encoder makes of `frames` log-mel frames: two halvings, about 25 per second.

    >>> audio_token_count(100)
    25
    """
    return ((frames - 1) // 2 + 1 - 2) // 2 + 1


@lru_cache(maxsize=4)
def _extractor(num_mel_bins: int) -> WhisperFeatureExtractor:
    return WhisperFeatureExtractor(
        feature_size=num_mel_bins, sampling_rate=SAMPLE_RATE, hop_length=HOP_SAMPLES, n_fft=400
    )


def pad_features(features: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Stack clips `[n_mels, frames_i]` into `[clips, n_mels, frames]`, zero-padded, and their lengths `int64[clips]`."""
    lengths = torch.tensor([f.shape[-1] for f in features], dtype=torch.long)
    if int(lengths.min()) < MIN_FRAMES:
        raise AudioInputError(f"a clip has {int(lengths.min())} frames; at least {MIN_FRAMES} are needed")
    padded = features[0].new_zeros(len(features), features[0].shape[0], int(lengths.max()))
    for row, feature in zip(padded, features, strict=True):
        row[:, : feature.shape[-1]] = feature
    return padded, lengths
