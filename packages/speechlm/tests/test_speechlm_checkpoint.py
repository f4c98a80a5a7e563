"""What was saved comes back to the bit; what is no checkpoint is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from speechlm import CheckpointError, SpeechLM
from speechlm.tokenizer import text_ids

Damage = Callable[[Path], None]


@pytest.fixture
def folder(model: SpeechLM, tmp_path: Path) -> Path:
    model.save(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def test_round_trip_is_bit_equal(model: SpeechLM, folder: Path, clips: Callable[..., list[Tensor]]) -> None:
    loaded = SpeechLM.load(folder)
    expected, found = model.state_dict(), loaded.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert loaded.head.weight is loaded.thinker.get_input_embeddings().weight  # still tied
    assert loaded.thinker.config.audio_feature_gain == model.thinker.config.audio_feature_gain == 2.5
    text = " <think>The  voice , isn't …</think>\n<answer>ü<|im_end|></answer> "
    assert text_ids(loaded.tokenizer, text) == text_ids(model.tokenizer, text)
    assert loaded.tokenizer.decode(text_ids(loaded.tokenizer, text)) == text
    batches = [m.collate(clips(40), ["How?"], ["Sad."]) for m in (model, loaded)]
    assert torch.equal(model.hidden_states(batches[0]), loaded.eval().hidden_states(batches[1]))


def test_only_safetensors_are_written(folder: Path) -> None:
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".safetensors", ".jinja", ".md"}


def test_half_precision_is_kept(model: SpeechLM, tmp_path: Path) -> None:
    model.to(torch.bfloat16).save(tmp_path)
    loaded = SpeechLM.load(tmp_path)
    assert loaded.head.weight.dtype is torch.bfloat16
    assert torch.equal(loaded.head.weight, model.head.weight)


def remove(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def write(name: str, text: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).write_text(text, encoding="utf-8")

    return damage


def edit_config(**changes: object) -> Damage:
    def damage(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        config["text_config"] |= changes
        (folder / "config.json").write_text(json.dumps(config))

    return damage


def edit_weights(change: Callable[[dict[str, Tensor]], None]) -> Damage:
    def damage(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    return damage


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def truncated(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


DAMAGES: list[tuple[str, Damage, str]] = [
    ("no config", remove("config.json"), "no config.json"),
    ("no weights", remove("model.safetensors"), "weights cannot be loaded"),
    ("no tokenizer", remove("tokenizer.json"), "no tokenizer.json"),
    ("config no JSON", write("config.json", "{"), "config.json: it cannot be loaded"),
    ("config a list", write("config.json", "[]"), "config.json: it cannot be loaded"),
    ("another architecture", write("config.json", '{"model_type": "bert"}'), "thinker, found bert"),
    ("unknown architecture", write("config.json", '{"model_type": "x"}'), "config.json: it cannot be loaded"),
    ("config of wrong types", edit_config(hidden_size="x"), "config.json: it cannot be loaded"),
    ("wrong shapes", edit_config(intermediate_size=64), "weights"),
    ("one layer too many", edit_config(num_hidden_layers=3, layer_types=["full_attention"] * 3), "weights do not fit"),
    ("garbage weights", write("model.safetensors", "no weights"), "weights cannot be loaded"),
    ("truncated weights", truncated, "weights cannot be loaded"),
    ("pickle", pickled, "weights cannot be loaded"),
    ("a weight lacks", edit_weights(lambda w: w.__delitem__(min(w))), "weights do not fit"),
    ("a weight too many", edit_weights(lambda w: w.update(extra=torch.zeros(1))), "weights do not fit.*extra"),
    ("tokenizer no JSON", write("tokenizer.json", "{"), "tokenizer cannot be loaded"),
    ("tokenizer empty", write("tokenizer.json", "{}"), "tokenizer cannot be loaded"),
]


@pytest.mark.parametrize(("damage", "message"), [case[1:] for case in DAMAGES], ids=[case[0] for case in DAMAGES])
def test_damaged_checkpoints_are_refused_in_one_line(folder: Path, damage: Damage, message: str) -> None:
    """Each damage is named with the folder it is in."""
    damage(folder)
    with pytest.raises(CheckpointError, match=message) as refused:
        SpeechLM.load(folder)
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_folder_and_a_file_are_refused(folder: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", folder / "config.json"):
        with pytest.raises(CheckpointError, match=r"no config\.json"):
            SpeechLM.load(path)
