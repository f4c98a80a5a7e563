"""vLLM's answers against those of `Sampler`, and its log-probabilities against teacher forcing, in one engine.

Tolerance: float32 log-probabilities of the two programs differed by at most 5e-6 nats; 5e-5 is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import Tensor

from policy import (
    OptionError,
    PolicyError,
    Rollout,
    Sampler,
    VLLMSampler,
    importance_weights,
    logprob_mismatch,
    sequence_logprobs,
)
from speechlm import PocketSize, SpeechLM, add_lora

# vLLM and what it imports warn of their own deprecations while they are loaded.
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(find_spec("vllm") is None, reason="needs vLLM: make test-vllm"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
ClipMaker = Callable[..., list[Tensor]]
Lively = Callable[..., SpeechLM]
QUESTIONS = ["How does it sound?", "How does the voice of the speaker sound?"]
TOLERANCE = 5e-5
ROOM = 512
ENGINE: dict[str, Any] = {"max_tokens": ROOM, "cache_bytes": 1 << 27, "enforce_eager": True}


@pytest.fixture(scope="module")
def engine(lively: Lively) -> Iterator[VLLMSampler]:
    built = VLLMSampler(lively(0), **ENGINE)
    yield built
    built.close()


@pytest.fixture
def sampler(engine: VLLMSampler, lively: Lively) -> VLLMSampler:
    """The engine of the module with weights that no test has changed."""
    engine.update_weights(lively(0))
    return engine


def sampled_ids(rollout: Rollout) -> list[list[int]]:
    pairs = zip(rollout.tokens.flatten(0, 1), rollout.mask.flatten(0, 1), strict=True)
    return [tokens[mask].tolist() for tokens, mask in pairs]


def scored(model: SpeechLM, features: list[Tensor], rollout: Rollout, temperature: float = 1.0) -> Tensor:
    """What the trainer gives to the rollout's tokens, `[B, K, T]`."""
    b, k, _ = rollout.tokens.shape
    questions, clip = [q for q in QUESTIONS[:b] for _ in range(k)], [i for i in range(b) for _ in range(k)]
    batch = model.collate(features, questions, sampled_ids(rollout), audio_index=clip)
    with torch.no_grad():
        scores = sequence_logprobs(model, batch, temperature=temperature)
    return torch.zeros_like(rollout.logprobs).masked_scatter(rollout.mask, scores[batch.completion_mask])


def test_greedy_answers_are_those_of_our_sampler(sampler: VLLMSampler, clips: ClipMaker) -> None:
    """`Sampler`'s greedy answers equal transformers' `generate` (its own tests); two prompts of different length."""
    features = clips(40, 101)
    options: dict[str, Any] = {"temperature": 0, "max_new_tokens": 40}
    expected = Sampler(sampler.model).sample(features, QUESTIONS, **options)
    found = sampler.sample(features, QUESTIONS, **options)
    assert torch.equal(found.tokens, expected.tokens)
    assert torch.equal(found.mask, expected.mask)
    assert torch.equal(found.ended, expected.ended)
    assert found.texts == expected.texts
    torch.testing.assert_close(found.logprobs, expected.logprobs, atol=TOLERANCE, rtol=0)
    assert len(set(sampled_ids(found)[0])) > 3
    assert sampled_ids(found)[0] != sampled_ids(found)[1]


@pytest.mark.parametrize("temperature", [1.0, 0.7, 1.5])
def test_logprobs_are_those_of_teacher_forcing(sampler: VLLMSampler, clips: ClipMaker, temperature: float) -> None:
    """The trainer's scores of the very tokens: no token differs by more than the tolerance, so every ratio is 1."""
    features = clips(40, 101)
    rollout = sampler.sample(features, QUESTIONS, k=8, temperature=temperature, max_new_tokens=40, seeds=0)
    trainer = scored(sampler.model, features, rollout, temperature)
    report = logprob_mismatch(rollout.logprobs, trainer, rollout.mask, threshold=TOLERANCE)
    assert report.tokens > 300
    assert report.max_abs < TOLERANCE
    assert report.kl_k3 < 1e-9
    assert report.share_beyond == 0
    weights = importance_weights(rollout.logprobs, trainer, rollout.mask)
    torch.testing.assert_close(weights, rollout.mask.float(), atol=2 * TOLERANCE, rtol=0)
    assert len(set(rollout.texts[0])) == 8


