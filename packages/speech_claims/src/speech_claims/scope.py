"""How a claim is put: negated, with what degree, with reserve, or not of this clip at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from speech_claims import lexicon
from speech_claims.lexicon import Kind
from speech_claims.senses import SENSES, word_set
from speech_claims.tokens import Word
from speech_records import Degree

REACH = 40
"""Words on either side of a value among which its head and its negation are looked for."""
CLAUSE_REACH = 80
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
_BETWEEN = r"(?:[DABMPHL]|V(?=V))*(?:O(?:[DABMPHL]|V(?=V))*){0,2}"
_NEGATED = re.compile(rf"[NM](?:{_BETWEEN}V[DABMPHLE]*K?R)*{_BETWEEN}$")
_OPENS = re.compile(r"(?:^|[XTK])C?[DN]*$")
_DENIED_BEHIND = re.compile(r"D*K?A?[OHD]{1,4}(?:M|BD*N|N)D*(?:[XKT]|$)")
_DENIED_SHORTLY = re.compile(r"B?N(?:[XKTC]|$)")
_SHORT_DENIALS = frozenset(("no", "not", "none", "neither", "never", "nope"))
_ANSWERED = re.compile(r"XD*N(?:[XK]|$)")
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
_NO_HEAD = re.compile(r"N[DA]*$")
_CHANGES = re.compile(r"G[DAP]*$")
_ENDS_DENIAL = frozenset((":", "by", "fit", "fits", "fitting", "match", "matches"))
"""Words behind which a negation no longer holds: *isn't matched by the loud voice*, *what does not fit is the rate*."""
_HARDLY = frozenset(("hardly", "barely", "scarcely", "hardly ever"))
_OF_ANOTHER = frozenset(("than", "who", "someone", "somebody", "anyone", "what", "which", "that"))
"""Words behind which somebody or something else is supposed: *this voice is of one who would rather not ask*."""
_SUPPOSES = frozenset(("would", "would be", "would have", "'d expect", "we'd expect", "might expect", "should have"))
_IS = frozenset(("is", "are", "was", "were", "isn't", "aren't", "'s"))
_TOPIC_REACH = 7
_SPEAKER = frozenset(("he", "she", "speaker", "i", "they", "his", "her", "his own", "her own"))
_PLURAL_PERSONS = frozenset(("men", "women", "males", "females", "children", "kids", "adults", "teenagers", "teens"))
_PERSONS = word_set("persons") | {"speakers", "people", "voices", "person", "talkers", "one"}
_AMONG = frozenset(("of", "for", "than", "among", "most", "many", "in", "other", "typical of", "some"))
_LABELS = frozenset(("emotion", "label", "category", "answer", "class", "emotions", "labels"))


