"""Whether answers come from listening: faithfulness beside scores that need none, and words against voice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from cotgen.tasks.conflict import ConflictScore, conflict_item, score_conflict
from speech_claims import ClaimsError, faithfulness
from speech_claims.faithfulness import constant_text
from speech_records import AnswerFormatError, LabelSet, MeasuredUtterance, emotion_question, parse_response
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


@dataclass(frozen=True, slots=True)
class ConflictRow:
    """What answers follow on clips of one `kind`: loaded words against the voice (`conflict`), fixed sentences that say
    nothing in an emotional voice (`neutral_words`), or words and voice that agree (`cotgen.tasks.conflict`).
    """

    kind: str
    score: ConflictScore


def conflicts(
    clips: Sequence[MeasuredUtterance], answers: Sequence[Answer], label_set: LabelSet
) -> tuple[ConflictRow, ...]:
    """Whether `answers` follow the voice or the words of those `clips` whose words say something known."""
    question = emotion_question(label_set)
    items = [conflict_item(clip, label_set=label_set, question=question) for clip in clips]
    asked = [(item, answer.text) for item, answer in zip(items, answers, strict=True) if item is not None]
    return tuple(ConflictRow(kind.value, found) for kind, found in score_conflict(asked).items())


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
