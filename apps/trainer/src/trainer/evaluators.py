"""Reasoning quality by reward models: by the one that rewarded a policy, and by one that never did.

A policy learns what its reward model likes, so its score rises with training whether the reasoning is better or not.
An evaluator is a reward model of another seed or from another SFT policy, which no evaluated policy was rewarded by:
what a training record says of its reward model is checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from rewardmodel import Clip, Judge, RewardModel
from rewardmodel.model import HEAD
from speech_records import file_sha256, from_json
from trainer.checkpoint import accelerator
from trainer.errors import ConfigError
from trainer.predict import Answer
from trainer.settings import Algorithm
from trainer.tracking import RECORD, TrackingRecord


def mean_score(
    judge: Judge, answers: Sequence[Answer], features: Mapping[str, Tensor], questions: Mapping[str, str]
) -> float:
    """Mean of the four criteria over all answers to `questions`, by utterance id, in [1, 5]."""
    clips = [Clip(features[a.utterance_id].float()) for a in answers]
    return float(
        judge.judge(clips, [questions[a.utterance_id] for a in answers], [a.text for a in answers]).scores.mean()
    )


def load_evaluator(folder: Path, policies: Iterable[Path]) -> RewardModel:
    """The evaluator in `folder`. Raises `ConfigError` where one of `policies` was rewarded by it."""
    for policy in policies:
        rewarded_by = reward_model_of(policy)
        if rewarded_by is not None and _same(folder, rewarded_by):
            raise ConfigError(
                f"evaluator {folder} rewarded {policy} in its training: give a reward model of another seed or policy"
            )
    return RewardModel.load(folder, device=accelerator())


def reward_model_of(policy: Path) -> Path | None:
    """The folder of the reward model that a policy was trained with, as its record says; `None` where there is none."""
    record = policy / RECORD
    if not record.is_file():
        return None
    given = from_json(TrackingRecord, record.read_text(encoding="utf-8")).parameters
    if given.get("algorithm") != Algorithm.GRPO_PTR.value or given.get("reward_model", "None") == "None":
        return None
    return Path(given["reward_model"])


def _same(first: Path, second: Path) -> bool:
    """Whether two folders are one, or hold the same head."""
    if first.resolve() == second.resolve():
        return True
    heads = (first / HEAD, second / HEAD)
    return all(head.is_file() for head in heads) and file_sha256(heads[0]) == file_sha256(heads[1])
