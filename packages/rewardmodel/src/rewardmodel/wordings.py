"""Value words of prosodic claims, and where emotions lie to one another: the small tables that faults are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import hypot
from types import MappingProxyType

from speech_records import Cue, Emotion, LabelSet

SCALES: Mapping[Cue, tuple[Mapping[str, str], ...]] = MappingProxyType(
    {
        Cue.PITCH: ({"low": "low", "normal": "normal", "high": "high"}, {"low": "lowered", "high": "raised"}),
        Cue.ENERGY: (
            {"low": "low", "normal": "normal", "high": "high"},
            {"low": "soft", "normal": "moderate", "high": "loud"},
            {"low": "quiet", "high": "loud"},
        ),
        Cue.RATE: (
            {"low": "slow", "normal": "normal", "high": "fast"},
            {"low": "slow", "normal": "moderate", "high": "quick"},
            {"low": "slowly", "high": "quickly"},
        ),
        Cue.PITCH_RANGE: ({"low": "narrow", "normal": "moderate", "high": "wide"},),
        Cue.CONTOUR_SHAPE: (
            {v: v for v in ("rising", "falling", "rising-falling", "falling-rising", "level")},
            {"rising": "rises", "falling": "falls"},
        ),
        Cue.CONTOUR_DYNAMICS: (
            {"flat": "flat", "moderate": "moderate", "expressive": "expressive"},
            {"flat": "monotone", "expressive": "lively"},
        ),
        Cue.PAUSES: ({"long": "long", "short": "short"}, {"many": "many", "few": "few"}),
        Cue.VOICING: (
            {"whispered": "almost no", "voiced": "clear"},
            {"whispered": "almost without", "voiced": "clearly with"},
            {"whispered": "almost unvoiced", "voiced": "clearly voiced"},
            {"whispered": "lack of", "voiced": "clear"},
            {"whispered": "whispered", "voiced": "voiced"},
        ),
        Cue.GENDER: ({"female": "female", "male": "male"}, {"female": "woman", "male": "man"}),
    }
)
"""For each cue the ways of saying its values: claim value to word. Words of one row can stand for one another."""

CIRCUMPLEX: Mapping[Emotion, tuple[float, float]] = MappingProxyType(
    {
        Emotion.NEUTRAL: (0.0, 0.0),
        Emotion.CALM: (0.7, -0.7),
        Emotion.HAPPY: (0.9, 0.2),
        Emotion.EXCITED: (0.7, 0.7),
        Emotion.SAD: (-0.8, -0.4),
        Emotion.ANGRY: (-0.4, 0.8),
        Emotion.FEAR: (-0.1, 0.8),
        Emotion.DISGUST: (-0.7, 0.5),
        Emotion.CONTEMPT: (-0.6, 0.3),
        Emotion.SURPRISE: (0.4, 0.9),
        Emotion.CONFUSED: (-0.3, 0.2),
        Emotion.WHISPER: (0.0, -0.6),
        Emotion.BORED: (-0.4, -0.8),
        Emotion.FRUSTRATED: (-0.6, 0.4),
    }
)
"""Valence and arousal in [-1, 1], rounded, after Russell (1980), A circumplex model of affect. Disgust, contempt and
confusion are placed by us; whisper is no affect and stands at low arousal."""


def find_value(claim_text: str, cue: Cue, value: str) -> tuple[Mapping[str, str], re.Match[str]] | None:
    """The row of `SCALES` that a claim uses to say `value`, and where in its text; `None` when it uses none of them.

    >>> row, match = find_value("speaking rate is slow", Cue.RATE, "low")
    >>> row["high"], match.span()
    ('fast', (17, 21))
    """
    for row in SCALES.get(cue, ()):
        if value in row and (match := whole_word(row[value]).search(claim_text)):
            return row, match
    return None


def whole_word(word: str) -> re.Pattern[str]:
    """A pattern that finds `word` by itself, in any case.

    >>> [bool(whole_word(word).search("a rising-falling contour")) for word in ("rising", "falling", "contour")]
    [False, False, True]
    """
    return re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])", re.IGNORECASE)


def put(word: str, match: re.Match[str]) -> str:
    """The string of `match` with `word` in its place, capitalised if what stood there was."""
    word = word[:1].upper() + word[1:] if match.group()[:1].isupper() else word
    return match.string[: match.start()] + word + match.string[match.end() :]


def distance(a: Emotion, b: Emotion, *, label_set: LabelSet) -> float:
    """How far `b` lies from `a` on the circumplex, as a share of the farthest label of `label_set` from `a`.

    0 for the same emotion, 1 for the farthest label.

    >>> from speech_records import IEMOCAP_4
    >>> [round(distance(Emotion.ANGRY, e, label_set=IEMOCAP_4), 2) for e in IEMOCAP_4.labels]
    [0.62, 1.0, 0.88, 0.0]
    """
    farthest = max(_apart(a, label) for label in label_set.labels)
    return min(1.0, _apart(a, b) / farthest) if farthest else 0.0


def _apart(a: Emotion, b: Emotion) -> float:
    (v1, a1), (v2, a2) = CIRCUMPLEX[a], CIRCUMPLEX[b]
    return hypot(v1 - v2, a1 - a2)
