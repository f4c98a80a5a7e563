"""`SpeechLM`: a Qwen2.5-Omni Thinker with its tokenizer, driven for speech in and text out.

The towers are called one after the other instead of through the Thinker's own `forward`, so that a clip is encoded
once however many answers follow it. For audio and text alone the Thinker's three rotary axes carry the same
positions, so one running index serves all three.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache, PreTrainedModel, PreTrainedTokenizerFast

from speechlm.attention import float32_attention
from speechlm.errors import AudioInputError, BatchError, SpeechLMError
from speechlm.features import WHISPER, FeatureSpec, audio_token_count
from speechlm.metadata import TrainState
from speechlm.packed import PackedGroup, pack
from speechlm.packed_attention import layout_of, packed_attention
from speechlm.prompt import SpeechBatch, collate
from speechlm.tokenizer import AUDIO, PAD, TURN_END, token_id

MODEL_TYPE = "qwen2_5_omni_thinker"


@dataclass(frozen=True, slots=True, eq=False)
class TextState:
    """What the text tower returns: `hidden[N, T, D]` and, when asked for, the key/value cache after it."""

    hidden: Tensor
    cache: Cache | None


class SpeechLM(nn.Module):
    """A speech LLM: audio tower, text tower and head of one Thinker, and the tokenizer they were trained with.

    Raises `SpeechLMError` for a model of another class and for a tokenizer that does not belong to it.
    """

    def __init__(self, thinker: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
        super().__init__()
        if thinker.config.model_type != MODEL_TYPE:
            raise SpeechLMError(f"need a {MODEL_TYPE} model, got {thinker.config.model_type}")
        embeddings = thinker.config.text_config.vocab_size
        if len(tokenizer) > embeddings:
            raise SpeechLMError(f"the tokenizer has {len(tokenizer)} tokens, the model embeds only {embeddings}")
        self.thinker = thinker
        self.tokenizer = tokenizer
        self.pad_id = token_id(tokenizer, PAD)
        self.end_id = token_id(tokenizer, TURN_END)
        self.audio_id = token_id(tokenizer, AUDIO)
        self.train_state = TrainState()
        self.kept_states: Callable[[Tensor, Tensor], Tensor | None] | None = None
        self.eval()  # transformers' loaded models are in evaluation mode, new ones are not: here all start alike

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
    def head_is_tied(self) -> bool:
        """Whether the head's weights are those of the embeddings."""
        return self.head.weight is self.thinker.get_input_embeddings().weight

    @property
    def features(self) -> FeatureSpec:
        """The log-mel features that the audio tower reads.

        Released and grafted models name no window in their configuration: they mean Whisper's, with silence after it; a
        grafted one says how it wants silence trimmed.
        """
        config = self.thinker.config
        return FeatureSpec(
            num_mel_bins=int(config.audio_config.num_mel_bins),
            window_samples=int(getattr(config, "audio_feature_window", WHISPER.window_samples)),
            hop_samples=int(getattr(config, "audio_feature_hop", WHISPER.hop_samples)),
            silence_behind=not hasattr(config, "audio_feature_window"),
            trim_db=getattr(config, "audio_feature_trim_db", None),
        )

    @property
    def system(self) -> str | None:
        """The message before every turn; a part of the configuration, as released models were trained."""
        message: str | None = getattr(self.thinker.config, "system_message", None)
        return message

    @system.setter
    def system(self, message: str | None) -> None:
        self.thinker.config.system_message = message

    @property
    def max_tokens(self) -> int:
        """Tokens that a row may have, audio tokens included."""
        return int(self.thinker.config.text_config.max_position_embeddings)

    @property
    def device(self) -> torch.device:
        """The device that the weights are on."""
        return self.head.weight.device

    def collate(
        self,
        features: list[Tensor],
        questions: list[str],
        completions: Sequence[str | list[int]] | None = None,
        *,
        audio_index: Sequence[int | None] | None = None,
    ) -> SpeechBatch:
        """`speechlm.prompt.collate` with this model's tokenizer and system message, on this model's device.

        Raises `BatchError`, besides what `collate` raises, for a row of more than `max_tokens` tokens.
        """
        batch = collate(self.tokenizer, features, questions, completions, audio_index=audio_index, system=self.system)
        self._check_length(batch.input_ids.shape[1])
        return batch.to(self.device)

    def pack(
        self,
        features: list[Tensor],
        questions: list[str],
        completions: Sequence[Sequence[str | list[int]]],
    ) -> PackedGroup:
        """`speechlm.packed.pack` with this model's tokenizer and system message, on this model's device.

        Raises `BatchError`, besides what `pack` raises, for a prompt and answer of more than `max_tokens` tokens.
        """
        packed = pack(self.tokenizer, features, questions, completions, system=self.system)
        self._check_length(int(packed.positions.max()) + 1)
        return packed.to(self.device)

    def _check_length(self, longest: int) -> None:
        if longest > self.max_tokens:
            raise BatchError(f"a row has {longest} tokens, the model takes at most {self.max_tokens}: shorten its text")

    def encode_audio(self, features: Tensor, feature_lengths: Tensor) -> Tensor:
        """Audio tokens of all clips, one after the other: `[sum of audio tokens, D]`.

        `features[clips, n_mels, frames]` are log-mel values, `feature_lengths[clips]` their true frame counts. A
        configuration may hold an `audio_feature_gain` that they are multiplied with; released models have none.
        Where `kept_states` gives the `encoder_states` of all clips, one after the other, only the projection is run.
        Raises `AudioInputError` when the features have another mel count than the audio tower reads.
        """
        if features.shape[1] != self.features.num_mel_bins:
            raise AudioInputError(
                f"features have {features.shape[1]} mel bins, the model reads {self.features.num_mel_bins}"
            )
        kept = None if self.kept_states is None else self.kept_states(features, feature_lengths)
        if kept is not None:
            return self.audio_tower.proj(kept)  # type: ignore[no-any-return, operator]
        real = torch.arange(features.shape[-1], device=features.device) < feature_lengths[:, None]
        gain = getattr(self.thinker.config, "audio_feature_gain", 1.0)
        flat = (gain * features).permute(0, 2, 1)[real].permute(1, 0).to(self.head.weight.dtype)
        encoded = self.audio_tower(flat, feature_lens=feature_lengths, aftercnn_lens=(feature_lengths - 1) // 2 + 1)
        return encoded.last_hidden_state  # type: ignore[no-any-return]

    @torch.no_grad()
    def encoder_states(self, features: Tensor, feature_lengths: Tensor) -> list[Tensor]:
        """What the encoder makes of each clip before the projection, `[audio tokens, encoder width]`; takes what
        `encode_audio` takes.
        """
        caught: list[Tensor] = []
        hook = self.audio_tower.proj.register_forward_pre_hook(  # type: ignore[union-attr]
            lambda _, given: caught.append(given[0])
        )
        try:
            self.encode_audio(features, feature_lengths)
        finally:
            hook.remove()
        counts = [audio_token_count(frames) for frames in feature_lengths.tolist()]
        return list(torch.split(caught[0], counts))

    def embed_tokens(self, input_ids: Tensor) -> Tensor:
        """Embeddings `[..., D]` of token ids `int64[...]`."""
        embedded: Tensor = self.thinker.get_input_embeddings()(input_ids)
        return embedded

    def embed(self, batch: SpeechBatch) -> Tensor:
        """Input embeddings `[N, T, D]`: text tokens looked up, audio placeholders filled with encoded audio.

        A completion has no placeholders: a placeholder token that a policy samples is a token like any other.
        Raises `BatchError` when placeholders, `audio_gather` and encoded audio do not match: every placeholder holds an
        audio token and every audio token is used (transformers itself misaligns silently when there are too many).
        Raises `AudioInputError` as `encode_audio` does.
        """
        embedded = self.embed_tokens(batch.input_ids)
        if batch.feature_lengths.numel():
            audio = self.encode_audio(batch.features, batch.feature_lengths)
        else:
            audio = embedded.new_zeros(0, embedded.shape[-1])
        place = (batch.input_ids == self.audio_id) & ~batch.completion_mask
        placeholders, needed = int(place.sum()), batch.audio_gather.numel()
        uses = torch.bincount(batch.audio_gather, minlength=len(audio))
        if placeholders != needed or len(uses) != len(audio) or not bool(uses.all()):
            raise BatchError(f"{placeholders} audio placeholders for {needed} audio tokens ({len(audio)} encoded)")
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
        with float32_attention(self.text_tower):
            output = self.text_tower(
                inputs_embeds=embedded,
                attention_mask=attention_mask,
                position_ids=positions.expand(3, *positions.shape),
                past_key_values=cache,
                use_cache=keep_cache,
            )
        return TextState(output.last_hidden_state, output.past_key_values if keep_cache else None)

    def forward(self, batch: SpeechBatch | PackedGroup, embedded: Tensor | None = None) -> Tensor:
        """Last hidden states `[N, T, D]` of a batch or of packed groups; the head is not applied.

        `embedded` is what `embed` gives for it, where that is needed elsewhere, too.
        """
        if embedded is None:
            embedded = self.embed(batch if isinstance(batch, SpeechBatch) else batch.batch)
        if isinstance(batch, SpeechBatch):
            return self.run_text(embedded, batch.attention_mask).hidden
        with packed_attention(self.text_tower) as by_layout:
            if by_layout:
                layout = layout_of(batch.group, batch.answer, answers=batch.answers)
                attention: dict[str, Any] = {"attention_mask": {"full_attention": None}, "packed_layout": layout}
            else:  # a dense mask that is added to the scores: 0 where a token is seen, the lowest number elsewhere
                unseen = batch.visible().logical_not_()
                bias = embedded.new_zeros(unseen.shape).masked_fill_(unseen, torch.finfo(embedded.dtype).min)
                attention = {"attention_mask": bias[:, None]}
            output = self.text_tower(
                inputs_embeds=embedded,
                position_ids=batch.positions.expand(3, *batch.positions.shape),
                use_cache=False,
                **attention,
            )
        return output.last_hidden_state  # type: ignore[no-any-return]


def _submodule(model: nn.Module, name: str) -> nn.Module:
    for path, module in model.named_modules():
        if path.rpartition(".")[2] == name:
            found: nn.Module = module
            return found
    raise SpeechLMError(f"{type(model).__name__} has no submodule named {name!r}")
