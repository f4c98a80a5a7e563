"""From a clip to an explanation: measure, ask the policy, read its answer, verify its claims."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from explainer.checkpoint import TrainedPolicy
from explainer.errors import ClipError
from policy import PolicyError, Sampler
from prosody import measure_file
from speech_claims import verify
from speech_records import (
    Claim,
    Emotion,
    Gender,
    LabelSet,
    PolicyCard,
    ProsodyLevels,
    ProsodyProfile,
    emotion_question,
    parse_response,
    read_label,
)
from speechlm import SpeechLMError, log_mel
from speechlm.features import MAX_SECONDS


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a policy said of one clip, and what the measurement says of that.

    - `emotion` is `None` when the answer cannot be read, names none of the policy's labels, or several; `problem` then
      says which. An answer off the think/answer form is read leniently (`speech_records.parse_response`), and `problem`
      says how it is off
    - `text` is the answer as it was written; `reasoning` its think part, in which the claims' spans count
    - `claims` hold their verdicts and the measured values; `profile` and `levels` are what they were checked against
    - `policy.synthetic` says that the policy was trained on synthetic speech only
    """

    schema_version: ClassVar[str] = "1.0"

    source: str
    emotion: Emotion | None
    problem: str | None
    reasoning: str | None
    text: str
    claims: tuple[Claim, ...]
    transcript: str | None
    profile: ProsodyProfile
    levels: ProsodyLevels
    policy: PolicyCard


def explain(
    clip: str | Path,
    policy: TrainedPolicy,
    *,
    transcript: str | None = None,
    gender: Gender | None = None,
    max_new_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
) -> Explanation:
    """Explain the speech in the file `clip`, at most 30 s long.

    With a `transcript`, quotes in the reasoning can be verified; with the speaker's `gender`, pitch is read against
    the scale of that gender, otherwise against all speakers. Temperature 0 takes the likeliest answer; above it, an
    answer is sampled with `seed`. Raises `prosody.ProsodyError` for a file that cannot be decoded or measured, and
    `ClipError` when no speech is found, the clip is too short or too long for the model, or the model cannot answer as
    asked, for example because clip and answer pass the tokens that it takes.
    """
    measured = measure_file(clip, transcript=transcript, max_duration_s=MAX_SECONDS)
    profile = measured.profile
    if profile.speech_start_s is None:
        raise ClipError(f"{clip}: nothing to explain: {'; '.join(profile.notes) or 'no speech found'}")
    # A gender that was guessed from the sound is no basis for the scale of its pitch.
    levels = policy.scale.read(replace(profile, gender=None), gender=gender)
    try:
        rollout = Sampler(policy.model).sample(
            [log_mel(measured.audio.samples, policy.model.features)],
            [emotion_question(policy.label_set)],
            temperature=temperature,
            max_new_tokens=max_new_tokens,
            seeds=seed,
        )
    except (SpeechLMError, PolicyError) as error:
        raise ClipError(f"{clip}: {error}") from error
    text = rollout.texts[0][0]
    emotion, problem, reasoning = interpret_response(text, policy.label_set)
    claims = verify(reasoning, profile, levels, transcript) if reasoning is not None else []
    return Explanation(
        source=printable_path(clip),
        emotion=emotion,
        problem=problem,
        reasoning=reasoning,
        text=text,
        claims=tuple(claims),
        transcript=transcript,
        profile=profile,
        levels=levels,
        policy=policy.card,
    )


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
