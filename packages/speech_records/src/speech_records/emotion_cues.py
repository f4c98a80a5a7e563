"""How emotions sound, and how far they lie apart: the one table that writing, grading and the demo corpus follow.

Which value of a cue fits an emotion is condensed from three surveys of vocal emotion:

- Juslin & Laukka (2003), Psychological Bulletin 129(5), tables of cue patterns (anger, fear, happiness, sadness,
  tenderness);
- Scherer (2003), Speech Communication 40, table of acoustic patterning (stress, anger, fear, sadness, joy, boredom);
- Banse & Scherer (1996), Journal of Personality and Social Psychology 70(3) (among others disgust, contempt, boredom,
  hot and cold anger).

Where they disagree (the loudness of fear, the contour of anger) the cue is left out. Emotions that they hardly treat
are marked *assumption*: what is said there is our reading of how such speech is described, not a survey result.

Valence and arousal are rounded after Russell (1980), A circumplex model of affect. Disgust, contempt and confusion are
placed by us; whisper is not an affect and has low arousal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import hypot
from types import MappingProxyType

from speech_records.emotions import Emotion
from speech_records.records import Cue


class Evidence(StrEnum):
    """What a value of a cue says about an emotion."""

    FITS = "fits"
    AGAINST = "against"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Expression:
    """Valence and arousal of an emotion in [-1, 1], and the values that fit it, by cue.

    A cue that is not named says nothing about the emotion.
    """

    valence: float
    arousal: float
    cues: Mapping[Cue, frozenset[str]]


def _row(
    valence: float, arousal: float, *, pitch: str = "", energy: str = "", rate: str = "", dynamics: str = "",
    shape: str = "", pauses: str = "", voicing: str = "",
) -> Expression:  # fmt: skip
    cells = {
        Cue.PITCH: pitch, Cue.ENERGY: energy, Cue.RATE: rate, Cue.CONTOUR_DYNAMICS: dynamics,
        Cue.CONTOUR_SHAPE: shape, Cue.PAUSES: pauses, Cue.VOICING: voicing,
    }  # fmt: skip
    cues = {cue: frozenset(values.split()) for cue, values in cells.items() if values}
    return Expression(valence, arousal, MappingProxyType(cues))


EXPRESSIONS: Mapping[Emotion, Expression] = MappingProxyType(
    {
        # The unmarked reference that the surveys measure the others against.
        Emotion.NEUTRAL: _row(
            0.0, 0.0, pitch="normal", energy="normal", rate="normal", dynamics="moderate", shape="level"
        ),
        # Juslin & Laukka's tenderness.
        Emotion.CALM: _row(0.7, -0.7, pitch="low", energy="low", rate="low", dynamics="flat", shape="falling level"),
        Emotion.HAPPY: _row(
            0.9,
            0.2,
            pitch="high",
            energy="normal high",
            rate="high",
            dynamics="expressive",
            shape="rising rising-falling",
        ),
        # Scherer's elated joy: happiness with everything turned up.
        Emotion.EXCITED: _row(
            0.7, 0.7, pitch="high", energy="high", rate="high", dynamics="expressive", shape="rising rising-falling"
        ),
        Emotion.SAD: _row(
            -0.8, -0.4, pitch="low", energy="low", rate="low", dynamics="flat", shape="falling", pauses="present long"
        ),
        Emotion.ANGRY: _row(-0.4, 0.8, pitch="high", energy="high", rate="high", dynamics="expressive", pauses="none"),
        Emotion.FEAR: _row(-0.1, 0.8, pitch="high", rate="high", shape="rising"),
        Emotion.DISGUST: _row(-0.7, 0.5, pitch="low", energy="low", rate="low"),
        Emotion.CONTEMPT: _row(-0.6, 0.3, pitch="low", energy="low normal", rate="low", shape="falling"),
        # Assumption: sudden rise and wide melody.
        Emotion.SURPRISE: _row(
            0.4, 0.9, pitch="high", energy="high", dynamics="expressive", shape="rising rising-falling"
        ),
        # Assumption: the prosody of uncertainty, a questioning rise and hesitation.
        Emotion.CONFUSED: _row(
            -0.3, 0.2, pitch="normal high", rate="low", shape="rising falling-rising", pauses="present long"
        ),
        # By definition: phonation is absent.
        Emotion.WHISPER: _row(0.0, -0.6, energy="low", voicing="whispered"),
        Emotion.BORED: _row(-0.4, -0.8, pitch="low", energy="low", rate="low", dynamics="flat", shape="level falling"),
        # Assumption: Banse & Scherer's cold anger, loud but held back.
        Emotion.FRUSTRATED: _row(-0.6, 0.4, pitch="normal high", energy="normal high", shape="falling"),
    }
)

_MIDDLE = frozenset({"normal", "moderate"})
_OPPOSITE: Mapping[str, str] = MappingProxyType(
    {
        "low": "high", "high": "low", "flat": "expressive", "expressive": "flat", "rising": "falling",
        "falling": "rising", "whispered": "voiced", "voiced": "whispered", "none": "long", "long": "none",
    }
)  # fmt: skip


def cue_evidence(emotion: Emotion, cue: Cue, value: str) -> Evidence:
    """Whether `value` of `cue` fits `emotion`, speaks against it, or is neutral.

    Against is the opposite of what is expected, and anything else where the middle itself is expected.

    >>> cue_evidence(Emotion.ANGRY, Cue.ENERGY, "high"), cue_evidence(Emotion.ANGRY, Cue.ENERGY, "normal")
    (<Evidence.FITS: 'fits'>, <Evidence.NEUTRAL: 'neutral'>)
    >>> cue_evidence(Emotion.SAD, Cue.PITCH, "high"), cue_evidence(Emotion.NEUTRAL, Cue.RATE, "low")
    (<Evidence.AGAINST: 'against'>, <Evidence.AGAINST: 'against'>)
    """
    expected = EXPRESSIONS[emotion].cues.get(cue)
    if expected is None:
        return Evidence.NEUTRAL
    if value in expected:
        return Evidence.FITS
    if expected & _MIDDLE or _OPPOSITE.get(value) in expected:
        return Evidence.AGAINST
    return Evidence.NEUTRAL


def affect_distance(one: Emotion, other: Emotion) -> float:
    """How far two emotions lie apart in valence and arousal.

    >>> affect_distance(Emotion.NEUTRAL, Emotion.WHISPER)
    0.6
    """
    a, b = EXPRESSIONS[one], EXPRESSIONS[other]
    return hypot(a.valence - b.valence, a.arousal - b.arousal)
