"""The same model on CPU and on CUDA, in float32 and in bfloat16. What CUDA alone can show is marked `gpu`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from speechlm import SpeechLM, add_lora, enable_gradient_checkpointing, load_checkpoint, log_mel
from speechlm.released import random_released

ClipMaker = Callable[..., list[Tensor]]
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "cuda":
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # else convolutions round to 10 bits
    chosen: str = request.param
    return chosen


def buzz(seconds: float) -> NDArray[np.float32]:
    n = round(seconds * 16_000)
    return (0.1 * np.sign(np.sin(np.arange(n) * 2 * np.pi * 150 / 16_000))).astype(np.float32)


@torch.no_grad()
def test_a_model_computes_the_same_wherever_it_is_loaded(whole_omni: Path, device: str) -> None:
    """Float32 on the CPU is the expected value; a batch made there is moved as a whole."""
    reference = load_checkpoint(whole_omni).eval()
    model = load_checkpoint(whole_omni, device=device).eval()
    assert {weight.device.type for weight in model.parameters()} == {device}
    batch = reference.collate(
        [log_mel(buzz(s), reference.features) for s in (0.9, 0.5)], ["How?", "And?"], ["Sad.", "Loud."]
    )
    found = model(batch.to(model.device))
    assert found.device.type == device
    real = batch.attention_mask.bool()
    torch.testing.assert_close(found.cpu()[real], reference(batch)[real], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_packed_states_are_the_unpacked_in_bfloat16(model: SpeechLM, clips: ClipMaker, device: str) -> None:
    """Bfloat16 has 8 bits, so directions of states are compared: float32's, unpacked, are the expected value."""
    answers = ["It sounds sad.", "Loud.", "The pitch is low."]
    rows = model.collate(clips(64) * 3, ["How?"] * 3, answers)
    expected = model(rows)[rows.completion_mask]
    half = model.to(device, torch.bfloat16)
    packed = half.pack(clips(64), ["How?"], [answers])
    found = half(packed)[packed.batch.completion_mask]
    assert (found.device.type, found.dtype) == (device, torch.bfloat16)
    likeness = functional.cosine_similarity(found.float().cpu(), expected, dim=-1)
    assert float(likeness.min()) > 0.995


def test_gradients_of_bfloat16_with_lora_and_recomputation_are_finite(
    model: SpeechLM, clips: ClipMaker, device: str
) -> None:
    """All of what training a released size on one card takes together."""
    half = model.to(device, torch.bfloat16)
    add_lora(half)
    enable_gradient_checkpointing(half)
    half.train()
    batch = half.collate(clips(40, 64), ["How?", "And?"], ["Sad.", "Loud."])
    half.head(half(batch)).float().logsumexp(-1).mean().backward()
    gradients = [weight.grad for weight in half.parameters() if weight.requires_grad]
    assert gradients
    assert all(grad is not None and bool(grad.isfinite().all()) for grad in gradients)
    assert any(bool(grad.any()) for grad in gradients if grad is not None)


@pytest.mark.gpu
@pytest.mark.slow
@torch.no_grad()
def test_a_released_size_is_made_on_the_card_and_hears() -> None:
    """3B with random weights, 9.4 GB of bfloat16 that the CPU's memory never holds."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    model = random_released("omni3b", device="cuda").eval()
    assert {(w.device.type, w.dtype) for w in model.parameters()} == {("cuda", torch.bfloat16)}
    batch = model.collate([log_mel(buzz(10.0), model.features)], ["How?"], ["Sad."])
    hidden = model(batch)
    assert hidden.shape[-1] == 2_048
    assert bool(hidden.isfinite().all())
