"""Change over the clip: what is said of a part of it, of what it turns into, or of how even it is."""

from __future__ import annotations

from speech_claims.changes import Change
from speech_records import Cue

EVENNESS = frozenset(("steady", "varying"))
TRENDS = frozenset(("rising", "falling"))
_TREND = {"high": "rising", "low": "falling"}
_MOVES = frozenset(("drop", "drops", "fall", "falls", "sinks", "raises", "lowers", "raised", "lowered"))
_ORDER = ("low", "normal", "high")
_LEVELS = (Cue.PITCH, Cue.ENERGY, Cue.RATE)


def is_of_time(cue: Cue, value: str) -> bool:
    """Whether `value` is a trend or the evenness of loudness or speed, not a level.

    >>> is_of_time(Cue.ENERGY, "rising"), is_of_time(Cue.CONTOUR_SHAPE, "rising")
    (True, False)
    """
    return cue in (Cue.ENERGY, Cue.RATE) and value in EVENNESS | TRENDS


def in_time(
    phrase: str, sense: tuple[Cue, str], change: Change | None, *, is_of_a_part: bool
) -> tuple[Cue, str] | None:
    """What a value claims that is said of a change or of a part of the clip: *gets louder* is `energy`, `rising`.

    A level that is said of a part only (*the first half is slow*) claims nothing. What the pitch turns into is its
    contour.
    """
    cue, value = sense
    if cue not in _LEVELS or is_of_time(cue, value):
        return None if change is Change.FROM and not is_of_time(cue, value) and cue is not Cue.PAUSES else sense
    is_moving = is_of_a_part and (phrase.endswith("er") or phrase in _MOVES)
    if change is None and not is_of_a_part:
        return sense
    if (change is Change.TO or (change is None and is_moving)) and value in _TREND:
        return (Cue.CONTOUR_SHAPE if cue is Cue.PITCH else cue), _TREND[value]
    return None


def trend(cue: Cue, first: str, last: str) -> tuple[Cue, str] | None:
    """What two levels of one cue, one after the other, make: *quiet, then louder* is `energy`, `rising`.

    >>> trend(Cue.ENERGY, "low", "high"), trend(Cue.PITCH, "high", "normal")
    ((<Cue.ENERGY: 'energy'>, 'rising'), (<Cue.CONTOUR_SHAPE: 'contour_shape'>, 'falling'))
    """
    if cue not in _LEVELS or first == last or not {first, last} <= set(_ORDER):
        return None
    goes = "rising" if _ORDER.index(first) < _ORDER.index(last) else "falling"
    return (Cue.CONTOUR_SHAPE if cue is Cue.PITCH else cue), goes
