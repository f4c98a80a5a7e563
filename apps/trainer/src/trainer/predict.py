"""A policy's answers to clips, with every claim of their reasoning checked against the measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from policy import Sampler
from speech_claims import ClaimsError, faithfulness, verify
from speech_records import (
    AnswerFormatError,
    Claim,
    Emotion,
    LabelSet,
    MeasuredUtterance,
    emotion_question,
    parse_response,
)
from speechlm import SpeechLM
from trainer.errors import DataSetError
from trainer.features import as_float
from trainer.progress import Meter


@dataclass(frozen=True, slots=True)
class Answer:
    """What a policy answered to one clip. `predicted` is `None` where the text has no form or names no label.

    `faithfulness` is the score of its reasoning, 0 without the form.
    """

    schema_version: ClassVar[str] = "1.1"

    utterance_id: str
    speaker_id: str
    expected: Emotion
    predicted: Emotion | None
    format_ok: bool
    text: str
    claims: tuple[Claim, ...] = ()
    faithfulness: float | None = None


def predict(
    model: SpeechLM,
    clips: Sequence[MeasuredUtterance],
    features: Mapping[str, Tensor],
    label_set: LabelSet,
    *,
    batch_size: int = 64,
    max_new_tokens: int = 160,
    what: str = "predicting",
) -> list[Answer]:
    """Greedy answers to `clips`, in their order. `features` maps utterance ids to log-mel clips."""
    question = emotion_question(label_set)
    sampler = Sampler(model)
    by_length = sorted(clips, key=lambda m: features[m.utterance.utterance_id].shape[-1])
    answers: dict[str, str] = {}
    with Meter(what, total=len(clips)) as meter:
        for start in range(0, len(by_length), batch_size):
            chosen = by_length[start : start + batch_size]
            heard = as_float(features[m.utterance.utterance_id] for m in chosen)
            rollout = sampler.sample(heard, [question] * len(chosen), temperature=0.0, max_new_tokens=max_new_tokens)
            for m, (text,) in zip(chosen, rollout.texts, strict=True):
                answers[m.utterance.utterance_id] = text
            meter.advance(len(chosen))
    return [score_response(m, answers[m.utterance.utterance_id], label_set) for m in clips]


def score_response(clip: MeasuredUtterance, text: str, label_set: LabelSet) -> Answer:
    """Parse one answer and verify its claims; a text without form has no claims.

    Strictly: an answer counts only in the form and spelling that it was asked for (`parse_response` with `strict`,
    `LabelSet.parse`), so that accuracy means what the reward means.
    """
    utterance = clip.utterance
    expected = expected_label(clip, label_set)
    try:
        parsed = parse_response(text, strict=True)
    except AnswerFormatError:
        return Answer(utterance.utterance_id, utterance.speaker_id, expected, None, False, text, faithfulness=0.0)
    claims = verify(parsed.think, clip.profile, clip.levels, utterance.transcript)
    predicted = label_set.parse(parsed.answer)
    score = _faithfulness(parsed.think, clip)
    return Answer(utterance.utterance_id, utterance.speaker_id, expected, predicted, True, text, tuple(claims), score)


def _faithfulness(think: str, clip: MeasuredUtterance) -> float:
    """The score of reasoning about `clip`; 0 where it is too long to be scored, so that length is no way out."""
    try:
        return faithfulness(think, clip.profile, clip.levels, clip.utterance.transcript).score
    except ClaimsError:
        return 0.0


def expected_label(clip: MeasuredUtterance, label_set: LabelSet) -> Emotion:
    """The label of `label_set` that a clip has. Raises `DataSetError` when it has none."""
    emotion = clip.utterance.emotion
    label = None if emotion is None else label_set.map(emotion)
    if label is None:
        known = "it is not labelled" if emotion is None else f"its emotion {emotion.value} is not in it"
        raise DataSetError(f"{clip.utterance.utterance_id} has no label of {label_set.name}: {known}; leave it out")
    return label
