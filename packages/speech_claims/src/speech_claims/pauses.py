"""Heads that claim without a value: there are pauses, or none; there is no energy, no variation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from speech_claims import scope, topics
from speech_claims.finding import Finding, finding_of
from speech_claims.lexicon import DEFINITE, OTHERS, Kind
from speech_claims.senses import word_set
from speech_claims.word import Word
from speech_records import Cue

_ONE_PAUSE = re.compile(r"[DV]{0,2}H")
_PLACES = word_set("places")
_PAUSED_FOR = frozenset(("breath", "air", "effect", "thought", "emphasis", "seconds", "long", "nearly", "almost"))
_BARE_PAUSES, _LACKED_HEADS = word_set("bare_pauses"), word_set("lacked")
_LACKED = {
    "range": (Cue.PITCH_RANGE, "high"),
    "energy": (Cue.ENERGY, "high"),
    "contour": (Cue.CONTOUR_DYNAMICS, "expressive"),
    "life": (Cue.CONTOUR_DYNAMICS, "expressive"),
    "swing": (Cue.ENERGY, "varying"),
}


def single_pauses(words: Sequence[Word], letters: str) -> Iterator[Finding]:
    """*One long pause* is few, besides long."""
    for i, word in enumerate(words):
        if word.phrase == "one" and word.kind is not Kind.VALUE:
            head = _ONE_PAUSE.match(letters, i + 1)
            is_pause = head is not None and words[head.end() - 1].group == "pauses"
            if is_pause and letters[max(0, i - 1) : i] != "N" and not topics.is_no_claim(words, i):
                yield Finding(word.start, word.end, Cue.PAUSES, "few")


def pauses_something(words: Sequence[Word], letters: str, i: int) -> bool:
    """*Paused her subscription*, *the pause in hiring*."""
    behind = [w.phrase for w in words[i + 1 : i + 4]]
    if words[i].group != "pauses" or len(behind) < 2:
        return False
    if behind[0] == "for" and letters[i + 2] == "O":
        return behind[1] not in _PAUSED_FOR
    if behind[0] in ("in", "at", "during") and letters[i + 2 : i + 4] == "AO":
        return behind[2] not in _PLACES
    of_else = letters[i + 1] == "P" and not OTHERS.isdisjoint(behind[1:])
    return of_else or (letters[i + 1 : i + 3] == "AO" and behind[0] in DEFINITE)


def _are_named(words: Sequence[Word], i: int, taken: set[int]) -> bool:
    """Whether pauses were claimed before: *hesitates four times, and between the hesitations …*."""
    before = range(max(0, i - 2 * scope.REACH), i)
    return any(k in taken and words[k].group == "pauses" for k in before)


def bare_heads(words: Sequence[Word], letters: str, taken: set[int]) -> Iterator[Finding]:
    """Heads without a value: there are pauses, or none; there is no energy or no variation."""
    for i, word in enumerate(words):
        if (
            word.kind is not Kind.HEAD
            or i in taken
            or word.phrase in ("them", "they", "it")
            or topics.is_no_claim(words, i)
        ):
            continue
        if i and words[i - 1].phrase == "i":  # *I hesitate between two labels*
            continue
        if pauses_something(words, letters, i):
            continue
        if word.phrase in _BARE_PAUSES and i and words[i - 1].phrase == "the" and _are_named(words, i, taken):
            continue
        span, denied = (word.start, word.end), scope.denies_head(words, letters, i)
        if word.group == "pauses" and denied:
            left = "few" if scope.is_hardly(words, i) else "none"
            yield finding_of(words, letters, i, span, (Cue.PAUSES, left), negated=False)
        elif word.phrase in _BARE_PAUSES:
            yield finding_of(words, letters, i, span, (Cue.PAUSES, "present"))
        elif denied and word.group is not None and (word.phrase in _LACKED_HEADS or word.group in ("life", "swing")):
            cue, value = _LACKED[word.group]
            if cue is Cue.CONTOUR_DYNAMICS:
                yield finding_of(words, letters, i, span, (cue, "flat"), negated=False)
            else:
                yield finding_of(words, letters, i, span, (cue, value), negated=True)
