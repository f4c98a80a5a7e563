"""Finds what a text claims of pitch, energy, rate, contour, range, pauses, voicing, voice quality, gender and age.

Text becomes words with one letter of grammar each (`tokens`); a value word finds the head it is said of by patterns
over the letters left and right of it (`heads`). Quotes are never searched. What words mean
is in `senses`, what negates or weakens them in `scope`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from speech_claims import scope, topics
from speech_claims.echoes import Answer, answer, denied_before, is_affirmed, is_open
from speech_claims.heads import heads_of, is_of_else
from speech_claims.lexicon import DEFINITE, OTHERS, Kind
from speech_claims.measures import measures
from speech_claims.movement import in_time
from speech_claims.senses import AGE_OF_PERSON, ALONE, FINAL_PHRASES, SENSES, sense_of, word_set
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


_LAST = re.compile(r"(?:^|[XKCT])A?E[DNB]*$")
_ON_LAST = re.compile(r"[DPA]*E")
_ONE_PAUSE = re.compile(r"[DV]{0,2}H")
_NOUN = re.compile(r"A[OV][BM][DN]*$")
_SEQUENCE = frozenset(
    ("then", "and", "before", "and then", "followed by", "afterwards", "later", "again", "by", "only")
)
_AT_END_REACH = 7
_TURN_REACH = 10
_AGE_REACH = 12
_NEAR_VOICE = 5
_NAMED_REACH = 4
_FINAL = frozenset(("final", "terminal", "closing"))
_NORM_REACH = 5
_BEYOND = {
    **dict.fromkeys(("above", "over", "beyond", "exceed", "exceeds", "exceeding"), "high"),
    **dict.fromkeys(("below", "under", "beneath"), "low"),
}
_PLACES = word_set("places")
_PARTS = frozenset(("word", "syllable", "part"))
"""*The loudest word* is no loud voice."""
_OF_CONTOUR = (Cue.CONTOUR_SHAPE, Cue.CONTOUR_DYNAMICS)
_ADJACENT = frozenset(("small", "big", "large", "huge", "tiny"))
"""Sizes that are said of pauses only directly before them."""
_PAUSED_FOR = frozenset(("breath", "air", "effect", "thought", "emphasis", "seconds", "long", "nearly", "almost"))
_BARE_PAUSES, _LACKED_HEADS, _SPEECH = (word_set(name) for name in ("bare_pauses", "lacked", "speech"))
_ONLY_DENIED, _DENIED_ALONE = word_set("only_denied"), word_set("denied_alone")
_SPEAKERS = word_set("persons") | {"speaker", "voice"}
_LACKED = {
    "range": (Cue.PITCH_RANGE, "high"),
    "energy": (Cue.ENERGY, "high"),
    "contour": (Cue.CONTOUR_DYNAMICS, "expressive"),
    "life": (Cue.CONTOUR_DYNAMICS, "expressive"),
    "swing": (Cue.ENERGY, "varying"),
}


def find(text: str, *, quotes: Sequence[Span] = (), last: Container[int] = ()) -> list[Finding]:
    """The claims of `text` in their order, outside `quotes`; `last` are the starts of quotes of the last word spoken.

    >>> [(f.cue.value, f.value, text[f.start:f.end]) for text in ["A high, loud voice."] for f in find(text)]
    [('pitch', 'high', 'high'), ('energy', 'high', 'loud')]
    """
    words = tokenise(text, quotes=quotes, last=last)
    letters = "".join(w.kind for w in words)
    taken: set[int] = set()
    found: list[tuple[int, Finding]] = []
    suppressed: list[int] = []
    for i, word in enumerate(words):
        if word.kind is Kind.VALUE:
            if _is_said(words, letters, i) or is_affirmed(words, letters, i):
                found += ((i, f) for f in _claims_of(words, letters, i, taken))
            else:
                suppressed.append(i)
    found = _said_once(_joined_turns(found, words, letters), letters)
    findings = [f for _, f in found]
    for i, head in denied_before(words, letters, suppressed):
        findings += _denied(words, letters, i, head, taken)
    for i, cue, head in measures(words, letters):
        findings.append(_measure(words, letters, i, cue))
        taken |= {head} if head is not None and cue is Cue.PAUSES else set()
    findings += _single_pauses(words, letters)
    spans = Occupied(len(text), ((f.start, f.end) for f in findings))
    # A joined turn spans what lies inside it.
    bare = [f for f in _bare_heads(words, letters, taken) if spans.is_free((f.start, f.end))]
    return sorted([*findings, *bare], key=lambda f: (f.start, f.end))


def _single_pauses(words: Sequence[Word], letters: str) -> Iterator[Finding]:
    """*One long pause* is few, besides long."""
    for i, word in enumerate(words):
        if word.phrase == "one" and word.kind is not Kind.VALUE:
            head = _ONE_PAUSE.match(letters, i + 1)
            is_pause = head is not None and words[head.end() - 1].group == "pauses"
            if is_pause and letters[max(0, i - 1) : i] != "N" and not topics.is_no_claim(words, i):
                yield Finding(word.start, word.end, Cue.PAUSES, "few")


def _is_said(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether the value word `i` is said of this clip: not of others or in general, in no open question."""
    if topics.is_no_claim(words, i) or (is_open(words, letters, i) and not scope.is_negated(words, letters, i)):
        return False
    is_first_of_two = i + 2 < len(words) and scope.is_doubled(words, letters, i + 2)
    return not is_first_of_two and answer(words, letters, i) is not Answer.NONE


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
    for heads in heads_of(words, letters, i):
        claimed = [
            (h, sense)
            for h in heads
            if (sense := _sense(words[h].group, word)) is not None
            and not (sense[0] is Cue.PAUSES and word.phrase in _ADJACENT and h != i + 1)
        ]
        if claimed and not _is_particle(words, i):
            head = claimed[0][0]
            if (
                is_of_else(words, head)
                or _pauses_something(words, letters, head)
                or _is_bare_change(words, letters, i, claimed[0][1])
            ):
                return
            for h, sense in claimed:
                said = in_time(words[i].phrase, sense, change, is_of_a_part=is_of_a_part)
                span = None if said is None else _span(words, i, h, taken)
                if said is not None and span is not None:
                    yield _finding(words, letters, i, span, (said[0], _at_end(words, i, *said)))
            return
    if word.group != REPEATED:
        yield from _claims_alone(words, letters, i, change, taken)


