"""Counterfactual measurements: one by which a claim is true, and one by which it is not.

Only the cue in question is measured in them. What makes a claim true is written out here, apart from the code that
judges claims, so that each is a check of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from speech_claims.mentions import NO_WORD
from speech_claims.movement import is_of_time
from speech_claims.quantities import Quantity, exclude, quantity
from speech_records import (
    ContourDynamics,
    ContourShape,
    Cue,
    Gender,
    Level,
    LevelReading,
    Pause,
    ProsodyLevels,
    ProsodyProfile,
    StressedWord,
)

_DURATION_S = 4.0
_PERCENTILES = {"low": 4.0, "normal": 50.0, "high": 96.0}
_RANGES_ST = {"low": 1.5, "normal": 6.0, "high": 13.0}
_VOICED = {"whispered": 0.03, "voiced": 0.6}
_HNR_DB = {"rough": 3.0, "clear": 18.0}
_AGES = ("child", "teenager", "young adult", "middle-aged", "elderly")
_PAUSES_S = {"none": (), "few short": (0.25,), "few long": (0.9,), "many short": (0.25,) * 4, "many long": (0.7,) * 4}
_OTHER_WORDS = "zebra"
_REVERSED = {"steady": "varying", "varying": "steady", "rising": "falling", "falling": "rising"}
_MOVING: Mapping[str, Mapping[str, float]] = {
    "steady": {"energy_range_db": 15.0}, "varying": {"energy_range_db": 38.0},
    "rising": {"energy_change_db": 6.0}, "falling": {"energy_change_db": -6.0},
}  # fmt: skip


def _profile(**measured: Any) -> ProsodyProfile:
    return ProsodyProfile(duration_s=_DURATION_S, sample_rate=16_000, **measured)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured of a clip, and what is said in it; nothing, unless it is given."""

    profile: ProsodyProfile = field(default_factory=_profile)
    levels: ProsodyLevels | None = None
    transcript: str | None = None


@dataclass(frozen=True, slots=True)
class Counterfactuals:
    """The two measurements of one claim."""

    true: Measurement
    flipped: Measurement


_TRUE: Mapping[Cue, Mapping[str, tuple[str, ...]]] = {
    **{
        cue: {"low": ("low",), "normal": ("normal",), "high": ("high",)}
        for cue in (Cue.PITCH, Cue.ENERGY, Cue.RATE, Cue.PITCH_RANGE)
    },
    Cue.CONTOUR_SHAPE: {
        **{s: (s,) for s in ("rising", "falling", "rising-falling", "falling-rising", "level")},
        "rising at the end": ("rising", "falling-rising"),
        "falling at the end": ("falling", "rising-falling"),
    },
    Cue.CONTOUR_DYNAMICS: {d: (d,) for d in ("flat", "moderate", "expressive")},
    Cue.VOICING: {"whispered": ("whispered",), "voiced": ("voiced",)},
    Cue.VOICE_QUALITY: {"breathy": ("rough",), "creaky": ("rough",), "rough": ("rough",), "clear": ("clear",)},
    Cue.GENDER: {"female": ("female",), "male": ("male",)},
    Cue.AGE: {**{a: (a,) for a in _AGES}, "adult": ("young adult", "middle-aged", "elderly")},
    Cue.PAUSES: {
        "none": ("none",),
        "present": ("few long", "few short", "many short", "many long"),
        "few": ("few short", "few long", "none"),
        "many": ("many short", "many long"),
        "short": ("few short", "many short"),
        "long": ("few long", "many long"),
    },
}
"""The states of a cue in which a value is true, the plainest first."""

