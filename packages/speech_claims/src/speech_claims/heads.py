"""Which noun a value word is said of: patterns over the letters left and right of it, tried in a fixed order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from speech_claims import scope
from speech_claims.lexicon import DEFINITE, OTHERS, Kind
from speech_claims.senses import RAISING, SENSES, names_person, word_set
from speech_claims.word import REPEATED, Word
from speech_records import Cue

# One head; two joined by a conjunction; three or more in a list, also without one.
_HEADS = r"(?P<heads>H(?:K[ADN]*H)+K?[CRN]+[ADN]*H|H(?:K[ADN]*H){2,}|H(?:[CRN]+[ADN]*H)*)"
_HEADS_RIGHT = r"(?P<heads>H(?:(?:KD*H(?![DN]*[VBMP]))*K?[CR]+D*H(?![DN]*[VBM]))?)"
# Over letters to the left of a value word, up to it: where its head stands.
_COPULA = re.compile(_HEADS + r"[DOPANLKE]{0,7}[BMG](?:[NDVKCRTAMBEQG]|L(?=[DN]*[BM])|[PA](?=[NDVA]|$)|O(?=[KC]))*$")
_ADJACENT_LEFT = re.compile(_HEADS + r"(?:K?L)?[DN]*$")
_SAME_SUBJECT = re.compile(_HEADS + r"[LDN]*V[DE]*(?:[KCTR]+[DNE]*|N[DE]*)$")
_LATER_VERB = re.compile(_HEADS + r"[LDN]*V[DEOPAQVH]{0,9}[KCT]+[DNE]*$")
_SECOND_VERB = re.compile(_HEADS + r"[DOPAQE]{1,9}[KCT]+[DNE]*$")
_LAST_VERB = re.compile(_HEADS + r"[LDN]*V[DEOPAQVHKB]{0,12}[KCT]+[DNE]*$")
_AFTER_APPOSITION = re.compile(_HEADS + r"K[^HXTK]{1,8}K[DN]*$")
_AFTER_PARENTHESIS = re.compile(_HEADS + r"K[^XTK]{1,10}K[DN]*[BM][NDVCRABG]*$")
_APPOSED = re.compile(_HEADS + r"(?:P[ADO]{1,6})?K[DN]*(?:V[KCDN]+)*$")
_AND_VERB = re.compile(_HEADS + r"[DE]*C[DNE]*$")
_FAR_LEFT = re.compile(_HEADS + r"[^VHXTGC]{1,9}$")
# Over letters to the right of a value word: where its head stands.
_ADJACENT_RIGHT = re.compile(r"D*" + _HEADS_RIGHT)
_JOINED_RIGHT = re.compile(r"(?:[DV]|[KCRT]+(?=[DVN])|[KCR]+O(?=H)|NA?(?=[DV]))*" + _HEADS_RIGHT)
_ATTRIBUTIVE = re.compile(r"AD*$")
_IN_HEAD = re.compile(r"[DE]*P[AD]*(?P<heads>H(?:[KCR]+[AD]*H(?![DN]*[VBM]))*)")
_IN_HEAD_OF_NEXT = re.compile(r"(?:D*[KCR]+D*V)+[DE]*P[AD]*(?P<heads>H)")
_OBJECT = re.compile(r"(?:[NRCT]+V)?D*A[DO]?D*(?P<heads>H)")
_REPEATED = re.compile(r"D*A*D*(?P<heads>H(?:[KCRN]+[ADN]*H)*)")
_HOW = re.compile(r"[DN]*A[DO]{0,2}(?P<heads>H)(?=[DNO]*[BM])")
_FRONTED = re.compile(r"[DOPE]{0,4}KA?[DO]?(?P<heads>H)")
_FRONTED_PLAIN = re.compile(r"D*AD*(?P<heads>H)[OD]*[BM]")
_INVERTED = re.compile(r"[BM][DNO]?A?D*(?P<heads>H)(?:D|PA?[HO])*(?=[XKCT]|$)")
_WHAT_IS = re.compile(r"[OL]B[DN]*$")
_PARTICIPLE = re.compile(_HEADS + r"[^HXT]{1,9}K[DN]*BD*$")
_IS_WHAT = re.compile(r"BOA?(?P<heads>H)(?=B)")
_BRACKETED = re.compile(_HEADS + r"[DOPBE]{0,5}KD*$")
_CLOSES = re.compile(r"[DEPOAH]{0,8}(?:[KXC]|$)")
_TOPIC = re.compile(_HEADS + r"K[DN]*$")
_TOPICS = word_set("topics")
_OPENS = re.compile(r"(?:^|[XKT])[DN]*$")
_CONTRASTED = re.compile(r"(H)(KN[AD]*HK(?=L?[DN]*[BMGV]))")
"""*The pitch, not the loudness, is raised*: the second head is set apart."""
_SETS_APART = frozenset(("not", "rather than", "instead of", "as opposed to"))
_SET_APART = re.compile(r"(?:K|T)K?N[AD]*(?P<head>H)(?=[XKTC]|$)")

_CHANGES = word_set("only_denied") - word_set("off_norm")
_QUESTION_REACH = 24
_QUESTION = re.compile(r"XC?D*$")
_OF_SPEECH = word_set("of_speech") | word_set("persons") | word_set("speech")


def heads_of(words: Sequence[Word], letters: str, i: int) -> Iterator[list[int]]:
    """Candidate heads of the value word `i` by the patterns of `_PATTERNS`, best first, nearest head first."""
    first = max(0, i - scope.REACH)
    left, right = _without_persons(words, letters, first, i), letters[i + 1 : i + 1 + scope.REACH]
    left = _CONTRASTED.sub(lambda found: found[1] + Kind.DEGREE * len(found[2]), left)
    for pattern, is_left, applies in _PATTERNS:
        match = pattern.search(left) if is_left else pattern.match(right)
        if match is None or not applies(_Place(words, i, left, right, match.group())):
            continue
        offset = match.start("heads") + (first if is_left else i + 1)
        found = [offset + k for k, letter in enumerate(match["heads"]) if letter == Kind.HEAD]
        yield found[::-1] if is_left else found
    yield from _head_of_last_question(words, letters, i)


def _without_persons(words: Sequence[Word], letters: str, first: int, i: int) -> str:
    """The letters before word `i`, where persons are ordinary words: *the voice of the woman is high*."""
    if Kind.VALUE not in letters[first:i]:
        return letters[first:i]
    return "".join(Kind.OTHER if _is_person(words[k]) else letters[k] for k in range(first, i))


def _is_person(word: Word) -> bool:
    return names_person(word.phrase) or (word.sense is not None and word.sense[0] in (Cue.AGE, Cue.GENDER))


def contrasted_head(words: Sequence[Word], letters: str, i: int, head: int) -> int | None:
    """The head that is set against `head`: *the pitch, not the loudness, is raised*."""
    for k in dict.fromkeys((head, i)):
        found = _SET_APART.match(letters, k + 1)
        if found is None or _SETS_APART.isdisjoint(w.phrase for w in words[k + 2 : k + 4]):
            continue
        if words[found.start("head")].group != words[head].group:
            return found.start("head")
    return None


def is_of_else(words: Sequence[Word], head: int) -> bool:
    """*The pace of change*, *the range of emotions*, *where voices are loud*: not of this clip's speech."""
    if words[head].phrase == "voices" and not any(w.phrase in DEFINITE for w in words[max(0, head - 3) : head]):
        return True
    behind = [w for w in words[head + 1 : head + 5] if w.kind not in (Kind.ARTICLE, Kind.DEGREE)]
    if words[head].group == "pauses" and behind[:1] and behind[0].kind is Kind.PREPOSITION:
        return any(w.phrase in OTHERS for w in behind[1:])
    if len(behind) < 2 or behind[0].phrase != "of" or behind[1].kind is not Kind.OTHER:
        return False
    return behind[1].quantity is None and behind[1].phrase not in _OF_SPEECH


