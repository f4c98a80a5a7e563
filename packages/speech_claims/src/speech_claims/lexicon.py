"""The grammar of the words in which English speaks of prosody: one letter for each word or phrase.

What words say of which cue is in `senses`; here are the words that join, negate, weaken or separate, read from
`english.toml`. `finding` matches patterns over the string of letters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from speech_claims.senses import GROUP_OF_HEAD, SENSES, WORDS, phrases, word_set


class Kind(StrEnum):
    """What a word does in a clause, as one letter."""

    HEAD = "H"
    VALUE = "V"
    NEGATION = "N"
    COPULA = "B"
    NEGATED_COPULA = "M"
    CHANGE = "G"
    DEGREE = "D"
    ARTICLE = "A"
    RELATIVE = "L"
    AND = "C"
    OR = "R"
    BUT = "T"
    PREPOSITION = "P"
    AT_END = "E"
    COMMA = "K"
    BOUNDARY = "X"
    QUOTE = "Q"
    OTHER = "O"


GRAMMAR: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {Kind[name.upper()]: phrases(words) for name, words in WORDS["grammar"].items()}
)
"""Words that carry no claim but join, negate or separate."""

HYPOTHETICAL, GENERIC, ELSEWHERE, INTERPRETS, UNSETTLED = (
    word_set(name) for name in ("hypothetical", "generic", "elsewhere", "interprets", "unsettled")
)
"""Words beside which nothing is claimed of this clip: a condition, speech in general, other speech, what cues fit, what
is not known.
"""
DEFINITE, ABSENT = word_set("definite"), word_set("absent")
TIMES = word_set("times")
"""Parts of the clip: *at first*."""
OTHERS = word_set("others")
"""Nouns of what is not the speaker's voice, whose loudness or speed is no claim: *the neighbour who yells*."""
EMOTIONS, EMOTIONAL, MODALS, MENTAL = (word_set(name) for name in ("emotions", "emotional", "modals", "mental"))
HEDGES, SLIGHT, STRONG, EXTREME, IMPOSSIBLE = (
    word_set(name) for name in ("hedges", "slight", "strong", "extreme", "impossible")
)
"""Words that put a claim with reserve, and those that say its degree."""


_BESIDE = (INTERPRETS, HYPOTHETICAL, GENERIC, ELSEWHERE, UNSETTLED, MENTAL, ABSENT, OTHERS, TIMES)
_FRAMES = ("subjects", "sounds", "relatives", "other_times", "this_clip", "opposites", "hearsay")
"""Sets of phrases that `frames` looks for."""


def kinds() -> Mapping[str, Kind]:
    """Every phrase of the lexicon with its letter. Where a phrase has two, the one that can carry a claim wins."""
    table: dict[str, Kind] = {}
    for kind, listed in GRAMMAR.items():
        _add(table, listed, kind)
    _add(table, IMPOSSIBLE, Kind.DEGREE)
    _add(table, word_set("denies_all"), Kind.NEGATION)
    for beside in (*_BESIDE, *map(word_set, _FRAMES)):
        _add(table, beside - set(table), Kind.OTHER)
    for senses in SENSES.values():
        _add(table, senses, Kind.VALUE)
    _add(table, GROUP_OF_HEAD, Kind.HEAD)
    return MappingProxyType(table)


def _add(table: dict[str, Kind], phrases: Iterable[str], kind: Kind) -> None:
    for phrase in phrases:
        table[phrase] = kind
