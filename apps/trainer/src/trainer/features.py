"""Log-mel features of many clips, computed once and kept in one safetensors file.

Training needs no audio and no signal library afterwards: the file travels to machines that have neither.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from prosody.parallel import ItemTimeoutError, WorkerDiedError, map_isolated
from speech_records import FailedItem, atomic_path
from speechlm import AudioInputError, FeatureSpec, SpeechLM, log_mel
from trainer.dataset import AnnotatedCorpus, AudioClip
from trainer.errors import ConfigError
from trainer.progress import track

FRAMES_KEY = "frames"


def load_features(
    clips: Mapping[str, AudioClip], cache: Path, *, identity: str, spec: FeatureSpec, workers: int = 2
) -> tuple[dict[str, Tensor], list[FailedItem]]:
    """Log-mel features (float16 `[n_mels, frames]`) by key, and the clips that a model cannot take, such as long ones,
    or on which their process died.

    They come from `cache` when it was made of these very clips; then no audio is touched. `clips` maps feature keys to
    parts of audio files; `identity` is a hash that changes whenever a file does. Raises what `prosody.load_audio`
    raises for a file that cannot be read.
    """
    named = sorted(f"{key}{clip.part}" for key, clip in clips.items())
    digest = hashlib.sha256("\n".join([identity, repr(spec), *named]).encode()).hexdigest()
    if cache.is_file():
        with safe_open(cache, framework="pt") as stored:
            metadata = stored.metadata() or {}
            if metadata.get("digest") == digest:
                failed = [FailedItem(**item) for item in json.loads(metadata.get("failed", "[]"))]
                return _split(stored.get_tensor(FRAMES_KEY), json.loads(metadata["index"])), failed
    keys = sorted(clips)
    jobs = [(key, clips[key], spec) for key in keys]
    features: dict[str, Tensor] = {}
    failed = []
    outcomes = map_isolated(_extract, jobs, workers=workers)
    for (key, *_), outcome in track(outcomes, total=len(jobs), what="log-mel features"):
        if isinstance(outcome, AudioInputError | ItemTimeoutError | WorkerDiedError):
            failed.append(FailedItem.of(key, "features", outcome))
        elif isinstance(outcome, Exception):
            raise outcome
        else:
            features[key] = torch.from_numpy(outcome)
    index = {key: int(feature.shape[-1]) for key, feature in features.items()}
    frames = torch.zeros(spec.num_mel_bins, 0, dtype=torch.float16)
    frames = torch.cat([frames, *features.values()], dim=-1)
    metadata = {"digest": digest, "index": json.dumps(index), "failed": json.dumps([asdict(item) for item in failed])}
    cache.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(cache) as partial:
        save_file({FRAMES_KEY: frames}, partial, metadata=metadata)
    return _split(frames, index), failed


def with_features(corpus: AnnotatedCorpus, features: Mapping[str, Tensor]) -> AnnotatedCorpus:
    """The data set without the clips and examples that have no features."""
    return replace(corpus, left_out=frozenset(corpus.audio_clips().keys() - features.keys()))


def _split(frames: Tensor, index: Mapping[str, int]) -> dict[str, Tensor]:
    parts = frames.split_with_sizes(list(index.values()), dim=-1)
    return {key: part.contiguous() for key, part in zip(index, parts, strict=True)}


def _extract(job: tuple[str, AudioClip, FeatureSpec]) -> NDArray[np.float16]:
    _, clip, spec = job
    from prosody import load_audio

    torch.set_num_threads(1)
    audio = load_audio(clip.path, channel=clip.channel, start_s=clip.start_s, end_s=clip.end_s)
    return log_mel(audio.samples, spec).half().numpy()


def require_features(model: SpeechLM, spec: FeatureSpec, *, what: str) -> None:
    """Raise `ConfigError` unless `model`, called `what`, takes the features that were extracted: `spec`."""
    if model.features != spec:
        raise ConfigError(
            f"{what} takes {model.features}, but model= extracts {spec}: choose the model= that it was made from"
        )


def as_float(features: Iterable[Tensor]) -> list[Tensor]:
    """The float32 clips that the model reads."""
    return [feature.float() for feature in features]