def _claims_alone(
    words: Sequence[Word], letters: str, i: int, change: scope.Change | None, taken: set[int]
) -> Iterator[Finding]:
    """The claims that the value word `i` makes by itself; a boy is male and a child."""
    word = words[i]
    sense = (
        word.sense
        or sense_of(ALONE, word.phrase)
        or _denied_turn(words, letters, i)
        or _turn_of_last(words, letters, i)
        or _in_the_voice(words, i)
    )
    is_of_a_part = scope.is_of_a_part(words, i)
    said = None if sense is None else in_time(word.phrase, sense, change, is_of_a_part=is_of_a_part)
    if said is None or _is_bare_change(words, letters, i, said):
        return
    in_voice = any(w.group == "voice" or w.phrase.startswith("in the voice") for w in words[i + 1 : i + 6])
    if word.phrase in _DENIED_ALONE and not in_voice and not scope.is_negated(words, letters, i):
        return
    if _speaks_of_speech(words, letters, i, said[0]):
        taken.add(i)
        yield _finding(words, letters, i, (word.start, word.end), (said[0], _at_end(words, i, *said)))
        age = AGE_OF_PERSON.get(word.phrase) if said[0] is Cue.GENDER else None
        if age is not None and not _has_other_age(words, i):
            yield _finding(words, letters, i, (word.start, word.end), (Cue.AGE, age))


def _sense(group: str | None, word: Word) -> tuple[Cue, str] | None:
    """What the value word says of a head of `group`; of *low volume* that is repeated, what *low* says."""
    group = group or ALONE
    return sense_of(group, word.phrase) or (
        SENSES[group].get(word.phrase.split(" ")[0]) if word.group == REPEATED else None
    )


