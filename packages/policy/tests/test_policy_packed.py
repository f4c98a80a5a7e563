"""Packed groups against the same answers unpacked, each behind its own copy of clip and prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import policy.logprobs as logprobs_module
from policy import packed_scores, sequence_logprobs
from speechlm import BatchError, SpeechBatch, SpeechLM

ClipMaker = Callable[..., list[Tensor]]
Completion = str | list[int]
Q, LONG_Q = "How does it sound?", "How does the voice of the speaker sound?"
FRAMES = (101, 40, 64)
QUESTIONS = [LONG_Q, Q, Q]
THINK = "<think></think><answer>sad</answer>"
CASES: dict[str, list[list[Completion]]] = {
    "different answers": [["The pitch is high.", "It sounds sad; the pitch is low."], ["Loud.", "Low."], ["Sad.", "x"]],
    "K = 1": [["The pitch is high."], ["Loud."], ["It sounds sad."]],
    "answers of length 1": [[[50], [60]], [[70], [80]], [[90], [50]]],
    "empty reasoning": [[THINK, "Low."], [THINK], [THINK, THINK, "High."]],
    "an empty answer": [[[], "Low."], ["Low.", []], [[50], []]],
}


def unpacked(model: SpeechLM, features: list[Tensor], groups: list[list[Completion]], *, left: bool) -> SpeechBatch:
    """Every answer in its own row; with `left` the padding of each row is moved to its left."""
    flat = [answer for group in groups for answer in group]
    owner = [i for i, group in enumerate(groups) for _ in group]
    batch = model.collate(features, [QUESTIONS[i] for i in owner], flat, audio_index=owner)
    if not left:
        return batch
    shifts = (batch.attention_mask == 0).sum(1).tolist()

    def roll(rows: Tensor) -> Tensor:
        return torch.stack([row.roll(s) for row, s in zip(rows, shifts, strict=True)])

    return SpeechBatch(
        roll(batch.input_ids),
        roll(batch.attention_mask),
        roll(batch.completion_mask),
        batch.features,
        batch.feature_lengths,
        batch.audio_gather,
    )


def plain(model: SpeechLM, batch: SpeechBatch) -> Tensor:
    """Log-softmax over all logits of all positions, picked by the masks: `[completion tokens]`, row by row."""
    scores = model.head(model.hidden_states(batch)).log_softmax(-1)[:, :-1]
    chosen: Tensor = scores.gather(-1, batch.input_ids[:, 1:, None])[..., 0][batch.completion_mask[:, 1:]]
    return chosen


def norm_in_full(model: SpeechLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers' RMS norm rounds to float32 inside, which alone moves float64 gradients by several 1e-9."""
    norm = type(model.text_tower.norm)

    def forward(self: Any, x: Tensor) -> Tensor:
        scaled: Tensor = self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
        return scaled

    monkeypatch.setattr(norm, "forward", forward)


def gradients(model: SpeechLM, values: Tensor, weights: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    (values * weights).sum().backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("row_tokens", [None, 400], ids=["a row each", "rows shared"])
@pytest.mark.parametrize("left", [False, True], ids=["right padding", "left padding"])
@pytest.mark.parametrize("groups", CASES.values(), ids=CASES)
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-9), (torch.float32, 1e-4)], ids=["f64", "f32"])
def test_values_and_gradients_are_those_of_unpacked_answers(
    *,
    model: SpeechLM,
    clips: ClipMaker,
    groups: list[list[Completion]],
    left: bool,
    row_tokens: int | None,
    dtype: torch.dtype,
    limit: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loss weighs every token differently, so that no swap of tokens can hide; three tokens to a chunk."""
    monkeypatch.setattr(logprobs_module, "CHUNK", 3)
    model = model.to(dtype)
    if dtype is torch.float64:
        norm_in_full(model, monkeypatch)
    features = [clip.to(dtype) for clip in clips(*FRAMES)]
    expected = plain(model, unpacked(model, features, groups, left=left))
    weights = torch.linspace(-1, 1, len(expected), dtype=dtype) / len(expected)
    wanted = gradients(model, expected, weights)
    packed = model.pack(features, QUESTIONS, groups, row_tokens=row_tokens)
    assert len(packed.group) == (3 if row_tokens is None else 1)
    rows = packed.unpack(sequence_logprobs(model, packed))
    lengths = torch.bincount(packed.answer[packed.answer >= 0], minlength=packed.answers)
    found = rows[torch.arange(rows.shape[1]) < lengths[:, None]]
    assert found.dtype is dtype
    torch.testing.assert_close(found, expected, atol=limit, rtol=0)
    for name, gradient in gradients(model, found, weights).items():
        scale = max(1.0, wanted[name].abs().max().item())
        assert (gradient - wanted[name]).abs().max().item() <= limit * scale, name


@torch.no_grad()
def test_entropy_is_that_of_the_softmax(model: SpeechLM, clips: ClipMaker) -> None:
    """From torch's own `Categorical` over the unpacked logits at temperature 0.7."""
    groups = CASES["different answers"]
    batch = unpacked(model, clips(*FRAMES), groups, left=False)
    logits = model.head(model.hidden_states(batch))[:, :-1][batch.completion_mask[:, 1:]] / 0.7
    packed = model.pack(clips(*FRAMES), QUESTIONS, groups)
    logprobs, entropy = packed_scores(model, packed, temperature=0.7)
    mask = packed.batch.completion_mask
    expected = torch.distributions.Categorical(logits=logits).entropy()
    torch.testing.assert_close(entropy[mask], expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(logprobs, sequence_logprobs(model, packed, temperature=0.7), atol=1e-5, rtol=0)
    assert not entropy[~mask].any()


def test_scores_over_the_vocabulary_are_held_a_chunk_at_a_time(
    model: SpeechLM, clips: ClipMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted at the head, in both passes, and among the tensors that autograd keeps."""
    monkeypatch.setattr(logprobs_module, "CHUNK", 4)
    packed = model.pack(clips(40), [Q], [[[50] * 10, [60] * 9]])
    met: list[int] = []
    kept: list[tuple[int, ...]] = []
    model.head.register_forward_hook(lambda _m, inputs, _o: met.append(len(inputs[0])))

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        total = sequence_logprobs(model, packed).sum()
    vocabulary = model.head.out_features
    assert kept
    assert not any(shape and shape[-1] == vocabulary for shape in kept)
    total.backward()
    assert max(met) == 4
    assert sum(met) == 2 * 19


def test_groups_that_make_no_pack_are_refused(model: SpeechLM, clips: ClipMaker) -> None:
    with pytest.raises(BatchError, match="1 questions need as many groups of completions, got 2"):
        model.pack(clips(40), [Q], [["a"], ["b"]])
    with pytest.raises(BatchError, match="question 0 has no completion"):
        model.pack(clips(40), [Q], [[]])
    with pytest.raises(BatchError, match=r"group 0 has \d+ tokens, a row takes 20: raise row_tokens or lower K"):
        model.pack(clips(40), [Q], [["a"]], row_tokens=20)
    with pytest.raises(BatchError, match=r"an answer ends at token \d+, the model takes at most"):
        model.pack(clips(40), [Q], [[[50] * (model.max_tokens + 1)]])
