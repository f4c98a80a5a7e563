"""What the claims of an explanation were checked against, in sentences."""

from __future__ import annotations

from explainer.explanation import Explanation
from prosody.levels import POOLED


def basis(explanation: Explanation) -> tuple[str, ...]:
    """One sentence each on pitch, rate, energy and stressed words: the scale and group of voices, or why there is none.

    What the measurement itself noted follows.
    """
    return (
        _pitch(explanation),
        _rate(explanation),
        _energy(explanation),
        _stress(explanation),
        *(f"Note: {note}." for note in explanation.profile.notes),
    )


def _pitch(explanation: Explanation) -> str:
    reading, scale = explanation.levels.pitch, explanation.levels.scale
    if reading is None:
        return "Pitch: not read, none was measured."
    gender, confidence = explanation.gender or explanation.profile.gender, explanation.profile.gender_confidence
    if gender is None:
        why = "the sound does not tell the gender with confidence; --gender does"
    elif reading.group == POOLED:
        why = f"the scale has too few {gender.value} voices for a group of their own"
    elif explanation.gender is not None:
        why = "the gender was given"
    else:
        why = "by the sound" + ("" if confidence is None else f", confidence {confidence:.2f}")
    return f"Pitch: read against {_voices(reading.group)} of the scale {scale} ({why})."


def _rate(explanation: Explanation) -> str:
    reading, scale = explanation.levels.rate, explanation.levels.scale
    if reading is None:
        return "Rate: not read, none was measured."
    return f"Rate: read against {_voices(reading.group)} of the scale {scale}."


def _energy(explanation: Explanation) -> str:
    reading, scale = explanation.levels.energy, explanation.levels.scale
    if reading is None:
        return (
            "Energy: not read. It depends on microphone and gain, so it needs a scale of recordings made like this one "
            "(--scale), not brought to one level."
        )
    return f"Energy: read against {_voices(reading.group)} of the scale {scale}."


def _stress(explanation: Explanation) -> str:
    words = explanation.profile.stressed_words
    if words is None:
        need = "they need a transcript in English" if explanation.transcript is None else "the words were not found"
        return f"Stressed words: not measured, {need}."
    return f"Stressed words: {', '.join(word.word for word in words) or 'none'}."


def _voices(group: str) -> str:
    return "all voices" if group == POOLED else f"the {group} voices"
