"""The README's code runs as it stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import rewardmodel
from rewardmodel import RewardModel
from speech_records import PAPER_9, MeasuredUtterance, ReasoningTrace, format_answer


def test_readme_example_runs(
    make_clip: Callable[..., MeasuredUtterance],
    write: Callable[[MeasuredUtterance], ReasoningTrace],
    tiny_model: RewardModel,
) -> None:
    """A new model gives 3 to all but the facts, and log 2 is the loss of a logit of 0 whatever the target."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    clips = [make_clip(), make_clip("b1", "low low high", "open")]
    traces = {clip.utterance.utterance_id: write(clip) for clip in clips}
    trace = traces["a1"]
    texts = [format_answer(trace.think, trace.answer)]
    features, questions = [torch.zeros(16, 40)], ["Which emotion?"]
    names: dict[str, Any] = {
        "PAPER_9": PAPER_9,
        "clips": clips,
        "traces": traces,
        "write": write,
        "speechlm": tiny_model.backbone,
        "features": features,
        "questions": questions,
        "texts": texts,
        "targets": torch.tensor([[4.0, 3.0, 1.0]]),
    }
    exec(block, names)
    assert len(names["graded"]) == 10
    assert names["loss"].item() == pytest.approx(0.6931, abs=1e-4)
    assert names["made"].scores[:, 1:].tolist() == [[3.0] * 3]
    assert len(names["made"].probabilities[0]) == len(names["readings"][0].claims) == 4


def test_public_names_are_pinned() -> None:
    """What others may import; a name that leaves this list is a breaking change."""
    expected = """
        MAX_GAIN MAX_SEVERITY MIN_GAP OFFERED PROBES RUBRIC CalibrationBin CheckpointError CorruptionError Criterion
        CriterionAgreement CriterionQuality Fault GradedSet GradedTrace Judgement Logits Rating Reading RewardModel
        RewardModelError Rewriter ScoreShapeError ScoredTrace States TraceError agreement auroc build corrupt
        criterion_quality expected_calibration_error expected_faithfulness fit_temperature krippendorff_alpha
        mismatch ordinal_loss quality read reliability
    """
    assert set(rewardmodel.__all__) == set(expected.split())