def is_negated(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether what word `i` says is denied."""
    first = max(0, i - REACH)
    if _is_absent(words, letters, i) or _is_denied_behind(words, letters, i) or _is_outdone(words, i):
        return True
    match = _NEGATED.search(letters[first:i])
    if match is None:
        return False
    governed = words[first + match.start() + 1 : i]
    negation = words[first + match.start()].phrase
    if _exceeds(words, i, first + match.start()) or (negation.endswith("so much") and _names(governed, "as")):
        return False
    if any(w.phrase in _ENDS_DENIAL for w in governed):
        return False
    # *no pauses in a loud voice*: the negation is used up
    used = [w for w in governed if w.kind is Kind.HEAD and w.group == "pauses"]
    return not used or words[i].kind is Kind.HEAD or words[i].phrase in SENSES["pauses"]


def _is_denied_behind(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether a negation closes the clause that word `i` opens: *fast it isn't*; *loud? Hardly.*"""
    if _OPENS.search(letters[max(0, i - _NEAR) : i]) is None:
        return False
    right = letters[i + 1 : i + 1 + REACH]
    if _DENIED_BEHIND.match(right) is not None:
        return True
    if _DENIED_SHORTLY.match(right) is not None:
        return words[i + 1 + (right[0] == "B")].phrase in _SHORT_DENIALS
    return _ANSWERED.match(right) is not None and words[i + 1].phrase == "?"


def _is_outdone(words: Sequence[Word], i: int) -> bool:
    """*More of a mumble than a shout*."""
    before = [w.phrase for w in words[max(0, i - 2) : i]]
    return "than" in before and _names(words[max(0, i - 10) : i], "more of", "more like")


def _exceeds(words: Sequence[Word], i: int, negation: int) -> bool:
    """Whether what cannot be more so is very much so: *could scarcely be faster*."""
    near = words[max(0, negation - 2) : i]
    comparative = words[i].phrase.split(" ")[0].endswith("er") or words[i - 1].phrase == "more"
    return comparative and _names(near, *_CAN) and _names(near, *_BEING)


def _names(words: Sequence[Word], *phrases: str) -> bool:
    return any(w.phrase in phrases for w in words)


def denies_head(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether a negation stands directly before the head `i`, or it is said to be absent: *no pauses*."""
    answered = [w.phrase for w in words[i + 1 : i + 3]]
    if answered in (["?", "none"], ["?", "no"], [":", "none"], [":", "no"]):
        return True
    return _NO_HEAD.search(letters[max(0, i - REACH) : i]) is not None or _is_absent(words, letters, i)


def _is_absent(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether word `i` is what is lacking: *variation is lacking*, *whispering doesn't occur*."""
    for k in range(i + 1, min(len(words), i + _ABSENT_REACH)):
        if words[k].phrase in lexicon.ABSENT and letters[k + 1 : k + 2] != "H":
            return letters[k] != "N" or "B" in letters[i:k]
        if letters[k] in "VHXTC":
            return False
    return False


def is_hardly(words: Sequence[Word], i: int) -> bool:
    """Whether word `i` is denied by *hardly* and the like, which leave a little of it."""
    return any(w.phrase in _HARDLY for w in words[max(0, i - _NEAR) : i])


class Change(Enum):
    """How a value is said of one end of a change: what the sound turns into, or what it comes from."""

    TO = "to"
    FROM = "from"


def change(words: Sequence[Word], letters: str, i: int) -> Change | None:
    """Whether word `i` says what the sound turns into or comes from: *gets louder*; *from a whisper to a shout*."""
    first = max(0, i - REACH)
    found = _CHANGES.search(letters[first:i])
    if found is not None:
        return Change.FROM if words[first + found.start()].phrase.startswith(("begin", "began", "start")) else Change.TO
    clause, place = _clause(words, i)
    before = [w.phrase for w in clause[max(0, place - _NEAR) : place]]
    behind = [w.phrase for w in clause[place + 1 : place + 3 + _NEAR]]
    if "from" in before and ("to" in behind or "into" in behind):
        return Change.FROM
    further = [w.phrase for w in clause[max(0, place - 3 * _NEAR) : place]]
    return Change.TO if "from" in further and ("to" in before or "into" in before) else None


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
    clause, _ = _clause(words, i)
    return any(w.phrase in lexicon.HEDGES for w in clause)


def is_no_claim(words: Sequence[Word], i: int) -> bool:
    """Whether word `i` is in a clause that speaks of a hypothesis, of speech in general, of other speech, or of
    a kind of delivery that cues would fit.
    """
    clause, place = _clause(words, i)
    if _stands_with(clause, place, lexicon.HYPOTHETICAL) or _stands_after(clause, place, lexicon.ELSEWHERE):
        return True
    if _stands_behind(clause, place, lexicon.UNSETTLED) or _opens_in_general(clause, place):
        return True
    if any(w.phrase in lexicon.INTERPRETS for w in clause[:place]) or _is_supposed(clause, place):
        return True
    if _is_of_another(clause, place) or _is_of_persons(clause, place):
        return True
    part_end = next(
        (k for k in range(place, len(clause)) if clause[k].kind is Kind.COMMA or clause[k].phrase == "than"),
        len(clause),
    )
    generic = any(w.phrase in lexicon.GENERIC for w in clause[:part_end])
    return generic and not _is_definite(clause[:place])


def _stands_behind(clause: Sequence[Word], place: int, triggers: frozenset[str]) -> bool:
    return any(w.phrase in triggers for w in clause[:place])


def _opens_in_general(clause: Sequence[Word], place: int) -> bool:
    """*In fear, the pitch goes up*; *a sad speaker might be slow*: said of an emotion, whatever its articles."""
    first = [w.phrase for w in clause[:2]]
    if len(first) == 2 and first[0] in ("in", "under", "during") and first[1] in lexicon.EMOTIONS:
        return True
    before = [w.phrase for w in clause[:place]]
    subject = next((k for k in range(place - 1) if before[k] in lexicon.EMOTIONAL and before[k + 1] in _PERSONS), None)
    if subject is None or not lexicon.MODALS.intersection(before[subject:]):
        return False
    return lexicon.DEFINITE.isdisjoint(before[max(0, subject - 1) :])


def _is_supposed(clause: Sequence[Word], place: int) -> bool:
    """Whether a part before that of word `place` says *would*, and no verb since says what is: *the voice would be
    louder, the tempo faster*.
    """
    at = next((k for k in range(place) if clause[k].phrase in _SUPPOSES), None)
    if at is None or not any(w.kind is Kind.COMMA for w in clause[at:place]):
        return False
    comma = next(k for k in range(at, place) if clause[k].kind is Kind.COMMA)
    return not any(w.phrase in _IS for w in clause[comma : place + 3])


def _is_of_another(clause: Sequence[Word], place: int) -> bool:
    """Whether what stands nearest before word `place`, or directly behind it, is not of the speaker's voice."""
    for k in range(place - 1, max(-1, place - 1 - _TOPIC_REACH), -1):
        if clause[k].kind in (Kind.HEAD, Kind.COMMA, Kind.QUOTE) or clause[k].phrase in _SPEAKER:
            break
        if clause[k].phrase in lexicon.OTHERS:
            return True
    behind = [w for w in clause[place + 1 : place + 5] if w.kind not in (Kind.COMMA, Kind.VALUE)][:2]
    attributive = place == 0 or clause[place - 1].kind not in (Kind.COPULA, Kind.NEGATED_COPULA, Kind.HEAD)
    return attributive and bool(behind) and behind[0].phrase in lexicon.OTHERS


def is_of_a_part(words: Sequence[Word], i: int) -> bool:
    """Whether word `i` is said of a part of the clip only: *at first it is fast*, *the volume drops at the end*."""
    clause, place = _clause(words, i)
    if (
        place
        and clause[place - 1].phrase == "the"
        and clause[place + 1 : place + 2]
        and clause[place + 1].kind is Kind.HEAD
    ):
        return False  # *at first the loud voice suggests anger*
    start = next((k + 1 for k in range(place, -1, -1) if clause[k].kind is Kind.COMMA), 0)
    end = next((k for k in range(place, len(clause)) if clause[k].kind is Kind.COMMA), len(clause))
    if start and all(w.phrase in lexicon.TIMES or w.kind in (Kind.AT_END, Kind.COMMA) for w in clause[:start]):
        start = 0
    if any(w.phrase in lexicon.TIMES for w in clause[start:end]):
        return True
    at_end = next((k for k in range(start, end) if clause[k].kind is Kind.AT_END), None)
    between = () if at_end is None else clause[place + 1 : at_end] if at_end > place else clause[at_end + 1 : place]
    own = (Kind.VALUE,) if at_end is not None and at_end < place else (Kind.VALUE, Kind.HEAD)
    return at_end is not None and not any(w.kind in own for w in between)


def is_mental(words: Sequence[Word], i: int) -> bool:
    """Whether the clause of word `i` speaks of a judgement or of time: *some emotions are quickly ruled out*."""
    clause, _ = _clause(words, i)
    return any(w.phrase in lexicon.MENTAL for w in clause)


def _is_of_persons(clause: Sequence[Word], place: int) -> bool:
    """Whether word `place` names persons at large: *higher than is typical of men*."""
    before = {w.phrase for w in clause[max(0, place - 2) : place]}
    return clause[place].phrase in _PLURAL_PERSONS and not before.isdisjoint(_AMONG)


def names_an_emotion(words: Sequence[Word], i: int) -> bool:
    """Whether the clause of word `i` speaks of emotions as labels: *the emotion is whisper*."""
    clause, _ = _clause(words, i)
    return any(w.phrase in _LABELS for w in clause)


def _clause(words: Sequence[Word], i: int) -> tuple[Sequence[Word], int]:
    """The words between the boundaries around word `i`, at most `CLAUSE_REACH` to a side, and its place among them."""
    ends = (Kind.BOUNDARY, Kind.BUT)
    first, last = max(0, i - CLAUSE_REACH), min(len(words), i + CLAUSE_REACH)
    start = next((k + 1 for k in range(i, first - 1, -1) if words[k].kind in ends), first)
    end = next((k for k in range(i, last) if words[k].kind in ends), last)
    return words[start:end], i - start


def _stands_with(clause: Sequence[Word], place: int, triggers: frozenset[str]) -> bool:
    """Whether a trigger is in the same part of the clause, between commas, as word `place`."""
    start = next((k + 1 for k in range(place, -1, -1) if _parts(clause[k])), 0)
    end = next((k for k in range(place, len(clause)) if _parts(clause[k])), len(clause))
    at = next((k for k in range(start, end) if clause[k].phrase in triggers), None)
    return at is not None and not any(w.phrase in _OF_ANOTHER for w in clause[place:at])


def _parts(word: Word) -> bool:
    return word.kind is Kind.COMMA or word.phrase == ":"


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
