"""The driven towers against transformers' own forward; padding, shared clips and the cache change nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from speechlm import (
    AudioInputError,
    BatchError,
    PocketSize,
    SpeechBatch,
    SpeechLM,
    SpeechLMError,
    pocket,
    summarize,
    train_tokenizer,
)
from speechlm.pocket import FEATURE_GAIN

ClipMaker = Callable[..., list[Tensor]]
Q, LONG_Q = "How does it sound?", "How does the voice of the speaker sound?"


def own_logits(model: SpeechLM, batch: SpeechBatch) -> Tensor:
    """Logits of the Thinker's own forward, which computes its own positions; it wants one clip per row, and knows
    nothing of the gain."""
    frames = torch.arange(batch.features.shape[-1])
    logits: Tensor = model.thinker(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        input_features=FEATURE_GAIN * batch.features,
        feature_attention_mask=(frames < batch.feature_lengths[:, None]).long(),
    ).logits
    return logits


@pytest.mark.parametrize("completions", [None, ["It sounds sad."]], ids=["prompt", "completion"])
@torch.no_grad()
def test_one_clip_equals_the_thinkers_own_forward(
    model: SpeechLM, clips: ClipMaker, completions: list[str] | None
) -> None:
    batch = model.collate(clips(101), [Q], completions)
    ours, theirs = model.head(model(batch)), own_logits(model, batch)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    assert theirs.std() > 0.1  # logits that are all alike would agree about nothing


@pytest.mark.parametrize("completions", [None, ["Sad.", "The pitch is high."]], ids=["left", "right"])
@torch.no_grad()
def test_a_padded_batch_equals_the_thinkers_own_forward(
    model: SpeechLM, clips: ClipMaker, completions: list[str] | None
) -> None:
    batch = model.collate(clips(40, 101), [Q, LONG_Q], completions)
    assert not batch.attention_mask.all()
    real = batch.attention_mask.bool()
    torch.testing.assert_close(model.head(model(batch))[real], own_logits(model, batch)[real], atol=1e-5, rtol=0)


@pytest.mark.parametrize("completions", [None, ["Sad.", "The pitch is high.", "Loud"]], ids=["left", "right"])
@torch.no_grad()
def test_a_row_is_the_same_alone_and_in_a_batch(
    model: SpeechLM, clips: ClipMaker, completions: list[str] | None
) -> None:
    """A row alone is neither padded nor are its features."""
    features, questions = clips(40, 101, 12), [Q, LONG_Q, ""]
    batch = model.collate(features, questions, completions)
    together = model(batch)
    for i in range(3):
        alone = model.collate([features[i]], [questions[i]], completions and [completions[i]])
        assert alone.attention_mask.all()
        torch.testing.assert_close(together[i][batch.attention_mask[i].bool()], model(alone)[0], atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_clip_encoded_once_equals_the_clip_encoded_k_times(model: SpeechLM, clips: ClipMaker) -> None:
    """The audio tower's own count of the frames it was given says that it was once."""
    seen: list[int] = []
    model.audio_tower.register_forward_hook(
        lambda _module, _args, options, _output: seen.append(int(options["feature_lens"].sum())), with_kwargs=True
    )
    (clip,), answers = clips(40), ["Sad.", "The pitch is high.", "Loud"]
    shared = model(model.collate([clip], [Q] * 3, answers, audio_index=[0] * 3))
    copied = model(model.collate([clip] * 3, [Q] * 3, answers))
    torch.testing.assert_close(shared, copied, atol=1e-5, rtol=0)
    assert seen == [40, 120]


@torch.no_grad()
def test_clips_are_heard_by_the_rows_that_ask_for_them(model: SpeechLM, clips: ClipMaker) -> None:
    """Exchanging the clips and the index changes nothing; exchanging the clips alone does."""
    one, other = clips(40, 40)
    base = model(model.collate([one, other], [Q, Q]))
    same = model(model.collate([other, one], [Q, Q], audio_index=[1, 0]))
    torch.testing.assert_close(base, same, atol=1e-5, rtol=0)
    assert (base[0, -1] - base[1, -1]).abs().max() > 1e-2


