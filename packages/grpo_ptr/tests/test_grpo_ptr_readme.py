"""The README's code runs as it stands, on a batch whose numbers are known."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

import grpo_ptr


def test_readme_examples_run() -> None:
    """Two groups of two: one right and one wrong answer each, equally well reasoned, so A = ±1 (but for ε); on-policy
    with the reference equal to the policy the loss is the mean of -A over completions of equal length, which is 0."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    logprobs = torch.full((4, 3), -1.0, requires_grad=True)
    names: dict[str, Any] = {
        **{name: getattr(grpo_ptr, name) for name in grpo_ptr.__all__},
        "format_ok": torch.ones(2, 2, dtype=torch.bool),
        "correct": torch.tensor([[True, False], [False, True]]),
        "scores": torch.full((2, 2, 4), 3.0),
        "logprobs": logprobs,
        "mask": torch.ones(4, 3, dtype=torch.bool),
        "ref_logprobs": logprobs.detach(),
        "accuracy": 0.5,
        "step": 1,
    }
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 2
    assert names["advantages"].tolist() == pytest.approx([1, -1, -1, 1], abs=1e-3)
    assert names["result"].loss.item() == pytest.approx(0.0, abs=1e-6)
    assert names["state"].step == 1
