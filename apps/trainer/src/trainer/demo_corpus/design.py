"""How each emotion is delivered: the distributions from which a clip's prosody is drawn.

Directions are those of `speech_records.emotion_cues`, after the surveys named in each row's `source`; sizes and spreads
are ours. They are set so that the emotions overlap: no single measurement tells them apart, and no classifier can be
perfect.

- JL03: Juslin & Laukka (2003), Psychological Bulletin 129(5), 770–814, summary of 104 studies of vocal expression.
- S03: Scherer (2003), Speech Communication 40, 227–256, table of the effects of emotion on the voice.
- BS96: Banse & Scherer (1996), J. Personality and Social Psychology 70(3), 614–636, fourteen acted emotions.
- P09: Pell, Paulmann, Dara, Alasseri & Kotz (2009), J. Phonetics 37, 417–435, pleasant surprise among others.
- JP17: Jiang & Pell (2017), Speech Communication 88, 106–126, confident and doubtful voices.
- ITI05: Ito, Takeda & Itakura (2005), Speech Communication 45, 139–152, whispered speech.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from speech_records import ContourShape, Emotion

_WIDEST_SD = 2.5
"""Draws are held within so many standard deviations, so that no clip is a caricature."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A normal distribution, held within 2.5 standard deviations."""

    mean: float
    sd: float

    def draw(self, generator: np.random.Generator) -> float:
        """One value."""
        z = float(np.clip(generator.standard_normal(), -_WIDEST_SD, _WIDEST_SD))
        return self.mean + self.sd * z


@dataclass(frozen=True, slots=True)
class EmotionProsody:
    """One emotion's distributions, relative to the speaker's neutral voice."""

    level_st: Spread
    """Pitch level, semitones above the speaker's resting pitch."""
    range_st: Spread
    """Extent of the pitch contour from its lowest to its highest word, semitones."""
    contours: Mapping[ContourShape, float]
    """Probability of each contour."""
    energy_db: Spread
    rate: Spread
    """Speaking rate as a multiple of the speaker's neutral rate."""
    emphasis: Spread
    """How much the stressed word stands out: 1 is `STRESS_ST` higher, `STRESS_DB` louder, `STRESS_RATE` as fast."""
    source: str
    whispered: bool = False


RISE, FALL, ARCH, DIP, LEVEL = (
    ContourShape.RISING,
    ContourShape.FALLING,
    ContourShape.RISING_FALLING,
    ContourShape.FALLING_RISING,
    ContourShape.LEVEL,
)
STRESS_ST, STRESS_DB, STRESS_RATE = 3.0, 4.0, 0.80
"""A word stressed with emphasis 1: semitones above the contour, decibels louder, and its rate."""
MIN_EMPHASIS = 0.4
"""The stressed word always stands out by so much, or the record could not call it stressed."""