def _is_particle(words: Sequence[Word], i: int) -> bool:
    """*Up* of *a fired-up manner*; not of *the volume is up*."""
    is_said = words[i - 1].kind in (Kind.HEAD, Kind.COPULA, Kind.DEGREE, Kind.AND, Kind.COMMA, Kind.NEGATION)
    return words[i].phrase in ("up", "down") and i > 0 and not is_said


def _has_other_age(words: Sequence[Word], i: int) -> bool:
    """Whether the age of the person `i` is given beside: *a teenage boy*, *the girl, eight years old*."""
    near = words[max(0, i - _AGE_REACH) : i + _AGE_REACH]
    senses = (w.sense or SENSES[ALONE].get(w.phrase) for w in near)
    return any(sense is not None and sense[0] is Cue.AGE for sense in senses)


def _is_bare_change(words: Sequence[Word], letters: str, i: int, sense: tuple[Cue, str]) -> bool:
    """Whether *the pitch changes*, which says nothing of it unless it is denied."""
    is_moving = sense[0] in (Cue.ENERGY, Cue.RATE) and words[i].phrase.startswith(("var", "fluctuat"))
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


def _in_the_voice(words: Sequence[Word], i: int) -> tuple[Cue, str] | None:
    """*Nothing in the voice is tense*: a quality beside a phrase that names the voice."""
    sense = SENSES["voice"].get(words[i].phrase)
    near = words[max(0, i - _NEAR_VOICE) : i + _NEAR_VOICE]
    is_named = any(w.kind is Kind.DEGREE and w.phrase.endswith(" voice") for w in near)
    return sense if is_named and sense is not None and sense[0] is Cue.VOICE_QUALITY else None


def _turn_of_last(words: Sequence[Word], letters: str, i: int) -> tuple[Cue, str] | None:
    """*The last word goes up*: a movement of the contour's end."""
    sense = SENSES["contour"].get(words[i].phrase)
    if sense is None or sense[0] is not Cue.CONTOUR_SHAPE:
        return None
    near = words[max(0, i - _AT_END_REACH) : i]
    comma = max((k for k, w in enumerate(near) if w.kind is Kind.COMMA), default=-1)
    if any(w.group in ("energy", "rate") for w in near[comma + 1 :]):
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
    claimed = _beside_the_norm(words, i, claimed)
    if denied and (claimed == (Cue.PAUSES, "present") or words[i].phrase == "single"):
        # *never pauses*, *there isn't a single pause*; but *hardly pauses*
        claimed, denied = (Cue.PAUSES, "few" if scope.is_hardly(words, i) else "none"), False
    return Finding(*span, *claimed, denied, scope.degree(words, i), scope.is_hedged(words, i))


def _beside_the_norm(words: Sequence[Word], i: int, claimed: tuple[Cue, str]) -> tuple[Cue, str]:
    """*Exceeds what is customary* is high, *well below an ordinary register* low."""
    cue, value = claimed
    if value != "normal":
        return claimed
    for k in range(i - 1, max(-1, i - 1 - _NORM_REACH), -1):
        word = words[k]
        is_copula = word.kind is Kind.COPULA and (not k or words[k - 1].phrase != "what")
        if is_copula or word.kind in (Kind.HEAD, Kind.BOUNDARY, Kind.COMMA, Kind.VALUE, Kind.AND):
            break
        if word.phrase in _BEYOND and words[k + 1].phrase != "all":
            return cue, _BEYOND[word.phrase]
    return claimed


