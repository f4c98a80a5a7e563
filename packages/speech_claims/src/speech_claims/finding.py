"""Finds what a text claims of pitch, energy, rate, contour, range, pauses, voicing, voice quality, gender and age.

Text becomes words with one letter of grammar each (`tokens`); a value word finds the head it is said of by patterns
over the letters left and right of it, tried in a fixed order (`_heads_of`). Quotes are never searched. What words mean
is in `senses`, what negates or weakens them in `scope`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from speech_claims import scope
from speech_claims.echoes import Answer, answer, denied_before, is_open
from speech_claims.lexicon import DEFINITE, OTHERS, Kind
from speech_claims.measures import measures
from speech_claims.movement import in_time
from speech_claims.senses import ALONE, FINAL_PHRASES, RAISING, SENSES, word_set
from speech_claims.spans import Occupied, Span
from speech_claims.tokens import REPEATED, Word, tokenise
from speech_records import Cue, Degree


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim found in a text, not judged yet: its half-open span, its cue, what it says of it, and how."""

    start: int
    end: int
    cue: Cue
    value: str
    negated: bool = False
    degree: Degree | None = None
    hedged: bool = False


# One head; two joined by a conjunction; three or more in a list, also without one.
_HEADS = r"(?P<heads>H(?:K[ADN]*H)+K?[CRN]+[ADN]*H|H(?:K[ADN]*H){2,}|H(?:[CRN]+[ADN]*H)*)"
_HEADS_RIGHT = r"(?P<heads>H(?:[KCR]+H(?![DN]*[VBM]))*)"
# Over letters to the left of a value word, up to it: where its head stands.
_COPULA = re.compile(_HEADS + r"[DOPANLKE]{0,7}[BMG](?:[NDVKCRTAMBEQ]|[PA](?=[NDVA]|$))*$")
_ADJACENT_LEFT = re.compile(_HEADS + r"L?[DN]*$")
_SAME_SUBJECT = re.compile(_HEADS + r"[LDN]*V[DE]*[KCT]+[DNE]*$")
_LATER_VERB = re.compile(_HEADS + r"[LDN]*V[DEOPA]{0,7}[KCT]+[DNE]*$")
_AFTER_APPOSITION = re.compile(_HEADS + r"K[^HXTK]{1,8}K[DN]*$")
_APPOSED = re.compile(_HEADS + r"K[DN]*(?:V[KCDN]+)*$")
_FAR_LEFT = re.compile(_HEADS + r"[^VHXTGC]{1,9}$")
# Over letters to the right of a value word: where its head stands.
_ADJACENT_RIGHT = re.compile(r"D*" + _HEADS_RIGHT)
_JOINED_RIGHT = re.compile(r"(?:[DV]|[KCRT]+(?=[DVN])|[KCR]+O(?=H)|NA?(?=[DV]))*" + _HEADS_RIGHT)
_ATTRIBUTIVE = re.compile(r"AD*$")
_IN_HEAD = re.compile(r"[DE]*P[AD]*(?P<heads>H(?:[KCR]+[AD]*H(?![DN]*[VBM]))*)")
_IN_HEAD_OF_NEXT = re.compile(r"(?:D*[KCR]+D*V)+[DE]*P[AD]*(?P<heads>H)")
_OBJECT = re.compile(r"D*A[DO]?D*(?P<heads>H)")
_REPEATED = re.compile(r"D*A*D*(?P<heads>H(?:[KCRN]+[ADN]*H)*)")
_HOW = re.compile(r"[DN]*A[DO]{0,2}(?P<heads>H)(?=[DNO]*[BM])")
_FRONTED = re.compile(r"[DOPE]{0,4}KA?[DO]?(?P<heads>H)")
_IS_WHAT = re.compile(r"BOA?(?P<heads>H)(?=B)")
_CLOSES = re.compile(r"[DEPOAH]{0,8}(?:[KXC]|$)")
_OPENS = re.compile(r"(?:^|[XKT])[DN]*$")

_LAST = re.compile(r"(?:^|[XKCT])A?E[DNB]*$")
_ON_LAST = re.compile(r"[DPA]*E")
_NOUN = re.compile(r"AO[BM][DN]*$")
_SEQUENCE = frozenset(
    ("then", "and", "before", "and then", "followed by", "afterwards", "later", "again", "by", "only")
)
_AT_END_REACH = 7
_TURN_REACH = 10
_QUESTION_REACH = 24
_QUESTION = re.compile(r"XC?D*$")
_BARE_PAUSES, _LACKED_HEADS, _SPEECH = (word_set(name) for name in ("bare_pauses", "lacked", "speech"))
_ONLY_DENIED, _DENIED_ALONE = word_set("only_denied"), word_set("denied_alone")
_SPEAKERS = word_set("persons") | {"speaker", "voice"}
_LACKED = {
    "range": (Cue.PITCH_RANGE, "high"),
    "energy": (Cue.ENERGY, "high"),
    "contour": (Cue.CONTOUR_DYNAMICS, "expressive"),
}


