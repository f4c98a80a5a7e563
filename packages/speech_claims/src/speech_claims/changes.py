"""Change over the clip as words put it: *gets louder*, *from a whisper to a shout*, *with every word more quietly*."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from speech_claims.scope import REACH, clause_of, is_doubled, is_negated
from speech_claims.word import Word

_NEAR = 4
_CHANGES = re.compile(r"G[DAP]*(?:VC)?$")
_BEGINS = ("begin", "began", "start", "open", "set", "launch", "kick")
_STEP_BY_STEP = re.compile(
    r"\b(?:(?:each|every)\b[^.;,]{0,40} than (?:before|the (?:last|one|previous))|with (?:each|every)\b|"
    r"by the (?:word|second|minute|syllable)|"
    r"(?:word|syllable|phrase|sentence|clause) by (?:word|syllable|phrase|sentence|clause))"
)
"""What makes a comparative a trend: *with every word*, *each time … than before*."""
_BETWEEN_TWO = re.compile(r"O[AD]*(?:V[OD]?C[AD]*)?$")

_NEAR_BETWEEN = 7


class Change(Enum):
    """How a value is said of one end of a change: what the sound turns into, or what it comes from."""

    TO = "to"
    FROM = "from"


def change(words: Sequence[Word], letters: str, i: int) -> Change | None:
    """Whether word `i` says what the sound turns into or comes from: *gets louder*; *from a whisper to a shout*."""
    if is_doubled(words, letters, i) or _grows_with(words, i):
        return Change.TO
    first = max(0, i - REACH)
    found = _CHANGES.search(letters[first:i])
    if found is not None and words[first + found.start()].phrase.startswith(_BEGINS):
        return Change.FROM
    if found is not None:
        return None if _is_no_change(words, letters, i) else Change.TO
    return _of_two(words, i)


def _of_two(words: Sequence[Word], i: int) -> Change | None:
    """*From a whisper to a shout*; of *between a murmur and a shout* neither is claimed."""
    clause, place = clause_of(words, i)
    before = [w.phrase for w in clause[max(0, place - _NEAR) : place]]
    behind = [w.phrase for w in clause[place + 1 : place + 3 + _NEAR]]
    if "from" in before and ("to" in behind or "into" in behind):
        return Change.FROM
    near = clause[max(0, place - _NEAR_BETWEEN) : place]
    at = next((k for k, w in enumerate(near) if w.phrase == "between"), len(near))
    between = "".join(w.kind for w in near[at:])
    if not _names(near[at:], "them", "these", "those") and _BETWEEN_TWO.fullmatch(between):
        return Change.FROM
    further = [w.phrase for w in clause[max(0, place - 3 * _NEAR) : place]]
    return Change.TO if "from" in further and ("to" in before or "into" in before) else None


def _is_no_change(words: Sequence[Word], letters: str, i: int) -> bool:
    """*Nor does she get loud* denies the level; *does not get louder* the change."""
    return not words[i].phrase.split(" ")[0].endswith("er") and is_negated(words, letters, i)


def _grows_with(words: Sequence[Word], i: int) -> bool:
    """*The longer she talks, the softer she becomes*; *each time more quietly than before*."""
    if _STEP_BY_STEP.search(" ".join(w.phrase for w in words[max(0, i - 6) : i + 8])) and _is_comparative(words, i):
        return True
    if not words[i].phrase.endswith("er") or not i or words[i - 1].phrase != "the":
        return False
    clause, place = clause_of(words, i)
    return place > 3 and clause[0].phrase == "the" and clause[1].phrase.endswith(("er", "more"))


def _is_comparative(words: Sequence[Word], i: int) -> bool:
    return (
        words[i].phrase.split(" ")[0].endswith("er")
        or words[i].phrase.startswith("more ")
        or words[i - 1].phrase == "more"
    )


def _names(words: Sequence[Word], *phrases: str) -> bool:
    return any(w.phrase in phrases for w in words)
