"""Losses, gradients and advantages against those of TRL on one batch, kept in `trl_golden.json` with TRL's version.

`benchmarks/trl/losses.py --golden` wrote the file by running TRL's own code; with TRL it compares 200 batches.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from grpo_ptr import LOSSES, Deviation, LossInputs, centred_advantages, gdpo_advantages, group_advantages

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "trl_golden.json").read_text(encoding="utf-8"))
BATCH = {name: torch.tensor(x, dtype=torch.float64) for name, x in GOLDEN["batch"].items()}
WIDTH = BATCH["logprobs"].shape[1]


@pytest.mark.parametrize(
    "case", GOLDEN["losses"], ids=lambda c: f"{c['loss']}-{c['beta']}-{'weighted' if c['weighted'] else 'plain'}"
)
def test_losses_and_gradients_are_those_of_trl(case: dict[str, Any]) -> None:
    name, (low, high) = case["loss"], GOLDEN["clips"][case["loss"]]
    logprobs = BATCH["logprobs"].clone().requires_grad_()
    inputs = LossInputs(
        logprobs,
        torch.arange(WIDTH)[None] < BATCH["lengths"][:, None],
        BATCH["advantages"],
        old_logprobs=BATCH["old_logprobs"],
        ref_logprobs=BATCH["ref_logprobs"],
        token_weights=BATCH["token_weights"] if case["weighted"] else None,
    )
    options = {"max_tokens": WIDTH} if name == "dr_grpo" else {}
    result = LOSSES[name](inputs, clip_low=low, clip_high=high, beta=case["beta"], **options)
    (gradient,) = torch.autograd.grad(result.loss, logprobs)
    assert result.loss.item() == pytest.approx(case["value"], abs=1e-12)
    assert gradient.norm().item() == pytest.approx(case["gradient_norm"], abs=1e-12)


def test_every_loss_is_in_the_file() -> None:
    assert {case["loss"] for case in GOLDEN["losses"]} == set(LOSSES)


def test_advantages_are_those_of_trl_with_the_deviation_of_the_sample() -> None:
    """With that of the population they are larger by √(4 / 3) at K = 4, but for ε: 2e-4 of them, since std ≈ 0.3."""
    rewards, weights = BATCH["rewards"], torch.tensor(GOLDEN["weights"], dtype=torch.float64)
    total = (rewards * weights).sum(-1)
    ours = {
        "grpo": group_advantages(total, deviation=Deviation.SAMPLE),
        "dr_grpo": centred_advantages(total),
        "gdpo": gdpo_advantages(rewards, weights.expand(len(rewards), -1), deviation=Deviation.SAMPLE),
    }
    for name, advantages in ours.items():
        expected = torch.tensor(GOLDEN["advantages"][name], dtype=torch.float64)
        torch.testing.assert_close(advantages, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(group_advantages(total), ours["grpo"] * (4 / 3) ** 0.5, rtol=1e-3, atol=0)
