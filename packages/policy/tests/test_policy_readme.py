"""The README's code runs as it is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from speechlm import SpeechLM


def test_readme_example_runs(model: SpeechLM, clips: Callable[..., list[Tensor]]) -> None:
    """Eight answers, scored: what the sampler drew is what teacher forcing gives."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    (clip,) = clips(40)
    names: dict[str, Any] = {
        "model": model,
        "clip": clip,
    }
    exec(code, names)
    rollout, batch = names["rollout"], names["batch"]
    assert names["logprobs"].shape[0] == 8
    torch.testing.assert_close(
        names["logprobs"][batch.completion_mask], rollout.logprobs[rollout.mask], atol=2e-4, rtol=0
    )
