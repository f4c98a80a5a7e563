"""Rows as ChatML writes them, worked by hand; untrusted text; batches that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from speechlm import AudioInputError, BatchError, SpeechLM, collate, train_tokenizer
from speechlm.tokenizer import SPECIAL_TOKENS

ClipMaker = Callable[..., list[Tensor]]
Q = "How does it sound?"
# 8 frames are 2 audio tokens: ((8 - 1) // 2 + 1 - 2) // 2 + 1.
PROMPT = f"<|im_start|>user\n<|audio_bos|><|AUDIO|><|AUDIO|><|audio_eos|>{Q}<|im_end|>\n<|im_start|>assistant\n"
TOKENIZER = train_tokenizer([Q], vocab_size=300)


def test_a_row_is_one_turn_of_chatml(tokenizer: PreTrainedTokenizerFast, clips: ClipMaker) -> None:
    """Qwen's layout, written out."""
    batch = collate(tokenizer, clips(8), [Q], ["It sounds sad."])
    (row,), (mask,) = batch.input_ids, batch.completion_mask
    assert tokenizer.decode(row) == PROMPT + "It sounds sad.<|im_end|>"
    assert tokenizer.decode(row[mask]) == "It sounds sad.<|im_end|>"
    assert batch.attention_mask.all()
    assert batch.completion_mask.dtype is torch.bool


def test_prompts_are_padded_on_the_left_and_completions_on_the_right(
    tokenizer: PreTrainedTokenizerFast, clips: ClipMaker
) -> None:
    """The shorter row's tokens are those it has alone."""
    alone = collate(tokenizer, clips(8), [Q]).input_ids[0]
    prompts = collate(tokenizer, clips(8, 8), [Q, Q + Q])
    width = prompts.input_ids.shape[1]
    padding = [tokenizer.pad_token_id] * (width - len(alone))
    assert padding
    assert prompts.input_ids[0].tolist() == padding + alone.tolist()
    assert prompts.attention_mask[0].tolist() == [0] * len(padding) + [1] * len(alone)
    assert not prompts.completion_mask.any()

    full = collate(tokenizer, clips(8, 8), [Q, Q], ["Sad.", "It sounds very sad."])
    short = collate(tokenizer, clips(8), [Q], ["Sad."]).input_ids[0]
    assert full.input_ids[0, : len(short)].tolist() == short.tolist()
    assert full.attention_mask.sum(1).tolist() == [len(short), full.input_ids.shape[1]]
    assert full.completion_mask[0].nonzero().flatten().tolist() == list(range(len(alone), len(short)))


def test_rows_that_hear_the_same_clip_point_to_the_same_tokens(
    tokenizer: PreTrainedTokenizerFast, clips: ClipMaker
) -> None:
    """Clips of 4 and 8 frames make the tokens 0 and 1, 2; rows hear the second, the first, the second."""
    batch = collate(tokenizer, clips(4, 8), [Q] * 3, audio_index=[1, 0, 1])
    assert batch.audio_gather.tolist() == [1, 2, 0, 1, 2]
    assert batch.features.shape == (2, 16, 8)
    assert batch.feature_lengths.tolist() == [4, 8]


def test_a_system_message_stands_before_every_turn(tokenizer: PreTrainedTokenizerFast, clips: ClipMaker) -> None:
    """Qwen's layout, written out; an empty message is one too."""
    batch = collate(tokenizer, clips(8), [Q], system="Listen.")
    assert tokenizer.decode(batch.input_ids[0]) == "<|im_start|>system\nListen.<|im_end|>\n" + PROMPT
    batch = collate(tokenizer, clips(8), [Q], system="")
    assert tokenizer.decode(batch.input_ids[0]) == "<|im_start|>system\n<|im_end|>\n" + PROMPT


def test_a_row_may_be_text_alone(tokenizer: PreTrainedTokenizerFast, clips: ClipMaker, model: SpeechLM) -> None:
    """No clip, no place for one; beside a clip and without any, a row of text has the states that it has alone."""
    batch = collate(tokenizer, clips(8), [Q, Q], ["Sad.", "Sad."], audio_index=[0, None])
    row = batch.input_ids[1][batch.attention_mask[1].bool()]
    assert tokenizer.decode(row) == f"<|im_start|>user\n{Q}<|im_end|>\n<|im_start|>assistant\nSad.<|im_end|>"
    alone = model.collate([], [Q], ["Sad."], audio_index=[None])
    mixed = model.collate(clips(8), [Q, Q], ["Sad.", "Sad."], audio_index=[0, None])
    torch.testing.assert_close(model(alone)[0], model(mixed)[1, : len(row)], rtol=1e-4, atol=1e-5)


