"""Does a grafted model still compute what its pretrained parts did?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from speechlm.errors import GraftError
from speechlm.graft import PretrainedParts
from speechlm.model import SpeechLM

TOLERANCE = 1e-4
TEXT_TOKENS = 48


@dataclass(frozen=True, slots=True)
class Parity:
    """The largest absolute differences to the pretrained parts, on random input.

    - `logits`: of the language model over its own vocabulary
    - `audio`: of the audio tower's output before its norm, to the encoder's averaged over pairs of frames
    """

    logits: float
    audio: float

    @property
    def holds(self) -> bool:
        """Both are at most 1e-4; NaN is not."""
        return self.logits <= TOLERANCE and self.audio <= TOLERANCE


@torch.no_grad()
def check_parity(model: SpeechLM, source: PretrainedParts, *, frames: int = 400, seed: int = 0) -> Parity:
    """Run both on the same random tokens and log-mel `frames`. Raises `GraftError` when they differ by more than 1e-4.

    The encoder is run on the clip alone, not padded to 30 s as Whisper itself pads: positions and layers are the same.
    """
    generator = torch.Generator().manual_seed(seed)
    config = source.language_model.config
    ids = torch.randint(config.vocab_size, (2, TEXT_TOKENS), generator=generator)
    frames = min(frames, 2 * source.encoder.config.max_source_positions)
    features = torch.randn(1, source.encoder.config.num_mel_bins, frames, generator=generator)
    was_training = model.training
    for module in (model, source.encoder, source.language_model):
        module.eval()
    try:
        parity = Parity(
            logits=_distance(_logits(model, ids)[..., : config.vocab_size], source.language_model(ids).logits),
            audio=_distance(_before_norm(model, features), pair_average(encoder_states(source.encoder, features))[0]),
        )
    finally:
        model.train(was_training)
    if not parity.holds:
        raise GraftError(
            f"the grafted model does not compute what its parts did: logits differ by {parity.logits:.2e}, "
            f"audio by {parity.audio:.2e}; at most {TOLERANCE:g} is rounding"
        )
    return parity


def encoder_states(encoder: Any, features: Tensor) -> Tensor:
    """Whisper's states before its final norm `[1, T, D]` for log-mel `[1, n_mels, frames]` of any length."""
    hidden: Tensor = functional.gelu(encoder.conv2(functional.gelu(encoder.conv1(features)))).permute(0, 2, 1)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    for layer in encoder.layers:
        output = layer(hidden, None)
        hidden = output[0] if isinstance(output, tuple) else output
    return hidden


def pair_average(states: Tensor) -> Tensor:
    """Means of frames 0 and 1, 2 and 3, … of `[N, T, D]`; an odd last frame is left out.

    >>> pair_average(torch.tensor([[[1.0], [3.0], [5.0]]]))
    tensor([[[2.]]])
    """
    return functional.avg_pool1d(states.transpose(1, 2), 2).transpose(1, 2)


def _logits(model: SpeechLM, ids: Tensor) -> Tensor:
    state = model.run_text(model.embed_tokens(ids), torch.ones_like(ids))
    logits: Tensor = model.head(state.hidden)
    return logits


def _before_norm(model: SpeechLM, features: Tensor) -> Tensor:
    seen: list[Tensor] = []
    norm: Any = model.audio_tower.ln_post
    handle = norm.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    try:
        model.encode_audio(features, torch.tensor([features.shape[-1]]))
    finally:
        handle.remove()
    return torch.cat(seen).reshape(-1, seen[0].shape[-1])


def _distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())
