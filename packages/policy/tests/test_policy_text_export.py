"""The text tower as a Qwen2: transformers' own `Qwen2ForCausalLM` must give the speech LLM's logits."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoTokenizer, Qwen2ForCausalLM

from policy import EngineError, PolicyError, VLLMSampler
from policy.text_export import text_config, text_weights, write_text_model
from speechlm import SpeechLM, add_lora, has_lora

ClipMaker = Callable[..., list[Tensor]]
QUESTIONS = ["How does it sound?", "How does the voice of the speaker sound?"]


@pytest.mark.parametrize("tied", [True, False])
def test_qwen2_gives_the_same_logits(model: SpeechLM, clips: ClipMaker, *, tied: bool) -> None:
    """Prompts with audio in them, right-padded with an answer, through transformers' Qwen2 with plain rotary
    embedding; an untied head has other weights than the embedding."""
    if not tied:
        model.thinker.lm_head.weight = nn.Parameter(model.head.weight.detach().flip(0).clone())
    qwen = Qwen2ForCausalLM(text_config(model)).eval()
    qwen.load_state_dict(dict(text_weights(model)))
    batch = model.collate(clips(40, 101), QUESTIONS, ["It is sad.", "The pitch is low."])
    with torch.no_grad():
        expected = model.head(model(batch))
        found = qwen(inputs_embeds=model.embed(batch), attention_mask=batch.attention_mask).logits
    real = batch.attention_mask.bool()
    torch.testing.assert_close(found[real], expected[real], atol=1e-5, rtol=1e-5)
    assert expected[real].std() > 1


def test_what_is_written_can_be_read_by_its_name(model: SpeechLM, tmp_path: Path) -> None:
    """An engine chooses the class by the architecture, the end by the configuration, the words by the tokenizer."""
    write_text_model(model, tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    assert config.architectures == ["Qwen2ForCausalLM"]
    assert (config.eos_token_id, config.tie_word_embeddings) == (model.end_id, False)
    assert config.rope_parameters["rope_type"] == "default"
    assert "mrope_section" not in config.rope_parameters
    assert AutoTokenizer.from_pretrained(tmp_path).get_vocab() == model.tokenizer.get_vocab()
    assert not list(tmp_path.glob("*.safetensors"))


def test_weights_are_handed_over_without_a_copy(model: SpeechLM) -> None:
    weights = dict(text_weights(model))
    assert weights["lm_head.weight"].data_ptr() == model.head.weight.data_ptr()
    assert weights["model.norm.weight"].data_ptr() == model.text_tower.norm.weight.data_ptr()
    assert not any(weight.requires_grad for weight in weights.values())


def test_adapters_are_added_to_what_is_handed_over(model: SpeechLM, clips: ClipMaker) -> None:
    """With adapters that change the logits, Qwen2 gives the changed ones; the model keeps its adapters."""
    batch = model.collate(clips(40), QUESTIONS[:1], ["It is sad."])
    with torch.no_grad():
        before = model.head(model(batch))
        add_lora(model)
        for name, weight in model.text_tower.named_parameters():
            if ".lora_B." in name:
                nn.init.normal_(weight, std=0.3, generator=torch.Generator().manual_seed(0))
        expected = model.head(model(batch))
        qwen = Qwen2ForCausalLM(text_config(model)).eval()
        qwen.load_state_dict(dict(text_weights(model)))
        found = qwen(inputs_embeds=model.embed(batch)).logits
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert (expected - before).abs().max() > 0.1
    assert has_lora(model)


def test_a_text_tower_with_other_weights_is_refused(model: SpeechLM) -> None:
    model.text_tower.layers[0].register_parameter("extra", nn.Parameter(torch.zeros(1)))
    with pytest.raises(PolicyError, match=r"1 weights .* not those of a Qwen2ForCausalLM.*'model.layers.0.extra'"):
        text_weights(model)


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_without_vllm_the_sampler_says_how_to_install_it(model: SpeechLM) -> None:
    with pytest.raises(EngineError, match=r"vLLM cannot be imported .*make test-vllm.*pip install vllm"):
        VLLMSampler(model)
