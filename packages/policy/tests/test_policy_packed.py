"""Packed groups against the same answers unpacked, each after its own copy of clip and prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import policy.vocabulary as vocabulary_module
from policy import sequence_logprobs
from policy.vocabulary import head_logprobs
from speechlm import BatchError, SpeechBatch, SpeechLM, enable_gradient_checkpointing
from speechlm.packed_attention import PACKED, layout_of

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
    scores = model.head(model(batch)).log_softmax(-1)[:, :-1]
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


@pytest.mark.parametrize("left", [False, True], ids=["right padding", "left padding"])
@pytest.mark.parametrize("groups", CASES.values(), ids=CASES)
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-9), (torch.float32, 1e-4)], ids=["f64", "f32"])
def test_values_and_gradients_are_those_of_unpacked_answers(
    *,
    model: SpeechLM,
    clips: ClipMaker,
    groups: list[list[Completion]],
    left: bool,
    dtype: torch.dtype,
    limit: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Packed, and row by row, against log-softmax over all logits. The loss weighs every token differently, so that no
    swap of tokens can hide; five blocks to a vocabulary."""
    monkeypatch.setattr(vocabulary_module, "BLOCK", 1)  # blocks of the fewest entries, 64 of 270
    model = model.to(dtype)
    if dtype is torch.float64:
        norm_in_full(model, monkeypatch)
    features = [clip.to(dtype) for clip in clips(*FRAMES)]
    batch = unpacked(model, features, groups, left=left)
    expected = plain(model, batch)
    weights = torch.linspace(-1, 1, len(expected), dtype=dtype) / len(expected)
    wanted = gradients(model, expected, weights)
    packed = model.pack(features, QUESTIONS, groups)
    rows = packed.unpack(sequence_logprobs(model, packed))
    lengths = torch.bincount(packed.answer[packed.answer >= 0], minlength=packed.answers)
    found = rows[torch.arange(rows.shape[1]) < lengths[:, None]]
    assert found.dtype is dtype
    torch.testing.assert_close(found, expected, atol=limit, rtol=0)
    alone = sequence_logprobs(model, batch)[batch.completion_mask]
    assert alone.dtype is dtype
    torch.testing.assert_close(alone, expected, atol=limit, rtol=0)
    for values in (found, alone):
        ours = gradients(model, values, weights)
        assert ours.keys() == wanted.keys()
        for name, gradient in ours.items():
            scale = max(1.0, wanted[name].abs().max().item())
            assert (gradient - wanted[name]).abs().max().item() <= limit * scale, name


@pytest.mark.parametrize("groups", CASES.values(), ids=CASES)
def test_the_dense_mask_gives_the_same(
    model: SpeechLM,
    clips: ClipMaker,
    groups: list[list[Completion]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Attention by the layout, by the block mask as torch's own attention takes it, and by transformers' plain one,
    whose softmax is float32; the last two with gradient checkpointing, where the layout must not be used."""
    model = model.double()
    norm_in_full(model, monkeypatch)
    packed = model.pack([clip.double() for clip in clips(*FRAMES)], QUESTIONS, groups)
    mask = packed.batch.completion_mask
    weights = torch.linspace(-1, 1, int(mask.sum()), dtype=torch.float64)
    used: list[str] = []
    model.text_tower.layers[0].register_forward_pre_hook(
        lambda module, _a: used.append(module.self_attn.config._attn_implementation)
    )
    expected = sequence_logprobs(model, packed)[mask]
    wanted = gradients(model, expected, weights)
    enable_gradient_checkpointing(model)
    for attention, limit in (("sdpa", 1e-9), ("eager", 1e-4)):
        model.text_tower.config._attn_implementation = attention
        found = sequence_logprobs(model, packed)[mask]
        torch.testing.assert_close(found, expected, atol=limit, rtol=0)
        torch.testing.assert_close(gradients(model, found, weights), wanted, atol=10 * limit, rtol=10 * limit)
    assert used[0] == PACKED
    assert set(used[1:]) == {"sdpa", "eager"}


def test_a_layout_by_hand() -> None:
    """Prompts of 2 and 1 tokens in one row, the first with answers of 2, 0 and 1, the second with one of 1; padding."""
    group = torch.tensor([[0, 0, 0, 0, 0, 1, 1, -1]])
    answer = torch.tensor([[-1, -1, 0, 0, 2, -1, 3, -1]])
    layout = layout_of(group, answer, answers=4)
    assert layout.prompts.tolist() == [[0, 1], [5, -1]]
    assert layout.answers.tolist() == [[2, 3], [-1, -1], [4, -1], [6, -1]]
    assert layout.owner.tolist() == [0, 0, 0, 1]
    assert layout.seen[0, 0].tolist() == [[True, True, True, False], [True, True, True, True]]
    assert layout.seen[3, 0, 0].tolist() == [True, False, True, False]


class Largest(TorchDispatchMode):
    """The most elements that any tensor had that was made meanwhile."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.numel())
        return out


@pytest.mark.parametrize("bias", [False, True])
def test_scores_over_the_vocabulary_are_held_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch, *, bias: bool) -> None:
    """900 tokens and 5 000 entries are 4.5 million scores; no tensor of either pass is larger than the head of 40 000
    elements or a block of 100 000. The plain computation shows that the count sees what it must."""
    monkeypatch.setattr(vocabulary_module, "BLOCK", 100_000)
    head = torch.nn.Linear(8, 5_000, bias=bias)
    states, target = torch.randn(900, 8, requires_grad=True), torch.randint(5_000, (900,))
    with Largest() as blocks:
        head_logprobs(head, states, target).sum().backward()
    assert 40_000 <= blocks.elements <= 100_000
    with Largest() as plainly:
        head(states).log_softmax(-1).sum()
    assert plainly.elements == 4_500_000


@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize("kind", ["plain", "bias", "frozen", "adapters"])
def test_every_kind_of_head_is_scored_as_plainly(
    kind: str, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Value, and gradients of states and weights, against log-softmax over all scores at float64."""
    monkeypatch.setattr(vocabulary_module, "BLOCK", 300)
    torch.manual_seed(1)
    head = torch.nn.Linear(8, 150, bias=kind == "bias", dtype=torch.float64)
    if kind == "adapters":
        head = torch.nn.Sequential(torch.nn.Linear(8, 8, dtype=torch.float64), head)  # type: ignore[assignment]
    head.requires_grad_(kind != "frozen")
    states, target = torch.randn(11, 8, dtype=torch.float64, requires_grad=True), torch.randint(150, (11,))
    weights = torch.linspace(-1, 1, 11, dtype=torch.float64)
    leaves = [states, *(p for p in head.parameters() if p.requires_grad)]
    expected = (head(states) / temperature).log_softmax(-1).gather(-1, target[:, None])[:, 0]
    found = head_logprobs(head, states, target, temperature=temperature)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    wanted = torch.autograd.grad((expected * weights).sum(), leaves)
    for a, b in zip(torch.autograd.grad((found * weights).sum(), leaves), wanted, strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=0)


def test_groups_that_make_no_pack_are_refused(model: SpeechLM, clips: ClipMaker) -> None:
    with pytest.raises(BatchError, match="1 questions need as many groups of completions, got 2"):
        model.pack(clips(40), [Q], [["a"], ["b"]])
    with pytest.raises(BatchError, match="question 0 has no completion"):
        model.pack(clips(40), [Q], [[]])
    with pytest.raises(BatchError, match=r"a row has \d+ tokens, the model takes at most"):
        model.pack(clips(40), [Q], [[[50] * (model.max_tokens + 1)]])