@torch.no_grad()
def test_text_in_two_parts_behind_the_cache_equals_one_run(model: SpeechLM, clips: ClipMaker) -> None:
    """In rows of different padding; the cache is extended by the second part."""
    batch = model.collate(clips(40, 101), [Q, LONG_Q])
    embedded = model.embed(batch)
    more = model.embed_tokens(torch.tensor([[5, 9, 13], [21, 8, 5]]))
    whole = model.run_text(
        torch.cat([embedded, more], dim=1), torch.cat([batch.attention_mask, torch.ones(2, 3).long()], dim=1)
    )
    assert whole.cache is None

    prefix = model.run_text(embedded, batch.attention_mask, keep_cache=True)
    torch.testing.assert_close(prefix.hidden[:, -1], whole.hidden[:, -4], atol=1e-5, rtol=0)
    mask = torch.cat([batch.attention_mask, torch.ones(2, 3).long()], dim=1)
    rest = model.run_text(more, mask, cache=prefix.cache, keep_cache=True)
    torch.testing.assert_close(rest.hidden, whole.hidden[:, -3:], atol=1e-5, rtol=0)
    assert rest.cache is not None
    assert rest.cache.get_seq_length() == mask.shape[1]


def test_placeholders_without_audio_tokens_are_refused(model: SpeechLM, clips: ClipMaker) -> None:
    """8 frames make 2 audio tokens: one too few, one too many, and one that was never encoded."""
    batch = model.collate(clips(8), [Q])
    for gather, message in [([0], "2 audio placeholders for 1 "), ([0, 1, 1], "2 audio placeholders for 3 ")]:
        with pytest.raises(BatchError, match=message):
            model.embed(replace(batch, audio_gather=torch.tensor(gather)))
    with pytest.raises(BatchError, match=r"\(2 encoded\)"):
        model.embed(replace(batch, audio_gather=torch.tensor([0, 2])))


def test_a_placeholder_in_a_completion_is_a_token_like_any_other(model: SpeechLM, clips: ClipMaker) -> None:
    """A policy may sample it; its embedding is then that of the table, as it was while sampling."""
    batch = model.collate(clips(8), [Q], [[5, model.audio_id, 9]])
    expected = model.embed_tokens(torch.tensor([5, model.audio_id, 9]))
    assert torch.equal(model.embed(batch)[0, -3:], expected)


def test_features_of_another_mel_count_are_refused(model: SpeechLM, clips: ClipMaker) -> None:
    with pytest.raises(AudioInputError, match="80 mel bins, the model reads 16"):
        model(model.collate(clips(40, num_mel_bins=80), [Q]))


def test_gradients_reach_every_weight_that_is_run(model: SpeechLM, clips: ClipMaker) -> None:
    """All but the vision tower and the audio tower's two boundary embeddings, which text-only output does not use."""
    batch = model.collate(clips(40, 101), [Q, LONG_Q], ["Sad.", "The pitch is high."])
    model.head(model(batch))[batch.completion_mask].logsumexp(-1).sum().backward()
    silent = {name for name, p in model.thinker.named_parameters() if p.grad is None or not p.grad.any()}
    silent = {name for name in silent if "visual" not in name and "audio_bos_eos_token" not in name}
    assert silent == set()
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters())


def test_weights_are_those_of_the_seed(tokenizer: PreTrainedTokenizerFast) -> None:
    """The global random state neither matters nor moves."""
    size = PocketSize(32, 1, 32, 1, 16)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = pocket(tokenizer, seed=3, size=size).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second, other = (pocket(tokenizer, seed=seed, size=size).state_dict() for seed in (3, 4))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["thinker.lm_head.weight"], other["thinker.lm_head.weight"])


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (PocketSize(audio_width=40), "audio_width must be a multiple of 32, got 40"),
        (PocketSize(text_width=0), "text_width must be at least 1, got 0"),
        (PocketSize(text_layers=-1), "text_layers must be at least 1, got -1"),
    ],
)
def test_sizes_that_cannot_be_are_refused(tokenizer: PreTrainedTokenizerFast, size: PocketSize, message: str) -> None:
    with pytest.raises(SpeechLMError, match=message):
        pocket(tokenizer, seed=0, size=size)


