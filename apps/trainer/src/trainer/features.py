"""Log-mel features of many clips, computed once and kept in shards that are read where they lie.

```
FOLDER/<digest>.safetensors    features of about a thousand clips by their keys; the digest is of all that decides them
```

A shard is memory-mapped, so a clip costs memory only while it is used, and a corpus may be larger than that. Training
needs no audio and no signal library afterwards: the folder travels to machines that have neither. It may be removed at
any time.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import sys
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from prosody.parallel import ItemTimeoutError, WorkerDiedError, map_isolated, require_guarded_main
from speech_records import FailedItem, atomic_path
from speechlm import AudioInputError, FeatureSpec, SpeechLM, log_mel
from trainer.dataset import AnnotatedCorpus, AudioClip
from trainer.errors import ConfigError
from trainer.progress import Meter

FOLDER = "features"
"""Where the shards lie in a data set."""
CLIPS_PER_SHARD = 1024
OPEN_SHARDS = 256
"""Shards that are open at a time, well below the files that a process may have open."""
SILENCE = 1e-4
"""Largest sample of a clip without sound, −80 dB of full scale."""


class StoredFeatures(Mapping[str, Tensor]):
    """Log-mel features (float16 `[n_mels, frames]`) by key, read from their shard when they are asked for."""

    def __init__(self, shards: Mapping[str, Path]) -> None:
        self._shards, self._opened = shards, OrderedDict[Path, Any]()

    def __getitem__(self, key: str) -> Tensor:
        path = self._shards[key]
        shard = self._opened.pop(path, None)
        if shard is None:
            shard = safe_open(path, framework="pt")
            while len(self._opened) >= OPEN_SHARDS:
                self._opened.popitem(last=False)
        self._opened[path] = shard
        feature: Tensor = shard.get_tensor(key)
        return feature

    def __iter__(self) -> Iterator[str]:
        return iter(self._shards)

    def __len__(self) -> int:
        return len(self._shards)


@dataclass(frozen=True, slots=True)
class _Shard:
    """Clips whose features share a file, by key."""

    clips: Mapping[str, AudioClip]
    path: Path

    def read(self) -> tuple[list[str], list[FailedItem]]:
        """The keys of the clips that have features, and the clips that have none."""
        with safe_open(self.path, framework="pt") as stored:
            failed = json.loads((stored.metadata() or {}).get("failed", "[]"))
            return list(stored.keys()), [FailedItem(**item) for item in failed]

    def write(self, outcomes: Iterable[tuple[tuple[str, AudioClip, FeatureSpec], Any]], meter: Meter) -> None:
        """Write what was extracted of each clip."""
        features: dict[str, Tensor] = {}
        failed: list[FailedItem] = []
        for (key, *_), outcome in outcomes:
            meter.advance()
            if isinstance(outcome, AudioInputError | ItemTimeoutError | WorkerDiedError):
                failed.append(FailedItem.of(key, "features", outcome))
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                features[key] = torch.from_numpy(outcome)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(self.path) as partial:
            save_file(features, partial, metadata={"failed": json.dumps([asdict(item) for item in failed])})


def load_features(
    clips: Mapping[str, AudioClip], folder: Path, *, spec: FeatureSpec, workers: int = 2
) -> tuple[StoredFeatures, list[FailedItem]]:
    """The features of `clips`, which maps keys to parts of audio files, and the clips that a model cannot take, such as
    long or silent ones, or on which their process died.

    They come from `folder` where it has those of the very clips; then no audio is touched. What is missing is extracted
    shard by shard, so that a stopped extraction goes on; where another process extracts it already, this one waits.
    Raises what `prosody.load_audio` raises for a file that cannot be read, and `prosody.PoolError` in a script that
    does not guard the call with `if __name__ == "__main__":`.
    """
    shards = _plan_shards(clips, folder, spec)
    missing = [shard for shard in shards if not shard.path.is_file()]
    if missing:
        require_guarded_main()  # before the lock, which the parent of such a process holds
        with _locked(folder):
            missing = [shard for shard in missing if not shard.path.is_file()]
            jobs = [(key, clip, spec) for shard in missing for key, clip in shard.clips.items()]
            outcomes = map_isolated(_extract, jobs, workers=workers)
            with Meter("log-mel features", total=len(jobs)) as meter:
                for shard in missing:
                    shard.write((next(outcomes) for _ in shard.clips), meter)
    found: dict[str, Path] = {}
    failed: list[FailedItem] = []
    for shard in shards:
        keys, without = shard.read()
        found |= dict.fromkeys(keys, shard.path)
        failed += without
    return StoredFeatures(dict(sorted(found.items()))), sorted(failed, key=lambda item: item.id)


def shard_count(clips: int) -> int:
    """Into how many shards so many clips go: a power of two, so that few move where there are more."""
    return 1 << max(0, (clips - 1) // CLIPS_PER_SHARD).bit_length()


def _plan_shards(clips: Mapping[str, AudioClip], folder: Path, spec: FeatureSpec) -> list[_Shard]:
    """Which clips lie in which shard. A hash of its key says it, so that a clip more changes one shard."""
    count = shard_count(len(clips))
    by_number: dict[int, dict[str, AudioClip]] = {}
    for key in sorted(clips):
        number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) % count
        by_number.setdefault(number, {})[key] = clips[key]
    shards = []
    for _, chosen in sorted(by_number.items()):
        named = [f"{key}{clip.part} {clip.sha256}" for key, clip in chosen.items()]
        digest = hashlib.sha256("\n".join([repr(spec), *named]).encode()).hexdigest()
        shards.append(_Shard(chosen, folder / f"{digest[:32]}.safetensors"))
    return shards


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Wait until no other process extracts features into `folder`, and say so; keep others waiting, until its end."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"trainer: waiting for another process that extracts features into {folder}\n")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def without_failed(corpus: AnnotatedCorpus, failed: Iterable[FailedItem]) -> AnnotatedCorpus:
    """The data set without the clips that have no features, and without the examples about them."""
    return replace(corpus, left_out=frozenset(item.id for item in failed))


def _extract(job: tuple[str, AudioClip, FeatureSpec]) -> NDArray[np.float16]:
    _, clip, spec = job
    from prosody import load_audio

    torch.set_num_threads(1)
    audio = load_audio(clip.path, channel=clip.channel, start_s=clip.start_s, end_s=clip.end_s)
    if audio.samples.size and float(np.abs(audio.samples).max()) < SILENCE:
        raise AudioInputError(f"the clip is silent: no sample is above {SILENCE:g} of full scale")
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
