"""What a vLLM engine does to the process that it lives in, and which models it refuses; an engine per test."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from policy import (
    EngineError,
    OptionError,
    Sampler,
    VLLMSampler,
    importance_weights,
    logprob_mismatch,
    sequence_logprobs,
)
from speechlm import SpeechLM

# vLLM and what it imports warn of their own deprecations while they are loaded.
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(find_spec("vllm") is None, reason="needs vLLM: make test-vllm"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
ClipMaker = Callable[..., list[Tensor]]
QUESTION = "How does it sound?"
ENGINE: dict[str, Any] = {"max_tokens": 512, "cache_bytes": 1 << 27, "enforce_eager": True}


def test_bfloat16_shows_a_mismatch_that_the_weights_follow(model: SpeechLM, clips: ClipMaker) -> None:
    """Two programs with three digits: the report must see it, and π_trainer / π_engine be near 1 on average, as its
    expectation under the engine is."""
    model, features, k = model.bfloat16(), clips(101), 32
    sampler = VLLMSampler(model, **ENGINE)
    rollout = sampler.sample(features, [QUESTION], k=k, max_new_tokens=40, seeds=0)
    sampler.close()
    answers = [tokens[mask].tolist() for tokens, mask in zip(rollout.tokens[0], rollout.mask[0], strict=True)]
    batch = model.collate(features, [QUESTION] * k, answers, audio_index=[0] * k)
    with torch.no_grad():
        scores = sequence_logprobs(model, batch)[batch.completion_mask]
    trainer = torch.zeros_like(rollout.logprobs).masked_scatter(rollout.mask, scores)
    report = logprob_mismatch(rollout.logprobs, trainer, rollout.mask)
    assert 1e-4 < report.mean_abs < 0.1
    assert 0 < report.kl_k3 < 0.02
    weights = importance_weights(rollout.logprobs, trainer, rollout.mask)[rollout.mask]
    assert weights.max() <= 2
    assert weights.mean() == pytest.approx(1, abs=0.03)


def test_building_and_sampling_leave_the_process_as_it_was(model: SpeechLM, clips: ClipMaker) -> None:
    """Random states of torch, Python and numpy, environment and torch's own functions; vLLM changes them all."""

    def state() -> list[Any]:
        numbers: Any = np.random.get_state()  # noqa: NPY002 - the global one, which vLLM seeds
        return [torch.get_rng_state().tolist(), random.getstate(), numbers[1].tolist(), torch.set_num_threads]

    names = ("VLLM_ENABLE_V1_MULTIPROCESSING", "VLLM_NO_USAGE_STATS", "DO_NOT_TRACK")
    before, environment = state(), {name: os.environ.get(name) for name in names}
    sampler = VLLMSampler(model, **ENGINE)
    sampler.sample(clips(40), [QUESTION], max_new_tokens=3, seeds=0)
    sampler.close()
    assert state() == before
    assert {name: os.environ.get(name) for name in names} == environment


def test_heads_that_the_engine_lacks_are_named(model: SpeechLM) -> None:
    """16 is half of the smallest width that vLLM's attention on CPUs supports. The next engine starts as if nothing
    had been."""
    text = model.thinker.config.text_config
    text.num_attention_heads, text.num_key_value_heads = 2, 2
    with pytest.raises(EngineError, match=r"vLLM refuses the text tower \(heads 16 wide\): .*head_dim=16"):
        VLLMSampler(model, **ENGINE)
    text.num_attention_heads, text.num_key_value_heads = 1, 1
    VLLMSampler(model, **ENGINE).close()


def test_a_process_has_one_open_sampler(model: SpeechLM, clips: ClipMaker) -> None:
    first = VLLMSampler(model, **ENGINE)
    with pytest.raises(EngineError, match=r"open VLLMSampler: close\(\) it first"):
        VLLMSampler(model, **ENGINE)
    assert first.sample(clips(40), [QUESTION], max_new_tokens=3, seeds=0).tokens.shape == (1, 1, 3)
    first.close()


def test_more_tokens_than_the_model_takes_are_refused(model: SpeechLM) -> None:
    with pytest.raises(OptionError, match="max_tokens must lie between 2 and the model's 4096, got 5000"):
        VLLMSampler(model, max_tokens=5000)


@pytest.mark.skipif(find_spec("torchvision") is None, reason="the processor of Qwen2.5-Omni needs torchvision")
def test_on_its_native_path_the_engine_encodes_the_clips(model: SpeechLM, clips: ClipMaker) -> None:
    """Two clips of different length: the greedy answers of our sampler, whose audio tower is not called again; also
    after the weights have changed, those of the audio tower among them."""
    features, questions = clips(40, 101), [QUESTION, "How does the voice of the speaker sound?"]
    options: dict[str, Any] = {"temperature": 0, "max_new_tokens": 24}
    sampler = VLLMSampler(model, native=True, **ENGINE)
    texts = []
    for _ in range(2):
        expected = Sampler(model).sample(features, questions, **options)
        calls: list[str] = []
        hook = model.audio_tower.register_forward_hook(lambda _m, _a, _o, calls=calls: calls.append("run"))
        found = sampler.sample(features, questions, **options)
        hook.remove()
        assert torch.equal(found.tokens, expected.tokens)
        torch.testing.assert_close(found.logprobs, expected.logprobs, atol=5e-5, rtol=0)
        assert calls == []
        texts.append(found.texts)
        with torch.no_grad():
            for weight in model.audio_tower.parameters():
                weight.mul_(0.8)
        sampler.update_weights()
    sampler.close()
    assert texts[0] != texts[1]


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed")
def test_without_torchvision_the_native_path_is_refused(model: SpeechLM) -> None:
    with pytest.raises(EngineError, match=r"native path needs a torchvision .*leave out native"):
        VLLMSampler(model, native=True, **ENGINE)
