"""A policy's answers to clips, with every claim of their reasoning checked against the measurement."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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
    atomic_write,
    emotion_question,
    label_question,
    parse_response,
)
from speechlm import SpeechLM
from trainer.checkpoint import accelerator
from trainer.errors import DataSetError
from trainer.features import as_float
from trainer.progress import track

PREDICTIONS = "predictions.jsonl"
LABEL_TOKENS = 16
"""Most tokens of an answer that is a label; the longest of any label set has four words."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a policy answered to one clip. `predicted` is `None` where the text has no form or names no label.

    `faithfulness` is the score of its reasoning, 0 without the form. `confidence` is the probability of a label alone,
    or what another system states.
    """

    schema_version: ClassVar[str] = "1.2"

    utterance_id: str
    speaker_id: str
    expected: Emotion
    predicted: Emotion | None
    format_ok: bool
    text: str
    claims: tuple[Claim, ...] = ()
    faithfulness: float | None = None
    confidence: float | None = None


def predict(
    model: SpeechLM,
    clips: Sequence[MeasuredUtterance],
    features: Mapping[str, Tensor],
    label_set: LabelSet,
    *,
    questions: Mapping[str, str] | None = None,
    batch_size: int = 64,
    max_new_tokens: int = 160,
    temperature: float = 0.0,
    seed: int = 0,
    what: str | None = "predicting",
) -> list[Answer]:
    """Answers to `clips`, in their order, greedy ones unless `temperature` is above 0; then `seed` draws them.

    `features` maps utterance ids to log-mel clips, `questions` to what is asked, with all labels of `label_set` unless
    specified. Progress is shown as `what`, or not at all.
    """
    questions = questions or dict.fromkeys((m.utterance.utterance_id for m in clips), emotion_question(label_set))
    texts = _answers(
        model, clips, features, questions,
        batch_size=batch_size, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed, what=what,
    )  # fmt: skip
    return [score_response(m, texts[m.utterance.utterance_id][0], label_set) for m in clips]


def write_answers(
    model: SpeechLM,
    clips: Sequence[MeasuredUtterance],
    features: Mapping[str, Tensor],
    questions: Mapping[str, str],
    *,
    out: Path,
    max_new_tokens: int = 160,
) -> Path:
    """Write greedy answers to `questions` about `clips`, labelled or not, into `out`: lines of JSON with `utterance_id`
    and `text`, which `evaluate.read_predictions` reads.
    """
    path = out / PREDICTIONS
    model = model.to(accelerator())
    texts = _answers(model, clips, features, questions, batch_size=64, max_new_tokens=max_new_tokens, what="predicting")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        for m in clips:
            name = m.utterance.utterance_id
            file.write(json.dumps({"utterance_id": name, "text": texts[name][0]}, ensure_ascii=False) + "\n")
    return path


def predict_labels(
    model: SpeechLM,
    clips: Sequence[MeasuredUtterance],
    features: Mapping[str, Tensor],
    label_set: LabelSet,
    *,
    questions: Mapping[str, str] | None = None,
    batch_size: int = 64,
    what: str | None = "predicting labels",
) -> list[Answer]:
    """Greedy answers to `label_question` (`score_label`), in the order of `clips`, with the probability of each: what
    the model perceives, without the explanation that may lose it.
    """
    questions = questions or dict.fromkeys((m.utterance.utterance_id for m in clips), label_question(label_set))
    texts = _answers(model, clips, features, questions, batch_size=batch_size, max_new_tokens=LABEL_TOKENS, what=what)
    answers = []
    for m in clips:
        text, probability = texts[m.utterance.utterance_id]
        answers.append(score_label(m, text, label_set, confidence=probability))
    return answers


def score_label(clip: MeasuredUtterance, text: str, label_set: LabelSet, *, confidence: float | None = None) -> Answer:
    """Parse an answer by the label alone; only a label in its spelling, and nothing else, is one."""
    predicted, of = label_set.parse(text.strip()), clip.utterance
    return Answer(
        of.utterance_id,
        of.speaker_id,
        expected_label(clip, label_set),
        predicted,
        predicted is not None,
        text,
        confidence=confidence,
    )


def _answers(
    model: SpeechLM,
    clips: Sequence[MeasuredUtterance],
    features: Mapping[str, Tensor],
    questions: Mapping[str, str],
    *,
    batch_size: int,
    max_new_tokens: int,
    what: str | None,
    temperature: float = 0.0,
    seed: int = 0,
) -> dict[str, tuple[str, float]]:
    """The answer to the question about each clip, and its probability, by utterance id; clips of like length are
    answered together.
    """
    sampler = Sampler(model)
    by_length = sorted(clips, key=lambda m: features[m.utterance.utterance_id].shape[-1])
    answers: dict[str, tuple[str, float]] = {}
    starts = range(0, len(by_length), batch_size)
    for start in starts if what is None else track(starts, total=len(starts), what=what):
        chosen = by_length[start : start + batch_size]
        rollout = sampler.sample(
            as_float(features[m.utterance.utterance_id] for m in chosen),
            [questions[m.utterance.utterance_id] for m in chosen],
            temperature=temperature,
            max_new_tokens=max_new_tokens,
            seeds=seed + start,
        )
        probabilities = rollout.logprobs.sum(-1).exp().flatten().tolist()
        for m, (text,), probability in zip(chosen, rollout.texts, probabilities, strict=True):
            answers[m.utterance.utterance_id] = text, probability
    return answers


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
