"""The check of what a model still can: perplexity and word error rate against values worked another way."""

from __future__ import annotations

import pytest
import torch

from cotgen.tasks.scoring import word_errors
from policy import Sampler
from speech_records import Emotion, MeasuredUtterance, ProsodyProfile, Utterance
from speechlm import PocketSize, SpeechLM, load_preset
from speechlm.tokenizer import text_ids
from trainer.families import ASR_QUESTION
from trainer.forgetting import ANSWER_TOKENS, TEXTS, check_forgetting, text_perplexity

SAID = ("kids are talking", "dogs sit", None)


def model() -> SpeechLM:
    size = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
    return load_preset("pocket", seed=0, size=size, texts=["kids are talking dogs sit"], vocab_size=280)


def test_a_head_that_knows_nothing_has_the_perplexity_of_its_vocabulary() -> None:
    """Equal scores for all tokens: the perplexity is their number, whatever the texts and their lengths."""
    blank = model()
    torch.nn.init.zeros_(blank.head.weight)
    found, tokens = text_perplexity(blank, TEXTS[:3])
    assert found == pytest.approx(blank.head.weight.shape[0], rel=1e-5)
    assert tokens == sum(len(text_ids(blank.tokenizer, text)) - 1 for text in TEXTS[:3])


def test_texts_of_different_lengths_do_not_disturb_one_another() -> None:
    """Two texts together have the mean log of what each has alone, weighted by tokens."""
    some = model()
    (first, n), (second, m) = (text_perplexity(some, [text]) for text in TEXTS[:2])
    both, tokens = text_perplexity(some, TEXTS[:2])
    assert tokens == n + m
    assert torch.tensor(both).log() == pytest.approx(
        float((n * torch.tensor(first).log() + m * torch.tensor(second).log()) / tokens), rel=1e-4
    )


def test_the_word_error_rate_is_over_all_words() -> None:
    """Truth: every clip transcribed by itself; the one without a transcript is not asked."""
    some = model()
    clips = [
        MeasuredUtterance(
            Utterance(f"u{i}", "made", f"u{i}.wav", f"s{i}", Emotion.SAD, transcript=text), ProsodyProfile(1.0, 16_000)
        )
        for i, text in enumerate(SAID)
    ]
    generator = torch.Generator().manual_seed(0)
    features = {f"u{i}": torch.rand(16, 40 + 8 * i, generator=generator).half() for i in range(3)}
    wrong = 0
    for i, text in enumerate(SAID[:2]):
        rollout = Sampler(some).sample(
            [features[f"u{i}"].float()], [ASR_QUESTION], temperature=0.0, max_new_tokens=ANSWER_TOKENS
        )
        wrong += word_errors(text or "", rollout.texts[0][0])[0]
    found = check_forgetting(some, clips, features, seed=0, what="transcripts")
    assert found.words == 5
    assert found.word_error_rate is not None
    assert found.word_error_rate.value == pytest.approx(wrong / 5)