_STATES: Mapping[Cue, tuple[str, ...]] = {
    **dict.fromkeys((Cue.PITCH, Cue.ENERGY, Cue.RATE, Cue.PITCH_RANGE), ("high", "low", "normal")),
    Cue.CONTOUR_SHAPE: ("falling", "rising", "level"),
    Cue.CONTOUR_DYNAMICS: ("expressive", "flat"),
    Cue.VOICING: ("whispered", "voiced"),
    Cue.VOICE_QUALITY: ("clear", "rough"),
    Cue.GENDER: ("male", "female"),
    Cue.AGE: ("elderly", "child"),
    Cue.PAUSES: ("many long", "none", "many short", "few short"),
}
"""The states that a cue is flipped to, in this order."""


def counterfactuals(cue: Cue, value: str, transcript: str | None) -> Counterfactuals | None:
    """Counterfactuals in which the claim of `value` is true and false; `None` when no measurement could decide it.

    >>> made = counterfactuals(Cue.ENERGY, "not high", None)
    >>> made.true.levels.energy.level.value, made.flipped.levels.energy.level.value
    ('low', 'high')
    """
    negated, plain = value.startswith("not "), value.removeprefix("not ")
    if cue is Cue.QUOTE:
        return Counterfactuals(Measurement(transcript=transcript or plain), Measurement(transcript=_OTHER_WORDS))
    made = _of_newer_value(cue, plain, transcript) if cue is Cue.STRESS or plain not in _TRUE[cue] else None
    if made is None and cue is not Cue.STRESS:
        made = _of_state(cue, plain, transcript)
    if made is None or not negated:
        return made
    if cue is Cue.VOICE_QUALITY and plain != "clear":
        return None  # a voice that lacks harmonics may be rough, creaky or breathy: which one is not known
    return Counterfactuals(made.flipped, made.true)


def _of_state(cue: Cue, plain: str, transcript: str | None) -> Counterfactuals | None:
    states = _TRUE[cue].get(plain)
    if states is None:
        return None
    other = _opposite([s for s in _STATES[cue] if s not in states], states)
    return Counterfactuals(_measurement(cue, states[0], transcript), _measurement(cue, other, transcript))


def _of_newer_value(cue: Cue, plain: str, transcript: str | None) -> Counterfactuals | None:
    """Of a stressed word or none, of evenness and trends of loudness, and of numbers."""
    if cue is Cue.STRESS:
        other = _stressed(_OTHER_WORDS, transcript)
        nothing = Measurement(profile=_profile(stressed_words=()), transcript=transcript)
        return Counterfactuals(nothing if plain == NO_WORD else _stressed(plain, transcript), other)
    if is_of_time(cue, plain):
        if cue is not Cue.ENERGY:
            return None
        return Counterfactuals(_moving(plain, transcript), _moving(_REVERSED[plain], transcript))
    number = quantity(plain)
    if number is None:
        return None
    holding, failing = (_measured_as(cue, number, factor, transcript) for factor in (1.0, 2.0))
    return None if holding is None or failing is None else Counterfactuals(holding, failing)


def incompatible(cue: Cue, one: str, other: str) -> bool:
    """Whether no measurement makes both claims of `cue` true.

    >>> incompatible(Cue.RATE, "not high", "low"), incompatible(Cue.RATE, "normal", "low")
    (False, True)
    """
    plain = [claim.removeprefix("not ") for claim in (one, other)]
    if cue is Cue.QUOTE or plain[0] == plain[1]:
        return cue is not Cue.QUOTE and one != other
    if cue is Cue.STRESS:
        return NO_WORD in (one, other) and plain == [one, other]
    if any(is_of_time(cue, value) for value in plain):
        return one == _REVERSED.get(other)
    numbers = [number for number in map(quantity, plain) if number is not None]
    if len(numbers) == len(plain):
        return plain == [one, other] and exclude(*numbers)
    known = _TRUE.get(cue, {})
    if not all(value in known for value in plain):
        return False
    everything = frozenset(state for states in known.values() for state in states)
    holds = [
        everything - set(known[p]) if claim.startswith("not ") else frozenset(known[p])
        for claim, p in zip((one, other), plain, strict=True)
    ]
    return holds[0].isdisjoint(holds[1])


