"""How the tasks are asked: short questions, or many phrasings that also state the form of the answer.

Every question about attributes names each attribute that it asks for, and no other: `scoring` reads it there. In the
stated forms, capitals stand for what the answer puts in their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from speech_claims.senses import value_word
from speech_records import ContourDynamics, ContourShape, Cue, Level

STRESS_QUESTIONS = ("Which word is stressed?", "Which word carries the stress?", "What word is emphasised?")
ALL_QUESTIONS = (
    "Describe pitch, energy, rate, contour and melody.",
    "What are the pitch, energy, rate, contour and melody?",
    "Name the pitch, energy, rate, contour and melody.",
)
ATTRIBUTE_QUESTIONS = ("What is the {name}?", "Describe the {name}.", "Name the {name}.")
COMPARATIVE_QUESTIONS = (
    "In which order does the {name} vary?",
    "What is the {name} of each part, in order?",
    "Name the {name} of the parts in their order.",
)
UNVOICED = "unvoiced"
"""What the pitch of whispered speech is called."""

ATTRIBUTES: Mapping[str, Cue] = MappingProxyType(
    {
        "pitch": Cue.PITCH,
        "energy": Cue.ENERGY,
        "rate": Cue.RATE,
        "contour": Cue.CONTOUR_SHAPE,
        "melody": Cue.CONTOUR_DYNAMICS,
    }
)
"""What is asked for, by the name that questions and answers use."""
_LEVELS = tuple(level.value for level in Level)
VALUES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "pitch": (*_LEVELS, UNVOICED),
        "energy": _LEVELS,
        "rate": tuple(value_word(Cue.RATE, level) for level in _LEVELS),
        "contour": tuple(s.value for s in ContourShape if s not in (ContourShape.UNCERTAIN, ContourShape.TOO_SHORT)),
        "melody": tuple(d.value for d in ContourDynamics),
    }
)
"""Every value that an answer may give an attribute."""


class Phrasing(StrEnum):
    """Which questions are asked.

    `short`: three a family and nothing about the answer's form, which a model of a few million parameters learns from
    the targets. `stated`: ten a family, each followed by the form of the answer, for a model that can already talk and
    would otherwise reply in sentences, or hang on to one phrasing.
    """

    SHORT = "short"
    STATED = "stated"


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of one phrasing; `attribute` and `comparative` have a place for the attribute's `{name}`."""

    stress: tuple[str, ...]
    every: tuple[str, ...]
    attribute: tuple[str, ...]
    comparative: tuple[str, ...]


_STRESS = (
    *STRESS_QUESTIONS,
    "Which words does the speaker stress?",
    "Where does the emphasis lie in this sentence?",
    "Name what the speaker puts weight on.",
    "Which word or words stand out by the way they are spoken?",
    "What is the speaker emphasising?",
    "Listen for the stress: where is it?",
    "Which part of the sentence is said with the most weight?",
)
_EVERY = (
    *ALL_QUESTIONS,
    "Listen to the voice and report its pitch, energy, rate, contour and melody.",
    "How would you classify pitch, energy, rate, contour and melody in this clip?",
    "Give the pitch, energy, rate, contour and melody of what you hear.",
    "Classify this speaker's pitch, energy, rate, contour and melody.",
    "What does the clip tell you about pitch, energy, rate, contour and melody?",
    "Put the pitch, energy, rate, contour and melody of this voice into words.",
    "Assess pitch, energy, rate, contour and melody.",
)
_ATTRIBUTE = (
    *ATTRIBUTE_QUESTIONS,
    "How would you classify the {name} of this voice?",
    "Listen to the {name}. What is it?",
    "Which {name} do you hear?",
    "Give the {name} of this clip.",
    "Tell me the {name} of this speaker.",
    "Of the voice in this clip, what is the {name}?",
    "Assess the {name} of what you hear.",
)
_COMPARATIVE = (
    *COMPARATIVE_QUESTIONS,
    "The same sentence is said several times. How does the {name} change from part to part?",
    "Compare the parts of this clip by their {name}, from first to last.",
    "Only the {name} differs between these versions. In which order do they come?",
    "Give the {name} of every version in the order you hear them.",
    "How is the {name} of the first part, of the second, and so on?",
    "Listen to each version's {name} and list it in order.",
    "What is the sequence of {name} in this clip?",
)
STRESS_FORM = "Answer with the stressed words only, in small letters, with commas between them."
_EVERY_FORM = (
    "Answer in one line as NAME VALUE, NAME VALUE and so on, and leave out what cannot be told. The values: "
    + "; ".join(f"{name} {' or '.join(values)}" for name, values in VALUES.items())
    + "."
)


def attribute_form(name: str) -> str:
    """The form of an answer about one attribute.

    >>> attribute_form("rate")
    'Answer with one of: rate slow, rate normal, rate fast.'
    """
    return f"Answer with one of: {', '.join(f'{name} {value}' for value in VALUES[name])}."


def comparative_form(name: str) -> str:
    """The form of an answer about the order of variants.

    >>> comparative_form("pitch")
    'Answer with the words low, normal, high in the order of the parts, with commas between them.'
    """
    words = ", ".join(VALUES[name][: len(_LEVELS)])
    return f"Answer with the words {words} in the order of the parts, with commas between them."


@cache
def questions(phrasing: Phrasing, name: str = "") -> Questions:
    """The questions of a phrasing; `name` is the attribute whose values are stated."""
    if phrasing is Phrasing.SHORT:
        return Questions(STRESS_QUESTIONS, ALL_QUESTIONS, ATTRIBUTE_QUESTIONS, COMPARATIVE_QUESTIONS)
    one = attribute_form(name) if name else ""
    order = comparative_form(name) if name else ""
    return Questions(
        tuple(f"{q} {STRESS_FORM}" for q in _STRESS),
        tuple(f"{q} {_EVERY_FORM}" for q in _EVERY),
        tuple(f"{q} {one}" for q in _ATTRIBUTE),
        tuple(f"{q} {order}" for q in _COMPARATIVE),
    )
