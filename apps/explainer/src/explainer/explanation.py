"""From a clip to an explanation: measure, ask the policy, read its answer, verify its claims."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final

import torch
from torch import Tensor

from explainer.checkpoint import TrainedPolicy
from explainer.errors import ClipError
from policy import PolicyError, Sampler, sequence_logprobs
from prosody import AcousticProminence, LevelScale, MeasuredFile, PocketSphinxAligner, measure_file
from speech_claims import verify
from speech_records import (
    LABEL_SETS,
    Claim,
    Emotion,
    Gender,
    LabelSet,
    PolicyCard,
    ProsodyLevels,
    ProsodyProfile,
    emotion_question,
    label_question,
    parse_response,
    read_label,
)
from speechlm import SpeechLM, SpeechLMError, log_mel
from speechlm.features import MAX_SECONDS

STRESS: Final = AcousticProminence(PocketSphinxAligner())
"""How `annotator` finds stressed words, too, unless it is given a model for them."""

LABELS_AT_LEAST: Final = 0.5
"""How likely some label must be as an answer for the labels to be compared: the policies that learnt to answer by one
give 0.97 and more, the demo's cold start and what was reinforced from it 1e-8."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a policy said of one clip, and what the measurement says of that.

    - `emotion` is `None` when the answer cannot be read, names none of the policy's labels, or several; `problem` then
      says which. An answer off the think/answer form is read leniently (`speech_records.parse_response`), and `problem`
      says how it is off
    - `probabilities` are those of the labels when the policy is asked for the label alone, without reasoning; empty
      where it never learnt to answer that
    - `text` is the answer as it was written; `reasoning` its think part, in which the claims' spans count
    - `claims` hold their verdicts and the measured values; `profile` and `levels` are what they were checked against,
      and `gender` is what the caller said of the speaker
    - `policy.synthetic` says that the policy was trained on synthetic speech only
    """

    schema_version: ClassVar[str] = "1.1"

    source: str
    emotion: Emotion | None
    problem: str | None
    probabilities: Mapping[str, float]
    reasoning: str | None
    text: str
    claims: tuple[Claim, ...]
    transcript: str | None
    gender: Gender | None
    profile: ProsodyProfile
    levels: ProsodyLevels
    policy: PolicyCard

    @property
    def label(self) -> str | None:
        """The emotion in the words of the policy's label set."""
        return None if self.emotion is None else LABEL_SETS[self.policy.label_set].text(self.emotion)


def explain(
    clip: str | Path,
    policy: TrainedPolicy,
    *,
    transcript: str | None = None,
    language: str = "en",
    gender: Gender | None = None,
    scale: LevelScale | None = None,
    max_new_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
) -> Explanation:
    """Explain the speech in the file `clip`, at most 30 s long.

    - with a `transcript` in `language`, quotes can be verified and, in English, stressed words are measured
    - pitch is read against the voices of the speaker's `gender`, by default the one that the sound tells with
      confidence, else against all voices, as it was in the training data
    - energy depends on microphone and gain: it is read only where `scale` is given, one of recordings made like this
      (for a clip of the training corpus `policy.scale`)
    - temperature 0 takes the likeliest answer; above it, an answer is sampled with `seed`

    Raises `prosody.ProsodyError` for a file that cannot be decoded or measured, and `ClipError` when no speech is
    found, the clip is too short or too long for the model, or the model cannot answer as asked, for example because
    clip and answer pass the tokens that it takes.
    """
    transcript = (transcript or "").strip() or None
    measured = _measure(clip, transcript, language)
    try:
        features = log_mel(measured.audio.samples, policy.model.features)
        text = _ask(policy, features, temperature=temperature, max_new_tokens=max_new_tokens, seed=seed)
        probabilities = label_probabilities(policy.model, features, policy.label_set)
    except (SpeechLMError, PolicyError) as error:
        raise ClipError(f"{clip}: {error}") from error
    emotion, problem, reasoning = interpret_response(text, policy.label_set)
    levels = (scale or policy.scale).read(measured.profile, gender=gender)
    if scale is None:
        levels = replace(levels, energy=None)
    return Explanation(
        source=printable_path(clip),
        emotion=emotion,
        problem=problem,
        probabilities=probabilities,
        reasoning=reasoning,
        text=text,
        claims=() if reasoning is None else tuple(verify(reasoning, measured.profile, levels, transcript)),
        transcript=transcript,
        gender=gender,
        profile=measured.profile,
        levels=levels,
        policy=policy.card,
    )


def _measure(clip: str | Path, transcript: str | None, language: str) -> MeasuredFile:
    """The clip's measurements as training data have them. Raises `ClipError` when there is no speech in it."""
    is_english = language.lower().partition("-")[0] == "en"
    stress = STRESS if is_english else None
    measured = measure_file(clip, transcript=transcript, language=language, max_duration_s=MAX_SECONDS, stress=stress)
    if measured.profile.speech_start_s is None:
        raise ClipError(f"{clip}: nothing to explain: {'; '.join(measured.profile.notes) or 'no speech found'}")
    return measured


def _ask(policy: TrainedPolicy, features: Tensor, *, temperature: float, max_new_tokens: int, seed: int) -> str:
    """The policy's answer to the question for reasoning and emotion."""
    rollout = Sampler(policy.model).sample(
        [features],
        [emotion_question(policy.label_set)],
        temperature=temperature,
        max_new_tokens=max_new_tokens,
        seeds=seed,
    )
    return rollout.texts[0][0]


@torch.no_grad()
def label_probabilities(model: SpeechLM, features: Tensor, label_set: LabelSet) -> dict[str, float]:
    """How likely each label is as the whole answer to `label_question`, in the order of the set; they sum to 1.

    Empty for a policy that would rather write something else, as one that never learnt to answer by the label alone.
    """
    labels = [label_set.text(label) for label in label_set.labels]
    packed = model.pack([features], [label_question(label_set)], [labels])
    scores = packed.unpack(sequence_logprobs(model, packed)).sum(-1)
    if float(scores.exp().sum()) < LABELS_AT_LEAST:
        return {}
    return dict(zip(labels, scores.softmax(0).tolist(), strict=True))


def printable_path(path: str | Path) -> str:
    """The path as text that can always be written: bytes of its name that are not UTF-8 become `�`."""
    return os.fsencode(path).decode("utf-8", "replace")


def interpret_response(text: str, label_set: LabelSet) -> tuple[Emotion | None, str | None, str | None]:
    """Emotion, what is wrong with the answer, and its reasoning; a text off the form is read leniently."""
    reading = parse_response(text, strict=False)
    if reading.answer is None:
        return None, f"the answer cannot be read: {reading.problem}", reading.think
    found = read_label(reading.answer, label_set)
    if found.label is None:
        means = "names more than one label" if found.ambiguous else "is not a label"
        return None, f"the answer {_shorten(reading.answer)} {means} of {label_set.name}", reading.think
    return found.label, f"the answer is off its form: {reading.problem}" if reading.problem else None, reading.think


def _shorten(answer: str, limit: int = 80) -> str:
    return repr(answer if len(answer) <= limit else answer[: limit - 1] + "…")
