"""Grafting: a grafted model computes what its pretrained parts compute. Expected values are their own outputs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GPT2Config,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    WhisperConfig,
    WhisperModel,
)

from speechlm import (
    GraftError,
    PretrainedParts,
    check_parity,
    cli,
    graft,
    load_checkpoint,
    load_preset,
    load_pretrained_parts,
    save_checkpoint,
)
from speechlm.parity import encoder_states

VOCABULARY = 300


def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, and one of the special tokens that ours needs: the others must be added."""
    alphabet = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(alphabet, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=backend)
    fast.add_special_tokens({"eos_token": "<|im_end|>"})
    return fast


def language_model(kind: str = "llama", **changes: Any) -> Any:
    settings: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default", "rope_theta": 100_000.0},
        "tie_word_embeddings": True,
    } | changes
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(Qwen2Config(**settings)) if kind == "qwen2" else LlamaForCausalLM(LlamaConfig(**settings))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_()  # a fresh model's are 0: a lost bias would not be seen
    return model.eval()


def whisper(**changes: Any) -> WhisperModel:
    settings: dict[str, Any] = {
        "vocab_size": 60,
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "num_mel_bins": 16,
        "max_source_positions": 100,
        "pad_token_id": 0,
        "decoder_start_token_id": 1,
        "bos_token_id": 1,
        "eos_token_id": 2,
    } | changes
    torch.manual_seed(1)
    return WhisperModel(WhisperConfig(**settings)).eval()


def pretrained(text: Any = None, audio: Any = None) -> PretrainedParts:
    return PretrainedParts((audio or whisper()).encoder, text or language_model(), tokenizer())