def _head_of_last_question(words: Sequence[Word], letters: str, i: int) -> Iterator[list[int]]:
    """*Is the voice loud? No. Tense? Yes.*: the head of the question before."""
    if _QUESTION.search(letters[max(0, i - 3) : i]) and letters[i + 1 : i + 2] == "X" and words[i + 1].phrase == "?":
        head = next((k for k in range(i - 1, max(-1, i - _QUESTION_REACH), -1) if letters[k] == "H"), None)
        if head is not None:
            yield [head]


@dataclass(frozen=True, slots=True)
class _Place:
    """A value word, the letters left and right of it, and those of them that lead to a head."""

    words: Sequence[Word]
    i: int
    left: str
    right: str
    way: str


def _as_rule(place: _Place) -> bool:
    """Not a value that repeats another, nor *typical* in *a high pitch: typical joy*."""
    words, i = place.words, place.i
    names = place.right[:1] == "O" and words[i + 1].phrase not in ("it", "that", "this")
    return words[i].group != REPEATED and not (words[i - 1].phrase == ":" and names)


def _as_predicate(place: _Place) -> bool:
    """Not *an unusually high* before *nor an unusually low pitch*."""
    joined = _ATTRIBUTIVE.search(place.left) is not None and _JOINED_RIGHT.match(place.right) is not None
    return _as_rule(place) and not joined


def _as_movement(place: _Place) -> bool:
    return _moving(place) and place.left[-1:] == Kind.AT_END


def _as_attribute(place: _Place) -> bool:
    """Not *constant* of *the loudness constant, hardly any pauses*."""
    has_own = _ADJACENT_LEFT.search(place.left) is not None and place.right[:1] == Kind.COMMA
    return _as_rule(place) and not has_own


def _as_repeat(place: _Place) -> bool:
    return place.words[place.i].group == REPEATED


