"""Words that point back: pronouns (*the pitch … it is high*) take the place of the last head, and *so is* (*the
pitch is normal, and so is the rate*) repeats the last value. `roles` reads a word beside its neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from speech_claims.lexicon import Kind
from speech_claims.roles import Place, role
from speech_claims.senses import ALONE, SENSES, word_set
from speech_claims.word import REPEATED, Word

PRONOUNS, REPEATS, REPEATS_DENIED = (word_set(name) for name in ("pronouns", "repeats", "repeats_denied"))
_TOO = word_set("too")
_REPEATING, _RECENT = REPEATS | REPEATS_DENIED | _TOO, 5
_DENYING = (Kind.NEGATION, Kind.NEGATED_COPULA)
_MEASURES = frozenset(
    ("spans", "covers", "measures", "averages", "ranges", "comprises", "extends", "reaches", "spanning")
)
_ANAPHORIC = frozenset("BMNVDG")
_HEADING = 6
"""Words of a question that is no more than a heading."""
ASIDES, _ASIDE = frozenset(("for all", "for all that", "of course", "admittedly", "as it happens")), 12
LAST_TWO = frozenset(("the former", "the latter"))


def with_headings(words: list[Word]) -> list[Word]:
    """*Voice? Strained.* as *voice: strained*: a question that names a head and no value is a heading."""
    read = list(words)
    start = 0
    for i, word in enumerate(words):
        if word.kind is not Kind.BOUNDARY:
            continue
        question = words[start:i]
        names_a_head = question and question[-1].kind is Kind.HEAD and len(question) <= _HEADING
        if word.phrase == "?" and names_a_head and all(w.kind is not Kind.VALUE for w in question):
            read[i] = replace(word, phrase=":", kind=Kind.COPULA)
        start = i + 1
    return read


def without_asides(words: list[Word]) -> list[Word]:
    """The words without what stands between commas as a concession: *neither, for all the anger, is the loudness*."""
    kept: list[Word] = []
    i = 0
    while i < len(words):
        close = _aside_end(words, i)
        if close is not None:
            i = close
        else:
            kept.append(words[i])
        i += 1
    return kept


def _aside_end(words: Sequence[Word], i: int) -> int | None:
    """The comma that ends the concession that word `i` opens; `None` where it opens none."""
    if words[i].kind is not Kind.COMMA or i + 1 == len(words) or words[i + 1].phrase not in ASIDES:
        return None
    close = next((k for k in range(i + 1, min(len(words), i + _ASIDE)) if words[k].kind is Kind.COMMA), None)
    return close if close is not None and all(w.kind is not Kind.BOUNDARY for w in words[i:close]) else None


def resolved(words: list[Word]) -> list[Word]:
    """The words whose letter depends on those around them, with it."""
    head: str | None = None
    former: str | None = None
    values: list[tuple[str, bool]] = []
    resolved: list[Word] = []
    for i, word in enumerate(words):
        if word.phrase in LAST_TWO and head is not None and former is not None and _is_said_of(words, i):
            resolved.append(replace(word, kind=Kind.HEAD, group=former if "f" in word.phrase else head))
            continue
        value, is_denied = _last_value(words, i, values)
        if value is not None and word.phrase in REPEATS_DENIED and _is_last_head(words, i):
            resolved += _denied_repeat(word, value)
        else:
            resolved.append(_read(Place(words, i, resolved[-1] if resolved else None), head, value))
            if is_denied and word.phrase in _TOO and resolved[-1].group == REPEATED:
                resolved.insert(-1, Word(word.start, word.start, "not", Kind.NEGATION))
        if resolved[-1].kind is Kind.HEAD:
            former = head if resolved[-1].group != head else former
            head = resolved[-1].group
        elif resolved[-1].kind is Kind.VALUE and all(w.phrase != "than" for w in words[max(0, i - 4) : i]):
            is_denied = len(resolved) > 1 and resolved[-2].kind in _DENYING
            values.append((resolved[-1].phrase, is_denied))
    return resolved


def _read(place: Place, head: str | None, value: str | None) -> Word:
    """A word as the words around it, the last head and the last value have it read."""
    word = place.word
    if word.phrase in PRONOUNS and head is not None and _refers(place, head):
        return replace(word, kind=Kind.HEAD, group=head)
    if value is not None and (word.phrase in REPEATS or (word.phrase in _TOO and _closes_a_list(place))):
        return replace(word, phrase=value, kind=Kind.VALUE, group=REPEATED)
    return role(place) or word


def _last_value(words: Sequence[Word], i: int, values: Sequence[tuple[str, bool]]) -> tuple[str | None, bool]:
    """The last value that word `i` can repeat of the head beside it, and whether it was denied."""
    if words[i].phrase not in _REPEATING:
        return None, False
    near = [w for w in (*words[i + 1 : i + 6], *words[max(0, i - 2) : i][::-1]) if w.kind is Kind.HEAD]
    last = values[-_RECENT:][::-1]
    senses = SENSES[near[0].group or ALONE] if near else {}
    fitting = (one for one in last if one[0] in senses or one[0].split(" ")[0] in senses)
    return next(fitting, last[0] if last else (None, False))


def _is_said_of(words: Sequence[Word], i: int) -> bool:
    """Whether something is said of *the latter*: *the latter is low*, not *the latter possibly due to …*."""
    following = next((w for w in words[i + 1 : i + 4] if w.kind is not Kind.DEGREE), None)
    return following is not None and following.kind in "BMVK"


def _closes_a_list(place: Place) -> bool:
    """Whether the word closes a clause that is nothing but a head: *the pace is average, and the volume likewise*."""
    words, k = place.words, place.i - 1
    if not place.is_last() or k < 0 or words[k].kind is not Kind.HEAD:
        return False
    while k and words[k - 1].kind in (Kind.ARTICLE, Kind.DEGREE):
        k -= 1
    return k > 0 and words[k - 1].kind in (Kind.AND, Kind.COMMA)


def _denied_repeat(word: Word, value: str) -> tuple[Word, Word]:
    """*Neither is* as a denial and the value that it repeats."""
    middle = word.start + word.phrase.index(" ")
    return Word(word.start, middle, "neither", Kind.NEGATION), Word(middle + 1, word.end, value, Kind.VALUE, REPEATED)


def _is_last_head(words: Sequence[Word], i: int) -> bool:
    """Whether only a head follows in the clause: *and neither is the loudness*."""
    kinds = "".join(w.kind for w in words[i + 1 : i + 6])
    return re.match(r"[AD]*H(?:[CRN]+[AD]*H)*(?:[XKT]|$)", kinds) is not None


def _refers(place: Place, head: str) -> bool:
    if place.word.phrase == "ones":
        return head == "pauses"
    if place.word.phrase == "one":
        return (
            place.before is not None and place.before.kind is Kind.VALUE and not place.before.phrase.startswith("not")
        )
    return place.following is not None and (place.following.kind in _ANAPHORIC or place.following.phrase in _MEASURES)