def test_a_model_of_another_class_is_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    config = Qwen2Config(vocab_size=300, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    with pytest.raises(SpeechLMError, match="need a qwen2_5_omni_thinker model, got qwen2"):
        SpeechLM(Qwen2ForCausalLM(config), tokenizer)


def test_a_tokenizer_of_more_tokens_than_embeddings_is_refused(model: SpeechLM) -> None:
    larger = train_tokenizer([f"word{i}" for i in range(99)], vocab_size=330)
    with pytest.raises(SpeechLMError, match="330 tokens, the model embeds only 300"):
        SpeechLM(model.thinker, larger)


def test_summary_counts_by_hand(model: SpeechLM) -> None:
    """Text, V = 300, D = 64, 2 layers: attention 4 D² + 3 D biases, feed-forward 3 · D · 3 D, two norms of D;
    embeddings V · D, the last norm D; the head is the embeddings. Audio, D = 32, mel 16, 2 layers: convolutions of
    width 3, attention 4 D² with 3 biases (the key has none), feed-forward 2 · 4 D² + 5 D, two norms of 2 D; the last
    norm, the projection 32 → 64, two boundary embeddings of 64."""
    text = 2 * (4 * 64**2 + 3 * 64 + 9 * 64**2 + 2 * 64) + 300 * 64 + 64
    layer = 4 * 32**2 + 3 * 32 + 8 * 32**2 + 5 * 32 + 4 * 32
    audio = (3 * 16 * 32 + 32) + (3 * 32 * 32 + 32) + 2 * layer + 2 * 32 + (32 * 64 + 64) + 2 * 64
    summary = summarize(model)
    assert (summary.text_tower.layers, summary.text_tower.width, summary.text_tower.attention_heads) == (2, 64, 2)
    assert (summary.audio_tower.layers, summary.audio_tower.width, summary.audio_tower.attention_heads) == (2, 32, 1)
    assert summary.text_tower.parameters == text
    assert summary.audio_tower.parameters == audio
    assert summary.parameters == sum(p.numel() for p in model.parameters())
    assert summary.unused_parameters == summary.parameters - text - audio
    assert (summary.head_is_tied, summary.vocabulary, summary.embeddings) == (True, 300, 300)
    assert summary.special_tokens["<|AUDIO|>"] == model.audio_id


def test_a_head_of_its_own_is_counted(model: SpeechLM) -> None:
    """Untying adds V · D parameters to the model and none to what is never run."""
    tied = summarize(model)
    model.thinker.lm_head.weight = nn.Parameter(model.head.weight.detach().clone())
    untied = summarize(model)
    assert not untied.head_is_tied
    assert untied.parameters - tied.parameters == 300 * 64
    assert untied.unused_parameters == tied.unused_parameters


def test_the_default_pocket_is_of_a_few_million_parameters(tokenizer: PreTrainedTokenizerFast) -> None:
    """By the counts above: 3 audio layers of width 128, 4 text layers of width 160, V = 300."""
    text = 4 * (13 * 160**2 + 5 * 160) + 300 * 160 + 160
    convolutions = (3 * 128 * 128 + 128) + (3 * 128**2 + 128)
    audio = convolutions + 3 * (12 * 128**2 + 12 * 128) + 2 * 128 + (128 * 160 + 160) + 2 * 160
    summary = summarize(pocket(tokenizer, seed=0))
    assert summary.text_tower.parameters + summary.audio_tower.parameters == text + audio
    assert 2e6 < text + audio < 5e6


@torch.no_grad()
def test_a_configuration_without_a_gain_hears_features_as_they_are(model: SpeechLM, clips: ClipMaker) -> None:
    """As released models do; the gain is a plain factor on the features."""
    (clip,) = clips(40)
    expected = model.encode_audio(clip[None], torch.tensor([40]))
    del model.thinker.config.audio_feature_gain
    found = model.encode_audio(FEATURE_GAIN * clip[None], torch.tensor([40]))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
