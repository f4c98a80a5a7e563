"""Gender and age group by `audeering/wav2vec2-large-robust-24-ft-age-gender` (Burkhardt et al. 2023, arXiv 2306.16962).

The mean of wav2vec 2.0's last hidden states goes into two heads of two layers: age, in hundreds of years, and female,
male or child. The heads are not part of any class in transformers, which leaves them out or at their random start, so
they are loaded here one by one and verified. The folder holds the model's `config.json` and `model.safetensors`. Its
licence (CC-BY-NC-SA-4.0) excludes commercial use.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prosody.audio import DEFAULT_SAMPLE_RATE, resample
from prosody.errors import ModelError
from prosody.measurement import checked_samples
from prosody.neural import file_of, fill, optional, tensors
from speech_records import Gender, age_group

CLASSES: Final = ("female", "male", "child")
WINDOW_S: Final = 30.0
"""Longer clips are heard in equal parts of at most this length: attention costs their square."""
_MASK: Final = "masked_spec_embed"  # used in pretraining only
_WEIGHT_NORM: Final = {
    "encoder.pos_conv_embed.conv.weight_g": "encoder.pos_conv_embed.conv.parametrizations.weight.original0",
    "encoder.pos_conv_embed.conv.weight_v": "encoder.pos_conv_embed.conv.parametrizations.weight.original1",
}
"""Names that torch gave before 2.0, and gives now; unmatched, the positions would stay random."""


@dataclass(frozen=True, slots=True)
class SpeakerGuess:
    """What a model says of the speaker; `gender` is `None` for a child.

    `gender_confidence` in [0, 1] is the model's probability of the likeliest of female, male and child.
    """

    gender: Gender | None
    gender_confidence: float
    age_years: float
    age_group: str


class SpeakerBackend(Protocol):
    """Guesses at the speaker of a clip."""

    def speaker(self, samples: ArrayLike, sample_rate: int) -> SpeakerGuess:
        """The guess for one clip with speech in it."""
        ...


class AgeGender:
    """A speaker backend (`analyze(…, speaker=AgeGender(folder))`).

    Raises `ModelError` when torch or transformers is missing, or when the folder's weights are not exactly those of the
    model: every tensor of the encoder and of both heads present, in its shape, and no other.
    """

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        self._torch, transformers = optional("torch"), optional("transformers")
        path = file_of(folder, "model.safetensors")
        try:
            config = transformers.Wav2Vec2Config.from_pretrained(file_of(folder, "config.json").parent)
        except (OSError, ValueError, TypeError) as error:
            raise ModelError(f"{folder}: config.json is none of wav2vec 2.0 ({error})") from error
        weights = tensors(path)
        known = {"wav2vec2", "age", "gender"}
        strangers = sorted(name for name in weights if name.partition(".")[0] not in known)
        if strangers:
            raise ModelError(f"{path}: {strangers[:5]} belong to neither the encoder nor the heads")
        self._encoder = transformers.Wav2Vec2Model(config)
        encoder = {_WEIGHT_NORM.get(name, name): tensor for name, tensor in _part(weights, "wav2vec2").items()}
        fill(self._encoder, encoder, f"{path}: wav2vec2", may_lack=[_MASK])
        self._age = self._head(config.hidden_size, 1, _part(weights, "age"), f"{path}: age")
        self._gender = self._head(config.hidden_size, len(CLASSES), _part(weights, "gender"), f"{path}: gender")

    def _head(self, width: int, outputs: int, weights: dict[str, Any], where: str) -> Any:
        nn = self._torch.nn
        head = nn.ModuleDict({"dense": nn.Linear(width, width), "out_proj": nn.Linear(width, outputs)})
        fill(head, weights, where)
        return head

    def speaker(self, samples: ArrayLike, sample_rate: int) -> SpeakerGuess:
        """The guess for one clip; `AnalysisError` for samples that cannot be measured."""
        signal = resample(checked_samples(samples, sample_rate), sample_rate, DEFAULT_SAMPLE_RATE)
        parts = np.array_split(signal, max(1, int(np.ceil(len(signal) / DEFAULT_SAMPLE_RATE / WINDOW_S))))
        heard = np.average([self._hear(part) for part in parts], axis=0, weights=[len(part) for part in parts])
        years = float(np.clip(100.0 * heard[0], 0.0, 100.0))
        best = int(heard[1:].argmax())
        gender = None if CLASSES[best] == "child" else Gender(CLASSES[best])
        return SpeakerGuess(gender, float(heard[1 + best]), years, age_group(years))

    def _hear(self, part: NDArray[np.float32]) -> NDArray[np.float64]:
        """Age in hundreds of years and the three probabilities of one part, [4]."""
        torch = self._torch
        wave = torch.from_numpy(part.astype(np.float64))
        wave = ((wave - wave.mean()) / (wave.var(correction=0) + 1e-7).sqrt()).float()  # as its preprocessor does
        with torch.inference_mode():
            hidden = self._encoder(wave[None]).last_hidden_state.mean(dim=1)
            age, gender = (
                head["out_proj"](torch.tanh(head["dense"](hidden)))[0].double() for head in (self._age, self._gender)
            )
            return np.concatenate([age.numpy(), gender.softmax(0).numpy()])


def _part(weights: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.partition(".")[2]: tensor for name, tensor in weights.items() if name.partition(".")[0] == prefix}
