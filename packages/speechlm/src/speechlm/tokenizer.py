"""The text side's tokens: a small byte-level BPE with the special tokens of Qwen2.5-Omni.

Tokenizers of released models are loaded as they are; both kinds answer to the same names below.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from speechlm.errors import BatchError, SpeechLMError

PAD = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
AUDIO = "<|AUDIO|>"
AUDIO_START = "<|audio_bos|>"
AUDIO_END = "<|audio_eos|>"
IMAGE = "<|IMAGE|>"
VIDEO = "<|VIDEO|>"
VISION_START = "<|vision_bos|>"
SPECIAL_TOKENS = (PAD, TURN_START, TURN_END, AUDIO, AUDIO_START, AUDIO_END, IMAGE, VIDEO, VISION_START)
FORM_TOKENS = ("<think>", "</think>", "<answer>", "</answer>")
"""One token each, but ordinary text: they are decoded, sampled and checked like any word."""


def train_tokenizer(texts: Iterable[str], *, vocab_size: int = 1024) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE of at most `vocab_size` tokens on `texts`.

    Any text can be encoded and comes back the same; the same texts give the same tokenizer. Raises `SpeechLMError`
    when `vocab_size` is too small for the 256 bytes and the fixed tokens, or `texts` is one text.

    >>> tokenizer = train_tokenizer(["the pitch is high", "the voice is loud"], vocab_size=300)
    >>> tokenizer.decode(tokenizer.encode("<think>the pitch</think> ü"))
    '<think>the pitch</think> ü'
    """
    fixed = len(SPECIAL_TOKENS) + len(FORM_TOKENS) + 256
    if vocab_size < fixed:
        raise SpeechLMError(f"vocab_size must be at least {fixed} (bytes and special tokens), got {vocab_size}")
    if isinstance(texts, str):  # an iterable of letters, of which nothing could be learned
        raise SpeechLMError("texts must be several, for example a list of them, not one str")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(FORM_TOKENS),
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=TURN_END,
        extra_special_tokens=[t for t in SPECIAL_TOKENS if t not in (PAD, TURN_END)],
        clean_up_tokenization_spaces=False,
    )
    fast.add_tokens(list(FORM_TOKENS))
    return fast


def token_id(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    """The id of a token that must exist. Raises `SpeechLMError` naming it when it does not."""
    found = tokenizer.convert_tokens_to_ids(token)
    if not isinstance(found, int) or found == tokenizer.unk_token_id:
        raise SpeechLMError(f"the tokenizer has no token {token!r}; it is not the tokenizer of a speech LLM")
    return found


def text_ids(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    """Token ids of untrusted text: special tokens that are spelled out in it are encoded as the letters they are.

    Raises `BatchError` for text that is not valid Unicode (lone surrogates, which JSON can smuggle in).
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BatchError(f"text cannot be encoded: {error}") from error
    return list(_encoded(tokenizer, len(tokenizer), text))


@lru_cache(maxsize=4096)  # a prompt is the same few texts again and again, and encoding one costs 0.1 ms
def _encoded(tokenizer: PreTrainedTokenizerFast, size: int, text: str) -> tuple[int, ...]:
    """The ids of `text`; `size` tells a tokenizer from what it was before tokens were added to it."""
    del size
    return tuple(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))
