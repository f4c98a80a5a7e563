"""What was saved comes back to the bit; what is no checkpoint is refused in one line."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from speechlm import (
    CheckpointError,
    LoraSettings,
    PocketSize,
    Provenance,
    SpeechLM,
    add_lora,
    load_checkpoint,
    pocket,
    read_record,
    save_checkpoint,
    summarize,
    train_only,
    train_tokenizer,
)
from speechlm.tokenizer import text_ids

Damage = Callable[[Path], None]


@pytest.fixture
def folder(model: SpeechLM, tmp_path: Path) -> Path:
    save_checkpoint(model, tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def test_round_trip_is_bit_equal(model: SpeechLM, folder: Path, clips: Callable[..., list[Tensor]]) -> None:
    loaded = load_checkpoint(folder)
    expected, found = model.state_dict(), loaded.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert loaded.head.weight is loaded.thinker.get_input_embeddings().weight  # still tied
    assert loaded.thinker.config.audio_feature_gain == model.thinker.config.audio_feature_gain == 2.5
    text = " <think>The  voice , isn't …</think>\n<answer>ü<|im_end|></answer> "
    assert text_ids(loaded.tokenizer, text) == text_ids(model.tokenizer, text)
    assert loaded.tokenizer.decode(text_ids(loaded.tokenizer, text)) == text
    batches = [m.collate(clips(40), ["How?"], ["Sad."]) for m in (model, loaded)]
    assert torch.equal(model(batches[0]), loaded.eval()(batches[1]))


def test_only_safetensors_are_written(folder: Path) -> None:
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".safetensors", ".jinja", ".md"}


def test_half_precision_is_kept(model: SpeechLM, tmp_path: Path) -> None:
    save_checkpoint(model.to(torch.bfloat16), tmp_path)
    loaded = load_checkpoint(tmp_path)
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


def spoil(value: float) -> Callable[[dict[str, Tensor]], None]:
    def change(weights: dict[str, Tensor]) -> None:
        name = next(name for name in weights if name.endswith("layers.1.mlp.up_proj.weight"))
        weights[name][3, 5] = value

    return change


def tokenizer_of(size: int) -> Damage:
    def damage(folder: Path) -> None:
        train_tokenizer([f"word{i}" for i in range(99)], vocab_size=size).save_pretrained(folder)

    return damage


def shifted(folder: Path) -> None:
    """Ids 3 and 7 exchanged, and no record that knows of it, as in a folder put together by hand."""
    text = (folder / "tokenizer.json").read_text()
    data = json.loads(text)
    for entry in data["added_tokens"]:
        entry["id"] = {3: 7, 7: 3}.get(entry["id"], entry["id"])
    vocabulary = data["model"]["vocab"]
    for token, index in list(vocabulary.items()):
        vocabulary[token] = {3: 7, 7: 3}.get(index, index)
    (folder / "tokenizer.json").write_text(json.dumps(data))
    (folder / "checkpoint.json").unlink()


def truncated(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


DAMAGES: list[tuple[str, Damage, str]] = [
    ("no config", remove("config.json"), "no config.json"),
    ("no weights", remove("model.safetensors"), r"weights cannot be loaded: no model\.safetensors"),
    (
        "record of no kind",
        write("checkpoint.json", '{"schema_version": "1.0", "base": null, "lora": null, "kind": "x"}'),
        "kind must be 'full', got 'x'",
    ),
    ("no tokenizer", remove("tokenizer.json"), "no tokenizer.json"),
    ("config no JSON", write("config.json", "{"), "config.json: it cannot be loaded"),
    ("config a list", write("config.json", "[]"), "config.json: it cannot be loaded"),
    ("another architecture", write("config.json", '{"model_type": "bert"}'), "thinker, found bert"),
    ("unknown architecture", write("config.json", '{"model_type": "x"}'), "config.json: it cannot be loaded"),
    ("config of wrong types", edit_config(hidden_size="x"), "config.json: it cannot be loaded"),
    ("wrong shapes", edit_config(intermediate_size=64), r"weights do not fit.*layers\.0\.mlp\.down_proj"),
    ("one layer too many", edit_config(num_hidden_layers=3, layer_types=["full_attention"] * 3), "weights do not fit"),
    ("garbage weights", write("model.safetensors", "no weights"), r"weights cannot be loaded: .* cut off or not safe"),
    ("empty weights", write("model.safetensors", ""), r"weights cannot be loaded: the file \(0 bytes\) is cut off"),
    ("truncated weights", truncated, r"weights cannot be loaded: it has \d+ bytes, its header promises \d+: copy"),
    ("pickle", pickled, r"pytorch_model\.bin is a pickle, which can run any code when it is read; convert it"),
    (
        "not a number",
        edit_weights(spoil(math.nan)),
        r"weight .*layers\.1\.mlp\.up_proj\.weight holds 1 of 12288 values",
    ),
    ("infinite", edit_weights(spoil(-math.inf)), "are NaN or infinite, so training diverged: load an earlier one"),
    ("a weight lacks", edit_weights(lambda w: w.__delitem__(min(w))), "weights do not fit"),
    ("a weight too many", edit_weights(lambda w: w.update(extra=torch.zeros(1))), "weights do not fit.*extra"),
    ("tokenizer no JSON", write("tokenizer.json", "{"), "tokenizer cannot be loaded"),
    ("tokenizer empty", write("tokenizer.json", "{}"), "tokenizer cannot be loaded"),
    ("tokenizer too large", tokenizer_of(330), "has 330 tokens, the model embeds only 300: restore the tokenizer"),
    ("tokenizer of others", tokenizer_of(300), "its 300 tokens are not the 300 of the checkpoint: restore"),
    ("tokenizer shifted", shifted, r"<\|AUDIO\|> is its token 7, the model's is 3: restore the tokenizer"),
]


@pytest.mark.parametrize(("damage", "message"), [case[1:] for case in DAMAGES], ids=[case[0] for case in DAMAGES])
def test_damaged_checkpoints_are_refused_in_one_line(folder: Path, damage: Damage, message: str) -> None:
    """Each damage is named with the folder it is in."""
    damage(folder)
    with pytest.raises(CheckpointError, match=message) as refused:
        load_checkpoint(folder)
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_folder_and_a_file_are_refused(folder: Path, tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "nowhere", "nowhere: no such folder"),
        (folder / "config.json", "no config.json"),
    ):
        with pytest.raises(CheckpointError, match=message):
            load_checkpoint(path)


@pytest.fixture
def shards(model: SpeechLM, tmp_path: Path) -> Path:
    save_checkpoint(model, tmp_path / "shards", max_shard_size="200KB")
    return tmp_path / "shards"


def test_large_weights_are_cut_into_shards_and_come_back(model: SpeechLM, shards: Path) -> None:
    """No shard is larger than asked but one that holds a single weight; all weights are in exactly one."""
    files = sorted(shards.glob("model-*.safetensors"))
    assert len(files) > 3
    stored: list[str] = []
    for path in files:
        weights = load_file(path)
        stored += weights
        size = sum(w.numel() * w.element_size() for w in weights.values())
        assert size <= 200_000 or len(weights) == 1
    assert len(set(stored)) == len(stored)
    loaded = load_checkpoint(shards)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), loaded.parameters(), strict=True))
    record = read_record(shards)
    assert record is not None
    assert list(record.files) == [path.name for path in files]


def shorter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (Path.unlink, r"1 of \d+ shards are missing, for example model-00002-of-.*: copy the checkpoint again"),
        (shorter, r"model-00002-of-\d+\.safetensors: weights cannot be loaded: it has .*promises"),
        (lambda path: (path.parent / "model.safetensors.index.json").write_text("[]"), "not a valid index of shards"),
        (lambda path: (path.parent / "model.safetensors.index.json").unlink(), r"no model\.safetensors"),
    ],
    ids=["missing", "truncated", "index a list", "no index"],
)
def test_damaged_shards_are_refused(shards: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(next(shards.glob("model-00002-*")))
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(shards)


def test_a_new_checkpoint_leaves_nothing_of_the_old_one_but_what_others_put_there(
    model: SpeechLM, shards: Path
) -> None:
    """Sharded, then whole: shards go, and so do adapters that peft left there; the history of a training stays."""
    (shards / "history.jsonl").write_text("{}")
    (shards / "scale.json").write_text("{}")
    (shards / "adapter_config.json").write_text("{}")
    others = {"history.jsonl", "scale.json"}
    always = {"README.md", "checkpoint.json", "config.json", "tokenizer.json", "tokenizer_config.json"}
    save_checkpoint(model, shards)
    assert {path.name for path in shards.iterdir()} == others | always | {"generation_config.json", "model.safetensors"}


def test_a_model_that_diverged_is_not_saved_over_one_that_did_not(model: SpeechLM, folder: Path) -> None:
    with torch.no_grad():
        model.head.weight[5, 0] = math.nan
    with pytest.raises(CheckpointError, match=r"weight thinker\..* holds 1 of 19200 .* nothing was written; go back"):
        save_checkpoint(model, folder)
    assert load_checkpoint(folder).head.weight.isfinite().all()


def test_files_of_the_caller_come_and_go_with_the_checkpoint(model: SpeechLM, tmp_path: Path) -> None:
    """They are no weights of the model, whatever they are called."""
    written = save_checkpoint(model, tmp_path / "a", files={"head.safetensors": b"1", "card.json": b"{}"})
    assert written.files == ("model.safetensors",)
    assert (tmp_path / "a" / "head.safetensors").read_bytes() == b"1"
    save_checkpoint(model, tmp_path / "a", files={"card.json": b"[]"})
    assert (tmp_path / "a" / "card.json").read_bytes() == b"[]"
    load_checkpoint(tmp_path / "a")


@pytest.mark.parametrize("name", ["../card.json", "a/card.json", "", "..", "config.json", "adapter_notes.json"])
def test_files_of_the_caller_lie_in_the_folder_and_replace_none_of_the_models(
    model: SpeechLM, tmp_path: Path, name: str
) -> None:
    with pytest.raises(CheckpointError, match=r"cannot be called .*: give it a plain name of its own"):
        save_checkpoint(model, tmp_path / "a", files={name: b"{}"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", ["lots", "5", "0GB", "-1GB", 0, -1])
def test_sizes_of_shards_that_are_none_are_refused(model: SpeechLM, tmp_path: Path, size: int | str) -> None:
    with pytest.raises(CheckpointError, match=f"500MB or 5GB, got {size!r}"):
        save_checkpoint(model, tmp_path / "a", max_shard_size=size)
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_of_before_there_were_records_load(model: SpeechLM, tmp_path: Path) -> None:
    """What version 0.1 wrote: the files of transformers alone."""
    model.thinker.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    assert read_record(tmp_path) is None
    loaded = load_checkpoint(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), loaded.parameters(), strict=True))
    assert loaded.train_state.base is not None
    assert loaded.train_state.base.name == str(tmp_path)


def test_the_precision_is_that_asked_for_and_attention_is_fast(folder: Path) -> None:
    loaded = load_checkpoint(folder, dtype=torch.bfloat16)
    assert {p.dtype for p in loaded.parameters()} == {torch.bfloat16}
    assert loaded.audio_tower.config._attn_implementation == "sdpa"
    assert loaded.text_tower.config._attn_implementation == "sdpa"


def test_a_loaded_model_is_in_evaluation_mode_as_a_new_one_is(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    """All of it: a module above its towers that said otherwise would have the towers' mode changed by `Sampler`, which
    restores the mode it found."""
    for model in (load_checkpoint(folder), pocket(tokenizer, seed=0)):
        assert not any(module.training for module in model.modules())


PROVENANCE = Provenance(
    description="A policy that | explains.",
    stage="sft",
    label_set="PAPER_9",
    data={"dataset.json": "ab" * 32},
    synthetic=True,
)


def test_the_record_says_what_is_known(model: SpeechLM, tmp_path: Path) -> None:
    """Counts by hand as in the summary's test; a field of a later minor version is passed over."""
    train_only(model, ["adapter", "llm"])
    written = save_checkpoint(model, tmp_path / "a", provenance=PROVENANCE)
    path = tmp_path / "a" / "checkpoint.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"schema_version": "1.7", "mood": "sunny"}))
    record = read_record(tmp_path / "a")
    assert record is not None
    assert record.provenance == written.provenance == PROVENANCE
    assert (record.kind, record.trained, record.lora, record.vocabulary) == ("full", ("adapter", "llm"), None, 300)
    assert record.parameters["adapter"] == 32 * 64 + 64
    assert sum(record.parameters.values()) == sum(summarize(model).parts.values())
    assert {"python", "torch", "transformers", "peft", "emotionthinker-speechlm"} <= set(record.versions)
    assert record.versions["torch"] == version("torch")
    load_checkpoint(tmp_path / "a")


