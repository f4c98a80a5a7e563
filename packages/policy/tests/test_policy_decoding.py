"""The decoder with shared prompts against transformers' own pass over each answer after its own prompt."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from policy import OptionError
from policy.decoding import FEWEST, MOST, ROOM, Decoder, _matmul_transposed, _projection
from speechlm import SpeechLM

ClipMaker = Callable[..., list[Tensor]]
QUESTIONS = ["How does it sound?", "How does the voice of the speaker sound?", "How?"]


@pytest.fixture
def decoder(model: SpeechLM, clips: ClipMaker) -> Callable[..., Decoder]:
    """A decoder after prompts of 40, 101 and 64 frames, padded to the longest."""

    def make(k: int, limit: int = ROOM + 8) -> Decoder:
        batch = model.collate(clips(40, 101, 64), QUESTIONS)
        with torch.no_grad():
            state = model.run_text(model.embed(batch), batch.attention_mask, keep_cache=True)
            return Decoder(model, state.cache, batch.attention_mask, k=k, limit=limit)

    return make


# Which of 3 × 4 answers, by their number, are left before which step.
LEAVING: dict[str, dict[int, list[int]]] = {
    "none": {},
    "one by one": {
        1: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        2: [0, 1, 3, 4, 5, 6, 7, 8, 9, 10],
        4: [0, 1, 3, 5, 7, 8, 9, 10],
        5: [0, 3, 5, 8, 9, 10],
    },
    "whole prompts": {2: [0, 1, 2, 3, 8, 9, 10, 11], 3: [8, 9, 11]},
    "down to one": {1: [5, 6, 10], 3: [6]},
}


@pytest.mark.parametrize("leaving", LEAVING.values(), ids=LEAVING)
@pytest.mark.parametrize("steps", [6, ROOM + 3], ids=["few steps", "more than there is room for"])
@torch.no_grad()
def test_scores_are_those_of_a_pass_over_the_whole_answer(
    model: SpeechLM, clips: ClipMaker, decoder: Callable[..., Decoder], leaving: dict[int, list[int]], steps: int
) -> None:
    """Random tokens: each row's scores after every step, against the logits of its prompt and answer in one pass."""
    tokens = torch.randint(20, 250, (12, steps), generator=torch.Generator().manual_seed(0))
    owner = [i // 4 for i in range(12)]
    rows = model.collate(clips(40, 101, 64), [QUESTIONS[b] for b in owner], tokens.tolist(), audio_index=owner)
    expected = model.head(model(rows))
    first = rows.completion_mask.int().argmax(-1)
    decode, left = decoder(4), list(range(12))
    for step in range(steps):
        if step in leaving:
            decode.keep(torch.tensor([left.index(row) for row in leaving[step]]))
            left = leaving[step]
        found = decode.step(tokens[left, step])
        torch.testing.assert_close(found, expected[left, first[left] + step], atol=2e-4, rtol=0)


def test_cells_are_given_up_when_a_quarter_is_empty(decoder: Callable[..., Decoder]) -> None:
    """12 cells of 3 prompts by 4: 11 or 10 answers stay where they are, 9 that fill 3 by 3 move."""
    decode = decoder(4)
    sizes = []
    for left in ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [0, 1, 2, 4, 5, 6, 7, 8, 9]):
        decode.step(torch.full((len(decode._place),), 50))
        decode.keep(torch.tensor(left))
        sizes.append(decode._layers[0].own[0].shape[:3])
    assert [(p, k) for p, _, k in sizes] == [(3, 4), (3, 4), (3, 3)]


def test_the_prompt_is_held_once_for_all_answers(decoder: Callable[..., Decoder]) -> None:
    """As many keys for 50 answers as for one."""
    shapes = {k: [part.shape for layer in decoder(k)._layers for part in layer.shared] for k in (1, 50)}
    assert shapes[1] == shapes[50]
    assert {shape[0] for shape in shapes[50]} == {3}


@pytest.mark.parametrize("rows", [1, FEWEST, 32, MOST, MOST + 1])
@pytest.mark.parametrize("bias", [False, True])
def test_a_product_from_the_right_is_the_same_product(rows: int, *, bias: bool) -> None:
    """torch's `Linear`."""
    torch.manual_seed(0)
    linear, x = nn.Linear(24, 40, bias=bias), torch.randn(rows, 24)
    for layout in (x, x.t().contiguous().t()):
        torch.testing.assert_close(_matmul_transposed(linear, layout), linear(x), atol=1e-6, rtol=0)


def test_only_plain_linear_maps_are_taken_apart() -> None:
    """A module of another class (adapters wrap one) and one that somebody listens to are called as they are."""
    plain, hooked, wrapped = nn.Linear(3, 3), nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3))
    hooked.register_forward_hook(lambda _m, _i, out: out)
    assert _projection(plain) is not plain
    assert _projection(hooked) is hooked
    assert _projection(wrapped) is wrapped


def test_a_window_shorter_than_prompt_and_answer_is_refused(model: SpeechLM, decoder: Callable[..., Decoder]) -> None:
    """101 frames are 25 audio tokens, so every prompt and answer is longer than 16."""
    model.text_tower.layers[1].self_attn.sliding_window = 16
    with pytest.raises(OptionError, match=r"may have \d+ tokens, but a layer attends to 16 only: cut the clip"):
        decoder(2)
