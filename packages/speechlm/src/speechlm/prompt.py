"""Where a clip becomes a prompt: `collate` writes clip, question and completion as the tensors of one forward pass.

Sampling, training and the reward model all come through here (`SpeechLM.collate`; `SpeechLM.pack` calls it too):

1. `speechlm.features.log_mel` makes log-mel frames of the samples, `[n_mels, frames]`.
2. `collate` writes one turn of ChatML per row, the layout that Qwen models were trained on, with one `<|AUDIO|>`
   placeholder for every audio token that the encoder will make of the frames (`audio_token_count`):

       <|im_start|>system ⏎ system message <|im_end|> ⏎                                     (if there is a message)
       <|im_start|>user ⏎ <|audio_bos|> <|AUDIO|> … <|audio_eos|> question <|im_end|> ⏎
       <|im_start|>assistant ⏎ completion <|im_end|>

3. `SpeechLM.embed` encodes every clip once and puts the encoded audio where the placeholders are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import accumulate

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from speechlm.errors import BatchError
from speechlm.features import audio_token_count, pad_features
from speechlm.tokenizer import AUDIO, AUDIO_END, AUDIO_START, PAD, TURN_END, TURN_START, text_ids, token_id


@dataclass(frozen=True, slots=True, eq=False)
class SpeechBatch:
    """Tensors of one forward pass over N rows of T tokens about C clips.

    - `input_ids` int64[N, T], `attention_mask` int64[N, T] (1 on real tokens)
    - `completion_mask` bool[N, T]: tokens of the completion, its end token included
    - `features` float[C, n_mels, frames], `feature_lengths` int64[C]
    - `audio_gather` int64[audio placeholders]: which encoded audio token each placeholder holds, in row order;
      rows about the same clip point to the same tokens, so a clip is encoded once
    """

    input_ids: Tensor
    attention_mask: Tensor
    completion_mask: Tensor
    features: Tensor
    feature_lengths: Tensor
    audio_gather: Tensor

    def to(self, device: torch.device | str) -> SpeechBatch:
        """The same batch on another device."""
        return SpeechBatch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def collate(
    tokenizer: PreTrainedTokenizerFast,
    features: list[Tensor],
    questions: list[str],
    completions: Sequence[str | list[int]] | None = None,
    *,
    audio_index: Sequence[int | None] | None = None,
    system: str | None = None,
) -> SpeechBatch:
    """Build a batch of one row per question.

    `features` are log-mel clips `[n_mels, frames]`; row i is about clip `audio_index[i]`, by default clip i, or is text
    alone where that is `None`. `system` is the message before every turn. A completion is text, which gets an end
    token, or the very token ids that were sampled, which are not changed.
    Without `completions` rows end where the answer begins and are padded on the left, ready for sampling; with
    them rows are padded on the right. Text is untrusted: special tokens spelled out inside it are not honoured.

    Raises `BatchError` when there is no question, counts differ, a row names a clip that does not exist, or a text
    cannot be encoded; `AudioInputError` for clips that cannot be stacked (`pad_features`).
    """
    clip_of_row: list[int | None] = list(range(len(features)) if audio_index is None else audio_index)
    _check_counts(len(features), len(questions), clip_of_row, completions)
    if features:
        padded, lengths = pad_features(features)
    else:
        padded, lengths = torch.zeros(0, 0, 0), torch.zeros(0, dtype=torch.long)
    counts = [audio_token_count(frames) for frames in lengths.tolist()]
    audio = [None if c is None else counts[c] for c in clip_of_row]
    rows = [prompt_ids(tokenizer, tokens, q, system) for tokens, q in zip(audio, questions, strict=True)]
    ends = [completion_ids(tokenizer, c) for c in completions] if completions is not None else [[] for _ in rows]
    width = max(len(row) + len(end) for row, end in zip(rows, ends, strict=True))
    input_ids = torch.full((len(rows), width), token_id(tokenizer, PAD), dtype=torch.long)
    attention_mask = torch.zeros_like(input_ids)
    completion_mask = torch.zeros_like(input_ids, dtype=torch.bool)
    for i, (row, end) in enumerate(zip(rows, ends, strict=True)):
        # Left padding for sampling: all rows then go on from the last column. Right padding where answers are scored.
        start = width - len(row) if completions is None else 0
        stop = start + len(row) + len(end)
        input_ids[i, start:stop] = torch.tensor(row + end)
        attention_mask[i, start:stop] = 1
        completion_mask[i, stop - len(end) : stop] = True
    offsets = [0, *accumulate(counts)]
    placed = [torch.arange(offsets[clip], offsets[clip + 1]) for clip in clip_of_row if clip is not None]
    gather = torch.cat([torch.zeros(0, dtype=torch.long), *placed])
    return SpeechBatch(input_ids, attention_mask, completion_mask, padded, lengths, gather)


def prompt_ids(
    tokenizer: PreTrainedTokenizerFast, audio_tokens: int | None, question: str, system: str | None = None
) -> list[int]:
    """Token ids of one prompt: a clip of `audio_tokens` placeholders, or none, and a question, up to where the answer
    begins.
    """

    def special(token: str) -> int:
        return token_id(tokenizer, token)

    before: list[int] = []
    if system is not None:
        before = [special(TURN_START), *text_ids(tokenizer, f"system\n{system}"), special(TURN_END)]
        before += text_ids(tokenizer, "\n")
    clip: list[int] = []
    if audio_tokens is not None:
        clip = [special(AUDIO_START), *[special(AUDIO)] * audio_tokens, special(AUDIO_END)]
    return [
        *before,
        special(TURN_START),
        *text_ids(tokenizer, "user\n"),
        *clip,
        *text_ids(tokenizer, question),
        special(TURN_END),
        *text_ids(tokenizer, "\n"),
        special(TURN_START),
        *text_ids(tokenizer, "assistant\n"),
    ]


def completion_ids(tokenizer: PreTrainedTokenizerFast, completion: str | list[int]) -> list[int]:
    """Token ids of an answer: of text with its end token, or the sampled ids as they are."""
    if not isinstance(completion, str):
        return completion
    return [*text_ids(tokenizer, completion), token_id(tokenizer, TURN_END)]


def _check_counts(
    clips: int, questions: int, clip_of_row: list[int | None], completions: Sequence[str | list[int]] | None
) -> None:
    if not questions:
        raise BatchError("no questions: a batch needs at least one row")
    if len(clip_of_row) != questions:
        raise BatchError(f"{questions} questions need as many clips (or entries of audio_index): {len(clip_of_row)}")
    if completions is not None and len(completions) != questions:
        raise BatchError(f"{questions} questions need as many completions, got {len(completions)}")
    for i, clip in enumerate(clip_of_row):
        if clip is not None and not 0 <= clip < clips:
            raise BatchError(f"row {i} names clip {clip}, but there are {clips} clips")
