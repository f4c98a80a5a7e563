"""Checkpoints of adapters alone: they come back over their base, over no other, and peft reads them too."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen2_5OmniThinkerForConditionalGeneration

from speechlm import (
    CheckpointError,
    LoraSettings,
    Part,
    PocketSize,
    Provenance,
    SpeechLM,
    add_lora,
    count_parts,
    merge_lora,
    pocket,
    read_record,
    train_only,
    train_tokenizer,
)
from speechlm.lora import lora_weights

ClipMaker = Callable[..., list[Tensor]]
Q = "How does it sound?"
SETTINGS = LoraSettings(rank=4, alpha=6.0, targets=("q_proj", "v_proj", "down_proj"))


@pytest.fixture
def base(model: SpeechLM, tmp_path: Path) -> Path:
    model.save(tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def trained(base: Path) -> SpeechLM:
    """LoRA and the projection, moved as training would have moved them."""
    model = SpeechLM.load(base).eval()
    add_lora(model, SETTINGS)
    train_only(model, ["lora", "adapter"])
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.03 * torch.randn(weight.shape, generator=generator))
    return model


@pytest.fixture
def adapters(trained: SpeechLM, tmp_path: Path) -> Path:
    trained.save(tmp_path / "adapters", adapter_only=True)
    return tmp_path / "adapters"


@torch.no_grad()
def states(model: SpeechLM, clips: ClipMaker) -> Tensor:
    return model.eval().hidden_states(model.collate(clips(40), [Q], ["Sad."]))


def test_adapters_come_back_over_their_base_to_the_bit(
    trained: SpeechLM, adapters: Path, base: Path, clips: ClipMaker
) -> None:
    loaded = SpeechLM.load(adapters)
    expected, found = trained.state_dict(), loaded.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert torch.equal(states(trained, clips), states(loaded, clips))
    assert not torch.equal(states(SpeechLM.load(base), clips), states(loaded, clips))
    assert loaded.lora == SETTINGS
    assert count_parts(loaded).trainable == count_parts(trained).trainable
    assert loaded.trained == {Part.LORA, Part.ADAPTER}


def test_what_is_written_is_what_was_trained(trained: SpeechLM, adapters: Path) -> None:
    """Three matrices of two layers, each with A and B, and the projection's weight and bias; base and tokenizer's
    figures beside them."""
    names = set(load_file(adapters / "adapter_model.safetensors"))
    assert len(names) == 3 * 2 * 2
    assert all(name.startswith("base_model.model.") and ".default" not in name for name in names)
    assert set(load_file(adapters / "parts.safetensors")) == {"adapter.proj.weight", "adapter.proj.bias"}
    assert not (adapters / "model.safetensors").exists()
    record = read_record(adapters)
    assert record is not None
    assert (record.kind, record.lora, record.trained) == ("adapter", SETTINGS, ("adapter", "lora"))
    assert record.base == trained.base
    assert record.parameters[Part.LORA] == 4 * 2 * (2 * (64 + 64) + (64 + 192))
    assert (adapters / "config.json").is_file()
    assert (adapters / "tokenizer.json").is_file()


def test_adapters_alone_of_the_audio_side_need_no_lora(base: Path, tmp_path: Path, clips: ClipMaker) -> None:
    model = SpeechLM.load(base)
    train_only(model, ["adapter", "audio_encoder"])
    with torch.no_grad():
        model.audio_tower.proj.weight.mul_(1.5)  # type: ignore[operator,union-attr]
    model.save(tmp_path / "audio", adapter_only=True)
    assert not (tmp_path / "audio" / "adapter_model.safetensors").exists()
    loaded = SpeechLM.load(tmp_path / "audio")
    assert torch.equal(states(loaded, clips), states(model, clips))
    assert loaded.lora is None


def test_the_whole_model_is_saved_with_its_adapters_merged(trained: SpeechLM, tmp_path: Path, clips: ClipMaker) -> None:
    """It computes the same without them, as one that was merged in memory does; the model itself keeps them."""
    before = {name: weight.clone() for name, weight in trained.state_dict().items()}
    expected = states(trained, clips)
    trained.save(tmp_path / "merged")
    assert all(torch.equal(weight, before[name]) for name, weight in trained.state_dict().items())
    whole = SpeechLM.load(tmp_path / "merged")
    torch.testing.assert_close(states(whole, clips), expected, atol=1e-5, rtol=0)
    assert (whole.lora, whole.trained) == (None, frozenset())
    assert whole.head.weight is whole.thinker.get_input_embeddings().weight
    record = read_record(tmp_path / "merged")
    assert record is not None
    assert (record.kind, record.lora, record.trained) == ("full", SETTINGS, ("adapter", "llm"))
    merge_lora(trained)
    assert all(torch.equal(w, trained.state_dict()[name]) for name, w in whole.state_dict().items())
    trained.save(tmp_path / "again")
    again = read_record(tmp_path / "again")
    assert again is not None
    assert (again.lora, again.trained, again.base) == (record.lora, record.trained, record.base)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks for it
@torch.no_grad()
def test_peft_itself_reads_the_adapters(model: SpeechLM, base: Path, tmp_path: Path, clips: ClipMaker) -> None:
    """peft over the Thinker's own class, driven by us, with every layer's adapters and none on the audio tower."""
    add_lora(model, LoraSettings(rank=2))
    for weight in lora_weights(model).values():
        weight.fill_(0.02)
    model.save(tmp_path / "lora", adapter_only=True)
    stock = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(base)
    theirs = PeftModel.from_pretrained(stock, str(tmp_path / "lora"))
    driven = SpeechLM(theirs.get_base_model(), model.tokenizer)  # type: ignore[arg-type]
    torch.testing.assert_close(states(driven, clips), states(model, clips), atol=1e-6, rtol=0)


def test_the_base_is_found_where_it_was_beside_and_where_named(
    adapters: Path, base: Path, tmp_path: Path, clips: ClipMaker
) -> None:
    expected = states(SpeechLM.load(adapters), clips)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.move(adapters, moved / "adapters")
    assert torch.equal(states(SpeechLM.load(moved / "adapters"), clips), expected)
    shutil.move(base, moved / "base")
    assert torch.equal(states(SpeechLM.load(moved / "adapters"), clips), expected)
    shutil.move(moved / "base", tmp_path / "other name")
    with pytest.raises(CheckpointError, match=r"its base .*base is not there: name its folder with base="):
        SpeechLM.load(moved / "adapters")
    assert torch.equal(states(SpeechLM.load(moved / "adapters", base=tmp_path / "other name"), clips), expected)


def test_a_base_that_was_never_saved_must_be_named(model: SpeechLM, tmp_path: Path, clips: ClipMaker) -> None:
    add_lora(model)
    model.save(tmp_path / "lora", adapter_only=True)
    with pytest.raises(CheckpointError, match="of a base that was never saved: name it with base="):
        SpeechLM.load(tmp_path / "lora")
    merge_lora(model)  # B is 0: the base again
    model.save(tmp_path / "base")
    assert torch.equal(states(SpeechLM.load(tmp_path / "lora", base=tmp_path / "base"), clips), states(model, clips))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ((PocketSize(32, 2, 96, 2, 16), 0), "for another base: theirs has hidden_size 64, .* has 96: name the right"),
        ((PocketSize(32, 2, 64, 3, 16), 0), "for another base: theirs has layers 2, .* has 3"),
        ((PocketSize(32, 2, 64, 2, 16), 1), "the weights of audio_encoder, adapter, llm in .* are not those"),
    ],
    ids=["wider", "deeper", "other weights"],
)
def test_another_base_is_refused(
    adapters: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path, other: tuple[PocketSize, int], message: str
) -> None:
    size, seed = other
    pocket(tokenizer, seed=seed, size=size).save(tmp_path / "other")
    with pytest.raises(CheckpointError, match=message):
        SpeechLM.load(adapters, base=tmp_path / "other")


def test_a_base_of_another_vocabulary_is_refused(adapters: Path, base: Path) -> None:
    """The same weights, with a tokenizer of as many other tokens (and no record that would say so first)."""
    train_tokenizer(["zebra quartz jumping vixens"], vocab_size=300).save_pretrained(base)
    (base / "checkpoint.json").unlink()
    with pytest.raises(CheckpointError, match="base has another vocabulary"):
        SpeechLM.load(adapters)


def test_adapters_over_adapters_are_refused(adapters: Path) -> None:
    with pytest.raises(CheckpointError, match="has adapters itself: merge them first"):
        SpeechLM.load(adapters, base=adapters)


def test_adapters_that_could_not_be_put_together_again_are_not_saved(model: SpeechLM, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing was trained by add_lora or train_only"):
        model.save(tmp_path / "x", adapter_only=True)
    add_lora(model)
    with torch.no_grad():
        model.audio_tower.proj.bias.add_(1)  # type: ignore[operator,union-attr]
    with pytest.raises(CheckpointError, match=r"^adapter changed though it was not among the trained parts"):
        model.save(tmp_path / "x", adapter_only=True)
    merge_lora(model)
    with pytest.raises(CheckpointError, match="language model itself was trained or merged: save the whole"):
        model.save(tmp_path / "x", adapter_only=True)
    assert not (tmp_path / "x").exists()


def test_adapters_are_not_saved_over_their_base(trained: SpeechLM, base: Path, clips: ClipMaker) -> None:
    """They would be worthless without it. The whole model may take its place."""
    with pytest.raises(CheckpointError, match="holds the base that the adapters need: save them into another folder"):
        trained.save(base, adapter_only=True)
    SpeechLM.load(base)
    trained.save(base)
    torch.testing.assert_close(states(SpeechLM.load(base), clips), states(trained, clips), atol=1e-5, rtol=0)


def rewrite(change: Callable[[dict[str, Tensor]], None]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        weights = load_file(folder / "adapter_model.safetensors")
        change(weights)
        save_file(weights, folder / "adapter_model.safetensors")

    return damage


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / "adapter_model.safetensors"), folder / "adapter_model.bin")
    (folder / "adapter_model.safetensors").unlink()


def truncated(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def later(folder: Path) -> None:
    record = json.loads((folder / "checkpoint.json").read_text())
    (folder / "checkpoint.json").write_text(json.dumps(record | {"schema_version": "2.0"}))


DAMAGES: list[tuple[str, Callable[[Path], None], str]] = [
    ("pickle", pickled, r"adapter_model\.bin is a pickle, which can run any code"),
    ("truncated", truncated, r"adapter_model\.safetensors: .*bytes, its header promises"),
    ("no parts", lambda f: (f / "parts.safetensors").unlink(), r"no parts\.safetensors"),
    ("a weight lacks", rewrite(lambda w: w.__delitem__(min(w))), "weights do not fit the configuration"),
    ("a weight too many", rewrite(lambda w: w.update(extra=torch.zeros(1))), "do not fit.*extra"),
    ("another rank", rewrite(lambda w: w.update({min(w): torch.zeros(3, 3)})), "do not fit.*lora_A"),
    ("not finite", rewrite(lambda w: w[max(w)].fill_(torch.nan)), r"weight base_model\..* values that are NaN"),
    ("record no JSON", lambda f: (f / "checkpoint.json").write_text("{"), r"checkpoint\.json: is no record"),
    ("record a list", lambda f: (f / "checkpoint.json").write_text("[]"), r"checkpoint\.json: is no record"),
    ("later record", later, r"schema 2\.0, this version reads 1\.0: install a newer speechlm"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "message"), [case[1:] for case in DAMAGES], ids=[case[0] for case in DAMAGES])
def test_damaged_adapters_are_refused_in_one_line(adapters: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(adapters)
    with pytest.raises(CheckpointError, match=message) as refused:
        SpeechLM.load(adapters)
    assert str(adapters) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_adapters_of_peft_alone_are_refused_with_the_way_out(adapters: Path) -> None:
    """What peft writes: no record, no config of the model."""
    for name in ("checkpoint.json", "config.json"):
        (adapters / name).unlink()
    with pytest.raises(CheckpointError, match="merge them with peft and load the whole model"):
        SpeechLM.load(adapters)


def test_training_goes_on_where_it_was_saved(adapters: Path, tmp_path: Path, clips: ClipMaker) -> None:
    """Loaded, moved, saved alone, loaded: the base stays the one that the first adapters had."""
    model = SpeechLM.load(adapters)
    with torch.no_grad():
        for weight in lora_weights(model).values():
            weight.mul_(2)
    model.save(tmp_path / "second", adapter_only=True, provenance=Provenance(stage="grpo"))
    assert torch.equal(states(SpeechLM.load(tmp_path / "second"), clips), states(model, clips))
    first, second = read_record(adapters), read_record(tmp_path / "second")
    assert first is not None
    assert second is not None
    assert first.base == second.base
    assert second.provenance.stage == "grpo"
