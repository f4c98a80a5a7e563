"""How a claim is put: negated, as a change or of a part of the clip, with what degree, with reserve."""

from __future__ import annotations

import re
from collections.abc import Sequence

from speech_claims import lexicon
from speech_claims.lexicon import Kind
from speech_claims.senses import SENSES, names_person, word_set
from speech_claims.word import Word
from speech_records import Degree

_CLAUSE_ENDS = (Kind.BOUNDARY, Kind.BUT)
REACH = 40
"""Words on either side of a value among which its head and its negation are looked for."""
CLAUSE_REACH = 48
"""Words on either side that a clause may have; without a limit a text without any full stop takes quadratic time."""
_ABSENT_REACH = 9
_NEAR = 4
"""Words to the left of a value that can say its degree."""

_DEGREES = {
    **dict.fromkeys(lexicon.SLIGHT, Degree.SLIGHT),
    **dict.fromkeys(lexicon.STRONG, Degree.STRONG),
    **dict.fromkeys(lexicon.EXTREME, Degree.EXTREME),
    **dict.fromkeys(lexicon.IMPOSSIBLE, Degree.IMPOSSIBLE),
}

# Over letters to the left: a negation, with at most two ordinary words between (*at no point does he sound loud*),
# and with values between only where they are joined by *or* (*not loud or fast*) or follow one another (*no rise*).
_BETWEEN = r"(?:[DABMPHLG]|V(?=V))*(?:O(?:[DABMPHLG]|V(?=V))*){0,2}"
_NEGATED = re.compile(rf"[NM](?:{_BETWEEN}V[DABMPHLE]*K?R)*{_BETWEEN}$")
_CONTRASTED = re.compile(r"(?:^|[KXT])ND*VD*CD*$")
"""*…, not full and ringing* denies both."""
_OPENS = re.compile(r"(?:^|[XTK])C?A?[DN]*$")
_DENIED_BEHIND = re.compile(r"D*K?A?[OHD]{1,4}(?:M|BD*N|N)D*(?:[XKT]|$)")
_DENIED_SHORTLY = re.compile(r"[BK]?(?:N|(?<!K)MD*)(?:[XKTC]|$)")
_DENIED_RELATIVE = re.compile(r"D*KL[OH]?(?:M|BD*N|N)D*(?:[XKT]|$)")
_DENIED_IN_A_LIST = re.compile(r"(?:PA?H|[DE])*B(?=[NOV]D*(?:[XKT]|$))")
_SAYS_NO = frozenset((":", "=", "→", "->", "=>", "⇒"))
_SHORT_DENIALS = frozenset(("no", "not", "none", "neither", "never", "nope"))
_ANSWERED = re.compile(r"XD*N(?:[XK]|$)")
_SAYING = frozenset(("say", "call", "that", "claim", "describe", "hear", "find", "whether", "suggest", "maintain"))
"""Ends of phrases that deny what a whole clause says."""
_EXPERIENCED = ("heard", "known", "met", "encountered", "listened to", "come across")
_CAN = ("could", "can", "could not", "couldn't", "cannot", "can't", "could be", "can be")
_BEING = (
    "be",
    "have been",
    "could be",
    "can be",
    "get",
    "speak",
    "sound",
    "go",
    "have spoken",
    "spoken",
    "sounded",
    "any",
)
_UNHEARD = re.compile(
    r"\b(?:not|never|cannot|can't|didn't|don't|couldn't) (?:hear|heard|find|found|detect|notice|observe)\w*$"
)
"""*I have not heard a pause*."""
_NO_HEAD = re.compile(r"(?:N[DA]*|MD*A[DA]*)$")
_ENDS_DENIAL = frozenset((":", "by", "fit", "fits", "fitting", "match", "matches"))
"""Words behind which a negation no longer holds: *isn't matched by the loud voice*, *what does not fit is the rate*."""
_HARDLY, _VARIES_LITTLE = word_set("hardly"), word_set("vary_little")