def test_k_answers_have_their_own_seeds(sampler: VLLMSampler, clips: ClipMaker) -> None:
    """A seed repeats its answer wherever it stands, −1 and the smallest int64 included; others give others."""
    features = clips(40, 101)
    seeds = torch.tensor([[1, -1, -(2**63)], [2, 3, 2**63 - 1]])
    first = sampler.sample(features, QUESTIONS, k=3, max_new_tokens=30, seeds=seeds)
    again = sampler.sample(features, QUESTIONS, k=3, max_new_tokens=30, seeds=seeds)
    turned = sampler.sample(features[::-1], QUESTIONS[::-1], k=3, max_new_tokens=30, seeds=seeds.flip(0, 1))
    other = sampler.sample(features, QUESTIONS, k=3, max_new_tokens=30, seeds=seeds + 7)
    assert sampled_ids(first) == sampled_ids(again) == sampled_ids(turned)[::-1]
    assert torch.equal(first.seeds, seeds)
    assert not set(map(tuple, sampled_ids(first))) & set(map(tuple, sampled_ids(other)))
    assert len(set(map(tuple, sampled_ids(first)))) == 6


def test_first_tokens_follow_the_softmax(
    sampler: VLLMSampler, clips: ClipMaker, excess: Callable[[Tensor, Tensor], float]
) -> None:
    """Pearson's X² of 600 draws against the softmax of the model's own logits. Against half the temperature it must
    fail."""
    n, features = 600, clips(40)
    rollout = sampler.sample(features, QUESTIONS[:1], k=n, temperature=2.0, max_new_tokens=1, seeds=3)
    with torch.no_grad():
        logits = sampler.model.head(sampler.model(sampler.model.collate(features, QUESTIONS[:1]))[0, -1])
    assert excess(rollout.tokens, logits / 2) < 4
    assert excess(rollout.tokens, logits) > 8


def test_the_engine_follows_an_optimizer_step(sampler: VLLMSampler, clips: ClipMaker) -> None:
    """One step of SGD on the log-probability of an answer. Before the update the engine's scores of its greedy answer
    are those of the old weights, after it those of the new; the clip's encoder has moved as well."""
    model, features = sampler.model, clips(40)
    before = sampler.sample(features, QUESTIONS[:1], temperature=0, max_new_tokens=20)
    batch = model.collate(features, QUESTIONS[:1], ["The pitch is low."])
    (-sequence_logprobs(model, batch).sum()).backward()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.grad is not None], lr=1e-3)
    optimizer.step()
    optimizer.zero_grad()
    moved = (scored(model, features, before) - before.logprobs).abs().max()
    assert moved > 100 * TOLERANCE
    sampler.update_weights()
    after = sampler.sample(features, QUESTIONS[:1], temperature=0, max_new_tokens=20)
    assert torch.equal(
        after.tokens, Sampler(model).sample(features, QUESTIONS[:1], temperature=0, max_new_tokens=20).tokens
    )
    torch.testing.assert_close(after.logprobs, scored(model, features, after), atol=TOLERANCE, rtol=0)


def test_another_model_of_the_shape_takes_over(sampler: VLLMSampler, clips: ClipMaker, lively: Lively) -> None:
    """Its own greedy answer, and not that of the model before it."""
    features = clips(40)
    options: dict[str, Any] = {"temperature": 0, "max_new_tokens": 20}
    old = sampler.sample(features, QUESTIONS[:1], **options)
    other = lively(1)
    sampler.update_weights(other)
    found = sampler.sample(features, QUESTIONS[:1], **options)
    assert torch.equal(found.tokens, Sampler(other).sample(features, QUESTIONS[:1], **options).tokens)
    assert sampled_ids(found) != sampled_ids(old)


