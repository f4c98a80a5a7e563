"""A speech LLM as the Qwen2.5-Omni that engines know: its config, its processor's files, its weights and its prompts.

Only the Thinker: vLLM leaves the Talker out. The processor needs those of pictures, which need torchvision.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import Qwen2_5OmniConfig, WhisperFeatureExtractor

from policy.errors import EngineError
from policy.text_export import text_weights
from speechlm import SpeechBatch, SpeechLM

ARCHITECTURE = "Qwen2_5OmniModel"
TOKENS = {
    "image_token": "<|IMAGE|>",
    "audio_token": "<|AUDIO|>",
    "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
}
"""Special tokens by the names that transformers' processor asks its tokenizer for."""


def omni_weights(model: SpeechLM) -> list[tuple[str, Tensor]]:
    """Audio tower, text tower and head by the names of a Qwen2.5-Omni checkpoint; the unused vision tower is left out.

    Raises as `text_weights` does.
    """
    audio = [(f"thinker.audio_tower.{name}", w.detach()) for name, w in model.audio_tower.state_dict().items()]
    return audio + [(f"thinker.{name}", weight) for name, weight in text_weights(model)]


def write_omni_model(model: SpeechLM, directory: Path) -> None:
    """Write configuration, tokenizer and processor into `directory`, without weights.

    Raises `EngineError` where torchvision is missing or cannot be loaded.
    """
    # Without torchvision these say so on stderr, which every `import policy` would do otherwise.
    from transformers import Qwen2_5OmniProcessor, Qwen2VLImageProcessor, Qwen2VLVideoProcessor

    thinker: dict[str, Any] = model.thinker.config.to_dict()
    thinker["tie_word_embeddings"] = thinker["text_config"]["tie_word_embeddings"] = False  # as `text_config` says
    config = Qwen2_5OmniConfig(thinker_config=thinker, enable_audio_output=False)
    config.architectures = [ARCHITECTURE]
    config.save_pretrained(directory)
    model.tokenizer.save_pretrained(directory)
    settings = directory / "tokenizer_config.json"
    named = json.loads(settings.read_text(encoding="utf-8")) | {"extra_special_tokens": TOKENS}
    settings.write_text(json.dumps(named), encoding="utf-8")
    tokenizer, bins = type(model.tokenizer).from_pretrained(directory), model.features.num_mel_bins
    try:
        processor = Qwen2_5OmniProcessor(  # type: ignore[no-untyped-call]
            image_processor=Qwen2VLImageProcessor(),
            video_processor=Qwen2VLVideoProcessor(),
            feature_extractor=WhisperFeatureExtractor(feature_size=bins),  # type: ignore[no-untyped-call]
            tokenizer=tokenizer,
        )
    except (ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise EngineError(
            "the native path needs a torchvision that goes with this torch: install one, or leave out native "
            f"({reason[:200]})"
        ) from error
    processor.save_pretrained(directory)


def omni_prompts(model: SpeechLM, batch: SpeechBatch) -> list[dict[str, Any]]:
    """VLLM's prompts of a batch, row i about clip i: token ids with one placeholder, and the clip's features."""
    gain = getattr(model.thinker.config, "audio_feature_gain", 1.0)
    prompts = []
    for row, real, features, length in zip(
        batch.input_ids, batch.attention_mask.bool(), batch.features, batch.feature_lengths, strict=True
    ):
        ids = row[real].tolist()
        first = ids.index(model.audio_id)
        audio = {
            "input_audio_features": gain * features[:, :length],
            "audio_feature_lengths": length[None],
            "feature_attention_mask": length.new_ones(1, int(length)),
        }
        prompts.append(
            {
                "prompt_token_ids": [t for i, t in enumerate(ids) if t != model.audio_id or i == first],
                "multi_modal_data": {"audio": audio},
            }
        )
    return prompts
