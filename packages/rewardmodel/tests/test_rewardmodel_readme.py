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
    """Log 2 is the loss of a logit of 0 whatever the target. The rules, last, find all of a true trace true: 5, but for
    its quote, which ends in the middle of a sentence that says nothing of the sound."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    clips = [make_clip(), make_clip("b1", "low low high", "open")]
    traces = {clip.utterance.utterance_id: write(clip) for clip in clips}
    trace = traces["a1"]
    texts = [format_answer(trace.think, trace.answer)]
    names: dict[str, Any] = {
        "PAPER_9": PAPER_9,
        "clips": clips,
        "traces": traces,
        "write": write,
        "speechlm": tiny_model.backbone,
        "features": [torch.rand(16, 40), torch.rand(16, 60)],
        "question": "Which emotion?",
        "texts": texts,
        "targets": torch.tensor([[4.0, 3.0, 1.0]]),
    }
    exec(block, names)
    assert len(names["graded"]) == 10
    assert names["loss"].item() == pytest.approx(0.6931, abs=1e-4)
    assert names["losses"]["claims"].item() == pytest.approx(0.6931, abs=1e-4)
    assert names["made"].scores.tolist() == [[5.0] * 4]
    assert names["made"].probabilities == ((1.0,) * 4,)


def test_public_names_are_pinned() -> None:
    """What others may import; a name that leaves this list is a breaking change."""
    expected = """
        EMOTIONS MAX_GAIN MAX_SEVERITY MIN_GAP OFFERED PROBES RUBRIC VALUES CalibrationBin CheckpointError Clip
        ClipHead ClipLogits ClipTargets CompletionError CorruptionError Criterion CriterionAgreement
        CriterionQuality Fault GradedSet GradedTrace Heads Judge Judgement LLMJudge Logits ParsedText Rating Reading
        RewardModel RewardModelError Rewriter RuleJudge ScoreShapeError ScoredTrace States TraceError agreement
        auroc build clip_loss corrupt criterion_quality expected_calibration_error expected_faithfulness
        fit_temperature hear krippendorff_alpha mismatch ordinal_loss parse_text quality read reliability
    """
    assert set(rewardmodel.__all__) == set(expected.split())
