"""Deltas: what is restored computes what was trained. Expected values are the tuned model's own weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from speechlm import CheckpointError, SpeechLM, add_lora, load_checkpoint, pocket, save_checkpoint, train_tokenizer
from speechlm.delta import DELTA, apply_delta, save_delta
from speechlm.freezing import part_weights
from speechlm.metadata import LoraSettings

RANK = 4


def fresh() -> SpeechLM:
    """The same small model each time."""
    return pocket(train_tokenizer(["How does she sound?", "The pitch is high."], vocab_size=300), seed=3)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> SpeechLM:
    """The small model after a change of rank 4 by LoRA, and of the adapter and every norm of the audio tower."""
    model = fresh()
    add_lora(model, LoraSettings(rank=RANK, alpha=8.0))
    generator = torch.Generator().manual_seed(0)
    for part, weights in part_weights(model).items():
        for weight in weights.values():
            if part in {"lora", "adapter"} or (part == "audio_encoder" and weight.ndim == 1):
                weight.data += 0.1 * torch.randn(weight.shape, generator=generator)
    folder = tmp_path_factory.mktemp("tuned")
    save_checkpoint(model, folder)
    return load_checkpoint(folder)


def largest_difference(a: SpeechLM, b: SpeechLM) -> float:
    return max(float((x - y).detach().abs().max()) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_a_change_of_low_rank_is_restored_to_half_precision(tuned: SpeechLM, tmp_path: Path) -> None:
    """Rank 4 suffices for LoRA of rank 4; what remains is the rounding of float16 to 2**-11 of values near 1."""
    report = save_delta(fresh(), tuned, tmp_path / DELTA, rank=RANK)
    restored = fresh()
    before = largest_difference(restored, tuned)
    apply_delta(restored, tmp_path / DELTA)
    assert report.residual < 1e-3
    assert before > 0.05
    assert largest_difference(restored, tuned) < 4e-3
    changed = sum(t.numel() for t in load_file(tmp_path / DELTA).values())
    assert changed < 0.2 * sum(p.numel() for p in tuned.parameters())


def test_too_low_a_rank_is_reported(tuned: SpeechLM, tmp_path: Path) -> None:
    """Half the rank cannot hold the change: of four random directions of like size, two are left out."""
    assert 0.3 < save_delta(fresh(), tuned, tmp_path / DELTA, rank=RANK // 2).residual < 0.9


def test_another_base_is_refused_unless_it_is_wanted(tuned: SpeechLM, tmp_path: Path) -> None:
    save_delta(fresh(), tuned, tmp_path / DELTA, rank=RANK)
    other = fresh()
    other.text_tower.layers[0].mlp.up_proj.weight.data += 0.1  # type: ignore[union-attr,index]
    kept = [p.clone() for p in other.parameters()]
    with pytest.raises(CheckpointError, match="made for another base: llm differs"):
        apply_delta(other, tmp_path / DELTA)
    assert all(torch.equal(a, b) for a, b in zip(kept, other.parameters(), strict=True))
    apply_delta(other, tmp_path / DELTA, any_base=True)
    assert largest_difference(other, tuned) == pytest.approx(0.1, abs=5e-3)


@pytest.mark.parametrize("damage", ["cut", "shape", "unknown"])
def test_a_delta_that_does_not_fit_changes_nothing(tuned: SpeechLM, tmp_path: Path, damage: str) -> None:
    path, base = tmp_path / DELTA, fresh()
    save_delta(base, tuned, path, rank=RANK)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    else:
        stored = load_file(path)
        name = next(iter(stored))
        value = stored.pop(name)
        stored[name if damage == "shape" else "llm/nothing@whole"] = value[:-1].contiguous()
        save_delta_as(path, stored)
    kept = [p.clone() for p in base.parameters()]
    with pytest.raises(CheckpointError):
        apply_delta(base, path, any_base=True)
    assert all(torch.equal(a, b) for a, b in zip(kept, base.parameters(), strict=True))


def save_delta_as(path: Path, stored: dict[str, torch.Tensor]) -> None:
    save_file(stored, path, metadata={"base": "{}", "rank": str(RANK)})


def test_models_of_different_sizes_have_no_delta(tuned: SpeechLM, tmp_path: Path) -> None:
    other = pocket(train_tokenizer(["Another vocabulary, of other words."], vocab_size=280), seed=3)
    with pytest.raises(CheckpointError, match="one architecture"):
        save_delta(other, tuned, tmp_path / DELTA)
    assert not (tmp_path / DELTA).exists()
