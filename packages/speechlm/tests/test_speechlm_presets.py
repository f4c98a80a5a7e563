"""Every size by its name, and the released ones without their weights.

Parameter counts are those of the published checkpoints: the language models' of the Qwen2.5 model cards (3.09 B of
which 2.77 B are no embeddings; 7.61 B of which 6.53 B), and of the whole Thinkers what their files hold.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from speechlm import (
    PRESETS,
    RELEASES,
    AudioInputError,
    CheckpointError,
    FeatureSpec,
    PocketSize,
    PresetError,
    SpeechLM,
    SpeechLMError,
    load_checkpoint,
    load_preset,
    released_config,
    save_checkpoint,
    summarize,
)
from speechlm.released import SHAPES, TOKEN_IDS, random_released

SMALL = PocketSize(audio_width=32, audio_layers=1, text_width=64, text_layers=1, num_mel_bins=16)

LARGE_V3 = WhisperConfig(
    num_mel_bins=128, d_model=1_280, encoder_layers=32, encoder_attention_heads=20, encoder_ffn_dim=5_120
)


def count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


@pytest.fixture(scope="module", params=SHAPES)
def released(request: pytest.FixtureRequest) -> tuple[str, SpeechLM]:
    """A released size on the `meta` device: every shape, no weights."""
    return request.param, random_released(request.param, device="meta")


def test_released_sizes_have_the_published_parameters(released: tuple[str, SpeechLM]) -> None:
    """3B: 4 703 464 448 parameters of the loaded Thinker; 7B: 17 863 627 776 bytes of bfloat16 in the index of a
    checkpoint that holds a Thinker alone. Text towers as the Qwen2.5 cards have them, in billions. The audio tower is
    Whisper large-v3's encoder without its position table, a projection to the text tower's width and two vectors."""
    size, model = released
    total, text, embeddings = {
        "omni3b": (4_703_464_448, 3.09e9, 151_936 * 2_048),
        "omni7b": (17_863_627_776 // 2, 7.61e9 - 152_064 * 3_584, 152_064 * 3_584),
    }[size]
    summary = summarize(model)
    assert summary.parameters == total
    assert summary.text_tower.parameters == pytest.approx(text, abs=0.01e9)
    assert summary.text_tower.parameters - embeddings == pytest.approx(
        {"omni3b": 2.77e9, "omni7b": 6.53e9}[size], abs=0.006e9
    )
    assert count(model.head) == embeddings
    assert not summary.head_is_tied
    width = model.thinker.config.text_config.hidden_size
    with torch.device("meta"):
        whisper = count(WhisperEncoder(LARGE_V3)) - 1_500 * 1_280
    assert summary.audio_tower.parameters == whisper + (1_280 + 1) * width + 2 * width
    assert all(weight.is_meta for weight in model.parameters())


def test_released_sizes_are_driven_like_any_other(released: tuple[str, SpeechLM]) -> None:
    """Names, features and limits are read off the model; the text tower runs, in shapes alone."""
    _, model = released
    width = model.thinker.config.text_config.hidden_size
    assert model.features == FeatureSpec(128, 400, 160, silence_behind=True)
    assert model.max_tokens == 32_768
    assert summarize(model).special_tokens == TOKEN_IDS
    assert (model.pad_id, model.end_id, model.audio_id) == (151_643, 151_645, 151_646)
    assert model.audio_tower.proj.out_features == width  # type: ignore[union-attr]
    model.thinker.set_attn_implementation("eager")  # SDPA's mask looks at values, and there are none
    ids = torch.zeros(2, 7, dtype=torch.long, device="meta")
    hidden = model.run_text(model.embed_tokens(ids), torch.ones_like(ids)).hidden
    assert hidden.shape == (2, 7, width)
    assert model.head(hidden).shape[-1] == model.thinker.config.text_config.vocab_size


def test_features_of_80_mel_bins_are_refused_by_a_released_size(released: tuple[str, SpeechLM]) -> None:
    with pytest.raises(AudioInputError, match="features have 80 mel bins, the model reads 128"):
        released[1].encode_audio(torch.zeros(1, 80, 50, device="meta"), torch.tensor([50]))


def test_every_pinned_revision_is_a_commit() -> None:
    """Forty hexadecimal digits, never a branch; what is not pinned is said to be."""
    pinned = {name: release.revision for name, release in RELEASES.items()}
    assert all(re.fullmatch("[0-9a-f]{40}", r) for name, r in pinned.items() if r is not None)
    assert [name for name, revision in pinned.items() if revision is None] == ["emotionthinker"]
    assert PRESETS == ("pocket", "compact", "omni3b", "omni7b", "emotionthinker")


def test_of_a_whole_omni_only_the_thinker_is_read(whole_omni: Path) -> None:
    """The file has the weights of three models; every `thinker.…` of it, and nothing else, is in the loaded one."""
    model = load_preset("omni7b", source=whole_omni)
    with safe_open(whole_omni / "model.safetensors", framework="pt") as stored:
        names = set(stored.keys())
        thinker = [name for name in names if name.startswith("thinker.")]
        assert {name.partition(".")[0] for name in names} == {"thinker", "talker", "token2wav"}
        assert len(thinker) == len(list(model.thinker.parameters()))
        assert torch.equal(stored.get_tensor("thinker.lm_head.weight"), model.head.weight)
        conv = stored.get_tensor("thinker.audio_tower.conv1.weight")
        assert torch.equal(conv, model.audio_tower.conv1.weight)  # type: ignore[union-attr,arg-type]
    assert model.features == FeatureSpec(128, 400, 160, silence_behind=True)
    assert model.system == "You are a helpful assistant."


def test_what_was_read_of_a_whole_omni_survives_saving(whole_omni: Path, tmp_path: Path) -> None:
    """A Thinker alone is written, with its system message, and answers as before."""
    model = load_preset("emotionthinker", source=whole_omni, system="Listen.").eval()
    save_checkpoint(model, tmp_path / "thinker")
    again = load_checkpoint(tmp_path / "thinker").eval()
    assert json.loads((tmp_path / "thinker" / "config.json").read_text())["model_type"] == "qwen2_5_omni_thinker"
    assert again.system == "Listen."
    clip = torch.randn(128, 60, generator=torch.Generator().manual_seed(1))
    batches = [m.collate([clip], ["How?"], ["Sad."]) for m in (model, again)]
    assert torch.equal(batches[0].input_ids, batches[1].input_ids)
    with torch.no_grad():
        assert torch.equal(model(batches[0]), again(batches[1]))
    assert load_preset("omni7b", source=tmp_path / "thinker").system == "Listen."


def test_pocket_is_made_from_texts() -> None:
    model = load_preset("pocket", texts=["It sounds sad."], vocab_size=300, size=SMALL, seed=1, dtype=torch.bfloat16)
    assert model.head.weight.dtype is torch.bfloat16
    assert len(model.tokenizer) <= 300
    assert model.system is None


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_released_weights_are_taken_from_the_cache_at_the_pinned_revision(empty_cache: Path, whole_omni: Path) -> None:
    """The folder of that commit as `hf download` lays it down; another commit beside it is not taken."""
    place = empty_cache / "models--Qwen--Qwen2.5-Omni-3B" / "snapshots"
    shutil.copytree(whole_omni, place / str(RELEASES["omni3b"].revision))
    (place / ("0" * 40)).mkdir()
    model = load_preset("omni3b", dtype=torch.bfloat16)
    assert model.head.weight.dtype is torch.bfloat16
    assert model.audio_id == model.thinker.config.audio_token_index
    with pytest.raises(PresetError, match=f"Omni-3B@{'1' * 40} is not on this machine"):
        load_preset("omni3b", revision="1" * 40)


def test_weights_that_are_not_here_are_not_downloaded(empty_cache: Path) -> None:
    """The message has the command that gets them, at the pinned revision."""
    with pytest.raises(PresetError, match=r"hf download Qwen/Qwen2\.5-Omni-3B --revision f75b40e3.*source="):
        load_preset("omni3b")
    with pytest.raises(PresetError, match="no revision of it is pinned here"):
        load_preset("emotionthinker")
    with pytest.raises(PresetError, match=r"EmotionThinker@abc123 is not on this machine"):
        load_preset("emotionthinker", revision="abc123")


REFUSED = {
    "unknown": ("omni8b", {}, r"unknown preset 'omni8b'; there are pocket, compact, omni3b"),
    "pocket without texts": ("pocket", {}, "needs texts="),
    "compact without parts": ("compact", {"text": "here"}, "needs audio="),
    "a source for compact": ("compact", {"audio": "a", "text": "b", "source": "c"}, "takes no source"),
    "texts for omni": ("omni7b", {"texts": ["a"], "vocab_size": 300}, "takes no texts, vocab_size; it takes source"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_presets_that_cannot_be_made_are_refused(case: str) -> None:
    name, arguments, message = REFUSED[case]
    with pytest.raises(PresetError, match=message):
        load_preset(name, **arguments)


def test_a_folder_of_another_architecture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match="expected architecture qwen2_5_omni_thinker, found qwen2"):
        load_preset("omni7b", source=tmp_path)
    with pytest.raises(SpeechLMError, match="no released size 'omni8b'"):
        released_config("omni8b")
