"""One GRPO step on packed groups: its loss and gradient against the unpacked computation and against the formula."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from grpo_ptr import LossInputs, LossResult, grpo_loss
from policy import Reference, sequence_logprobs
from speech_records import PAPER_9, emotion_question
from speechlm import LoraSettings, PocketSize, SpeechLM, add_lora, pocket, train_tokenizer
from trainer.grpo import GRPOModule
from trainer.packed_loss import MicroBatch, packed_loss
from trainer.settings import Algorithm, GRPOSettings

TINY = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=2, num_mel_bins=16)
ANSWERS = (("The pitch is high.", "a"), ("low and slow", "The voice is loud, the pitch is low."))
ADVANTAGES = torch.tensor([[1.5, -0.5], [-1.0, 0.25]])
BETA = 0.1
SETTINGS = GRPOSettings(algorithm=Algorithm.GRPO, steps=1, prompts_per_step=2, group_size=2, kl_coefficient=BETA)


@pytest.fixture
def model() -> SpeechLM:
    texts = [text for group in ANSWERS for text in group]
    return pocket(train_tokenizer(texts, vocab_size=270), seed=0, size=TINY).eval()


@pytest.fixture
def clips() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(TINY.num_mel_bins, frames, generator=generator) for frames in (40, 64)]


@pytest.fixture
def answers(model: SpeechLM) -> tuple[Tensor, Tensor]:
    """Tokens and mask `[2, 2, T]` of the answers, as a sampler pads them."""
    rows = [torch.tensor([*model.tokenizer(text).input_ids, model.end_id]) for group in ANSWERS for text in group]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=model.pad_id)
    mask = torch.arange(tokens.shape[1]) < torch.tensor([len(row) for row in rows])[:, None]
    return tokens.view(2, 2, -1), mask.view(2, 2, -1)


def loss_of(
    model: SpeechLM, reference: Reference | None, clips: list[Tensor], *answers_and_advantages: Tensor
) -> LossResult:
    micro = MicroBatch(clips, [emotion_question(PAPER_9)] * 2, *answers_and_advantages)
    return packed_loss(model, micro, SETTINGS, reference=reference).result


def loss_away_from_reference(model: SpeechLM, clips: list[Tensor], tokens: Tensor, mask: Tensor) -> LossResult:
    """So that the KL term and its gradient are not 0."""
    reference = Reference.of(model)
    with torch.no_grad():
        model.head.weight.mul_(1.1)
    return loss_of(model, reference, clips, tokens, mask, ADVANTAGES)


def unpacked_loss(model: SpeechLM, clips: list[Tensor], tokens: Tensor, mask: Tensor) -> LossResult:
    """The same from a batch that repeats clip and prompt before every answer."""
    rows = [t[m].tolist() for t, m in zip(tokens.flatten(0, 1), mask.flatten(0, 1), strict=True)]
    batch = model.collate(clips, [emotion_question(PAPER_9)] * 4, rows, audio_index=[0, 0, 1, 1])
    with torch.no_grad():
        reference = sequence_logprobs(model, batch)
        model.head.weight.mul_(1.1)
    inputs = LossInputs(
        logprobs=sequence_logprobs(model, batch),
        mask=batch.completion_mask,
        advantages=ADVANTAGES.flatten(),
        ref_logprobs=reference,
    )
    return grpo_loss(inputs, beta=BETA)


def test_the_packed_loss_and_its_gradient_are_those_of_unpacked_answers(
    model: SpeechLM, clips: list[Tensor], answers: tuple[Tensor, Tensor]
) -> None:
    """Expected: the loss over one row per answer, each with its own copy of clip and prompt; float32 accuracy."""
    twin = pocket(model.tokenizer, seed=0, size=TINY).eval()
    packed = loss_away_from_reference(model, clips, *answers)
    plain = unpacked_loss(twin, clips, *answers)
    assert packed.kl is not None and plain.kl is not None  # noqa: PT018
    assert packed.kl > 0
    torch.testing.assert_close((packed.loss, packed.kl), (plain.loss, plain.kl), rtol=1e-4, atol=1e-6)
    packed.loss.backward()
    plain.loss.backward()
    for (name, p), q in zip(model.named_parameters(), twin.parameters(), strict=True):
        if q.grad is not None:
            torch.testing.assert_close(p.grad, q.grad, rtol=1e-3, atol=1e-5, msg=name)


def test_on_policy_the_surrogate_is_minus_the_mean_advantage(
    model: SpeechLM, clips: list[Tensor], answers: tuple[Tensor, Tensor]
) -> None:
    """At ratio 1 every completion's token mean is its advantage: -(1.5 - 0.5 - 1 + 0.25) / 4 = -0.0625."""
    result = loss_away_from_reference(model, clips, *answers)
    assert result.policy_loss.item() == pytest.approx(-0.0625, abs=1e-6)


def test_with_lora_the_policy_is_its_own_reference(
    model: SpeechLM, clips: list[Tensor], answers: tuple[Tensor, Tensor]
) -> None:
    """No copy is kept, and loss, KL and gradients are those that a frozen copy of the start gives."""
    add_lora(model, LoraSettings(rank=2))
    module = GRPOModule(model, SETTINGS, label_set=PAPER_9, features={}, reward_model=None)
    shared, copied = module.frozen.reference, Reference(copy.deepcopy(model).eval(), shared=False)
    assert shared is not None
    assert shared.model is model
    moving = [weight for weight in model.parameters() if weight.requires_grad]
    with torch.no_grad():  # away from the reference
        for weight in moving:
            weight.add_(0.05)

    results, gradients = [], []
    for reference in (shared, copied):
        results.append(loss_of(model, reference, clips, *answers, ADVANTAGES))
        gradients.append(torch.autograd.grad(results[-1].loss, moving))
    assert results[0].kl is not None
    assert results[0].kl > 0
    assert results[0].kl == results[1].kl
    assert results[0].loss == results[1].loss
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_the_order_of_groups_and_of_their_answers_changes_nothing(
    model: SpeechLM, clips: list[Tensor], answers: tuple[Tensor, Tensor]
) -> None:
    """Both turned round, with their advantages: same loss, KL and gradients but for float32."""
    reference = Reference.of(model)
    with torch.no_grad():
        model.head.weight.mul_(1.1)
    results, gradients = [], []
    for order in (slice(None), torch.tensor([1, 0])):
        tokens, mask, advantages = (x[order][:, order] for x in (*answers, ADVANTAGES))
        heard = clips if isinstance(order, slice) else clips[::-1]
        results.append(loss_of(model, reference, heard, tokens, mask, advantages))
        model.zero_grad()
        results[-1].loss.backward()
        gradients.append([weight.grad.clone() for weight in model.parameters() if weight.grad is not None])
    assert results[0].loss.item() == pytest.approx(results[1].loss.item(), abs=1e-6)
    assert results[0].kl is not None
    assert results[0].kl.item() > 0
    for first, second in zip(*gradients, strict=True):
        torch.testing.assert_close(first, second, atol=1e-6, rtol=1e-4)
