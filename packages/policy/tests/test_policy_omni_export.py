"""The speech LLM as a Qwen2.5-Omni: its names against what transformers saves, its prompts against the batch."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from policy import EngineError
from policy.omni_export import omni_prompts, omni_weights, write_omni_model
from speechlm import SpeechLM, save_checkpoint
from speechlm.features import audio_token_count
from speechlm.pocket import FEATURE_GAIN

ClipMaker = Callable[..., list[Tensor]]
QUESTIONS = ["How does it sound?", "How does the voice of the speaker sound?"]


def test_weights_have_the_names_of_a_checkpoint(model: SpeechLM, tmp_path: Path) -> None:
    """`save_pretrained` writes a Thinker by its released names, without a head that is tied; a whole Qwen2.5-Omni
    has `thinker.` before them. The vision tower is never run and not handed over."""
    save_checkpoint(model, tmp_path)
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        saved = {f"thinker.{name}": file.get_tensor(name) for name in file.keys() if not name.startswith("visual.")}  # noqa: SIM118 - no mapping
    found = dict(omni_weights(model))
    head = found.pop("thinker.lm_head.weight")
    assert found.keys() == saved.keys()
    assert all(torch.equal(found[name], saved[name]) for name in saved)
    assert torch.equal(head, model.head.weight)


def test_prompts_hold_one_placeholder_and_the_clip_of_their_row(model: SpeechLM, clips: ClipMaker) -> None:
    """vLLM puts as many placeholders as the clip has tokens in its place, which must give back the row of the batch."""
    features = clips(40, 101)
    batch = model.collate(features, QUESTIONS)
    prompts = omni_prompts(model, batch)
    for i, (prompt, clip) in enumerate(zip(prompts, features, strict=True)):
        ids, audio = prompt["prompt_token_ids"], prompt["multi_modal_data"]["audio"]
        place, frames = ids.index(model.audio_id), clip.shape[1]
        widened = ids[:place] + [model.audio_id] * audio_token_count(frames) + ids[place + 1 :]
        assert widened == batch.input_ids[i][batch.attention_mask[i].bool()].tolist()
        torch.testing.assert_close(audio["input_audio_features"], FEATURE_GAIN * clip)
        assert audio["audio_feature_lengths"].tolist() == [frames]
        assert audio["feature_attention_mask"].tolist() == [[1] * frames]


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed")
def test_without_torchvision_the_processor_is_refused(model: SpeechLM, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"native path needs a torchvision .*leave out native"):
        write_omni_model(model, tmp_path)
