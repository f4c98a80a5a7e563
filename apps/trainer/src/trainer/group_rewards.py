"""What the answers of a step earn: form and outcome by rule, reasoning by judge, by measurement, or by both."""

from __future__ import annotations

import torch
from torch import Tensor

from grpo_ptr import CRITERIA, SCORE_MIN, Factual, RewardBreakdown, factual_scores, overlong_penalty, rewards
from rewardmodel import Clip, Judge
from trainer.rollouts import Groups, verified_reward
from trainer.settings import GRPOSettings


def group_rewards(
    groups: Groups, settings: GRPOSettings, *, gate_open: bool, question: str, judge: Judge | None
) -> RewardBreakdown:
    """Equation (3) for the answers to `question`, with reasoning rewards once the gate is open."""
    penalty = None
    if settings.overlong_buffer:
        lengths = groups.mask.sum(-1).cpu()
        penalty = overlong_penalty(lengths, max_tokens=settings.max_new_tokens, buffer=settings.overlong_buffer)
    return rewards(
        groups.format_ok,
        groups.correct,
        _scores(groups, settings, question, judge) if gate_open else None,
        weights=settings.criterion_weights,
        coefficients=settings.reward_weights,
        reasoning_enabled=gate_open,
        unparseable=settings.unparseable,
        degenerate=settings.degenerate,
        trust=settings.trust,
        length_penalty=penalty,
    )


def _scores(groups: Groups, settings: GRPOSettings, question: str, judge: Judge | None) -> Tensor:
    """The four scores g_j of every answer: given by the judge, the first measured where so set."""
    b, k = groups.correct.shape
    if settings.needs_reward_model and judge is not None:
        texts = [text for group in groups.texts for text in group]
        audio_index = [i for i in range(b) for _ in range(k)]
        clips = [Clip(sound, m) for sound, m in zip(groups.clips, groups.batch, strict=True)]
        made = judge.judge(clips, [question] * len(texts), texts, audio_index=audio_index)
        scores = made.scores.view(b, k, CRITERIA)
    else:
        scores = torch.full((b, k, CRITERIA), SCORE_MIN)
    if settings.factual is Factual.JUDGED:
        return scores
    earned = [[verified_reward(m, t) for t in texts] for m, texts in zip(groups.batch, groups.texts, strict=True)]
    return factual_scores(scores, torch.tensor(earned), settings.factual)
