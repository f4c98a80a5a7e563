"""Whether reasoning comes from listening: its faithfulness beside scores that need none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from speech_claims import ClaimsError, faithfulness
from speech_claims.faithfulness import constant_text
from speech_records import AnswerFormatError, MeasuredUtterance, parse_response
from trainer.predict import Answer


@dataclass(frozen=True, slots=True)
class FaithfulnessControls:
    """Mean faithfulness scores that need no listening, beside which a policy's own is to be read.

    - `shuffled`: its texts against the measurements of another clip
    - `alike`: of another clip of the same emotion and gender, where there is one
    - `modal`: of one text for all clips, with the most frequent value of every cue
    """

    shuffled: float
    alike: float | None
    modal: float


def faithfulness_controls(
    clips: Sequence[MeasuredUtterance], answers: Sequence[Answer], *, seed: int
) -> FaithfulnessControls:
    """The controls for `answers` to `clips`; texts without form score 0, as they do on their own clip."""
    order = np.random.default_rng(seed).permutation(len(clips)).tolist()
    shuffled = dict(zip(order, order[1:] + order[:1], strict=True))
    groups: dict[tuple[str, str], list[int]] = {}
    for i in order:
        utterance = clips[i].utterance
        groups.setdefault((str(utterance.emotion), str(utterance.gender)), []).append(i)
    alike = {i: j for g in groups.values() if len(g) > 1 for i, j in zip(g, g[1:] + g[:1], strict=True)}
    modal = constant_text(clips)

    def mean(pairs: Mapping[int, int]) -> float:
        return fmean(_score(_reasoning(answers[i].text), clips[i], clips[j]) for i, j in pairs.items())

    return FaithfulnessControls(
        shuffled=mean(shuffled),
        alike=mean(alike) if alike else None,
        modal=fmean(_score(modal, clip, clip) for clip in clips),
    )


def _reasoning(text: str) -> str | None:
    try:
        return parse_response(text, strict=True).think
    except AnswerFormatError:
        return None


def _score(think: str | None, said: MeasuredUtterance, measured: MeasuredUtterance) -> float:
    """The words quoted stay those of the clip that the text is about."""
    if think is None:
        return 0.0
    try:
        return faithfulness(think, measured.profile, measured.levels, said.utterance.transcript).score
    except ClaimsError:
        return 0.0
