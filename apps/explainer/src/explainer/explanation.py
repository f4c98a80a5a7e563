"""From a clip to an explanation: measure, ask the policy, read its answer, verify its claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from explainer.checkpoint import PolicyCard, TrainedPolicy
from explainer.errors import ClipError
from policy import PolicyError, Sampler
from prosody import Audio, analyze
from speech_claims import verify
from speech_records import (
    Claim,
    Emotion,
    Gender,
    ProsodyLevels,
    ProsodyProfile,
    emotion_question,
    read_answer,
    read_label,
)
from speechlm import SpeechLMError, log_mel


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a policy said of one clip, and what the measurement says of that.

    - `emotion` is `None` when the answer cannot be read, names none of the policy's labels, or several; `problem` then
      says which. An answer off the think/answer form is read as far as it goes (`speech_records.read_answer`), and
      `problem` says how it is off
    - `text` is the answer as it was written; `reasoning` its think part, in which the claims' spans count
    - `claims` hold their verdicts and the measured values; `profile` and `levels` are what they were held against
    - `policy.synthetic` says that the policy never heard a person
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
    audio: Audio,
    policy: TrainedPolicy,
    *,
    source: str = "",
    transcript: str | None = None,
    gender: Gender | None = None,
    max_new_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
) -> Explanation:
    """Explain one clip of speech at 16 kHz, at most 30 s long; `source` names it.

    With a `transcript`, quotes in the reasoning can be verified; with the speaker's `gender`, pitch is read against
    the scale of that gender. Temperature 0 takes the likeliest answer; above it, an answer is sampled with `seed`.
    Raises `ClipError` when no speech is found, the clip is too short or too long for the model, or the model cannot
    answer as asked, for example because clip and answer pass the tokens that it takes.
    """
    profile = analyze(audio.samples, audio.sample_rate, transcript=transcript)
    if profile.speech_start_s is None:
        raise ClipError(f"nothing to explain: {'; '.join(profile.notes) or 'no speech found'}")
    levels = policy.scale.read(profile, gender=gender)
    text = _answer(audio, policy, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
    emotion, problem, reasoning = _read_answer(text, policy)
    claims = verify(reasoning, profile, levels, transcript) if reasoning is not None else []
    return Explanation(
        source=source,
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


def _answer(audio: Audio, policy: TrainedPolicy, *, max_new_tokens: int, temperature: float, seed: int) -> str:
    model = policy.model
    try:
        rollout = Sampler(model).sample(
            [log_mel(audio.samples, model.features)],
            [emotion_question(policy.label_set)],
            temperature=temperature,
            max_new_tokens=max_new_tokens,
            seeds=seed,
        )
    except (SpeechLMError, PolicyError) as error:
        raise ClipError(str(error)) from error
    return rollout.texts[0][0]


def _read_answer(text: str, policy: TrainedPolicy) -> tuple[Emotion | None, str | None, str | None]:
    """Emotion, what is wrong with the answer, and its reasoning; a text off the form is read as far as it goes."""
    reading = read_answer(text)
    off = "; ".join(reading.problems)
    if reading.answer is None:
        return None, f"the answer cannot be read: {off}", reading.think
    found = read_label(reading.answer, policy.label_set)
    if found.label is None:
        means = "names more than one label" if found.ambiguous else "is no label"
        return None, f"the answer {_shorten(reading.answer)} {means} of {policy.label_set.name}", reading.think
    return found.label, f"the answer is off its form: {off}" if off else None, reading.think


def _shorten(answer: str, limit: int = 80) -> str:
    return repr(answer if len(answer) <= limit else answer[: limit - 1] + "…")