def _as_verb(place: _Place) -> bool:
    word = place.words[place.i]
    return word.group == REPEATED or word.phrase in RAISING


def _after_how(place: _Place) -> bool:
    return any(w.phrase in ("how", "however") for w in place.words[max(0, place.i - 2) : place.i])


def _opening(place: _Place) -> bool:
    return _OPENS.search(place.left) is not None


def _after_what(place: _Place) -> bool:
    """Behind the start of a clause, or behind *what is*, *that's*."""
    return _opening(place) or _WHAT_IS.search(place.left) is not None


def _closing(place: _Place) -> bool:
    return _as_rule(place) and _CLOSES.match(place.right) is not None


def _in_brackets(place: _Place) -> bool:
    words, i = place.words, place.i
    comma = next((k for k in range(i - 1, max(0, i - 4), -1) if words[k].kind is not Kind.DEGREE), 0)
    is_after = comma > 0 and words[comma].kind is Kind.COMMA and words[comma - 1].quantity is not None
    follows_number = is_after and _CLOSES.match(place.right) is not None
    return _as_rule(place) and (words[i - 1].phrase == "(" or follows_number)


def _participial(place: _Place) -> bool:
    return any(w.phrase in ("being", "remaining", "staying") for w in place.words[max(0, place.i - 4) : place.i])


def _as_topic(place: _Place) -> bool:
    """Whether the head is named as a topic only: *as for the tempo, slow is not the word*."""
    start = place.i - len(place.way)
    return _as_rule(place) and any(w.phrase in _TOPICS for w in place.words[max(0, start - 4) : start])


def _moving(place: _Place) -> bool:
    contour = SENSES["contour"].get(place.words[place.i].phrase)
    return contour is not None and contour[0] is Cue.CONTOUR_SHAPE


def _moving_verb(place: _Place) -> bool:
    return _moving(place) and place.words[place.i].phrase.split(" ")[0].endswith("s")


def _changing_then(place: _Place) -> bool:
    sense = SENSES["energy"].get(place.words[place.i].phrase)
    changes = sense is not None and sense[1] in ("rising", "falling")
    return changes and place.words[place.i - 1].phrase in ("then", "and then", "before")


def _moving_then(place: _Place) -> bool:
    return _moving(place) and place.words[place.i - 1].phrase in ("then", "and then", "finally", "before")


def _in_reach(place: _Place) -> bool:
    changes = place.words[place.i].phrase in _CHANGES
    return (_moving(place) or changes or not {"B", "M"}.isdisjoint(place.way)) and _as_rule(place)


_PATTERNS: Sequence[tuple[re.Pattern[str], bool, Callable[[_Place], bool]]] = (
    (_REPEATED, False, _as_repeat),  # so are loudness and tempo
    (_ADJACENT_LEFT, True, _as_repeat),  # and the volume likewise
    (_ADJACENT_RIGHT, False, _as_rule),  # high pitch (and energy)
    (_IN_HEAD, False, _as_movement),  # the last word drops in pitch
    (_COPULA, True, _as_predicate),  # pitch (and energy) is very high
    (_JOINED_RIGHT, False, _as_attribute),  # a high, loud voice
    (_ADJACENT_LEFT, True, _as_rule),  # energy low; pitch rises
    (_IN_HEAD, False, _as_rule),  # high in pitch; a rise in pitch
    (_SAME_SUBJECT, True, _as_rule),  # the pitch rises and stays high, without its copula
    (_LATER_VERB, True, _moving),  # the pitch rises to a peak and falls
    (_AND_VERB, True, _moving_verb),  # starts at a high pitch and descends
    (_SECOND_VERB, True, _changing_then),  # the loudness peaks on the third word and then subsides
    (_LAST_VERB, True, _moving_then),  # the pitch rises, peaks on the verb, and then sinks
    (_IN_HEAD_OF_NEXT, False, _moving),  # rises and then falls in pitch
    (_OBJECT, False, _as_verb),  # raises the volume; so is the volume
    (_HOW, False, _after_how),  # how high the pitch is
    (_INVERTED, False, _after_what),  # wide is the range of her pitch
    (_PARTICIPLE, True, _participial),  # loudness offers little guidance, being middling
    (_FRONTED_PLAIN, False, _opening),  # high the pitch is not
    (_IS_WHAT, False, _opening),  # low is what the pitch is
    (_FRONTED, False, _opening),  # rising throughout, the pitch …
    (_APPOSED, True, _closing),  # the pitch, high and sharp, …
    (_BRACKETED, True, _in_brackets),  # F0 212 Hz (high)
    (_AFTER_APPOSITION, True, _as_rule),  # the voice, high as a bird's, trembled
    (_AFTER_PARENTHESIS, True, _as_rule),  # the tempo, unlike the pitch, is hectic
    (_TOPIC, True, _as_topic),  # as for the tempo, slow …
    (_FAR_LEFT, True, _in_reach),  # the nearest head of the clause
)
"""Where a head stands; whether that is left of the value; and what else must hold."""
