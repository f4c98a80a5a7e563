"""Ours against the stock classes of transformers, on the same checkpoint: ids, features, logits, and a greedy answer.

The suite always runs on a tiny whole Qwen2.5-Omni of random weights, and on its Thinker as we save it; and on released
weights when they are there:

    SPEECHLM_RELEASED=omni3b,/models/EmotionThinker pytest -m hub packages/speechlm/tests/test_speechlm_conformance.py

names presets that lie in the hub's cache, or folders, separated by commas. They are run on CUDA if there is any, in
the precision that they are stored in.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import (
    AutoTokenizer,
    Qwen2_5OmniProcessor,
    Qwen2_5OmniThinkerForConditionalGeneration,
    WhisperFeatureExtractor,
)
from transformers.processing_utils import ProcessorMixin

from speechlm import BatchError, SpeechBatch, SpeechLM, load_checkpoint, log_mel, save_checkpoint
from speechlm.presets import HELPFUL, RELEASES, cached_folder

RATE = 16_000
QUESTIONS = ["How does the voice sound?", "Which emotion do you hear: neutral, happy, sad? Reason, then answer."]
NEW_TOKENS = 24
RELEASED = [name for name in os.environ.get("SPEECHLM_RELEASED", "").split(",") if name]
# Logits of released models are some tens in size, so neighbours in bfloat16 lie up to 1/8 apart.
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.5}


class StockProcessor(Qwen2_5OmniProcessor):  # type: ignore[misc]
    """The stock processor, all of its methods, but for the two parts that it demands and that want torchvision.

    With no pictures to process, older transformers still ask them how many patches become one.
    """

    def __init__(self, feature_extractor: Any, tokenizer: Any, chat_template: str | None = None) -> None:
        ProcessorMixin.__init__(self, feature_extractor, tokenizer, chat_template=chat_template)
        self.image_processor = self.video_processor = SimpleNamespace(merge_size=2)
        for kind in ("image", "audio", "video"):
            setattr(self, f"{kind}_token", getattr(tokenizer, f"{kind}_token"))
            setattr(self, f"{kind}_token_id", getattr(tokenizer, f"{kind}_token_id"))


@dataclass(frozen=True)
class Pair:
    """One checkpoint, loaded by us and by the stock classes."""

    folder: Path
    ours: SpeechLM
    stock: Any
    stock_processor: StockProcessor

    @property
    def tolerance(self) -> float:
        return TOLERANCE[self.ours.head.weight.dtype]

    def ask_stock(self, clips: list[NDArray[np.float32]], texts: list[str]) -> dict[str, Tensor]:
        asked = self.stock_processor(text=texts, audio=clips, padding=True, return_tensors="pt")
        return {name: value.to(self.ours.device) for name, value in asked.items()}

    def close(self, batch: SpeechBatch, asked: dict[str, Tensor]) -> None:
        """Both on the model's device; ids, masks, lengths equal, features to rounding."""
        assert batch.input_ids.tolist() == asked["input_ids"].tolist()
        assert batch.attention_mask.tolist() == asked["attention_mask"].tolist()
        assert batch.feature_lengths.tolist() == asked["feature_attention_mask"].sum(-1).tolist()
        width = batch.features.shape[-1]
        assert width == int(batch.feature_lengths.max()) < asked["input_features"].shape[-1]
        for ours, theirs, length in zip(
            batch.features, asked["input_features"], batch.feature_lengths.tolist(), strict=True
        ):
            torch.testing.assert_close(ours[:, :length], theirs[:, :length], atol=1e-4, rtol=0)


def batch_of(model: SpeechLM, clips: list[NDArray[np.float32]], questions: list[str]) -> SpeechBatch:
    return model.collate([log_mel(clip, model.features) for clip in clips], questions)


def text_of(question: str) -> str:
    """The stock chat template's text for a question about a clip, written out."""
    return (
        f"<|im_start|>system\n{HELPFUL}<|im_end|>\n<|im_start|>user\n"
        f"<|audio_bos|><|AUDIO|><|audio_eos|>{question}<|im_end|>\n<|im_start|>assistant\n"
    )


def sound(seconds: float, *, seed: int = 0) -> NDArray[np.float32]:
    """A buzz whose pitch glides, in noise: seconds that are no multiple of a hop leave a part of one."""
    n = round(seconds * RATE)
    phase = np.cumsum(2 * np.pi * np.linspace(120, 240, n) / RATE)
    noise = np.random.default_rng(seed).standard_normal(n)
    return (0.2 * np.sign(np.sin(phase)) + 0.01 * noise).astype(np.float32)


def folder_of(name: str) -> Path:
    return cached_folder(RELEASES[name]) if name in RELEASES else Path(name)


def template_of(folder: Path) -> str | None:
    """The chat template of a checkpoint; older ones have it as JSON."""
    plain, older = folder / "chat_template.jinja", folder / "chat_template.json"
    if plain.is_file():
        return plain.read_text()
    return str(json.loads(older.read_text())["chat_template"]) if older.is_file() else None


