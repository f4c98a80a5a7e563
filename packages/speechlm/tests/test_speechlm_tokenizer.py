"""The tokenizer is lossless on any text, deterministic, and honours no special token inside a text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from speechlm import BatchError, SpeechLMError, train_tokenizer
from speechlm.tokenizer import FORM_TOKENS, SPECIAL_TOKENS, text_ids, token_id

# Any text, and texts full of what could be taken for tokens.
pieces = st.one_of(st.text(max_size=8), st.sampled_from((*SPECIAL_TOKENS, *FORM_TOKENS, " ", "\n", "<|", "|>")))
untrusted = st.lists(pieces, max_size=8).map("".join)
# Trained on texts that spell special tokens, which is the worst case.
TRAINED = train_tokenizer(["the pitch is high", *SPECIAL_TOKENS * 50, "<|im_end|><|im_end|>"], vocab_size=400)
SPECIAL_IDS = {TRAINED.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}


@settings(deadline=None, max_examples=100)
@given(text=untrusted)
def test_any_text_comes_back_and_none_of_it_is_special(text: str) -> None:
    """The reference is the text itself."""
    ids = text_ids(TRAINED, text)
    assert TRAINED.decode(ids) == text
    assert not SPECIAL_IDS & set(ids)


def test_form_tags_are_one_token_each_and_ordinary_text() -> None:
    """They survive decoding that skips special tokens; a special token does not."""
    for tag in FORM_TOKENS:
        (index,) = text_ids(TRAINED, tag)
        assert TRAINED.decode([index, token_id(TRAINED, "<|im_end|>")], skip_special_tokens=True) == tag


def test_the_same_texts_give_the_same_tokenizer() -> None:
    """Frequent ties (every word once) are where an unordered count would show."""
    texts = [f"word{i} other{i % 7}" for i in range(300)]
    first, second = (train_tokenizer(texts, vocab_size=500).backend_tokenizer.to_str() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("vocab_size", [269, 300])
def test_vocab_size_is_an_upper_bound(vocab_size: int) -> None:
    """269 = 256 bytes + 9 special tokens + 4 tags: the smallest; with it nothing is merged."""
    tokenizer = train_tokenizer(
        ["the pitch is high " * 999, *(f"w{i} x{i}" for i in range(500))], vocab_size=vocab_size
    )
    assert len(tokenizer) == vocab_size
    assert (len(text_ids(tokenizer, "the")) == 3) is (vocab_size == 269)


def test_no_texts_give_bytes() -> None:
    assert len(text_ids(train_tokenizer([], vocab_size=300), "äh")) == 3


def test_a_vocabulary_too_small_is_refused() -> None:
    with pytest.raises(SpeechLMError, match=r"at least 269.*got 268"):
        train_tokenizer(["a"], vocab_size=268)


def test_one_text_in_place_of_texts_is_refused() -> None:
    """Its letters, one by one, hold no pair to merge: a tokenizer of bytes, and nobody would know why."""
    with pytest.raises(SpeechLMError, match="texts must be several"):
        train_tokenizer("the pitch is high")


def test_text_that_is_no_unicode_is_refused() -> None:
    r"""A lone surrogate: what json.loads makes of "\ud800"."""
    with pytest.raises(BatchError, match="surrogates not allowed"):
        text_ids(TRAINED, "a\ud800b")


def test_a_tokenizer_without_our_tokens_is_refused() -> None:
    """With and without an unknown token to fall back on."""
    for unknown in ("<unk>", None):
        bare = Tokenizer(models.BPE(vocab={"a": 0, "<unk>": 1}, merges=[], unk_token=unknown))
        bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        with pytest.raises(SpeechLMError, match=r"no token '<\|AUDIO\|>'"):
            token_id(PreTrainedTokenizerFast(tokenizer_object=bare, unk_token=unknown), "<|AUDIO|>")


def test_ids_are_those_of_the_tokenizer_as_it_is() -> None:
    """Encoded texts are remembered: not what a caller makes of the ids, nor from before a token was added."""
    tokenizer = train_tokenizer(["the pitch is high"], vocab_size=280)
    first = text_ids(tokenizer, "a zebra")
    first.append(0)
    assert text_ids(tokenizer, "a zebra") == first[:-1]
    tokenizer.add_tokens(["zebra"])
    assert text_ids(tokenizer, "a zebra")[-1] == tokenizer.convert_tokens_to_ids("zebra")