def test_sampled_tokens_are_not_touched(tokenizer: PreTrainedTokenizerFast, clips: ClipMaker) -> None:
    """Neither is an end token added nor a special one taken out: what was sampled is what is scored."""
    sampled = [5, tokenizer.convert_tokens_to_ids("<|AUDIO|>"), 9]
    batch = collate(tokenizer, clips(8, 8), [Q, Q], [sampled, []])
    assert batch.input_ids[0][batch.completion_mask[0]].tolist() == sampled
    assert not batch.completion_mask[1].any()
    assert sampled == [5, tokenizer.convert_tokens_to_ids("<|AUDIO|>"), 9]


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_special_tokens_spelled_in_a_text_are_letters(data: st.DataObject) -> None:
    """A row has the special tokens of an empty row and no other; the texts themselves come back whole."""
    text = st.lists(st.one_of(st.sampled_from(SPECIAL_TOKENS), st.text(max_size=3)), max_size=5).map("".join)
    question, completion = data.draw(text), data.draw(text)
    special = torch.tensor([TOKENIZER.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS])
    clip = [torch.zeros(16, 8)]
    batch, empty = collate(TOKENIZER, clip, [question], [completion]), collate(TOKENIZER, clip, [""], [""])
    found, expected = (b.input_ids[torch.isin(b.input_ids, special)] for b in (batch, empty))
    assert found.tolist() == expected.tolist()
    assert TOKENIZER.decode(batch.input_ids[0]) == PROMPT.replace(Q, question) + completion + "<|im_end|>"
    assert TOKENIZER.decode(batch.input_ids[batch.completion_mask]) == completion + "<|im_end|>"


def test_to_moves_every_tensor(tokenizer: PreTrainedTokenizerFast, clips: ClipMaker) -> None:
    moved = collate(tokenizer, clips(8), [Q]).to("meta")
    assert {getattr(moved, name).device.type for name in moved.__slots__} == {"meta"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"questions": []}, "no questions"),
        ({"questions": [Q] * 3}, r"3 questions need as many clips.*: 2"),
        ({"completions": ["a"]}, "2 questions need as many completions, got 1"),
        ({"audio_index": [0]}, "2 questions need as many clips"),
        ({"audio_index": [0, 2]}, "row 1 names clip 2, but there are 2 clips"),
        ({"audio_index": [-1, 0]}, "row 0 names clip -1"),
        ({"questions": [Q, "\udfff"]}, "cannot be encoded"),
    ],
)
def test_what_makes_no_batch_is_refused(
    tokenizer: PreTrainedTokenizerFast, clips: ClipMaker, options: dict[str, Any], message: str
) -> None:
    given_ = {"questions": [Q, Q], "completions": None, "audio_index": None} | options
    with pytest.raises(BatchError, match=message):
        collate(tokenizer, clips(8, 8), given_["questions"], given_["completions"], audio_index=given_["audio_index"])


def test_no_clips_are_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(BatchError, match="1 questions need as many clips"):
        collate(tokenizer, [], [Q])
    with pytest.raises(BatchError, match="there are 0 clips"):
        collate(tokenizer, [], [Q], audio_index=[0])
    with pytest.raises(AudioInputError, match="clip 0 has 1 frames"):
        collate(tokenizer, [torch.zeros(16, 1)], [Q])


def test_a_row_longer_than_the_model_takes_is_refused(model: SpeechLM, clips: ClipMaker) -> None:
    """4096 positions. The bytes of å are in no merge, so its 2 bytes are 2 tokens; the longest row passes."""
    frame = model.collate(clips(8), [""]).input_ids.shape[1]
    assert model.collate(clips(8), ["å" * ((4096 - frame) // 2)]).input_ids.shape[1] in (4095, 4096)
    with pytest.raises(BatchError, match="at most 4096"):
        model.collate(clips(8), ["å" * ((4096 - frame) // 2 + 1)])
