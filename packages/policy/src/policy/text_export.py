"""The text tower of a speech LLM as a `Qwen2ForCausalLM`, for engines that do not know the Thinker.

Without pictures the Thinker's three rotary axes carry one and the same position, so its text tower is Qwen2's: the same
weights under the same names, with plain rotary embedding.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from policy.errors import PolicyError
from speechlm import SpeechLM
from speechlm.lora import merged_weights

ARCHITECTURE = "Qwen2ForCausalLM"
SHAPE = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "hidden_act", "max_position_embeddings", "rms_norm_eps", "use_sliding_window",
    "sliding_window", "max_window_layers", "layer_types",
)  # fmt: skip
"""Settings that both configurations share."""
ROPE_OF_THE_THINKER = {"type", "mrope_section", "mrope_interleaved"}


def text_config(model: SpeechLM) -> Qwen2Config:
    """The configuration of the text tower and head of `model` as a Qwen2.

    The head is always untied: vLLM 0.32 leaves a tied head as it was when weights are replaced.
    """
    text = model.thinker.config.text_config
    return Qwen2Config(
        **{name: getattr(text, name) for name in SHAPE},
        rope_parameters={k: v for k, v in text.rope_parameters.items() if k not in ROPE_OF_THE_THINKER},
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=model.end_id,
        pad_token_id=model.pad_id,
        architectures=[ARCHITECTURE],
        dtype=model.head.weight.dtype,
    )


def text_weights(model: SpeechLM) -> list[tuple[str, Tensor]]:
    """The weights that belong to `text_config`, by the names that a checkpoint of it has.

    Those of layers with LoRA are the sums with their adapters, which stay in place; all others are not copied. Raises
    `PolicyError` when the text tower holds weights that a Qwen2 has not, `speechlm.PartError` when a sum is not finite.
    """
    merged = {f"{name}.weight": value for name, value in merged_weights(model)}
    plain = {k.replace(".base_layer.", "."): v for k, v in model.text_tower.state_dict().items() if ".lora_" not in k}
    weights = [(f"model.{name}", value.detach()) for name, value in (plain | merged).items()]
    weights.append(("lm_head.weight", model.head.weight.detach()))
    with torch.device("meta"):
        qwen: PreTrainedModel = Qwen2ForCausalLM(text_config(model))
    expected = {name: value.shape for name, value in qwen.state_dict().items()}
    found = {name: value.shape for name, value in weights}
    if found != expected:
        wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise PolicyError(
            f"{len(wrong)} weights of the text tower are not those of a {ARCHITECTURE}, for example {wrong[:2]}: take "
            "out what was added to it"
        )
    return weights


def write_text_model(model: SpeechLM, directory: Path) -> None:
    """Write `text_config` and the tokenizer into `directory`, without weights."""
    text_config(model).save_pretrained(directory)
    model.tokenizer.save_pretrained(directory)
