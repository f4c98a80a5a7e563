"""Groups in their rows, worked by hand, and what attention is computed in.

`policy`, which scores packed groups, tests that they are scored as if alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from speechlm import SpeechLM, attention, enable_gradient_checkpointing

ClipMaker = Callable[..., list[Tensor]]
Q = "How?"
GROUPS: list[list[str | list[int]]] = [[[50, 51], [60]], [[70, 71, 72]], [[80], [81], [82, 83, 84, 85]]]
"""Of 3, 3 and 6 tokens; prompts hear 8, 8 and 40 frames: 2, 2 and 10 audio tokens."""


def test_every_group_is_a_row(model: SpeechLM, clips: ClipMaker) -> None:
    """Prompts of p, p and p + 8 tokens with answers of 3, 3 and 6; the third row is longest, the others are padded."""
    features = clips(8, 8, 40)
    p = model.collate(features[:1], [Q]).input_ids.shape[1]
    packed = model.pack(features, [Q] * 3, GROUPS)
    padding = [-1] * 11
    assert packed.group.tolist() == [[0] * (p + 3) + padding, [1] * (p + 3) + padding, [2] * (p + 14)]
    assert packed.batch.input_ids[2, p + 8 :].tolist() == [80, 81, 82, 83, 84, 85]
    assert packed.answer[2, p + 8 :].tolist() == [3, 4, 5, 5, 5, 5]
    n = p + 8  # positions restart after the prompt of each answer
    assert packed.positions[2].tolist() == [*range(n), n, n, n, n + 1, n + 2, n + 3]
    assert packed.positions[0, : p + 3].tolist() == [*range(p), p, p + 1, p]
    assert packed.before[2, n:].tolist() == [n - 1, n - 1, n - 1, n + 2, n + 3, n + 4]
    assert packed.answers == 6


def test_values_are_unpacked_in_the_order_of_the_answers(model: SpeechLM, clips: ClipMaker) -> None:
    """The ids themselves; shorter answers padded with zeros."""
    packed = model.pack(clips(8, 8, 40), [Q] * 3, GROUPS)
    found = packed.unpack(packed.batch.input_ids).tolist()
    assert [[token for token in row if token] for row in found] == [a for group in GROUPS for a in group]
    assert {len(row) for row in found} == {4}


def test_clip_and_prompt_are_run_once_for_all_answers(model: SpeechLM, clips: ClipMaker) -> None:
    """Counted at the towers: 56 frames, and three rows as long as the longest prompt with its answers of 6 tokens."""
    features = clips(8, 8, 40)
    longest = model.collate(features, [Q] * 3).input_ids.shape[1]
    frames: list[int] = []
    model.audio_tower.register_forward_hook(
        lambda _m, _a, options, _o: frames.append(int(options["feature_lens"].sum())), with_kwargs=True
    )
    tokens: list[int] = []
    model.text_tower.layers[0].register_forward_hook(lambda _m, inputs, _o: tokens.append(inputs[0][..., 0].numel()))
    with torch.no_grad():
        model(model.pack(features, [Q] * 3, GROUPS))
    assert frames == [56]
    assert tokens == [3 * (longest + 6)]


class AttentionPrecision(TorchFunctionMode):
    """Notes what torch's attention over text is computed in: `float32`, or less where autocast lowers it."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is scaled_dot_product_attention:
            self.found.add("less" if torch.is_autocast_enabled("cpu") else str(args[0].dtype).removeprefix("torch."))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("is_packed", [False, True])
def test_attention_with_gradients_is_in_float32_under_autocast_on_a_cpu(
    model: SpeechLM,
    clips: ClipMaker,
    monkeypatch: pytest.MonkeyPatch,
    is_packed: bool,  # noqa: FBT001
) -> None:
    """Only there: sampling needs no gradients and its forward pass is faster in bfloat16, and so are both over long
    rows. What comes out is what attention in bfloat16 gives, within its 8 bits; afterwards all is as before."""
    features = clips(8, 8, 40)
    batch = model.pack(features, [Q] * 3, GROUPS) if is_packed else model.collate(features, [Q] * 3, ["a", "b", "c d"])
    embedded = model.embed(batch.batch if is_packed else batch).detach()  # type: ignore[union-attr]
    model.train()

    def run(*, with_gradients: bool) -> tuple[Tensor, set[str]]:
        autocast, gradients = torch.autocast("cpu", dtype=torch.bfloat16), torch.set_grad_enabled(with_gradients)
        with autocast, gradients, AttentionPrecision() as precision:
            return model(batch, embedded), precision.found

    (trained, in_training), (sampled, in_sampling) = run(with_gradients=True), run(with_gradients=False)
    assert (in_training, in_sampling) == ({"float32"}, {"less"})
    torch.testing.assert_close(trained, sampled, atol=0.05, rtol=0.05)
    assert model.text_tower.config._attn_implementation == "sdpa"  # type: ignore[union-attr]
    with monkeypatch.context() as patched:
        patched.setattr(attention, "LONGEST", 4)
        assert run(with_gradients=True)[1] == {"less"}
    enable_gradient_checkpointing(model)
    assert run(with_gradients=True)[1] == {"less"}, "layers are run again after the context that replaces attention"