def _speaks_of_speech(words: Sequence[Word], letters: str, i: int, cue: Cue) -> bool:
    """Not of a fast fan or a quiet room, of how a pitch rises, or of an emotion's name."""
    if topics.is_of_else(words, letters, i, cue) or topics.says_of_an_emotion(words, i):
        return False
    opens = letters[max(0, i - 1) : i] in ("", "X") and letters[i + 1 : i + 2] in ("A", "K")
    if cue is Cue.CONTOUR_DYNAMICS and words[i].phrase.endswith("ly") and opens:
        return False  # melodically, the phrase …
    if cue in (Cue.ENERGY, Cue.RATE) and words[i].phrase.endswith("ly"):
        beside = [words[k] for k in (i - 1, i + 1) if 0 <= k < len(words)]
        return not any(SENSES["contour"].get(w.phrase, ("",))[0] in _OF_CONTOUR for w in beside)
    is_adjective = cue in (Cue.ENERGY, Cue.RATE) and " " not in words[i].phrase
    if cue is Cue.CONTOUR_SHAPE and words[i].phrase in ("rising", "falling") and letters[i + 1 : i + 2] == "O":
        return False
    is_movement = cue is Cue.CONTOUR_SHAPE and not words[i].phrase.endswith(("up", "down"))
    noun = _NOUN.search(letters[max(0, i - scope.REACH) : i]) if is_adjective or is_movement else None
    if noun is not None:
        subject = words[i - len(noun.group()) + 1].phrase
        if subject not in _SPEECH and subject not in _SPEAKERS:
            return False
    in_phrase = letters[i - 1 : i] == "A" or (i > 0 and words[i - 1].phrase.endswith((" a", " an")))
    is_heading = letters[max(0, i - 1) : i] in ("", "X") and letters[i + 2 : i + 3] in ("X", "K", "")
    is_listed = letters[i + 1 : i + 2] == "O" and words[i + 1].phrase.endswith("s") and len(words[i + 1].phrase) > 4
    attributive = is_adjective and (in_phrase or is_heading or is_listed) and letters[i + 1 : i + 2] == "O"
    said_of = words[i + 1].phrase if attributive else ""
    return not attributive or (said_of in _SPEECH and not (said_of in _PARTS and words[i].phrase.endswith("est")))


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
    before = words[max(0, i - _NAMED_REACH) : i]
    near = [w.phrase.split(" ")[0] for w in before[-3:]]
    heading = any(
        w.phrase in _FINAL and h.kind is Kind.HEAD and h.group in ("pitch", "contour") for w, h in pairwise(before)
    )
    return heading or any(w in _FINAL for w in near[-1:]) or "terminal" in near


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


_ONE_PHRASE = re.compile(r"[DPAOKC]{0,3}")
"""Between two words of one phrase that say the same: *yells at the top of her lungs*."""


def _said_once(found: Sequence[tuple[int, Finding]], letters: str) -> list[tuple[int, Finding]]:
    """What one phrase says twice, as one claim: *mumbles at low volume*."""
    once: list[tuple[int, Finding]] = []
    for i, finding in found:
        if once and _says_again(once[-1][1], finding) and _ONE_PHRASE.fullmatch(letters, once[-1][0] + 1, i):
            once[-1] = (i, replace(once[-1][1], end=max(once[-1][1].end, finding.end)))
        else:
            once.append((i, finding))
    return once


def _says_again(one: Finding, other: Finding) -> bool:
    return (one.cue, one.value, one.negated) == (other.cue, other.value, other.negated)


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
    behind = [w.phrase for w in words[i + 1 : i + 4]]
    if words[i].group != "pauses" or len(behind) < 2:
        return False
    if behind[0] == "for" and letters[i + 2] == "O":
        return behind[1] not in _PAUSED_FOR
    if behind[0] in ("in", "at", "during") and letters[i + 2 : i + 4] == "AO":
        return behind[2] not in _PLACES
    of_else = letters[i + 1] == "P" and not OTHERS.isdisjoint(behind[1:])
    return of_else or (letters[i + 1 : i + 3] == "AO" and behind[0] in DEFINITE)


def _bare_heads(words: Sequence[Word], letters: str, taken: set[int]) -> Iterator[Finding]:
    """Heads without a value: there are pauses, or none; there is no energy or no variation."""
    for i, word in enumerate(words):
        if word.kind is not Kind.HEAD or i in taken or topics.is_no_claim(words, i):
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
        elif denied and word.group is not None and (word.phrase in _LACKED_HEADS or word.group in ("life", "swing")):
            cue, value = _LACKED[word.group]
            if cue is Cue.CONTOUR_DYNAMICS:
                yield _finding(words, letters, i, span, (cue, "flat"), negated=False)
            else:
                yield _finding(words, letters, i, span, (cue, value), negated=True)
