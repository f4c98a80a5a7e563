"""The reference gives the log-probabilities of the model that training began with, to the bit, while that moves on."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from policy import Reference, Sampler, sequence_logprobs
from speechlm import (
    LoraSettings,
    PackedGroup,
    SpeechBatch,
    SpeechLM,
    add_lora,
    load_checkpoint,
    save_checkpoint,
    train_only,
)

ClipMaker = Callable[..., list[Tensor]]
Q = "How does it sound?"
ANSWERS = ["The pitch is high.", "Sad."]


@pytest.fixture
def batches(model: SpeechLM, clips: ClipMaker) -> list[SpeechBatch | PackedGroup]:
    """The same answers in rows of their own and packed after one prompt."""
    rows = model.collate(clips(40), [Q, Q], ANSWERS, audio_index=[0, 0])
    return [rows, model.pack(clips(40), [Q], [ANSWERS])]


def learn(model: SpeechLM, batches: list[SpeechBatch | PackedGroup], *, steps: int = 3) -> None:
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        (-sequence_logprobs(model, batches[1]).sum()).backward()
        optimiser.step()


def expected(model: SpeechLM, batches: list[SpeechBatch | PackedGroup]) -> list[Tensor]:
    with torch.no_grad():
        return [sequence_logprobs(model, batch, temperature=0.7) for batch in batches]


def check(reference: Reference, batches: list[SpeechBatch | PackedGroup], before: list[Tensor]) -> None:
    for batch, logprobs in zip(batches, before, strict=True):
        found = reference.logprobs(batch, temperature=0.7)
        assert torch.equal(found, logprobs)
        assert not found.requires_grad


@pytest.mark.parametrize("shared", [True, False], ids=["adapters off", "frozen copy"])
def test_both_references_are_the_model_without_adapters(
    model: SpeechLM, batches: list[SpeechBatch | PackedGroup], *, shared: bool
) -> None:
    """The base model's own, computed before adapters were added; the policy has left them in the meantime."""
    before = expected(model, batches)
    add_lora(model, LoraSettings(rank=2, dropout=0.3))
    reference = Reference.of(model) if shared else Reference(copy.deepcopy(model).eval(), shared=False)
    assert (reference.model is model) is shared
    model.train()
    torch.manual_seed(0)  # of the dropout
    learn(model, batches)
    check(reference, batches, before)
    assert model.training
    model.eval()
    assert any((a - b).abs().max() > 1e-3 for a, b in zip(expected(model, batches), before, strict=True))


def test_new_adapters_alone_need_no_copy(model: SpeechLM) -> None:
    add_lora(model)
    assert Reference.of(model).shared


def test_a_whole_model_needs_a_copy(model: SpeechLM, batches: list[SpeechBatch | PackedGroup]) -> None:
    before = expected(model, batches)
    reference = Reference.of(model)
    assert not reference.shared
    learn(model, batches)
    check(reference, batches, before)
    assert not any(p.requires_grad for p in reference.model.parameters())


@pytest.mark.parametrize("what", ["trained adapters", "the projection too", "no adapters"])
def test_a_copy_is_kept_where_switching_off_would_not_do(
    model: SpeechLM, batches: list[SpeechBatch | PackedGroup], what: str
) -> None:
    """Adapters of an earlier training (the reference has them), or other parts that are trained with them."""
    if what != "no adapters":
        add_lora(model)
    if what == "trained adapters":
        learn(model, batches)
    elif what == "the projection too":
        train_only(model, ["lora", "adapter"])
    before = expected(model, batches)
    reference = Reference.of(model)
    assert not reference.shared
    learn(model, batches)
    check(reference, batches, before)


def test_gradients_of_the_policy_outlive_its_reference(
    model: SpeechLM, batches: list[SpeechBatch | PackedGroup]
) -> None:
    """As in a training step: forward, reference, then backward; the gradient is that without a reference between."""
    add_lora(model)
    reference = Reference.of(model)
    moving = [p for p in model.parameters() if p.requires_grad]
    plain = torch.autograd.grad(sequence_logprobs(model, batches[1]).sum(), moving)
    loss = sequence_logprobs(model, batches[1]).sum()
    reference.logprobs(batches[1])
    loss.backward()
    assert all(torch.equal(p.grad, g) for p, g in zip(moving, plain, strict=True) if p.grad is not None)
    assert all(p.grad is not None for p in moving)


def test_adapters_are_sampled_from_as_if_merged(model: SpeechLM, clips: ClipMaker, tmp_path: Path) -> None:
    """Greedy answers and their log-probabilities, with adapters beside the weights and merged into saved ones."""
    add_lora(model, LoraSettings(rank=2))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.fill_(0.02)
    beside = Sampler(model).sample(clips(40, 64), [Q, Q], temperature=0, max_new_tokens=16)
    save_checkpoint(model, tmp_path / "a")
    merged = Sampler(load_checkpoint(tmp_path / "a")).sample(clips(40, 64), [Q, Q], temperature=0, max_new_tokens=16)
    assert torch.equal(beside.tokens, merged.tokens)
    torch.testing.assert_close(beside.logprobs, merged.logprobs, atol=1e-4, rtol=0)
