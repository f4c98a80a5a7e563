"""What the answers of a step earn: form and outcome by rule, reasoning by judge, by measurement, or by both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from grpo_ptr import CRITERIA, SCORE_MIN, Factual, RewardBreakdown, factual_scores, overlong_penalty, rewards
from rewardmodel import Clip, Judge
from speech_records import RewardScores
from trainer.rollouts import Groups, verified_reward
from trainer.settings import GRPOSettings


@dataclass(frozen=True, slots=True)
class ReasoningScores:
    """What is said of the reasoning of B groups of K answers.

    - `scores` float[B, K, 4]: the g_j that R_t is made of
    - `judged`, `uncertainty` float[B, K, 4]: what the reward model gave, and its standard deviations; `None` where none
      was asked
    - `verified` float[B, K]: R_v; `None` where nothing was measured
    """

    scores: Tensor
    judged: Tensor | None = None
    uncertainty: Tensor | None = None
    verified: Tensor | None = None


def reasoning_scores(
    groups: Groups, settings: GRPOSettings, *, questions: Sequence[str], judge: Judge | None
) -> ReasoningScores:
    """The four scores g_j of every answer to the `questions` about B clips: given by the judge, the first measured
    where so set.
    """
    b, k = groups.correct.shape
    scores, judged, uncertainty = torch.full((b, k, CRITERIA), SCORE_MIN), None, None
    if settings.needs_reward_model and judge is not None:
        texts = [text for group in groups.texts for text in group]
        audio_index = [i for i in range(b) for _ in range(k)]
        clips = [Clip(sound, m) for sound, m in zip(groups.clips, groups.batch, strict=True)]
        made = judge.judge(clips, [questions[i] for i in audio_index], texts, audio_index=audio_index)
        scores = judged = made.scores.view(b, k, CRITERIA)
        uncertainty = made.uncertainty.view(b, k, CRITERIA)
    if settings.factual is Factual.JUDGED:
        return ReasoningScores(scores, judged, uncertainty)
    asked = zip(groups.batch, groups.texts, strict=True)
    verified = torch.tensor([[verified_reward(m, text) for text in texts] for m, texts in asked])
    return ReasoningScores(factual_scores(scores, verified, settings.factual), judged, uncertainty, verified)


def group_rewards(groups: Groups, settings: GRPOSettings, *, reasoning: ReasoningScores | None) -> RewardBreakdown:
    """Equation (3), with reasoning rewards where there are any."""
    penalty = None
    if settings.overlong_buffer:
        lengths = groups.mask.sum(-1).cpu()
        penalty = overlong_penalty(lengths, max_tokens=settings.max_new_tokens, buffer=settings.overlong_buffer)
    return rewards(
        groups.format_ok,
        groups.correct,
        None if reasoning is None else reasoning.scores,
        weights=settings.criterion_weights,
        coefficients=settings.reward_weights,
        reasoning_enabled=reasoning is not None,
        unparseable=settings.unparseable,
        degenerate=settings.degenerate,
        trust=settings.trust,
        length_penalty=penalty,
    )


def score_metrics(reasoning: ReasoningScores, format_ok: Tensor) -> dict[str, float]:
    """Means over the answers that have the form: `score_CRITERION` and `uncertainty_CRITERION` of the reward model, R_v
    as `verified`. What nobody gave is not in them.
    """
    found: dict[str, Tensor] = {}
    for name, values in (("score", reasoning.judged), ("uncertainty", reasoning.uncertainty)):
        if values is not None:
            found |= {f"{name}_{c}": values[..., j] for j, c in enumerate(RewardScores.CRITERIA)}
    if reasoning.verified is not None:
        found["verified"] = reasoning.verified
    means = {name: values[format_ok.to(values.device)].nanmean() for name, values in found.items()}
    return {name: float(mean) for name, mean in means.items() if mean.isfinite()}
