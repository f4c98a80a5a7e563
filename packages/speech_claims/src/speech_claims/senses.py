"""What words say of which cue: nouns that something is said of (heads), and the values that are said of them.

A claim joins a *value word* (`high`, `rises`) to a *head* (`pitch`, `voice`); which cue and value that makes is read in
`SENSES[group of the head][value word]`. Some value words claim something by themselves (`loud`, `whispers`): the group
`ALONE`. The words are in `english.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from speech_claims.notation import listed
from speech_records import Cue

ALONE = "alone"
_WORDS_KEPT = 1024
"""Words outside the lexicon that are not looked at anew: names and numbers are without end."""

WORDS: Mapping[str, Any] = MappingProxyType(
    tomllib.loads((files("speech_claims") / "english.toml").read_text(encoding="utf-8"))
)
"""The tables of `english.toml` as they are written."""


def phrases(text: str) -> tuple[str, ...]:
    """The phrases of a list of `english.toml`.

    >>> phrases("{raises}, up")
    ('raise', 'raises', 'raising', 'up')
    """
    return listed(text, WORDS["lists"])


def word_set(name: str) -> frozenset[str]:
    """One of the sets of `english.toml`."""
    return frozenset(phrases(WORDS["sets"][name]))


@cache
def _rows(group: str) -> Mapping[tuple[Cue, str], tuple[str, ...]]:
    """The value words of a group, by what they claim."""
    listed_rows = dict(WORDS["values"][group])
    shared = listed_rows.pop("shares", None)
    rows = dict(_rows(shared)) if shared else {}
    for sense, words in listed_rows.items():
        cue, _, value = sense.partition(" ")
        rows[Cue(cue), value] = phrases(words)
    return rows


GROUP_OF_HEAD: Mapping[str, str] = MappingProxyType(
    {head: group for group, heads in WORDS["heads"].items() for head in phrases(heads)}
)
SENSES: Mapping[str, Mapping[str, tuple[Cue, str]]] = MappingProxyType(
    {
        group: MappingProxyType({word: sense for sense, words in _rows(group).items() for word in words})
        for group in (*WORDS["heads"], ALONE)
    }
)
"""What a value word means when it is said of a head of a group: cue and value."""

_OWN_GROUP: Mapping[Cue, str] = MappingProxyType(
    {
        Cue.PITCH: "pitch", Cue.ENERGY: "energy", Cue.RATE: "rate", Cue.PITCH_RANGE: "range", Cue.PAUSES: "pauses",
        Cue.CONTOUR_SHAPE: "contour", Cue.CONTOUR_DYNAMICS: "contour", Cue.VOICE_QUALITY: "voice",
    }
)  # fmt: skip
"""The group of the heads that are called as the cue is; the other cues are claimed by words alone."""


def value_word(cue: Cue, value: str) -> str:
    """The word that names `value` of `cue`: the first of its list.

    >>> value_word(Cue.RATE, "high"), value_word(Cue.RATE, "normal"), value_word(Cue.CONTOUR_SHAPE, "rising-falling")
    ('fast', 'normal', 'rising-falling')
    """
    first, *_ = _rows(_OWN_GROUP.get(cue, ALONE))[cue, value]
    return value if first == value.replace("-", " ") else first


AGES_OF_PERSONS: Mapping[str, str] = MappingProxyType(
    {
        "young": "young adult",
        "younger": "young adult",
        "old": "elderly",
        "older": "elderly",
        **dict.fromkeys(("little", "a little", "small", "tiny", "wee"), "child"),
    }
)
"""Ages that are claimed of persons only: *an old man*."""
AGE_OF_PERSON: Mapping[str, str] = MappingProxyType(
    {person: age for age, persons in WORDS["persons"].items() for person in phrases(persons)}
)
"""Nouns that claim an age besides what else they claim: *a boy*, *the grandmother*."""
YOUNG_PERSONS = frozenset(person for person, age in AGE_OF_PERSON.items() if age == "child")
"""The persons that *little* and *small* speak of an age of."""

_FINAL_TOO = ("rising", "falling", "upward inflection", "downward inflection")
FINAL_PHRASES = frozenset(
    phrase
    for phrase, (cue, _) in SENSES[ALONE].items()
    if cue is Cue.CONTOUR_SHAPE and phrase not in _FINAL_TOO and "-" not in SENSES[ALONE][phrase][1]
)
"""Phrases that speak of the contour's end without saying so otherwise: *trails off*."""

RAISING = frozenset(phrases("{raises}, {lowers}, {turns_up}, {turns_down}, (up/down) goes"))
"""Verbs whose object is the head: *raises the volume*."""


_PERSON_NOUNS = frozenset(phrase for phrase, (cue, _) in SENSES[ALONE].items() if cue in (Cue.GENDER, Cue.AGE))


def names_person(phrase: str) -> bool:
    """Whether `phrase` is a noun of a person, or an adjective of gender or age.

    >>> names_person("woman"), names_person("loud")
    (True, False)
    """
    return phrase in _PERSON_NOUNS


def sense_of(group: str, phrase: str) -> tuple[Cue, str] | None:
    """What `phrase` says of a head of `group`, also in a comparative that no list has.

    >>> sense_of("contour", "flatter")
    (<Cue.CONTOUR_DYNAMICS: 'contour_dynamics'>, 'flat')
    """
    senses = SENSES[group]
    return senses.get(phrase) or next((senses[stem] for stem in _stems(phrase) if stem in senses), None)


@lru_cache(maxsize=_WORDS_KEPT)
def is_comparative(word: str) -> bool:
    """Whether `word` compares a value word: *flatter*, *quietest*."""
    stems = _stems(word)
    return any(stem in senses and senses[stem][0] in _COMPARED for senses in SENSES.values() for stem in stems)


@lru_cache(maxsize=_WORDS_KEPT)
def _stems(word: str) -> tuple[str, ...]:
    ending = next((e for e in ("er", "est") if word.endswith(e) and len(word) > len(e) + _SHORTEST), None)
    if ending is None or " " in word or word in _NO_COMPARATIVES:
        return ()
    stem = word.removesuffix(ending)
    return (stem, stem + "e", stem[:-1] if stem[-1] == stem[-2] else stem[:-1] + "y")


_SHORTEST = 2
_COMPARED = (Cue.PITCH, Cue.PITCH_RANGE, Cue.ENERGY, Cue.RATE, Cue.CONTOUR_DYNAMICS, Cue.VOICE_QUALITY)
_NO_COMPARATIVES = frozenset(
    ("longest", "longer", "lowest", "highest", "greatest", "largest", "biggest", "strongest", "clearest", "weakest")
)
