"""Counterfactual measurements: one by which a claim is true, and one by which it is not.

Only the cue in question is measured in them. What makes a claim true is written out here, apart from the code that
judges claims, so that each is a check of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

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
_PERCENTILES = {"low": 12.0, "normal": 50.0, "high": 88.0}
_RANGES_ST = {"low": 1.5, "normal": 6.0, "high": 13.0}
_VOICED = {"whispered": 0.03, "voiced": 0.6}
_HNR_DB = {"rough": 3.0, "clear": 18.0}
_AGES = ("child", "teenager", "young adult", "middle-aged", "elderly")
_PAUSES_S = {"none": (), "few short": (0.25,), "few long": (0.9,), "many short": (0.25,) * 4, "many long": (0.7,) * 4}
_OTHER_WORDS = "zebra"


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
    if cue is Cue.STRESS:
        pair = (_stressed(plain, transcript), _stressed(_OTHER_WORDS, transcript))
        return Counterfactuals(*(pair[::-1] if negated else pair))
    states = _TRUE[cue].get(plain)
    if states is None or (negated and cue is Cue.VOICE_QUALITY and plain != "clear"):
        return None  # a voice that lacks harmonics may be rough, creaky or breathy: which one is not known
    others = [s for s in _STATES[cue] if s not in states]
    holding, failing = (
        _measurement(cue, states[0], transcript),
        _measurement(cue, _opposite(others, states), transcript),
    )
    return Counterfactuals(failing, holding) if negated else Counterfactuals(holding, failing)


def incompatible(cue: Cue, one: str, other: str) -> bool:
    """Whether no measurement makes both claims of `cue` true.

    >>> incompatible(Cue.RATE, "not high", "low"), incompatible(Cue.RATE, "normal", "low")
    (False, True)
    """
    if cue is Cue.QUOTE:
        return False
    plain = [claim.removeprefix("not ") for claim in (one, other)]
    if plain[0] == plain[1]:
        return one != other
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