KINDS = {
    "llama, tied": language_model,
    "llama, a head of its own": lambda: language_model(tie_word_embeddings=False),
    "qwen2": lambda: language_model("qwen2"),
    "qwen2, every head its own keys": lambda: language_model("qwen2", num_key_value_heads=4),
    "llama, heads wider than the model": lambda: language_model(head_dim=32),
    "vocabulary without spare rows": lambda: language_model(vocab_size=257),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_graft_computes_what_its_parts_do(kind: str) -> None:
    """The bar is 1e-4; both run the same float32 operations, so far less is expected."""
    pair = pretrained(KINDS[kind]())
    model, _ = graft(pair)
    parity = check_parity(model, pair, frames=90)
    assert parity.holds
    assert max(parity.logits, parity.audio) < 1e-5


def test_the_parity_check_finds_a_damaged_weight() -> None:
    pair = pretrained()
    model, _ = graft(pair)
    with torch.no_grad():
        model.text_tower.layers[1].mlp.up_proj.weight[3, 5] += 1.0  # type: ignore[union-attr,index]
    with pytest.raises(GraftError, match="logits differ by"):
        check_parity(model, pair)
    model, _ = graft(pair)
    with torch.no_grad():
        model.audio_tower.conv2.bias[0] += 1.0  # type: ignore[union-attr,operator,index]
    with pytest.raises(GraftError, match="audio by"):
        check_parity(model, pair)


@pytest.mark.parametrize("half", ["audio", "logits"])
def test_a_part_that_holds_nan_fails_the_parity_check(half: str) -> None:
    """Differences are NaN then, which no comparison finds large."""
    pair = pretrained()
    damaged = pair.encoder.layers[0].fc1 if half == "audio" else pair.language_model.model.layers[0].mlp.up_proj
    with torch.no_grad():
        damaged.weight[0, 0] = torch.nan
    with pytest.raises(GraftError, match=f"{half} differ by nan|{half} by nan"):
        check_parity(graft(pair)[0], pair)


def test_the_encoder_of_the_parity_check_is_whispers_own() -> None:
    """On the full length, the only one that Whisper takes, its own forward pass is the expected value."""
    encoder = whisper().encoder
    features = torch.randn(1, 16, 200, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = encoder(features).last_hidden_state
        torch.testing.assert_close(encoder.layer_norm(encoder_states(encoder, features)), expected)


def test_the_report_names_every_weight_once() -> None:
    model, report = graft(pretrained())
    full = {n.partition("[")[0] for n in (*report.copied, *report.zeroed, *report.new)}
    towers = [f"audio.{n}" for n, _ in model.audio_tower.named_parameters()]
    towers += [f"text.{n}" for n, _ in model.text_tower.named_parameters()]
    assert full == set(towers)
    assert len(report.zeroed) == 2 * 3  # q, k and v of two layers; Llama has no biases
    assert [n for n in report.new if n.startswith("audio.")] == [
        "audio.audio_bos_eos_token.weight", "audio.proj.weight", "audio.proj.bias",
    ]  # fmt: skip
    assert all("visual" in n for n in report.never_run)
    assert report.unused == ("audio.embed_positions.weight (the tower computes the same sinusoids)",)
    assert "<|AUDIO|>" in report.added_tokens
    assert "<|im_end|>" not in report.added_tokens  # the language model had it


def test_new_rows_of_the_vocabulary_are_the_mean_of_the_old() -> None:
    pair = pretrained(language_model(vocab_size=257))
    model, report = graft(pair)
    table = model.thinker.get_input_embeddings().weight
    assert "text.embed_tokens.weight[257:265]" in report.new  # nine special tokens, one of them there already
    torch.testing.assert_close(table[260], pair.language_model.get_input_embeddings().weight.mean(0))


def test_a_graft_hears_writes_and_survives_saving(tmp_path: Path) -> None:
    model, _ = graft(pretrained())
    clip = torch.randn(16, 60, generator=torch.Generator().manual_seed(2))
    batch = model.collate([clip], ["How?"], ["Loud."])
    with torch.no_grad():
        expected = model(batch)
        save_checkpoint(model, tmp_path / "graft")
        again = load_checkpoint(tmp_path / "graft")
        torch.testing.assert_close(again(again.collate([clip], ["How?"], ["Loud."])), expected)


def test_the_same_seed_gives_the_same_graft_and_leaves_its_parts_alone() -> None:
    pair = pretrained()
    before = {n: w.clone() for n, w in pair.language_model.named_parameters()}
    a, b, c = (graft(pair, seed=s)[0].audio_tower.proj.weight for s in (0, 0, 1))  # type: ignore[union-attr]
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert all(torch.equal(w, before[n]) for n, w in pair.language_model.named_parameters())
    assert "<|AUDIO|>" not in pair.tokenizer.get_vocab()


UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "scaled positions": ({"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}}, "scaled"),
    "output bias": ({"attention_bias": True}, "attention output has a bias"),
    "MLP bias": ({"mlp_bias": True}, "MLP has biases"),
    "narrow heads": ({"head_dim": 24}, "24 wide"),
    "small table": ({"vocab_size": 200}, "embeds only 200"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_part_that_does_not_fit_is_refused_with_the_reason(name: str) -> None:
    changes, reason = UNFIT[name]
    with pytest.raises(GraftError, match=reason):
        graft(pretrained(language_model(**changes)))


def test_other_unfit_parts_are_refused() -> None:
    with pytest.raises(GraftError, match="sliding window"):
        graft(pretrained(language_model("qwen2", use_sliding_window=True)))
    with pytest.raises(GraftError, match="'relu'"):
        graft(pretrained(audio=whisper(activation_function="relu")))
    learned = whisper()
    with torch.no_grad():
        learned.encoder.embed_positions.weight += 0.1
    with pytest.raises(GraftError, match="positions are learned"):
        graft(pretrained(audio=learned))


def test_parts_are_read_from_folders_and_foreign_ones_refused(tmp_path: Path) -> None:
    whisper().save_pretrained(tmp_path / "whisper")
    whisper().encoder.save_pretrained(tmp_path / "encoder")
    language_model().save_pretrained(tmp_path / "text")
    tokenizer().save_pretrained(tmp_path / "text")
    GPT2Config().save_pretrained(tmp_path / "gpt2")
    for audio in ("whisper", "encoder"):
        pair = load_pretrained_parts(tmp_path / audio, tmp_path / "text")
        assert check_parity(graft(pair)[0], pair, frames=50).holds
    with pytest.raises(GraftError, match="need a Whisper encoder, got architecture 'llama'"):
        load_pretrained_parts(tmp_path / "text", tmp_path / "text")
    with pytest.raises(GraftError, match="need one of llama, qwen2, got architecture 'gpt2'"):
        load_pretrained_parts(tmp_path / "whisper", tmp_path / "gpt2")
    with pytest.raises(GraftError, match="cannot be loaded"):
        load_pretrained_parts(tmp_path / "whisper", tmp_path / "nothing")


def test_positions_rounded_by_half_precision_are_read_as_the_sinusoids_they_were(tmp_path: Path) -> None:
    """Whisper-base is published in float16; float32 sinusoids are the expected value."""
    language_model().save_pretrained(tmp_path / "text")
    tokenizer().save_pretrained(tmp_path / "text")
    whisper().half().save_pretrained(tmp_path / "whisper")
    pair = load_pretrained_parts(tmp_path / "whisper", tmp_path / "text")
    assert torch.equal(pair.encoder.embed_positions.weight, whisper().encoder.embed_positions.weight)
    assert check_parity(graft(pair)[0], pair).audio < 1e-5


def test_a_pickled_part_is_refused(tmp_path: Path) -> None:
    language_model().config.save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    torch.save(language_model().state_dict(), tmp_path / "pytorch_model.bin")
    whisper().save_pretrained(tmp_path / "whisper")
    with pytest.raises(GraftError, match=r"pytorch_model\.bin is a pickle, which can run any code when it is read"):
        load_pretrained_parts(tmp_path / "whisper", tmp_path)


def test_a_truncated_part_is_refused(tmp_path: Path) -> None:
    whisper().save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(GraftError, match=r"it has \d+ bytes, its header promises \d+: copy it again"):
        load_pretrained_parts(tmp_path, tmp_path)


def test_parts_are_found_in_the_hubs_cache_and_are_a_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Laid down as `hf download` does: folders of a commit, which `main` names."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for name, parts in (("ear", [whisper()]), ("voice", [language_model(), tokenizer()])):
        place = tmp_path / f"models--someone--{name}"
        for part in parts:
            part.save_pretrained(place / "snapshots" / ("0" * 40))
        (place / "refs").mkdir()
        (place / "refs" / "main").write_text("0" * 40)
    model = load_preset("compact", audio="someone/ear", text="someone/voice", system="Listen.", seed=3)
    expected, _ = graft(pretrained(), seed=3)
    assert model.system == "Listen."
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), expected.parameters(), strict=True))


def test_the_command_grafts_reports_and_does_not_overwrite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whisper().save_pretrained(tmp_path / "whisper")
    language_model().save_pretrained(tmp_path / "text")
    tokenizer().save_pretrained(tmp_path / "text")
    words = ["speechlm", "graft", "--audio", str(tmp_path / "whisper"), "--text", str(tmp_path / "text"), "--json"]
    monkeypatch.setattr(sys, "argv", [*words, "-o", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code in (0, None)
    report = json.loads(capsys.readouterr().out)
    assert max(report["parity"].values()) < 1e-4
    assert len(report["zeroed"]) == 6
    assert load_checkpoint(tmp_path / "out").audio_id == report_id(tmp_path / "out")
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "exists already" in capsys.readouterr().err


def test_the_command_restores_what_a_delta_was_made_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grafted, changed in the adapter and by a matrix of rank one, published, restored: the weights of the changed one,
    but for rounding to float16.
    """
    whisper().save_pretrained(tmp_path / "whisper")
    language_model().save_pretrained(tmp_path / "text")
    tokenizer().save_pretrained(tmp_path / "text")
    halves = ["--audio", str(tmp_path / "whisper"), "--text", str(tmp_path / "text")]

    def run(*arguments: str) -> int | str | None:
        monkeypatch.setattr("sys.argv", ["speechlm", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code

    base, tuned, published, restored = (str(tmp_path / name) for name in ("base", "tuned", "published", "restored"))
    assert run("graft", *halves, "--out", base) in (0, None)
    model = load_checkpoint(Path(base))
    up: Any = model.text_tower.layers[0].mlp.up_proj.weight  # type: ignore[union-attr,index]
    up.data += 0.1 * torch.outer(torch.linspace(-1, 1, up.shape[0]), torch.linspace(0, 1, up.shape[1]))
    save_checkpoint(model, Path(tuned), files={"policy.json": b"{}"})
    assert run("delta", base, tuned, "--out", published, "--rank", "2") in (0, None)
    assert run("restore", published, *halves, "--out", restored) in (0, None)
    found, wanted = load_checkpoint(Path(restored)).state_dict(), load_checkpoint(Path(tuned)).state_dict()
    for name, weight in wanted.items():
        torch.testing.assert_close(found[name], weight, atol=1e-3, rtol=1e-3, msg=name)
    assert (Path(restored) / "policy.json").read_bytes() == b"{}"
    assert run("restore", published, *halves, "--out", restored) == 1  # nothing is overwritten


def report_id(folder: Path) -> int:
    """The id of the audio placeholder as the written configuration names it."""
    return int(json.loads((folder / "config.json").read_text())["audio_token_index"])


@pytest.fixture(scope="session")
def real_parts(tmp_path_factory: pytest.TempPathFactory) -> PretrainedParts:
    """Whisper-base and SmolLM2-135M-Instruct; the latter lies there as GGUF, which takes two more libraries to read."""
    pytest.importorskip("gguf")
    pytest.importorskip("accelerate")
    shared = Path(os.environ.get("EMOTIONTHINKER_SHARED", "../shared"))
    if not (shared / "models").is_dir():
        pytest.skip(f"no {shared / 'models'}")
    folder = tmp_path_factory.mktemp("smollm2")
    subprocess.run([sys.executable, str(shared / "tools" / "smollm2_to_hf.py"), str(folder)], check=True)
    return load_pretrained_parts(shared / "models" / "whisper-base-encoder", folder)


@pytest.mark.corpus
def test_whisper_base_and_smollm2_become_one_speech_llm(real_parts: PretrainedParts) -> None:
    """The bar of 1e-4 on pretrained weights. 155 M parameters: 20.6 M of Whisper's encoder, 134.5 M of SmolLM2."""
    model, report = graft(real_parts)
    parity = check_parity(model, real_parts)
    assert parity.holds
    assert len(report.zeroed) == 90  # q, k and v of thirty layers
    assert 150e6 < sum(w.numel() for w in model.parameters()) < 160e6