@pytest.fixture(scope="module")
def our_thinker(whole_omni: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Thinker of the tiny whole as we write it, and the extractor's settings, which the stock processor reads."""
    folder = tmp_path_factory.mktemp("thinker")
    save_checkpoint(load_checkpoint(whole_omni), folder)
    shutil.copy(whole_omni / "preprocessor_config.json", folder)
    return folder


CHECKPOINTS = ["whole_omni", "our_thinker", *(pytest.param(name, marks=pytest.mark.hub) for name in RELEASED)]


@pytest.fixture(scope="module", params=CHECKPOINTS)
def pair(request: pytest.FixtureRequest) -> Pair:
    made = request.param in ("whole_omni", "our_thinker")
    folder = request.getfixturevalue(request.param) if made else folder_of(request.param)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    ours = load_checkpoint(folder, device=device).eval()
    ours.system = HELPFUL
    stock: Any = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(folder)
    extractor = WhisperFeatureExtractor.from_pretrained(folder)
    processor = StockProcessor(extractor, AutoTokenizer.from_pretrained(folder), template_of(folder))
    return Pair(folder, ours, stock.to(device).eval(), processor)


@pytest.mark.parametrize("seconds", [(1.0,), (2.003, 0.751), (0.04, 3.14159)])
def test_ids_masks_and_features_are_the_stock_processors(pair: Pair, seconds: tuple[float, ...]) -> None:
    """The stock processor pads to its whole window, ours to the longest clip; the frames that count are the same."""
    clips = [sound(s) for s in seconds]
    questions = QUESTIONS[: len(clips)]
    batch = batch_of(pair.ours, clips, questions)
    pair.close(batch, pair.ask_stock(clips, [text_of(q) for q in questions]))


def test_the_text_is_that_of_the_checkpoints_chat_template(pair: Pair) -> None:
    """With no system message in the conversation, Qwen2.5-Omni's template writes its own."""
    if pair.stock_processor.chat_template is None:
        pytest.skip(f"{pair.folder} has no chat template")
    content = [{"type": "audio", "audio": "clip.wav"}, {"type": "text", "text": QUESTIONS[0]}]
    rendered = pair.stock_processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    assert rendered == text_of(QUESTIONS[0])


@torch.no_grad()
def test_logits_are_the_stock_models(pair: Pair) -> None:
    """Of a padded batch, on its real tokens. The Thinker's own forward is given what the stock processor made."""
    clips = [sound(2.003), sound(0.751)]
    batch = batch_of(pair.ours, clips, QUESTIONS)
    asked = pair.ask_stock(clips, [text_of(q) for q in QUESTIONS])
    expected = pair.stock(**asked, use_cache=False).logits.float()
    found = pair.ours.head(pair.ours(batch)).float()
    real = batch.attention_mask.bool()
    torch.testing.assert_close(found[real], expected[real], atol=pair.tolerance, rtol=0)
    top = expected[real].topk(2).values
    clear = top[:, 0] - top[:, 1] > 2 * pair.tolerance
    assert torch.equal(found[real].argmax(-1)[clear], expected[real].argmax(-1)[clear])


@torch.no_grad()
def test_a_greedy_answer_is_the_stock_models(pair: Pair) -> None:
    """Token for token what `generate` answers, alone."""
    clips = [sound(2.003)]
    asked = pair.ask_stock(clips, [text_of(QUESTIONS[1])])
    length = asked["input_ids"].shape[1]
    end = pair.ours.end_id
    expected = pair.stock.generate(
        **asked, do_sample=False, max_new_tokens=NEW_TOKENS, eos_token_id=end, pad_token_id=pair.ours.pad_id
    )[0, length:].tolist()
    batch = batch_of(pair.ours, clips, QUESTIONS[1:])
    found: list[int] = []
    mask = batch.attention_mask
    state = pair.ours.run_text(pair.ours.embed(batch), mask, keep_cache=True)
    while len(found) < NEW_TOKENS and end not in found:
        token = pair.ours.head(state.hidden[:, -1:]).argmax(-1)
        found.append(int(token))
        mask = torch.cat([mask, torch.ones_like(token)], dim=1)
        state = pair.ours.run_text(pair.ours.embed_tokens(token), mask, cache=state.cache, keep_cache=True)
    assert found == expected
    assert len(found) > 4


Spoil = Callable[[SpeechBatch], dict[str, Tensor]]
SPOILT: dict[str, Spoil] = {
    "a frame too many of the clip": lambda b: {"feature_lengths": b.feature_lengths + torch.tensor([4, 0])},
    "a frame too few": lambda b: {"feature_lengths": b.feature_lengths - torch.tensor([4, 0])},
    "a clip that no row names": lambda b: {
        "features": torch.cat([b.features, b.features[:1]]),
        "feature_lengths": torch.cat([b.feature_lengths, b.feature_lengths[:1]]),
    },
}


@pytest.mark.parametrize("how", SPOILT)
def test_counts_that_do_not_match_are_refused(whole_omni: Path, how: str) -> None:
    """Audio tokens and placeholders that differ in number; the stock model takes the first and the third in silence."""
    model = load_checkpoint(whole_omni)
    batch = batch_of(model, [sound(1.0), sound(1.2)], QUESTIONS)
    fields = {name: getattr(batch, name) for name in SpeechBatch.__slots__} | SPOILT[how](batch)
    with pytest.raises(BatchError, match=r"audio placeholders for 55 audio tokens \(\d+ encoded\)"):
        model.embed(SpeechBatch(**fields))