def find(text: str, *, quotes: Sequence[Span] = ()) -> list[Finding]:
    """The claims of `text` in their order, outside `quotes`.

    >>> [(f.cue.value, f.value, text[f.start:f.end]) for text in ["A high, loud voice."] for f in find(text)]
    [('pitch', 'high', 'high'), ('energy', 'high', 'loud')]
    """
    words = tokenise(text, quotes=quotes)
    letters = "".join(w.kind.value for w in words)
    taken: set[int] = set()
    found: list[tuple[int, Finding]] = []
    suppressed: list[int] = []
    for i, word in enumerate(words):
        if word.kind is Kind.VALUE:
            if _is_said(words, letters, i):
                found += ((i, f) for f in _claims_of(words, letters, i, taken))
            else:
                suppressed.append(i)
    found = _joined_turns(found, words, letters)
    findings = [f for _, f in found]
    for i, head in denied_before(words, letters, suppressed):
        findings += _denied(words, letters, i, head, taken)
    for i, cue, head in measures(words, letters):
        findings.append(_measure(words, letters, i, cue))
        taken |= {head} if head is not None and cue is Cue.PAUSES else set()
    spans = Occupied(len(text), ((f.start, f.end) for f in findings))
    # A joined turn spans what lies inside it.
    bare = [f for f in _bare_heads(words, letters, taken) if spans.is_free((f.start, f.end))]
    return sorted([*findings, *bare], key=lambda f: (f.start, f.end))


