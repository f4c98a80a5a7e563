"""Log-mel features, the input of Whisper and Qwen2.5-Omni: 16 kHz, 25 ms windows, one frame every 10 ms.

Such windows do not resolve the harmonics of a low voice. A model may ask for longer and fewer ones, so that pitch can
be read off them; which ones is part of its configuration (`SpeechLM.features`).

Clips are never padded to 30 s: the model reads exactly the frames that carry sound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import WhisperFeatureExtractor

from speechlm.errors import AudioInputError

SAMPLE_RATE = 16_000
MAX_SECONDS = 30.0
MAX_FRAMES = 3_000
"""The frames of 30 s at 10 ms; one attention window of the pocket model."""
FRAMES_PER_TOKEN = 4
"""Frames of an audio token, whose centre is at its second frame: the encoder halves their number twice."""
MIN_FRAMES = FRAMES_PER_TOKEN
"""The frames of one audio token; fewer than three would leave none."""
TRIM_MARGIN = 5
"""Frames of silence that trimming leaves on either side."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Which log-mel features a model reads, in samples at 16 kHz; the defaults are Whisper's.

    `silence_behind`: whether silence follows the clip, as Whisper's and Qwen2.5-Omni's own extractors pad it, so that
    what is left of a hop at its end makes a frame too. Otherwise only full hops count, and the end is mirrored.
    `trim_db`: frames before the first and after the last that come within so many decibels of the loudest one are left
    out, but for a margin of five; `None` keeps them all.
    """

    num_mel_bins: int = 80
    window_samples: int = 400
    hop_samples: int = 160
    silence_behind: bool = False
    trim_db: float | None = None


WHISPER = FeatureSpec()
PER_DB = 1 / 40
"""One decibel in units of `log_mel`, whose values are 1 + log10(power) / 4."""
TO_LOG_POWER = 4 * math.log(10)
"""From a value of `log_mel` to the natural logarithm of power."""


def log_mel(samples: NDArray[np.float32], spec: FeatureSpec = WHISPER) -> Tensor:
    """Log-mel spectrogram of mono samples at 16 kHz: `float32[num_mel_bins, frames]`, one frame per hop.

    With `silence_behind` these are the frames that the extractor of a released model marks as real, to the last.

    A value is 1 + log10(mel power) / 4. The level of the clip is kept, so loudness is kept: 20 dB more are 0.5 more
    everywhere. Only values more than 8 decades (80 dB) below the clip's maximum, or below 1e-10, are lifted to
    that floor. Raises `AudioInputError` for anything but finite, mono, floating-point samples that last at least four
    hops (0.04 s with Whisper's) and at most 30 s.

    >>> log_mel(np.zeros(16_000, dtype=np.float32)).shape
    torch.Size([80, 100])
    """
    _check(samples, spec)
    frames = samples.size // spec.hop_samples
    if spec.silence_behind:
        frames = -(-samples.size // spec.hop_samples)
        behind = frames * spec.hop_samples + spec.window_samples - samples.size
        samples = np.concatenate([samples, np.zeros(behind, samples.dtype)])
    extracted = _extractor(spec)(
        samples, sampling_rate=SAMPLE_RATE, padding="do_not_pad", truncation=False, return_tensors="pt"
    )
    features: Tensor = extracted["input_features"][0][:, :frames]
    return (features if spec.trim_db is None else trim_silence(features, spec.trim_db)).contiguous()


def trim_silence(features: Tensor, trim_db: float) -> Tensor:
    """The log-mel clip `[n_mels, frames]` without the silence at its ends, see `FeatureSpec.trim_db`.

    >>> clip = torch.full((80, 100), -1.0)
    >>> clip[:, 40:60] = 1.0
    >>> trim_silence(clip, 40.0).shape
    torch.Size([80, 30])
    """
    power = (TO_LOG_POWER * features).logsumexp(0)
    is_speech = power >= power.max() - trim_db * math.log(10) / 10
    first, last = int(is_speech.nonzero()[0]), int(is_speech.nonzero()[-1])
    start = max(0, min(first - TRIM_MARGIN, features.shape[1] - MIN_FRAMES))
    return features[:, start : max(last + 1 + TRIM_MARGIN, start + MIN_FRAMES)]


def _check(samples: NDArray[np.float32], spec: FeatureSpec) -> None:
    if samples.ndim != 1:
        raise AudioInputError(f"samples must be mono (one axis), got shape {samples.shape}")
    if samples.dtype.kind != "f":
        raise AudioInputError(f"samples must be floating-point, full scale ±1, got {samples.dtype}")
    seconds = samples.size / SAMPLE_RATE
    shortest = MIN_FRAMES * spec.hop_samples / SAMPLE_RATE
    if not shortest <= seconds <= MAX_SECONDS:
        advice = ": cut it" if seconds > MAX_SECONDS else ""
        raise AudioInputError(
            f"audio must last {shortest:g} to {MAX_SECONDS:g} s at 16 kHz, got {seconds:.3f} s{advice}"
        )
    if not np.isfinite(samples).all():
        raise AudioInputError("samples hold NaN or infinity")


def audio_token_count(frames: int) -> int:
    """Audio tokens that the encoder makes of `frames` log-mel frames: two halvings, 25 for a second of Whisper's.

    >>> audio_token_count(100)
    25
    """
    return ((frames - 1) // 2 + 1 - 2) // 2 + 1


def pad_features(features: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Stack clips `[n_mels, frames_i]` into `[clips, n_mels, frames]`, zero-padded; also their lengths `int64[clips]`.

    Raises `AudioInputError` for no clip at all, for clips of different mel counts, and for clips that are not
    `[n_mels, 4..3000 frames]`.
    """
    if not features:
        raise AudioInputError("no clips: a batch needs at least one")
    for i, clip in enumerate(features):
        if clip.ndim != 2 or clip.shape[0] != features[0].shape[0]:
            shapes = f"clip {i} has shape {tuple(clip.shape)}, clip 0 {tuple(features[0].shape)}"
            raise AudioInputError(f"clips must be [n_mels, frames] with the same n_mels: {shapes}")
        if not MIN_FRAMES <= clip.shape[1] <= MAX_FRAMES:
            raise AudioInputError(f"clip {i} has {clip.shape[1]} frames; allowed are {MIN_FRAMES} to {MAX_FRAMES}")
    lengths = torch.tensor([clip.shape[1] for clip in features], dtype=torch.long)
    padded = features[0].new_zeros(len(features), features[0].shape[0], int(lengths.max()))
    for row, clip in zip(padded, features, strict=True):
        row[:, : clip.shape[1]] = clip
    return padded, lengths


@lru_cache(maxsize=4)
def _extractor(spec: FeatureSpec) -> WhisperFeatureExtractor:
    return WhisperFeatureExtractor(  # type: ignore[no-untyped-call]
        feature_size=spec.num_mel_bins,
        sampling_rate=SAMPLE_RATE,
        hop_length=spec.hop_samples,
        n_fft=spec.window_samples,
    )
