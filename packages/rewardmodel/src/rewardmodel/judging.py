"""What every judge of reasoning has in common: what it is given, and what it gives back.

A trained model listens (`model.RewardModel`), rules compare with the measurements (`rules.RuleJudge`), and a language
model reads these (`llm_judge.LLMJudge`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from rewardmodel.errors import ScoreShapeError
from speech_records import Claim, MeasuredUtterance, RewardScores


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A clip as far as a judge may look at it: log-mel `features` [n_mels, frames] for one that listens, what was
    `measured` for one that reads.
    """

    features: Tensor | None = None
    measured: MeasuredUtterance | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Scores of N texts.

    - `scores` float32[N, 4] in [1, 5], NaN where a judge has no opinion; 1 everywhere for a text without form or
      reasoning, NaN for one too long
    - `uncertainty` float32[N, 4]: standard deviations, as far as the judge knows itself, else NaN
    - `claims`: what each text was found to claim; `probabilities`: that each of these is supported
    - `problems`: why a text could not be judged, by its number
    """

    scores: Tensor
    uncertainty: Tensor
    claims: tuple[tuple[Claim, ...], ...]
    probabilities: tuple[tuple[float, ...], ...]
    problems: Mapping[int, str]


class Judge(Protocol):
    """Scores texts about clips on the four criteria of `speech_records.RewardScores`."""

    def judge(
        self,
        clips: Sequence[Clip],
        questions: Sequence[str],
        texts: Sequence[str],
        *,
        audio_index: Sequence[int] | None = None,
    ) -> Judgement:
        """Scores of N texts and what they rest on; a text that cannot be judged is named, and the rest is judged.

        Args:
            clips: what the texts are about.
            questions: what was asked, one for each text.
            texts: reasoning with its answer, in the form in which the policy writes it.
            audio_index: which clip each text is about; by default text i is about clip i.

        Raises:
            ScoreShapeError: questions, texts and clips do not match, or a clip lacks what this judge looks at.
        """
        ...


def clip_numbers(
    clips: Sequence[Clip], questions: Sequence[str], texts: Sequence[str], audio_index: Sequence[int] | None
) -> list[int]:
    """The clip of each text. Raises `ScoreShapeError` when texts, questions and clips do not match one to one."""
    index = list(range(len(clips)) if audio_index is None else audio_index)
    if not len(questions) == len(texts) == len(index):
        raise ScoreShapeError(
            f"{len(texts)} texts need as many questions and clips, got {len(questions)} and {len(index)}"
        )
    return index


def measured_of(number: int, clip: Clip) -> MeasuredUtterance:
    """What was measured of clip `number`. Raises `ScoreShapeError` where nothing was."""
    if clip.measured is None:
        raise ScoreShapeError(f"clip {number} has no measurements, which this judge compares with")
    return clip.measured


@dataclass(slots=True, eq=False)
class JudgementBuilder:
    """What a judge of `count` texts has found so far."""

    count: int
    scores: Tensor = field(init=False)
    uncertainty: Tensor = field(init=False)
    claims: list[tuple[Claim, ...]] = field(init=False)
    probabilities: list[tuple[float, ...]] = field(init=False)
    problems: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scores = torch.full((self.count, len(RewardScores.CRITERIA)), math.nan)
        self.uncertainty = torch.full_like(self.scores, math.nan)
        self.claims, self.probabilities = [()] * self.count, [()] * self.count

    def refuse(self, i: int, problem: str, *, score: float = math.nan) -> None:
        """Give text `i` the same score on every criterion, as it could not be judged."""
        self.scores[i], self.problems[i] = score, problem

    def made(self) -> Judgement:
        """The judgement."""
        return Judgement(
            self.scores, self.uncertainty, tuple(self.claims), tuple(self.probabilities), dict(self.problems)
        )