def test_each_clip_is_encoded_once_for_all_answers(sampler: VLLMSampler, clips: ClipMaker) -> None:
    """Counted where it happens: 141 frames of two clips, once, and the text tower of our model not at all."""
    frames: list[int] = []
    text: list[str] = []
    hooks = [
        sampler.model.audio_tower.register_forward_hook(
            lambda _m, _a, options, _o: frames.append(int(options["feature_lens"].sum())), with_kwargs=True
        ),
        sampler.model.text_tower.register_forward_hook(lambda _m, _a, _o: text.append("run")),
    ]
    sampler.sample(clips(40, 101), QUESTIONS, k=6, max_new_tokens=5, seeds=0)
    for hook in hooks:
        hook.remove()
    assert frames == [141]
    assert text == []


def test_whole_blocks_of_a_prompt_are_run_once_for_all_answers(
    sampler: VLLMSampler, clips: ClipMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """vLLM's own count of prompt tokens found in its cache, in blocks of 128: none for the first of four answers, two
    blocks for the others; for all of them when asked again; none after an update, which makes them stale."""
    engine, found = sampler._engine, []
    generate = engine.generate

    def counted(prompts: Any, settings: Any, **options: Any) -> Any:
        outputs = generate(prompts, settings, **options)
        found.append([output.num_cached_tokens for output in outputs])
        return outputs

    monkeypatch.setattr(engine, "generate", counted)
    question = "How does it sound? " * 14
    tokens = sampler.model.collate(clips(40), [question]).input_ids.shape[1]
    assert 256 < tokens < 384
    for _ in range(2):
        sampler.sample(clips(40), [question], k=4, max_new_tokens=2, seeds=0)
    sampler.update_weights()
    sampler.sample(clips(40), [question], k=4, max_new_tokens=2, seeds=0)
    assert found == [[0, 256, 256, 256], [256, 256, 256, 256], [0, 256, 256, 256]]


def test_adapters_reach_the_engine(sampler: VLLMSampler, clips: ClipMaker) -> None:
    """LoRA with second matrices that are not 0: greedy answers are those of our sampler, and not those without."""
    model, features = sampler.model, clips(40)
    options: dict[str, Any] = {"temperature": 0, "max_new_tokens": 20}
    before = sampler.sample(features, QUESTIONS[:1], **options)
    add_lora(model)
    with torch.no_grad():
        for name, weight in model.text_tower.named_parameters():
            if ".lora_B." in name:
                weight.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
    sampler.update_weights()
    found, expected = (s.sample(features, QUESTIONS[:1], **options) for s in (sampler, Sampler(model)))
    assert torch.equal(found.tokens, expected.tokens)
    torch.testing.assert_close(found.logprobs, expected.logprobs, atol=TOLERANCE, rtol=0)
    assert sampled_ids(found) != sampled_ids(before)


def test_prompts_longer_than_the_engine_takes_are_refused(sampler: VLLMSampler, clips: ClipMaker) -> None:
    """The model takes 4 096 tokens, the engine 512."""
    with pytest.raises(OptionError, match=rf"prompt of \d+ tokens .* and 500 new ones pass the engine's {ROOM}"):
        sampler.sample(clips(40), QUESTIONS[:1], max_new_tokens=500)
    with pytest.raises(OptionError, match="pass the model's 4096"):
        sampler.sample(clips(40), QUESTIONS[:1], max_new_tokens=4096)


def test_settings_are_refused_as_our_sampler_refuses_them(sampler: VLLMSampler, clips: ClipMaker) -> None:
    for options, message in (({"k": 0}, "k must be"), ({"temperature": -1}, "temperature")):
        with pytest.raises(OptionError, match=message):
            sampler.sample(clips(40), QUESTIONS[:1], **options)  # type: ignore[arg-type]


def test_a_model_of_another_shape_is_refused(sampler: VLLMSampler, lively: Lively) -> None:
    with pytest.raises(OptionError, match=r"another shape.*hidden_size"):
        sampler.update_weights(lively(0, PocketSize(32, 1, 64, 2, 16)))


def test_weights_that_are_no_numbers_are_named(sampler: VLLMSampler, clips: ClipMaker) -> None:
    with torch.no_grad():
        sampler.model.head.weight[3] = torch.nan
    sampler.update_weights()
    with pytest.raises(PolicyError, match="no finite numbers: look for NaN"):
        sampler.sample(clips(40), QUESTIONS[:1], k=2, max_new_tokens=3)