def test_the_card_says_what_a_reader_asks(model: SpeechLM, tmp_path: Path) -> None:
    """Text of callers stays in its cell; what nobody said is said to be unknown."""
    save_checkpoint(model, tmp_path / "base")
    policy = load_checkpoint(tmp_path / "base")
    add_lora(policy, LoraSettings(rank=3))
    save_checkpoint(policy, tmp_path / "a", provenance=PROVENANCE)
    card = (tmp_path / "a" / "README.md").read_text()
    rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", card, flags=re.MULTILINE))
    assert rows["base"] == "base"  # the record has the whole path, which no reader elsewhere could use
    assert rows["trained"] == "language model"
    assert rows["LoRA"].startswith("rank 3, alpha 32, dropout 0, on q_proj, ")
    assert rows["label set"] == "PAPER_9"
    assert f"torch {version('torch')}" in rows["written by"]
    assert f"- dataset.json: SHA-256 `{'ab' * 32}`" in card
    assert "synthetic: no person's voice is in it" in card
    assert "## Intended use" in card
    assert "## Limits" in card
    assert card.startswith("---\nlibrary_name: speechlm\n")
    plain = (tmp_path / "base" / "README.md").read_text()
    assert "Whether its training data is synthetic is not recorded." in plain
    assert "| trained | not recorded |" in plain


