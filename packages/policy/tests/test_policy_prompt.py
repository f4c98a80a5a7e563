"""The question names every label as its label set reads it; the README's code runs; public names are pinned."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import policy
from policy import Prompt
from speech_records import LABEL_SETS, PAPER_9, LabelSet
from speechlm import SpeechLM


@pytest.mark.parametrize("label_set", LABEL_SETS.values(), ids=LABEL_SETS)
def test_labels_are_spelled_as_the_answer_is_read(label_set: LabelSet) -> None:
    """The list between the colon and the question mark, read back by the label set itself."""
    (listed,) = re.findall(r": (.*)\?", Prompt(label_set).text)
    assert tuple(label_set.parse(name) for name in listed.split(", ")) == tuple(label_set.labels)


def test_readme_example_runs(model: SpeechLM, clips: Callable[..., list[Tensor]]) -> None:
    """Eight answers, scored: what the sampler drew is what teacher forcing gives."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    (clip,) = clips(40)
    names: dict[str, Any] = {
        "PAPER_9": PAPER_9,
        "model": model,
        "clip": clip,
    }
    exec(code, names)
    rollout, batch = names["rollout"], names["batch"]
    assert names["logprobs"].shape[0] == 8
    torch.testing.assert_close(
        names["logprobs"][batch.completion_mask], rollout.logprobs[rollout.mask], atol=2e-4, rtol=0
    )


def test_public_names_are_pinned() -> None:
    """A name that leaves this list is a breaking change."""
    expected = """
        EngineError MemoryLimitError Mismatch OptionError PolicyError Prompt Reference Rollout Sampler VLLMSampler
        logprob_mismatch memory_limit packed_scores sequence_logprobs sequence_seeds sequence_weights token_weights
    """
    assert set(policy.__all__) == set(expected.split())
    assert all(hasattr(policy, name) for name in policy.__all__)
    assert issubclass(policy.OptionError, policy.PolicyError)
    assert issubclass(policy.PolicyError, ValueError)
