"""How a claim is put: negated, with what degree, with reserve, or not of this clip at all."""

from __future__ import annotations

import re
from collections.abc import Sequence

from speech_claims import lexicon
from speech_claims.lexicon import Kind
from speech_claims.senses import SENSES
from speech_claims.tokens import Word
from speech_records import Degree

REACH = 40
"""Words on either side of a value among which its head and its negation are looked for."""
CLAUSE_REACH = 80
"""Words on either side that a clause may have; without a limit a text without any full stop takes quadratic time."""
_ABSENT_REACH = 9
_NEAR = 4
"""Words to the left of a value that can say its degree."""

# Over letters to the left: a negation, with at most one ordinary word between (*does not sound loud*), and with values
# between only where they are joined by *or* (*not loud or fast*) or follow one another (*no clear rise*).
_BETWEEN = r"(?:[DABMPHL]|V(?=V))*O?(?:[DABMPHL]|V(?=V))*"
_NEGATED = re.compile(rf"[NM](?:{_BETWEEN}V[DABMPHLE]*K?R)*{_BETWEEN}$")
_NO_HEAD = re.compile(r"N[DA]*$")
_CHANGES = re.compile(r"G[DA]*$")
_ENDS_DENIAL = frozenset((":", "by", "fit", "fits", "fitting", "match", "matches"))
"""Words behind which a negation no longer holds: *isn't matched by the loud voice*, *what does not fit is the rate*."""
_HARDLY = frozenset(("hardly", "barely", "scarcely", "hardly ever"))
_OF_ANOTHER = frozenset(("than", "who", "someone", "somebody", "anyone", "what", "which", "that"))
"""Words behind which somebody or something else is supposed: *this voice is of one who would rather not ask*."""
_EMOTIONS = frozenset(("emotion", "label", "category", "answer", "class", "emotions", "labels"))


def is_negated(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether what word `i` says is denied."""
    first = max(0, i - REACH)
    if _is_absent(words, letters, i):
        return True
    match = _NEGATED.search(letters[first:i])
    if match is None:
        return False
    governed = words[first + match.start() + 1 : i]
    if any(w.phrase in _ENDS_DENIAL for w in governed):
        return False
    # *no pauses in a loud voice*: the negation is used up
    used = [w for w in governed if w.kind is Kind.HEAD and w.group == "pauses"]
    return not used or words[i].kind is Kind.HEAD or words[i].phrase in SENSES["pauses"]


def denies_head(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether a negation stands directly before the head `i`, or it is said to be absent: *no pauses*."""
    return _NO_HEAD.search(letters[max(0, i - REACH) : i]) is not None or _is_absent(words, letters, i)


def _is_absent(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether word `i` is what is lacking: *variation is lacking*, *whispering doesn't occur*."""
    for k in range(i + 1, min(len(words), i + _ABSENT_REACH)):
        if letters[k] in "VHXTC":
            return False
        if words[k].phrase in lexicon.ABSENT:
            return letters[k] != "N" or "B" in letters[i:k]
    return False


def is_hardly(words: Sequence[Word], i: int) -> bool:
    """Whether word `i` is denied by *hardly* and the like, which leave a little of it."""
    return any(w.phrase in _HARDLY for w in words[max(0, i - _NEAR) : i])


def changes(letters: str, i: int) -> bool:
    """Whether word `i` says what the sound turns into: *gets louder*."""
    return _CHANGES.search(letters[max(0, i - REACH) : i]) is not None


def degree(words: Sequence[Word], i: int) -> Degree | None:
    """How much of it the value word `i` is said to be."""
    for word in reversed(words[max(0, i - _NEAR) : i]):
        if word.kind is not Kind.DEGREE:
            return None
        if word.phrase in lexicon.SLIGHT:
            return Degree.SLIGHT
        if word.phrase in lexicon.STRONG:
            return Degree.STRONG
    return None


def is_hedged(words: Sequence[Word], i: int) -> bool:
    """Whether the clause of word `i` is put with reserve."""
    clause, _ = _clause(words, i)
    return any(w.phrase in lexicon.HEDGES for w in clause)


def is_no_claim(words: Sequence[Word], i: int) -> bool:
    """Whether word `i` is in a clause that speaks of a hypothesis, of speech in general, of other speech, or of
    a kind of delivery that cues would fit.
    """
    clause, place = _clause(words, i)
    if _stands_with(clause, place, lexicon.HYPOTHETICAL) or _stands_after(clause, place, lexicon.ELSEWHERE):
        return True
    if any(w.phrase in lexicon.INTERPRETS for w in clause[:place]):
        return True
    part_end = next((k for k in range(place, len(clause)) if clause[k].kind is Kind.COMMA), len(clause))
    generic = any(w.phrase in lexicon.GENERIC for w in clause[:part_end])
    return generic and not _is_definite(clause[:place])


def names_an_emotion(words: Sequence[Word], i: int) -> bool:
    """Whether the clause of word `i` speaks of emotions as labels: *the emotion is whisper*."""
    clause, _ = _clause(words, i)
    return any(w.phrase in _EMOTIONS for w in clause)


def _clause(words: Sequence[Word], i: int) -> tuple[Sequence[Word], int]:
    """The words between the boundaries around word `i`, at most `CLAUSE_REACH` to a side, and its place among them."""
    ends = (Kind.BOUNDARY, Kind.BUT)
    first, last = max(0, i - CLAUSE_REACH), min(len(words), i + CLAUSE_REACH)
    start = next((k + 1 for k in range(i, first - 1, -1) if words[k].kind in ends), first)
    end = next((k for k in range(i, last) if words[k].kind in ends), last)
    return words[start:end], i - start


def _stands_with(clause: Sequence[Word], place: int, triggers: frozenset[str]) -> bool:
    """Whether a trigger is in the same part of the clause, between commas, as word `place`."""
    start = next((k + 1 for k in range(place, -1, -1) if clause[k].kind is Kind.COMMA), 0)
    end = next((k for k in range(place, len(clause)) if clause[k].kind is Kind.COMMA), len(clause))
    at = next((k for k in range(start, end) if clause[k].phrase in triggers), None)
    return at is not None and not any(w.phrase in _OF_ANOTHER for w in clause[place:at])


def _stands_after(clause: Sequence[Word], place: int, triggers: frozenset[str]) -> bool:
    """Whether word `place` stands behind a trigger and before the clause's last comma behind it."""
    at = next((k for k in range(place) if clause[k].phrase in triggers), None)
    if at is None:
        return False
    commas = [k for k in range(at, len(clause)) if clause[k].kind is Kind.COMMA]
    return not commas or place < commas[-1]


def _is_definite(before: Sequence[Word]) -> bool:
    """Whether the last article before a word is a definite one."""
    articles = [w for w in before if w.kind is Kind.ARTICLE or w.phrase in lexicon.DEFINITE]
    return bool(articles) and articles[-1].phrase in lexicon.DEFINITE