def _opposite(others: list[str], states: tuple[str, ...]) -> str:
    """Of the other states the one that is farthest: low for high, and the first for all that have no opposite."""
    return next((s for s in others if {s, states[0]} == {"low", "high"}), others[0])


def _moving(value: str, transcript: str | None) -> Measurement:
    """Loudness that is steady, varies, rises or falls."""
    return Measurement(profile=_profile(**_MOVING[value]), transcript=transcript)


def _measured_as(cue: Cue, number: Quantity, factor: float, transcript: str | None) -> Measurement | None:
    """A clip that measures `factor` times the number; `None` where a profile has no such measurement."""
    low, high = (factor * bound for bound in (number.low, number.high))
    make = _MEASURED_AS.get((cue, number.unit))
    if make is None or (low <= 0 and number.unit != "dBFS") or (not number.unit and high > _MOST_PAUSES):
        return None
    return Measurement(profile=_profile(**make(min(low, high), max(low, high))), transcript=transcript)


_MOST_PAUSES = 100
_MEASURED_AS: Mapping[tuple[Cue, str], Callable[[float, float], dict[str, Any]]] = {
    (Cue.PITCH, "Hz"): lambda a, b: {"f0_median_hz": (a + b) / 2, "f0_p05_hz": a, "f0_p95_hz": b},
    (Cue.PITCH_RANGE, "Hz"): lambda a, b: {"f0_p05_hz": a, "f0_p95_hz": b if a < b else 2 * a},
    (Cue.PITCH_RANGE, "st"): lambda a, b: {"f0_range_st": (a + b) / 2},
    (Cue.RATE, "syll/s"): lambda a, b: {"articulation_rate_sps": (a + b) / 2},
    (Cue.ENERGY, "dBFS"): lambda a, b: {"energy_dbfs": (a + b) / 2},
    (Cue.PAUSES, "s"): lambda a, b: {"pauses": (Pause(0.1, 0.1 + (a + b) / 2),), "pause_share": 0.2},
    (Cue.PAUSES, ""): lambda _, n: {
        "pauses": tuple(Pause(i + 0.1, i + 0.4) for i in range(round(n))),
        "pause_share": 0.2,
    },
}
"""The fields of a profile that measure a number, or an interval, in a unit."""


def _measurement(cue: Cue, state: str, transcript: str | None) -> Measurement:
    if cue in (Cue.PITCH, Cue.ENERGY, Cue.RATE):
        reading = LevelReading(Level(state), _PERCENTILES[state], _PERCENTILES[state])
        return Measurement(levels=ProsodyLevels("made", "made", **{cue.value: reading}), transcript=transcript)
    return Measurement(profile=_profile(**_MEASURED[cue](state)), transcript=transcript)


def _pauses(state: str) -> dict[str, Any]:
    pauses = tuple(Pause(i + 0.1, i + 0.1 + length) for i, length in enumerate(_PAUSES_S[state]))
    return {"pauses": pauses, "pause_share": 0.2 if pauses else 0.0}


_MEASURED: Mapping[Cue, Callable[[str], dict[str, Any]]] = {
    Cue.PITCH_RANGE: lambda state: {"f0_range_st": _RANGES_ST[state]},
    Cue.CONTOUR_SHAPE: lambda state: {"contour_shape": ContourShape(state)},
    Cue.CONTOUR_DYNAMICS: lambda state: {"contour_dynamics": ContourDynamics(state)},
    Cue.VOICING: lambda state: {"voiced_share": _VOICED[state]},
    Cue.VOICE_QUALITY: lambda state: {"hnr_db": _HNR_DB[state]},
    Cue.GENDER: lambda state: {"gender": Gender(state)},
    Cue.AGE: lambda state: {"age_group": state},
    Cue.PAUSES: _pauses,
}
"""The fields of a profile that say that a cue is in a state."""


def _stressed(word: str, transcript: str | None) -> Measurement:
    return Measurement(profile=_profile(stressed_words=(StressedWord(word, 0.9),)), transcript=transcript)
