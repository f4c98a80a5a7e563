"""`SpeechLM`: a Qwen2.5-Omni Thinker with its tokenizer, driven for speech in and text out.

The towers are called one after the other instead of through the Thinker's own `forward`, so that a clip is encoded
once however many answers stand behind it. For audio and text alone the Thinker's three rotary axes carry the same
positions, so one running index serves all three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    Cache,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2_5OmniThinkerForConditionalGeneration,
)

from speechlm.batch import SpeechBatch, collate
from speechlm.errors import CheckpointError, SpeechLMError
from speechlm.tokenizer import AUDIO, PAD, TURN_END, token_id

MODEL_TYPE = "qwen2_5_omni_thinker"


@dataclass(frozen=True, slots=True)
class TextState:
    """What the text tower returns: `hidden[N, T, D]` and, when asked for, the key/value cache after it."""

    hidden: Tensor
    cache: Cache | None


class SpeechLM(nn.Module):
    """A speech LLM: audio tower, text tower and head of one Thinker, and the tokenizer they were trained with."""

    def __init__(self, thinker: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
        super().__init__()
        if thinker.config.model_type != MODEL_TYPE:
            raise SpeechLMError(f"need a {MODEL_TYPE} model, got {thinker.config.model_type}")
        self.thinker = thinker
        self.tokenizer = tokenizer
        self.pad_id = token_id(tokenizer, PAD)
        self.end_id = token_id(tokenizer, TURN_END)
        self.audio_id = token_id(tokenizer, AUDIO)

    @property
    def audio_tower(self) -> nn.Module:
        """The audio encoder (its place in the Thinker moved between transformers versions)."""
        return _submodule(self.thinker, "audio_tower")

    @property
    def text_tower(self) -> nn.Module:
        """The decoder stack without the head."""
        try:
            return _submodule(self.thinker, "language_model")
        except SpeechLMError:
            return self.thinker.model  # type: ignore[no-any-return]

    @property
    def head(self) -> nn.Linear:
        """The output projection `[D] -> [vocabulary]`."""
        return self.thinker.lm_head  # type: ignore[no-any-return]

    @property
    def num_mel_bins(self) -> int:
        """Mel bins that the audio tower reads."""
        return int(self.thinker.config.audio_config.num_mel_bins)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.head.weight.device

    def collate(
        self,
        features: list[Tensor],
        questions: list[str],
        completions: Sequence[str | list[int]] | None = None,
        *,
        audio_index: list[int] | None = None,
    ) -> SpeechBatch:
        """`speechlm.collate` with this model's tokenizer, on this model's device."""
        batch = collate(self.tokenizer, features, questions, completions, audio_index=audio_index)
        return batch.to(self.device)

    def encode_audio(self, features: Tensor, feature_lengths: Tensor) -> Tensor:
        """Audio tokens of all clips, one after the other: `[sum of audio tokens, D]`.

        `features[clips, n_mels, frames]` are log-mel values, `feature_lengths[clips]` their true frame counts.
        """
        real = torch.arange(features.shape[-1], device=features.device) < feature_lengths[:, None]
        flat = features.permute(0, 2, 1)[real].permute(1, 0).to(self.head.weight.dtype)
        encoded = self.audio_tower(flat, feature_lens=feature_lengths, aftercnn_lens=(feature_lengths - 1) // 2 + 1)
        return encoded.last_hidden_state  # type: ignore[no-any-return]

    def embed(self, batch: SpeechBatch) -> Tensor:
        """Input embeddings `[N, T, D]`: text tokens looked up, audio placeholders filled with encoded audio.

        Raises `SpeechLMError` when placeholders and audio tokens do not match one to one (transformers itself
        misaligns silently when there are too many audio tokens).
        """
        embedded: Tensor = self.text_tower.embed_tokens(batch.input_ids)  # type: ignore[operator, union-attr]
        audio = self.encode_audio(batch.features, batch.feature_lengths)
        place = batch.input_ids == self.audio_id
        if int(place.sum()) != batch.audio_gather.numel() or int(batch.audio_gather.max()) >= audio.shape[0]:
            raise SpeechLMError(
                f"{int(place.sum())} audio placeholders for {batch.audio_gather.numel()} audio tokens "
                f"({audio.shape[0]} encoded)"
            )
        source = audio.index_select(0, batch.audio_gather).to(embedded.dtype)
        return embedded.masked_scatter(place[..., None], source)

    def run_text(
        self, embedded: Tensor, attention_mask: Tensor, *, cache: Cache | None = None, keep_cache: bool = False
    ) -> TextState:
        """Run the text tower over `embedded[N, T, D]`.

        `attention_mask[N, past + T]` is 1 on real tokens, past ones included; positions count real tokens only, so
        padding on either side changes nothing. With `keep_cache` the key/value cache is returned for a next call.
        """
        positions = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)[:, -embedded.shape[1] :]
        output = self.text_tower(
            inputs_embeds=embedded,
            attention_mask=attention_mask,
            position_ids=positions.expand(3, *positions.shape),
            past_key_values=cache,
            use_cache=keep_cache,
        )
        return TextState(output.last_hidden_state, output.past_key_values if keep_cache else None)

    def hidden_states(self, batch: SpeechBatch) -> Tensor:
        """Last hidden states `[N, T, D]` of a whole batch; the head is not applied."""
        return self.run_text(self.embed(batch), batch.attention_mask).hidden

    def save(self, directory: Path) -> None:
        """Write config, weights (safetensors) and tokenizer into `directory`."""
        self.thinker.save_pretrained(directory, safe_serialization=True)
        self.tokenizer.save_pretrained(directory)

    @classmethod
    def load(cls, directory: Path, *, device: str | torch.device = "cpu") -> SpeechLM:
        """Read what `save` wrote, or a released Thinker of the same class.

        Raises `CheckpointError` when files are missing, the architecture is another one, or weights do not match.
        """
        directory = Path(directory)
        for name in ("config.json", "tokenizer.json"):
            if not (directory / name).is_file():
                raise CheckpointError(f"{directory}: no {name}; a speech LLM checkpoint has config, weights, tokenizer")
        try:
            config = AutoConfig.from_pretrained(directory)
        except (ValueError, KeyError, OSError) as error:
            raise CheckpointError(f"{directory}/config.json is no model configuration: {error}") from error
        if config.model_type != MODEL_TYPE:
            raise CheckpointError(f"{directory}: expected architecture {MODEL_TYPE}, found {config.model_type}")
        try:
            thinker, info = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(
                directory, config=config, use_safetensors=True, output_loading_info=True
            )
        except (OSError, RuntimeError, ValueError, SafetensorError) as error:
            raise CheckpointError(f"{directory}: weights cannot be loaded: {error}") from error
        missing = sorted(info["missing_keys"]) + sorted(str(key) for key in info["mismatched_keys"])
        if missing or info["unexpected_keys"]:
            wrong = (missing + sorted(info["unexpected_keys"]))[:3]
            raise CheckpointError(f"{directory}: weights do not fit the configuration, for example {wrong}")
        tokenizer = PreTrainedTokenizerFast.from_pretrained(directory)
        return cls(thinker, tokenizer).to(device)


def _submodule(model: nn.Module, name: str) -> nn.Module:
    for path, module in model.named_modules():
        if path.rpartition(".")[2] == name:
            return module
    raise SpeechLMError(f"{type(model).__name__} has no submodule named {name!r}")
