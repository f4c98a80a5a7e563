"""What a frozen audio encoder makes of clips, computed once and kept in shards that are read where they lie.

```
FOLDER/<digest>.safetensors    states of about a thousand clips by the hash of their features; the digest is of these
                               hashes and of the encoder's weights
```

It pays where the encoder is not trained and no random filter changes the clips; how much is in `docs/experiments.md`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from speech_records import atomic_path
from speechlm import Part, SpeechLM
from speechlm.features import pad_features
from speechlm.freezing import part_weights, trainable_parts
from trainer.features import StoredFeatures, as_float, shard_count
from trainer.progress import Meter
from trainer.settings import SFTSettings, Strategy

FOLDER = "encoded"
"""Where the shards lie in a data set."""
BATCH = 32


class EncodedClips:
    """The states of clips, `[tokens, width]` each, by the hash of their features."""

    def __init__(self, states: Mapping[str, Tensor]) -> None:
        self._states = states

    def __call__(self, features: Tensor, lengths: Tensor) -> Tensor | None:
        """The states of all clips of a batch, one after the other; `None` where one of them was not kept."""
        names = [features_hash(clip[:, :frames]) for clip, frames in zip(features, lengths.tolist(), strict=True)]
        if not all(name in self._states for name in names):
            return None
        return torch.cat([self._states[name] for name in names]).to(features.device)


def encodes_once(model: SpeechLM, settings: SFTSettings) -> bool:
    """Whether the encoder of `model` gives the same states for a clip in every step."""
    is_frozen = Part.AUDIO_ENCODER not in trainable_parts(model)
    is_augmented = settings.filter_augment_db > 0 or settings.time_mask_share > 0
    return is_frozen and not is_augmented and settings.strategy is Strategy.DDP


def encode_once(model: SpeechLM, features: Mapping[str, Tensor], keys: Iterable[str], folder: Path) -> EncodedClips:
    """The states of the clips of `keys`; those that are not in `folder` are computed, shard by shard."""
    by_hash = {features_hash(features[key]): key for key in sorted(set(keys))}
    encoder = _weights_hash(model)
    count = shard_count(len(by_hash))
    shards: dict[int, list[str]] = {}
    for name in sorted(by_hash):
        shards.setdefault(int(name[:8], 16) % count, []).append(name)
    found: dict[str, Path] = {}
    with Meter("audio encoder (clips)", total=len(by_hash)) as meter:
        for names in shards.values():
            digest = hashlib.sha256("\n".join([encoder, *names]).encode()).hexdigest()
            path = folder / f"{digest[:32]}.safetensors"
            if not path.is_file():
                states = _states(model, {name: features[by_hash[name]] for name in names})
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomic_path(path) as partial:
                    save_file(states, partial)
            found |= dict.fromkeys(names, path)
            meter.advance(len(names))
    return EncodedClips(StoredFeatures(found))


def features_hash(clip: Tensor) -> str:
    """The hash of a log-mel clip at the precision in which features are stored."""
    return hashlib.sha256(clip.half().contiguous().cpu().numpy().tobytes()).hexdigest()


def _states(model: SpeechLM, clips: Mapping[str, Tensor]) -> dict[str, Tensor]:
    names = sorted(clips, key=lambda name: clips[name].shape[1])
    found: dict[str, Tensor] = {}
    for start in range(0, len(names), BATCH):
        chosen = names[start : start + BATCH]
        padded, lengths = pad_features(as_float(clips[name] for name in chosen))
        states = model.encoder_states(padded.to(model.device), lengths.to(model.device))
        found |= {name: state.contiguous().cpu() for name, state in zip(chosen, states, strict=True)}
    return found


def _weights_hash(model: SpeechLM) -> str:
    digest = hashlib.sha256()
    for name, weight in sorted(part_weights(model)[Part.AUDIO_ENCODER].items()):
        digest.update(name.encode())
        digest.update(weight.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()
