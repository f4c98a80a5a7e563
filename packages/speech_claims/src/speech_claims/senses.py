"""What words say of which cue: nouns that something is said of (heads), and the values that are said of them.

A claim joins a *value word* (`high`, `rises`) to a *head* (`pitch`, `voice`); which cue and value that makes is read in
`SENSES[group of the head][value word]`. Some value words claim something by themselves (`loud`, `whispers`): the group
`ALONE`. The words stand in `english.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from speech_records import Cue

ALONE = "alone"
POSSESSIVES = ("his", "her", "their", "the", "its", "the speaker's", "this speaker's", "a", "one's")

WORDS: Mapping[str, Any] = MappingProxyType(
    tomllib.loads((files("speech_claims") / "english.toml").read_text(encoding="utf-8"))
)
"""The tables of `english.toml` as they stand there."""


def split(text: str) -> tuple[str, ...]:
    """The phrases of a comma-separated list, lists of lists and possessives filled in.

    >>> split("loud, at the top of {own} voice")[:3]
    ('loud', 'at the top of his voice', 'at the top of her voice')
    >>> split("{slow}") == split(WORDS["lists"]["slow"])
    True
    """
    filled: list[str] = []
    for phrase in filter(None, (" ".join(p.split()) for p in text.split(","))):
        if phrase in _COMPARED:
            norms = split(WORDS["lists"]["norm"])
            filled += [f"{preposition} {norm}" for preposition in _COMPARED[phrase] for norm in norms]
        elif phrase.startswith("{") and phrase != "{own}" and phrase[1:-1] in WORDS["lists"]:
            filled += split(WORDS["lists"][phrase[1:-1]])
        elif "{own}" in phrase:
            filled += [phrase.replace("{own}", own) for own in POSSESSIVES]
        else:
            filled.append(phrase)
    return tuple(filled)


_COMPARED: Mapping[str, tuple[str, ...]] = {
    "{above}": ("above", "over", "beyond"),
    "{below}": ("below", "under", "beneath"),
    "{around}": ("around", "near", "close to", "about", "at"),
}
"""Comparisons with each of the list `norm`."""


def word_set(name: str) -> frozenset[str]:
    """One of the sets of `english.toml`."""
    return frozenset(split(WORDS["sets"][name]))


def _senses(rows: Mapping[str, str]) -> Mapping[str, tuple[Cue, str]]:
    table: dict[str, tuple[Cue, str]] = {}
    for sense, listed in rows.items():
        cue, _, value = sense.partition(" ")
        table |= dict.fromkeys(split(listed), (Cue(cue), value))
    return MappingProxyType(table)


GROUP_OF_HEAD: Mapping[str, str] = MappingProxyType(
    {head: group for group, heads in WORDS["heads"].items() for head in split(heads)}
)
SENSES: Mapping[str, Mapping[str, tuple[Cue, str]]] = MappingProxyType(
    {group: _senses(rows) for group, rows in WORDS["values"].items()}
)
"""What a value word means when it is said of a head of a group: cue and value."""

AGES_OF_PERSONS: Mapping[str, str] = MappingProxyType(
    {
        "young": "young adult",
        "younger": "young adult",
        "old": "elderly",
        "older": "elderly",
        "little": "child",
        "small": "child",
    }
)
"""Ages that are claimed of persons only: *an old man*."""
YOUNG_PERSONS = frozenset(("girl", "boy"))
"""The persons that *little* and *small* speak of an age of."""

_FINAL_TOO = ("rising", "falling", "upward inflection", "downward inflection")
FINAL_PHRASES = frozenset(
    phrase
    for phrase, (cue, _) in SENSES[ALONE].items()
    if cue is Cue.CONTOUR_SHAPE and phrase not in _FINAL_TOO and "-" not in SENSES[ALONE][phrase][1]
)
"""Phrases that speak of the contour's end without saying so otherwise: *trails off*."""

RAISING = frozenset(split("{raises}, {lowers}"))
"""Verbs whose object is the head: *raises the volume*."""