DESIGN: Mapping[Emotion, EmotionProsody] = {
    Emotion.NEUTRAL: EmotionProsody(
        Spread(0.0, 1.0), Spread(3.0, 1.2), {FALL: 0.5, LEVEL: 0.4, ARCH: 0.1},
        Spread(0.0, 1.5), Spread(1.0, 0.06), Spread(0.7, 0.25),
        "the reference of JL03 and S03",
    ),
    Emotion.HAPPY: EmotionProsody(
        Spread(3.0, 1.3), Spread(6.5, 1.5), {RISE: 0.4, ARCH: 0.4, FALL: 0.2},
        Spread(2.5, 1.8), Spread(1.12, 0.09), Spread(1.3, 0.3),
        "JL03, S03: mean F0, its variability and contour up, intensity medium to high, fast",
    ),
    Emotion.SAD: EmotionProsody(
        Spread(-2.0, 1.1), Spread(2.0, 1.0), {FALL: 0.7, LEVEL: 0.3},
        Spread(-5.0, 1.8), Spread(0.80, 0.07), Spread(0.5, 0.2),
        "JL03, S03, BS96: mean F0, variability, contour and intensity down, slow",
    ),
    Emotion.ANGRY: EmotionProsody(
        Spread(2.0, 1.4), Spread(5.5, 1.5), {FALL: 0.5, ARCH: 0.3, RISE: 0.2},
        Spread(6.5, 1.7), Spread(1.14, 0.09), Spread(1.7, 0.35),
        "JL03, S03, BS96 (hot anger): mean F0 and variability up, intensity high, fast",
    ),
    Emotion.CONTEMPT: EmotionProsody(
        Spread(-1.8, 1.2), Spread(5.0, 1.4), {FALL: 0.8, ARCH: 0.2},
        Spread(-1.0, 1.8), Spread(0.86, 0.08), Spread(1.4, 0.35),
        "BS96 (contempt): low mean F0, near-normal energy; slow and drawled after BS96 and P09 (disgust)",
    ),
    Emotion.CONFUSED: EmotionProsody(
        Spread(1.2, 1.3), Spread(4.5, 1.4), {RISE: 0.6, DIP: 0.4},
        Spread(-2.0, 1.7), Spread(0.82, 0.08), Spread(0.9, 0.3),
        "JP17 (unconfident, doubtful): mean F0 up, slow, softer, rising",
    ),
    Emotion.WHISPER: EmotionProsody(
        Spread(0.0, 1.0), Spread(2.0, 1.0), {FALL: 0.5, LEVEL: 0.5},
        Spread(-12.0, 2.0), Spread(0.92, 0.07), Spread(0.7, 0.25),
        "ITI05: no voicing, much lower power, somewhat longer", whispered=True,
    ),
    Emotion.SURPRISE: EmotionProsody(
        Spread(4.0, 1.3), Spread(8.5, 1.6), {RISE: 0.7, DIP: 0.15, ARCH: 0.15},
        Spread(2.0, 1.8), Spread(1.02, 0.09), Spread(1.3, 0.35),
        "P09 (pleasant surprise): highest mean F0 and widest range, rising",
    ),
    Emotion.FEAR: EmotionProsody(
        Spread(4.0, 1.3), Spread(2.5, 1.1), {RISE: 0.5, LEVEL: 0.5},
        Spread(-2.0, 1.9), Spread(1.22, 0.09), Spread(0.6, 0.25),
        "JL03: mean F0 up, little F0 variability, rising contour, low intensity (but panic), fast",
    ),
}  # fmt: skip
"""The prosody of the nine emotions of `PAPER_9`."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was drawn for one clip."""

    level_st: float
    range_st: float
    contour: ContourShape
    energy_db: float
    rate: float
    emphasis: float
    stressed_word: int
    """Position of the stressed word in the sentence."""
    whispered: bool

    def word_pitches_st(self, words: int) -> list[float]:
        """Pitch of each of `words` words, in semitones above the speaker's resting pitch.

        >>> Delivery(1.0, 4.0, ContourShape.RISING, 0.0, 1.0, 1.0, 2, False).word_pitches_st(3)
        [-1.0, 1.0, 6.0]
        """
        pitches = [self.level_st + self.range_st * _contour(self.contour, i / max(words - 1, 1)) for i in range(words)]
        pitches[self.stressed_word] += STRESS_ST * self.emphasis
        return pitches


def draw(emotion: Emotion, stressable: tuple[int, ...], *, generator: np.random.Generator) -> Delivery:
    """Draw how one sentence is said. `stressable` are the positions of its words that may carry the stress."""
    row = DESIGN[emotion]
    shapes = list(row.contours)
    return Delivery(
        level_st=row.level_st.draw(generator),
        range_st=max(0.0, row.range_st.draw(generator)),
        contour=shapes[int(generator.choice(len(shapes), p=list(row.contours.values())))],
        energy_db=row.energy_db.draw(generator),
        rate=row.rate.draw(generator),
        emphasis=max(MIN_EMPHASIS, row.emphasis.draw(generator)),
        stressed_word=int(generator.choice(stressable)),
        whispered=row.whispered,
    )


def _contour(shape: ContourShape, position: float) -> float:
    """Height of a contour of extent 1 and mean 0 at `position` in [0, 1] of the sentence."""
    arch = 0.5 - abs(2.0 * position - 1.0)
    return {RISE: position - 0.5, FALL: 0.5 - position, ARCH: arch, DIP: -arch, LEVEL: 0.0}[shape]