HUNGRY = """
import resource, sys
from pathlib import Path

from speechlm import CheckpointError, load_checkpoint

used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 40_000_000,) * 2)
try:
    load_checkpoint(Path(sys.argv[1]))
except CheckpointError as error:
    print(error)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's account of memory")
def test_a_model_larger_than_memory_is_refused_with_what_to_lower(tmp_path: Path) -> None:
    """A process that may take 40 MB more loads 100 MB."""
    tokenizer = train_tokenizer(["a voice"], vocab_size=270)
    size = PocketSize(audio_width=32, audio_layers=1, text_width=512, text_layers=8, num_mel_bins=16)
    save_checkpoint(pocket(tokenizer, seed=0, size=size), tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size > 100_000_000
    done = subprocess.run(
        [sys.executable, "-c", HUNGRY, str(tmp_path)],
        capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.stdout.startswith(f"{tmp_path}: out of memory while loading 0.10 GiB of weights: load with dtype="), (
        done.stdout + done.stderr[-2_000:]
    )
    assert done.stdout.count("\n") == 1


def test_the_whole_model_is_saved_with_its_adapters_merged(
    model: SpeechLM, tmp_path: Path, clips: Callable[..., list[Tensor]]
) -> None:
    """It computes the same without them; the model itself keeps them, to the bit."""
    save_checkpoint(model, tmp_path / "base")
    trained = load_checkpoint(tmp_path / "base")
    settings = LoraSettings(rank=4, alpha=6.0, targets=("q_proj", "v_proj", "down_proj"))
    add_lora(trained, settings)
    train_only(trained, ["lora", "adapter"])
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in trained.parameters():
            if weight.requires_grad:
                weight.add_(0.03 * torch.randn(weight.shape, generator=generator))
    before = {name: weight.clone() for name, weight in trained.state_dict().items()}
    save_checkpoint(trained, tmp_path / "merged")
    assert all(torch.equal(weight, before[name]) for name, weight in trained.state_dict().items())
    whole = load_checkpoint(tmp_path / "merged")
    with torch.no_grad():
        expected, found = (m(m.collate(clips(40), ["How?"], ["Sad."])) for m in (trained, whole))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert (whole.train_state.lora, whole.train_state.trained) == (None, frozenset())
    assert whole.head.weight is whole.thinker.get_input_embeddings().weight
    record = read_record(tmp_path / "merged")
    assert record is not None
    assert (record.kind, record.lora, record.trained) == ("full", settings, ("adapter", "llm"))
    assert record.base == trained.train_state.base
    assert record.base is not None
    assert record.base.name == str(tmp_path / "base")
