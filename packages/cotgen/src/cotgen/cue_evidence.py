"""How emotions sound: which reading of a cue fits an emotion and which speaks against it.

Condensed by us from three surveys of vocal emotion:

- Juslin & Laukka (2003), Psychological Bulletin 129(5), tables of cue patterns (anger, fear, happiness, sadness,
  tenderness);
- Scherer (2003), Speech Communication 40, table of acoustic patterning (stress, anger, fear, sadness, joy, boredom);
- Banse & Scherer (1996), Journal of Personality and Social Psychology 70(3) (among others disgust, contempt, boredom,
  hot and cold anger).

Where they disagree (the loudness of fear, the contour of anger) the cue is left out. Emotions that they hardly treat
are marked *assumption*: what is said there is our reading of how such speech is described, not a survey result.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from speech_records import Cue, Emotion


class Fit(StrEnum):
    """What a reading says about an emotion."""

    FITS = "fits"
    AGAINST = "against"
    OPEN = "open"


def _row(
    *, pitch: str = "", energy: str = "", rate: str = "", dynamics: str = "", shape: str = "", pauses: str = "",
    voicing: str = "",
) -> Mapping[Cue, frozenset[str]]:  # fmt: skip
    cells = {
        Cue.PITCH: pitch, Cue.ENERGY: energy, Cue.RATE: rate, Cue.CONTOUR_DYNAMICS: dynamics,
        Cue.CONTOUR_SHAPE: shape, Cue.PAUSES: pauses, Cue.VOICING: voicing,
    }  # fmt: skip
    return MappingProxyType({cue: frozenset(values.split()) for cue, values in cells.items() if values})


EXPECTED: Mapping[Emotion, Mapping[Cue, frozenset[str]]] = MappingProxyType(
    {
        # The unmarked reference that the surveys measure the others against.
        Emotion.NEUTRAL: _row(pitch="normal", energy="normal", rate="normal", dynamics="moderate", shape="level"),
        # Juslin & Laukka's tenderness.
        Emotion.CALM: _row(pitch="low", energy="low", rate="low", dynamics="flat", shape="falling level"),
        Emotion.HAPPY: _row(
            pitch="high", energy="normal high", rate="high", dynamics="expressive", shape="rising rising-falling"
        ),
        # Scherer's elated joy: happiness with everything turned up.
        Emotion.EXCITED: _row(
            pitch="high", energy="high", rate="high", dynamics="expressive", shape="rising rising-falling"
        ),
        Emotion.SAD: _row(
            pitch="low", energy="low", rate="low", dynamics="flat", shape="falling", pauses="present long"
        ),
        Emotion.ANGRY: _row(pitch="high", energy="high", rate="high", dynamics="expressive", pauses="none"),
        Emotion.FEAR: _row(pitch="high", rate="high", shape="rising"),
        Emotion.DISGUST: _row(pitch="low", energy="low", rate="low"),
        Emotion.CONTEMPT: _row(pitch="low", energy="low normal", rate="low", shape="falling"),
        # Assumption: sudden rise and wide melody.
        Emotion.SURPRISE: _row(pitch="high", energy="high", dynamics="expressive", shape="rising rising-falling"),
        # Assumption: the prosody of uncertainty, a questioning rise and hesitation.
        Emotion.CONFUSED: _row(pitch="normal high", rate="low", shape="rising falling-rising", pauses="present long"),
        # By definition: phonation is absent.
        Emotion.WHISPER: _row(energy="low", voicing="whispered"),
        Emotion.BORED: _row(pitch="low", energy="low", rate="low", dynamics="flat", shape="level falling"),
        # Assumption: Banse & Scherer's cold anger, loud but held back.
        Emotion.FRUSTRATED: _row(pitch="normal high", energy="normal high", shape="falling"),
    }
)
"""The readings that fit each emotion, by cue. A cue that is not named says nothing about the emotion."""

MIDDLE = frozenset({"normal", "moderate"})
OPPOSITE: Mapping[str, str] = MappingProxyType(
    {
        "low": "high", "high": "low", "flat": "expressive", "expressive": "flat", "rising": "falling",
        "falling": "rising", "whispered": "voiced", "voiced": "whispered", "none": "long", "long": "none",
    }
)  # fmt: skip


def fit(emotion: Emotion, cue: Cue, value: str) -> Fit:
    """Whether `value` of `cue` fits `emotion`, speaks against it, or leaves the question open.

    Against is the opposite of what is expected, and anything else where the middle itself is expected.

    >>> fit(Emotion.ANGRY, Cue.ENERGY, "high"), fit(Emotion.ANGRY, Cue.ENERGY, "normal")
    (<Fit.FITS: 'fits'>, <Fit.OPEN: 'open'>)
    >>> fit(Emotion.SAD, Cue.PITCH, "high"), fit(Emotion.NEUTRAL, Cue.RATE, "low")
    (<Fit.AGAINST: 'against'>, <Fit.AGAINST: 'against'>)
    """
    expected = EXPECTED[emotion].get(cue)
    if expected is None:
        return Fit.OPEN
    if value in expected:
        return Fit.FITS
    if expected & MIDDLE or OPPOSITE.get(value) in expected:
        return Fit.AGAINST
    return Fit.OPEN