def is_negated(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether what word `i` says is denied."""
    first = max(0, i - REACH)
    if words[i].phrase in _VARIES_LITTLE:
        return True
    if _is_absent(words, letters, i) or _is_denied_behind(words, letters, i) or _is_outdone(words, i):
        return True
    if names_person(words[i].phrase) and i and words[i - 1].phrase in ("the", "this", "that"):
        return False  # it would be wrong to say that the man …
    left = "".join("O" if letters[k] == "V" and names_person(words[k].phrase) else letters[k] for k in range(first, i))
    match = _NEGATED.search(left)
    if match is None:
        return _CONTRASTED.search(left) is not None or _is_denied_saying(words, i)
    return _governs(words, i, first + match.start())


def _governs(words: Sequence[Word], i: int, at: int) -> bool:
    """Whether the negation at word `at` reaches word `i`."""
    governed, negation = words[at + 1 : i], words[at].phrase
    is_outdone = negation.endswith("so much") or ("so much" in " ".join(w.phrase for w in governed))
    if _exceeds(words, i, at) or (is_outdone and words[i - 1].phrase == "as"):
        return False
    if any(w.phrase in _ENDS_DENIAL for w in governed):
        return False
    # *no pauses in a loud voice*: the negation is used up
    used = [w for w in governed if w.kind is Kind.HEAD and w.group == "pauses"]
    return not used or words[i].kind is Kind.HEAD or words[i].phrase in SENSES["pauses"]


def _is_denied_saying(words: Sequence[Word], i: int) -> bool:
    """Whether what the clause says is said not to be so: *I would not go so far as to say that she is … loud*."""
    for k in range(i - 1, max(-1, i - 1 - CLAUSE_REACH), -1):
        if words[k].kind in (Kind.BOUNDARY, Kind.BUT) or parts(words[k]):
            return False
        if words[k].kind is Kind.NEGATION and words[k].phrase.split(" ")[-1] in _SAYING:
            return not names_person(words[i].phrase)
    return False


def _is_denied_behind(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether a negation closes the clause that word `i` opens: *fast it isn't*; *loud? Hardly.*"""
    if _is_listed_as_absent(words, letters, i):
        return True
    if _DENIED_RELATIVE.match(letters, i + 1, i + 1 + REACH) is not None:
        return True  # calls it monotonous, which it is not
    opens = _OPENS.search(letters[max(0, i - _NEAR) : i])
    if opens is None or ("A" in opens.group() and words[i - 1].phrase not in ("a", "an")):
        return False
    right = letters[i + 1 : i + 1 + REACH]
    if _DENIED_BEHIND.match(right) is not None:
        return True
    if _DENIED_SHORTLY.match(right) is not None:
        denial = words[i + 1 + (right[0] in "BK")]
        return denial.phrase in _SHORT_DENIALS or denial.kind is Kind.NEGATED_COPULA
    return _ANSWERED.match(right) is not None and words[i + 1].phrase == "?"


def _is_listed_as_absent(words: Sequence[Word], letters: str, i: int) -> bool:
    """*Tension in voice → no*."""
    listed = _DENIED_IN_A_LIST.match(letters, i + 1, i + 1 + REACH)
    if listed is None or words[listed.end() - 1].phrase not in _SAYS_NO:
        return False
    return letters[listed.end()] == "N" or words[listed.end()].phrase in lexicon.ABSENT


def _is_outdone(words: Sequence[Word], i: int) -> bool:
    """*More of a mumble than a shout*."""
    before = [w.phrase for w in words[max(0, i - 2) : i]]
    far = words[max(0, i - 10) : i]
    return "than" in before and (
        _names(far, "more of", "more like", "sooner") or (before[-1] == "than" and _names(far[-4:], "rather"))
    )


def _exceeds(words: Sequence[Word], i: int, negation: int) -> bool:
    """Whether what cannot be more so is very much so: *could scarcely be faster*."""
    near = words[max(0, negation - 2) : i]
    first = words[i].phrase.split(" ")[0]
    comparative = first.endswith("er") or "more" in (first, words[i - 1].phrase)
    if comparative and _names(words[max(0, negation - 2) : i], *_EXPERIENCED):
        return True  # never have I heard a slower reading
    return comparative and _names(near, *_CAN) and _names(near, *_BEING)


def _names(words: Sequence[Word], *phrases: str) -> bool:
    return any(w.phrase in phrases for w in words)


def denies_head(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether a negation stands directly before the head `i`, or it is said to be absent: *no pauses*."""
    answered = [w.phrase for w in words[i + 1 : i + 3]]
    if answered in (["?", "none"], ["?", "no"], [":", "none"], [":", "no"]):
        return True
    heard = " ".join(w.phrase for w in words[max(0, i - 3) : max(0, i - 1)])
    unheard = letters[i - 1 : i] in ("D", "A") and _UNHEARD.search(heard) is not None
    return unheard or _NO_HEAD.search(letters[max(0, i - REACH) : i]) is not None or _is_absent(words, letters, i)


def _is_absent(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether word `i` is what is lacking: *variation is lacking*, *whispering doesn't occur*."""
    first = i + 1 + (letters[i : i + 2] == "VH")  # *excessive speed can be excluded*
    for k in range(first, min(len(words), i + _ABSENT_REACH)):
        if words[k].phrase in lexicon.ABSENT and letters[k + 1 : k + 2] != "H":
            if words[k].phrase.endswith("less"):  # of tremor even less
                return letters[k + 1 : k + 2] in ("", "X", "K")
            return letters[k] != "N" or "B" in letters[i:k] or words[k].phrase == "0"
        if letters[k] in "VHXTC":
            return False
    return False


def is_hardly(words: Sequence[Word], i: int) -> bool:
    """Whether word `i` is denied by *hardly* and the like, which leave a little of it."""
    return any(w.phrase in _HARDLY for w in words[max(0, i - _NEAR) : i])


def is_doubled(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether word `i` is the second of *louder and louder*."""
    phrase = words[i].phrase
    return i > 1 and letters[i - 1] == "C" and words[i - 2].phrase == phrase and phrase.endswith("er")


def degree(words: Sequence[Word], i: int) -> Degree | None:
    """How much of it the value word `i` is said to be."""
    for word in reversed(words[max(0, i - _NEAR) : i]):
        if word.kind is not Kind.DEGREE:
            return None
        degree = _DEGREES.get(word.phrase)
        if degree is not None:
            return degree
    return None


def is_hedged(words: Sequence[Word], i: int) -> bool:
    """Whether the clause of word `i` is put with reserve."""
    clause, _ = clause_of(words, i)
    return not lexicon.HEDGES.isdisjoint([w.phrase for w in clause])


def is_of_a_part(words: Sequence[Word], i: int) -> bool:
    """Whether word `i` is said of a part of the clip only: *at first it is fast*, *the volume drops at the end*."""
    clause, place = clause_of(words, i)
    if (
        place
        and clause[place - 1].phrase == "the"
        and clause[place + 1 : place + 2]
        and clause[place + 1].kind is Kind.HEAD
    ):
        return False  # *at first the loud voice suggests anger*
    start = next((k + 1 for k in range(place, -1, -1) if parts(clause[k])), 0)
    end = next((k for k in range(place, len(clause)) if parts(clause[k]) or clause[k].phrase == "that"), len(clause))
    if start and all(w.phrase in lexicon.TIMES or w.kind in (Kind.AT_END, Kind.COMMA) for w in clause[:start]):
        start = 0
    if any(w.phrase in lexicon.TIMES for w in clause[start:end]):
        return True
    at_end = next((k for k in range(start, end) if clause[k].kind is Kind.AT_END), None)
    if at_end is not None and at_end > place and clause[at_end - 1].kind is Kind.AND:
        return False  # *he shouts, and at the end …*
    between = () if at_end is None else clause[place + 1 : at_end] if at_end > place else clause[at_end + 1 : place]
    own = (Kind.VALUE,) if at_end is not None and at_end < place else (Kind.VALUE, Kind.HEAD)
    return at_end is not None and not any(w.kind in own for w in between)


def clause_of(words: Sequence[Word], i: int) -> tuple[Sequence[Word], int]:
    """The words between the boundaries around word `i`, at most `CLAUSE_REACH` to a side, and its place among them."""
    first, last = max(0, i - CLAUSE_REACH), min(len(words), i + CLAUSE_REACH)
    start, end = i + 1, i
    while start > first and words[start - 1].kind not in _CLAUSE_ENDS:
        start -= 1
    while end < last and words[end].kind not in _CLAUSE_ENDS:
        end += 1
    return words[start:end], i - start


def parts(word: Word) -> bool:
    """Whether a clause's part ends at `word`: at a comma or a colon."""
    return word.kind is Kind.COMMA or word.phrase == ":"
