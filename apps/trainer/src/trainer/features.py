"""Log-mel features of many clips, computed once and kept in one safetensors file.

Training needs no audio and no signal library afterwards: the file travels to machines that have neither.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from speechlm import FeatureSpec, SpeechLM, log_mel
from trainer.dataset import AudioClip
from trainer.errors import ConfigError
from trainer.progress import track

if TYPE_CHECKING:
    from prosody import Audio

FRAMES_KEY = "frames"


def load_features(
    clips: Mapping[str, AudioClip], cache: Path, *, identity: str, spec: FeatureSpec, workers: int = 2
) -> dict[str, Tensor]:
    """Log-mel features (float16 `[n_mels, frames]`) by key, from `cache` when it was made of these very clips.

    `clips` maps feature keys to parts of audio files; `identity` is a hash that changes whenever a file does. With a
    cache of that identity no audio is touched.
    """
    named = sorted(f"{key}{clip.part}" for key, clip in clips.items())
    digest = hashlib.sha256("\n".join([identity, repr(spec), *named]).encode()).hexdigest()
    if cache.is_file():
        with safe_open(cache, framework="pt") as stored:
            if (stored.metadata() or {}).get("digest") == digest:
                return _split(stored.get_tensor(FRAMES_KEY), json.loads(stored.metadata()["index"]))
    keys = sorted(clips)
    jobs = [(clips[key], spec) for key in keys]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        features = list(track(pool.map(_extract, jobs, chunksize=32), total=len(jobs), what="log-mel features"))
    index = {key: int(feature.shape[-1]) for key, feature in zip(keys, features, strict=True)}
    frames = torch.cat(features, dim=-1) if features else torch.zeros(spec.num_mel_bins, 0, dtype=torch.float16)
    cache.parent.mkdir(parents=True, exist_ok=True)
    partial = cache.with_suffix(".partial")
    save_file({FRAMES_KEY: frames}, partial, metadata={"digest": digest, "index": json.dumps(index)})
    partial.replace(cache)
    return _split(frames, index)


def _split(frames: Tensor, index: Mapping[str, int]) -> dict[str, Tensor]:
    parts = frames.split_with_sizes(list(index.values()), dim=-1)
    return {key: part.contiguous() for key, part in zip(index, parts, strict=True)}


def _extract(job: tuple[AudioClip, FeatureSpec]) -> Tensor:
    clip, spec = job
    torch.set_num_threads(1)
    audio = _decoded(clip.path, clip.channel).part(clip.start_s, clip.end_s)
    return log_mel(audio.samples, spec).half()


@lru_cache(maxsize=1)  # a conversation has a hundred turns, and they come one after the other
def _decoded(path: Path, channel: int | None) -> Audio:
    from prosody import load_audio

    return load_audio(path, sample_rate=16_000, channel=channel)


def require_features(model: SpeechLM, spec: FeatureSpec, *, what: str) -> None:
    """Raise `ConfigError` unless `model`, called `what`, hears the features that were extracted: `spec`."""
    if model.features != spec:
        raise ConfigError(
            f"{what} hears {model.features}, but model= extracts {spec}: choose the model= that it was made from"
        )


def as_float(features: Iterable[Tensor]) -> list[Tensor]:
    """The float32 clips that the model reads."""
    return [feature.float() for feature in features]
