"""Log-probabilities against a naive reference, their gradients, and a model that learns with them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from policy import MemoryLimitError, OptionError, PolicyError, Sampler, memory_limit, sequence_logprobs
from speechlm import PocketSize, SpeechBatch, SpeechLM, pocket

ClipMaker = Callable[..., list[Tensor]]
TINY = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=2, num_mel_bins=16)
Q, LONG_Q = "How does it sound?", "How does the voice of the speaker sound?"


def naive(model: SpeechLM, batch: SpeechBatch, temperature: float) -> Tensor:
    """All logits of all positions, then a row and a token at a time."""
    logits = model.head(model(batch)).double() / temperature
    result = torch.zeros(batch.input_ids.shape)
    for n in range(len(result)):
        for t in range(1, result.shape[1]):
            if batch.completion_mask[n, t]:
                scores = logits[n, t - 1]
                result[n, t] = (scores[batch.input_ids[n, t]] - scores.exp().sum().log()).item()
    return result


@pytest.fixture
def batch(model: SpeechLM, clips: ClipMaker) -> SpeechBatch:
    """Answers of text, of sampled ids that hold a placeholder, and of nothing, after prompts of different length."""
    answers: list[str | list[int]] = ["The pitch is high.", [50, model.audio_id, 60], []]
    return model.collate(clips(40, 101), [Q, LONG_Q, Q], answers, audio_index=[0, 1, 1])


@pytest.mark.parametrize("temperature", [1.0, 0.6])
@torch.no_grad()
def test_equal_to_the_naive_reference(model: SpeechLM, batch: SpeechBatch, temperature: float) -> None:
    found = sequence_logprobs(model, batch, temperature=temperature)
    torch.testing.assert_close(found, naive(model, batch, temperature), atol=1e-4, rtol=0)
    assert found.dtype is torch.float32
    assert not found[~batch.completion_mask].any()
    assert (found[batch.completion_mask] < 0).all()


@torch.no_grad()
def test_probabilities_of_all_continuations_sum_to_one(model: SpeechLM, clips: ClipMaker) -> None:
    """Each token of the vocabulary as the one token of an answer."""
    vocabulary = len(model.tokenizer)
    answers = [[token] for token in range(vocabulary)]
    batch = model.collate(clips(40), [Q] * vocabulary, answers, audio_index=[0] * vocabulary)
    assert sequence_logprobs(model, batch).sum(1).exp().sum().item() == pytest.approx(1, abs=1e-4)


def test_the_head_meets_completion_tokens_only(model: SpeechLM, batch: SpeechBatch) -> None:
    """Counted at the head itself."""
    rows: list[int] = []
    model.head.register_forward_hook(lambda _m, inputs, _o: rows.append(len(inputs[0])))
    sequence_logprobs(model, batch)
    assert rows == [int(batch.completion_mask.sum())]


def test_gradients_are_those_of_the_naive_sum_and_reach_both_towers(model: SpeechLM, batch: SpeechBatch) -> None:
    sequence_logprobs(model, batch).sum().backward()
    for tower in (model.audio_tower, model.text_tower):
        assert all(p.grad is not None and p.grad.any() for layer in tower.layers for p in layer.parameters())
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    mask = batch.completion_mask[:, 1:]
    logprobs = model.head(model(batch)).log_softmax(-1)[:, :-1]
    logprobs.gather(-1, batch.input_ids[:, 1:, None])[..., 0][mask].sum().backward()
    expected = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_a_batch_without_completions_has_nothing_to_score(model: SpeechLM, clips: ClipMaker) -> None:
    batch = model.collate(clips(40), [Q])
    assert torch.equal(sequence_logprobs(model, batch), torch.zeros(batch.input_ids.shape))


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_temperatures_that_cannot_be_are_refused(model: SpeechLM, batch: SpeechBatch, temperature: float) -> None:
    with pytest.raises(OptionError, match="temperature must be above 0, got"):
        sequence_logprobs(model, batch, temperature=temperature)


@pytest.mark.parametrize("packed", [False, True])
def test_weights_that_are_no_numbers_are_named(model: SpeechLM, clips: ClipMaker, *, packed: bool) -> None:
    with torch.no_grad():
        model.text_tower.layers[0].mlp.up_proj.weight[3, 3] = torch.nan
    given = model.pack(clips(40), [Q], [["Low.", "High."]]) if packed else model.collate(clips(40), [Q], ["Low."])
    with pytest.raises(PolicyError, match="log-probabilities are NaN: look for NaN in the model's weights or clips"):
        sequence_logprobs(model, given)


@pytest.mark.parametrize("packed", [False, True])
def test_out_of_memory_says_what_to_lower(model: SpeechLM, clips: ClipMaker, *, packed: bool) -> None:
    """torch's own refusal of a petabyte: in the forward pass by itself, in the backward pass inside `memory_limit`."""
    given = model.pack(clips(40), [Q], [["Low.", "High."]]) if packed else model.collate(clips(40), [Q], ["Low."])
    scored = sequence_logprobs(model, given)
    scored.register_hook(lambda _gradient: torch.empty(1 << 50))
    with (
        pytest.raises(MemoryLimitError, match="out of memory in the backward pass: lower K"),
        memory_limit("the backward pass", lower="K"),
    ):
        scored.sum().backward()
    model.text_tower.register_forward_hook(lambda _m, _i, _o: torch.empty(1 << 50))
    with pytest.raises(MemoryLimitError, match=r"in scoring 1 rows of \d+ tokens: lower the groups or answers"):
        sequence_logprobs(model, given)


def test_other_errors_pass_through_a_memory_limit() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_limit("a product", lower="nothing"):
        torch.ones(2, 3) @ torch.ones(2, 3)


def test_a_model_learns_what_only_the_sound_tells(model: SpeechLM, clips: ClipMaker) -> None:
    """A soft and a loud clip, one question, two answers. Deaf to the clips, a model gives the first token in which
    the answers differ at best one half each, so -log p of an answer is at least log 2 on average; ours must come to a
    tenth of that, and then say the right answer itself."""
    model = pocket(model.tokenizer, seed=0, size=TINY)  # with weights of the usual width, which learn faster
    soft, loud = clips(12, 12)
    features, answers = [soft - 1, loud + 1], ["Sad.", "Loud."]
    batch = model.collate(features, [Q, Q], answers)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    for _ in range(60):
        optimiser.zero_grad()
        loss = -sequence_logprobs(model, batch).sum(1).mean()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1 * math.log(2)
    rollout = Sampler(model).sample(features, [Q, Q], temperature=0, max_new_tokens=20)
    assert rollout.texts == ((answers[0],), (answers[1],))
    assert rollout.ended.all()