def _is_said(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether the value word `i` is said of this clip: not of others or in general, in no open question."""
    if scope.is_no_claim(words, i) or (is_open(words, letters, i) and not scope.is_negated(words, letters, i)):
        return False
    return answer(words, letters, i) is not Answer.NONE


def _denied(words: Sequence[Word], letters: str, i: int, head: int | None, taken: set[int]) -> Iterator[Finding]:
    """What a later denial makes of the value word `i`: of its own heads, or of another."""
    if head is not None and head not in taken:
        taken.add(head)
        cue, value = SENSES[words[head].group or ALONE][words[i].phrase]
        yield Finding(words[head].start, words[head].end, cue, value, negated=True)
    elif head is None and i not in taken:
        yield from (replace(f, negated=True) for f in _claims_of(words, letters, i, taken) if not f.negated)


def _claims_of(words: Sequence[Word], letters: str, i: int, taken: set[int]) -> Iterator[Finding]:
    """The claims that the value word `i` makes: one for each head it is said of, or one by itself."""
    word = words[i]
    change, is_of_a_part = scope.change(words, letters, i), scope.is_of_a_part(words, i)
    for heads in (*_heads_of(words, letters, i), *_head_of_last_question(words, letters, i)):
        claimed = [(h, sense) for h in heads if (sense := _sense(words[h].group, word)) is not None]
        if claimed:
            if _is_bare_change(words, letters, i, claimed[0][1]) or _are_any_voices(words, claimed[0][0]):
                return
            for h, sense in claimed:
                said = in_time(words[i].phrase, sense, change, is_of_a_part=is_of_a_part)
                span = None if said is None else _span(words, i, h, taken)
                if said is not None and span is not None:
                    yield _finding(words, letters, i, span, (said[0], _at_end(words, i, *said)))
            return
    if word.group == REPEATED:
        return
    sense = (
        word.sense
        or SENSES[ALONE].get(word.phrase)
        or _denied_turn(words, letters, i)
        or _turn_of_last(words, letters, i)
    )
    said = None if sense is None else in_time(word.phrase, sense, change, is_of_a_part=is_of_a_part)
    if said is None or _is_bare_change(words, letters, i, said):
        return
    if word.phrase in _DENIED_ALONE and not scope.is_negated(words, letters, i):
        return
    if _speaks_of_speech(words, letters, i, said[0]):
        taken.add(i)
        yield _finding(words, letters, i, (word.start, word.end), (said[0], _at_end(words, i, *said)))


def _are_any_voices(words: Sequence[Word], head: int) -> bool:
    """*Where voices are loud*: not those of this clip."""
    return words[head].phrase == "voices" and not any(w.phrase in DEFINITE for w in words[max(0, head - 3) : head])


def _head_of_last_question(words: Sequence[Word], letters: str, i: int) -> Iterator[list[int]]:
    """*Is the voice loud? No. Tense? Yes.*: the head of the question before."""
    if _QUESTION.search(letters[max(0, i - 3) : i]) and letters[i + 1 : i + 2] == "X" and words[i + 1].phrase == "?":
        head = next((k for k in range(i - 1, max(-1, i - _QUESTION_REACH), -1) if letters[k] == "H"), None)
        if head is not None:
            yield [head]


def _sense(group: str | None, word: Word) -> tuple[Cue, str] | None:
    """What the value word says of a head of `group`; of *low volume* that is repeated, what *low* says."""
    senses = SENSES[group or ALONE]
    return senses.get(word.phrase) or (senses.get(word.phrase.split(" ")[0]) if word.group == REPEATED else None)


def _is_bare_change(words: Sequence[Word], letters: str, i: int, sense: tuple[Cue, str]) -> bool:
    """Whether *the pitch changes*, which says nothing of it unless it is denied."""
    is_moving = sense[0] in (Cue.ENERGY, Cue.RATE)
    return words[i].phrase in _ONLY_DENIED and not is_moving and not scope.is_negated(words, letters, i)


def _measure(words: Sequence[Word], letters: str, i: int, cue: Cue) -> Finding:
    denied = scope.is_negated(words, letters, i)
    return Finding(words[i].start, words[i].end, cue, words[i].phrase, denied, None, scope.is_hedged(words, i))


def _denied_turn(words: Sequence[Word], letters: str, i: int) -> tuple[Cue, str] | None:
    """*No rise, no fall: the contour is level*: a movement that is denied near what would move."""
    sense = SENSES["contour"].get(words[i].phrase)
    near = words[max(0, i - _TURN_REACH) : i + _TURN_REACH]
    if sense is None or sense[0] is not Cue.CONTOUR_SHAPE or letters[max(0, i - 1) : i] != "N":
        return None
    return sense if any(w.group in ("contour", "pitch") for w in near) else None


def _turn_of_last(words: Sequence[Word], letters: str, i: int) -> tuple[Cue, str] | None:
    """*The last word goes up*: a movement of the contour's end."""
    sense = SENSES["contour"].get(words[i].phrase)
    if sense is None or sense[0] is not Cue.CONTOUR_SHAPE:
        return None
    if any(w.group in ("energy", "rate") for w in words[max(0, i - _AT_END_REACH) : i]):
        return None
    of_last = _LAST.search(letters[max(0, i - scope.REACH) : i]) or _ON_LAST.match(letters[i + 1 : i + 1 + scope.REACH])
    return sense if of_last is not None else None


def _finding(
    words: Sequence[Word], letters: str, i: int, span: Span, claimed: tuple[Cue, str], *, negated: bool | None = None
) -> Finding:
    """The finding of `claimed` over `span`, put as word `i` is put."""
    denied = scope.is_negated(words, letters, i) if negated is None else negated
    denied = denied or answer(words, letters, i) is Answer.NO
    if denied and claimed[0] is Cue.CONTOUR_DYNAMICS and words[i].phrase in _ONLY_DENIED:
        claimed, denied = (Cue.CONTOUR_DYNAMICS, "flat"), False  # the melody hardly moves
    if denied and (claimed == (Cue.PAUSES, "present") or words[i].phrase == "single"):
        # *never pauses*, *there isn't a single pause*; but *hardly pauses*
        claimed, denied = (Cue.PAUSES, "few" if scope.is_hardly(words, i) else "none"), False
    return Finding(*span, *claimed, denied, scope.degree(words, i), scope.is_hedged(words, i))


def _heads_of(words: Sequence[Word], letters: str, i: int) -> Iterator[list[int]]:
    """Candidate heads of the value word `i` by the patterns of `_PATTERNS`, best first, nearest head first."""
    first = max(0, i - scope.REACH)
    left, right = letters[first:i], letters[i + 1 : i + 1 + scope.REACH]
    for pattern, is_left, applies in _PATTERNS:
        match = pattern.search(left) if is_left else pattern.match(right)
        if match is None or not applies(_Place(words, i, left, right, match.group())):
            continue
        offset = match.start("heads") + (first if is_left else i + 1)
        found = [offset + k for k, letter in enumerate(match["heads"]) if letter == Kind.HEAD]
        yield found[::-1] if is_left else found


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
    return words[i].group != REPEATED and not (words[i - 1].phrase == ":" and place.right[:1] == "O")


def _as_predicate(place: _Place) -> bool:
    """Not *an unusually high* before *nor an unusually low pitch*."""
    joined = _ATTRIBUTIVE.search(place.left) is not None and _JOINED_RIGHT.match(place.right) is not None
    return _as_rule(place) and not joined


def _as_repeat(place: _Place) -> bool:
    return place.words[place.i].group == REPEATED


def _as_verb(place: _Place) -> bool:
    word = place.words[place.i]
    return word.group == REPEATED or word.phrase in RAISING


def _after_how(place: _Place) -> bool:
    return any(w.phrase in ("how", "however") for w in place.words[max(0, place.i - 2) : place.i])


def _opening(place: _Place) -> bool:
    return _OPENS.search(place.left) is not None


def _closing(place: _Place) -> bool:
    return _as_rule(place) and _CLOSES.match(place.right) is not None


def _moving(place: _Place) -> bool:
    contour = SENSES["contour"].get(place.words[place.i].phrase)
    return contour is not None and contour[0] is Cue.CONTOUR_SHAPE


def _in_reach(place: _Place) -> bool:
    return (_moving(place) or not {"B", "M"}.isdisjoint(place.way)) and _as_rule(place)


_PATTERNS: Sequence[tuple[re.Pattern[str], bool, Callable[[_Place], bool]]] = (
    (_REPEATED, False, _as_repeat),  # so are loudness and tempo
    (_ADJACENT_RIGHT, False, _as_rule),  # high pitch (and energy)
    (_COPULA, True, _as_predicate),  # pitch (and energy) is very high
    (_JOINED_RIGHT, False, _as_rule),  # a high, loud voice
    (_ADJACENT_LEFT, True, _as_rule),  # energy low; pitch rises
    (_IN_HEAD, False, _as_rule),  # high in pitch; a rise in pitch
    (_SAME_SUBJECT, True, _as_rule),  # the pitch rises and stays high, without its copula
    (_LATER_VERB, True, _moving),  # the pitch rises to a peak and falls
    (_IN_HEAD_OF_NEXT, False, _moving),  # rises and then falls in pitch
    (_OBJECT, False, _as_verb),  # raises the volume; so is the volume
    (_HOW, False, _after_how),  # how high the pitch is
    (_IS_WHAT, False, _opening),  # low is what the pitch is
    (_FRONTED, False, _opening),  # rising throughout, the pitch …
    (_APPOSED, True, _closing),  # the pitch, high and sharp, …
    (_AFTER_APPOSITION, True, _as_rule),  # the voice, high as a bird's, trembled
    (_FAR_LEFT, True, _in_reach),  # the nearest head of the clause
)
"""Where a head stands; whether that is left of the value; and what else must hold."""


def _speaks_of_speech(words: Sequence[Word], letters: str, i: int, cue: Cue) -> bool:
    """Not of a fast fan or a quiet room, of how a pitch rises, or of an emotion's name."""
    if words[i].phrase in ("whisper", "a whisper") and scope.names_an_emotion(words, i):
        return False
    if cue is Cue.RATE and letters[i + 1 : i + 2] != "H" and scope.is_mental(words, i):
        return False
    if cue in (Cue.ENERGY, Cue.RATE) and words[i].phrase.endswith("ly"):
        beside = [words[k] for k in (i - 1, i + 1) if 0 <= k < len(words)]
        return not any(SENSES["pitch"].get(w.phrase, ("",))[0] is Cue.CONTOUR_SHAPE for w in beside)
    is_adjective = cue in (Cue.ENERGY, Cue.RATE) and " " not in words[i].phrase
    if cue is Cue.CONTOUR_SHAPE and words[i].phrase in ("rising", "falling") and letters[i + 1 : i + 2] == "O":
        return False
    noun = _NOUN.search(letters[max(0, i - scope.REACH) : i]) if is_adjective else None
    if noun is not None:
        subject = words[i - len(noun.group()) + 1].phrase
        if subject not in _SPEECH and subject not in _SPEAKERS:
            return False
    attributive = is_adjective and letters[i - 1 : i] == "A" and letters[i + 1 : i + 2] == "O"
    return not attributive or words[i + 1].phrase in _SPEECH


def _at_end(words: Sequence[Word], i: int, cue: Cue, value: str) -> str:
    """`value`, marked when it is said of the end of the contour only."""
    if cue is not Cue.CONTOUR_SHAPE or value not in ("rising", "falling"):
        return value
    if words[i].phrase in FINAL_PHRASES or _names_the_end(words, i):
        return f"{value} at the end"
    for step in (1, -1):
        for k in range(i + step, i + step * _AT_END_REACH, step):
            if not 0 <= k < len(words) or words[k].kind in (Kind.BOUNDARY, Kind.BUT, Kind.AND):
                break
            if words[k].kind is Kind.VALUE and not words[k].phrase.endswith("ly"):
                break
            if words[k].kind is Kind.AT_END:
                return f"{value} at the end"
    return value


def _names_the_end(words: Sequence[Word], i: int) -> bool:
    """*A final fall*, *terminal contour: falling*."""
    near = [w.phrase.split(" ")[0] for w in words[max(0, i - 3) : i]]
    return any(w in ("final", "terminal", "closing") for w in near[-1:]) or "terminal" in near


def _joined_turns(
    found: Sequence[tuple[int, Finding]], words: Sequence[Word], letters: str
) -> list[tuple[int, Finding]]:
    """*Goes up and then comes down* is one claim of a rise and fall, not two."""
    joined: list[tuple[int, Finding]] = []
    for i, finding in found:
        last = joined[-1] if joined else None
        if last is not None and _is_second_half(last[1], finding) and _follows(words, letters, last[0], i):
            continue
        if last is not None and _is_turn(last[1], finding) and _follows(words, letters, last[0], i):
            value = f"{last[1].value}-{finding.value.removesuffix(' at the end')}"
            start, end = min(last[1].start, finding.start), max(last[1].end, finding.end)
            joined[-1] = (i, replace(last[1], start=start, end=end, value=value))
        else:
            joined.append((i, finding))
    return joined


def _is_second_half(one: Finding, other: Finding) -> bool:
    """Whether *arches up and comes down* says its fall a second time."""
    return one.cue is other.cue is Cue.CONTOUR_SHAPE and one.value.endswith(f"-{other.value}")


def _is_turn(one: Finding, other: Finding) -> bool:
    values = {one.value, other.value.removesuffix(" at the end")}
    return (
        one.cue is other.cue is Cue.CONTOUR_SHAPE
        and values == {"rising", "falling"}
        and not (one.negated or other.negated)
    )


def _follows(words: Sequence[Word], letters: str, i: int, k: int) -> bool:
    between = letters[i + 1 : k].replace("V", "O")  # sinks to the middle and climbs
    in_sequence = any(w.phrase in _SEQUENCE for w in words[i + 1 : k])
    return in_sequence and re.fullmatch(r"[DKCAPOEHQ]{0,8}", between) is not None


def _span(words: Sequence[Word], i: int, head: int, taken: set[int]) -> Span | None:
    """From the value to its head, or only that of the two which no earlier claim holds, so that spans never overlap.

    `None` when both are held.
    """
    low, high = min(i, head), max(i, head)
    if taken.isdisjoint(range(low, high + 1)) and not _holds_other_value(words, low, high):
        taken.update(range(low, high + 1))
        return words[low].start, words[high].end
    own = head if i in taken else i
    if own in taken:
        return None
    taken.add(own)
    return words[own].start, words[own].end


def _holds_other_value(words: Sequence[Word], low: int, high: int) -> bool:
    return any(w.kind in (Kind.VALUE, Kind.HEAD, Kind.QUOTE) for w in words[low + 1 : high])


def _pauses_something(words: Sequence[Word], letters: str, i: int) -> bool:
    """*Paused her subscription*, *the pause in hiring*."""
    behind = [w.phrase for w in words[i + 1 : i + 3]]
    if words[i].group != "pauses" or len(behind) < 2:
        return False
    return (letters[i + 1] == "P" and behind[1] in OTHERS) or (letters[i + 1 : i + 3] == "AO" and behind[0] in DEFINITE)


def _bare_heads(words: Sequence[Word], letters: str, taken: set[int]) -> Iterator[Finding]:
    """Heads without a value: there are pauses, or none; there is no energy or no variation."""
    for i, word in enumerate(words):
        if word.kind is not Kind.HEAD or i in taken or scope.is_no_claim(words, i):
            continue
        if i and words[i - 1].phrase == "i":  # *I hesitate between two labels*
            continue
        if _pauses_something(words, letters, i):
            continue
        span, denied = (word.start, word.end), scope.denies_head(words, letters, i)
        if word.group == "pauses" and denied:
            left = "few" if scope.is_hardly(words, i) else "none"
            yield _finding(words, letters, i, span, (Cue.PAUSES, left), negated=False)
        elif word.phrase in _BARE_PAUSES:
            yield _finding(words, letters, i, span, (Cue.PAUSES, "present"))
        elif denied and word.phrase in _LACKED_HEADS and word.group is not None:
            yield _finding(words, letters, i, span, _LACKED[word.group], negated=True)
