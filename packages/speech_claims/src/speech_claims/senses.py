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

from speech_claims.notation import listed
from speech_records import Cue

ALONE = "alone"

WORDS: Mapping[str, Any] = MappingProxyType(
    tomllib.loads((files("speech_claims") / "english.toml").read_text(encoding="utf-8"))
)
"""The tables of `english.toml` as they stand there."""


def phrases(text: str) -> tuple[str, ...]:
    """The phrases of a list of `english.toml`.

    >>> phrases("{moderately}, moderate")[-2:]
    ('moderately melodic', 'moderate')
    """
    return listed(text, WORDS["lists"])


def word_set(name: str) -> frozenset[str]:
    """One of the sets of `english.toml`."""
    return frozenset(phrases(WORDS["sets"][name]))


def _senses(group: str) -> Mapping[str, tuple[Cue, str]]:
    rows = dict(WORDS["values"][group])
    shared = rows.pop("shares", None)
    table = dict(_senses(shared)) if shared else {}
    for sense, words in rows.items():
        cue, _, value = sense.partition(" ")
        table |= dict.fromkeys(phrases(words), (Cue(cue), value))
    return MappingProxyType(table)


GROUP_OF_HEAD: Mapping[str, str] = MappingProxyType(
    {head: group for group, heads in WORDS["heads"].items() for head in phrases(heads)}
)
SENSES: Mapping[str, Mapping[str, tuple[Cue, str]]] = MappingProxyType(
    {group: _senses(group) for group in (*WORDS["heads"], ALONE)}
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

RAISING = frozenset(phrases("{raises}, {lowers}"))
"""Verbs whose object is the head: *raises the volume*."""
