"""Finds what a text claims of pitch, energy, rate, contour, range, pauses, voicing, voice quality, gender and age.

Text becomes words with one letter of grammar each (`tokens`); a value word finds the head it is said of by patterns
over the letters left and right of it (`heads`). Quotes are never searched. What words mean
is in `senses`, what negates or weakens them in `scope`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from speech_claims import changes, scope, topics
from speech_claims.echoes import Answer, answer, denied_before, is_affirmed, is_open
from speech_claims.finding import Finding, finding_of, measure_of
from speech_claims.heads import contrasted_head, heads_of, is_of_else
from speech_claims.lexicon import Kind
from speech_claims.measures import measured_head, measures
from speech_claims.movement import in_time
from speech_claims.pauses import bare_heads, pauses_something, single_pauses
from speech_claims.repeats import consistent, said_once
from speech_claims.senses import AGE_OF_PERSON, ALONE, SENSES, sense_of, word_set
from speech_claims.spans import Occupied, Span
from speech_claims.subjects import has_other_age, is_of_person, is_particle, is_symbol, speaks_of_speech
from speech_claims.tokens import tokenise
from speech_claims.trends import opposed, with_trends
from speech_claims.turns import denied_turn, joined_turns, marked_at_end, turn_of_last
from speech_claims.word import REPEATED, Word
from speech_records import Cue

_ROW = re.compile(r"D*[KC]+D*(?=V)")
_IN_A_ROW = {"higher": (Cue.PITCH, "high"), "lower": (Cue.PITCH, "low")}
_OF_VOICE = (Cue.PITCH, Cue.ENERGY, Cue.VOICE_QUALITY)
_OTHER_SUBJECTS = word_set("other_subjects")
_NEAR_VOICE = 5
_ADJACENT = frozenset(("small", "big", "large", "huge", "tiny"))
"""Sizes that are said of pauses only directly before them."""
_UNSHAKEN = frozenset(("steady", "even", "stable", "unwavering", "firm"))
_KINDS_OF_VOICE = frozenset(
    ("baritone", "bass", "alto", "contralto", "soprano", "tenor", "falsetto", "murmur", "drawl")
)
_ONLY_DENIED = word_set("only_denied")
_DENIED_ALONE = word_set("denied_alone")


@dataclass(slots=True)
class _State:
    """The words that claims hold already, and levels that were said of a part of the clip only: word, cue, value."""

    taken: set[int]
    parts: list[tuple[int, Cue, str]]


def find(text: str, *, quotes: Sequence[Span] = (), last: Container[int] = ()) -> list[Finding]:
    """The claims of `text` in their order, outside `quotes`; `last` are the starts of quotes of the last word spoken.

    >>> [(f.cue.value, f.value, text[f.start:f.end]) for text in ["A high, loud voice."] for f in find(text)]
    [('pitch', 'high', 'high'), ('energy', 'high', 'loud')]
    """
    words = tokenise(text, quotes=quotes, last=last)
    letters = "".join(w.kind for w in words)
    state = _State(set(), [])
    found: list[tuple[int, Finding]] = []
    suppressed: list[int] = []
    for i, word in enumerate(words):
        if word.kind is Kind.VALUE:
            if _is_said(words, letters, i) or is_affirmed(words, letters, i):
                found += ((i, f) for f in _claims_of(words, letters, i, state))
            else:
                suppressed.append(i)
    found = said_once(joined_turns(found, words, letters), letters)
    found = with_trends(found, state.parts, words, letters)
    findings = [f for _, f in found]
    findings += opposed(words, found)
    for i, head in denied_before(words, letters, suppressed):
        findings += _denied(words, letters, i, head, state)
    for i, cue, head in measures(words, letters):
        findings.append(measure_of(words, letters, i, cue))
        state.taken |= {head} if head is not None and cue is Cue.PAUSES else set()
    findings += single_pauses(words, letters)
    spans = Occupied(len(text), ((f.start, f.end) for f in findings))
    # A joined turn spans what lies inside it.
    bare = [f for f in bare_heads(words, letters, state.taken) if spans.is_free((f.start, f.end))]
    return consistent(sorted([*findings, *bare], key=lambda f: (f.start, f.end)), text)


def _is_said(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether the value word `i` is said of this clip: not of others or in general, in no open question."""
    if topics.is_no_claim(words, i) or (is_open(words, letters, i) and not scope.is_negated(words, letters, i)):
        return False
    is_first_of_two = i + 2 < len(words) and scope.is_doubled(words, letters, i + 2)
    return not is_first_of_two and answer(words, letters, i) is not Answer.NONE


def _denied(words: Sequence[Word], letters: str, i: int, head: int | None, state: _State) -> Iterator[Finding]:
    """What a later denial makes of the value word `i`: of its own heads, or of another."""
    if head is not None and head not in state.taken:
        state.taken.add(head)
        cue, value = SENSES[words[head].group or ALONE][words[i].phrase]
        yield Finding(words[head].start, words[head].end, cue, value, negated=True)
    elif head is None and i not in state.taken:
        made = (f for f in _claims_of(words, letters, i, state) if not f.negated)
        yield from (replace(f, negated=not is_of_person(words, i, f.cue)) for f in made)


def _claims_of(words: Sequence[Word], letters: str, i: int, state: _State) -> Iterator[Finding]:
    """The claims that the value word `i` makes: one for each head it is said of, or one by itself."""
    word = words[i]
    for found in heads_of(words, letters, i):
        heads = [i - 1] if is_symbol(word) and letters[i - 1 : i] == "H" else found  # pitch ↑ energy ↓
        if is_symbol(word) and not _is_beside(letters, i, heads[0]):
            return  # loudness ↑, jitter ↑
        claimed = [(h, sense) for h in heads if (sense := _sense_here(words, i, h)) is not None]
        if claimed and not is_particle(words, i):
            if not _is_nothing(words, letters, i, *claimed[0]):
                yield from _claims_of_heads(words, letters, i, claimed, state)
            return
    measured = measured_head(words, letters, i)
    if measured is not None and (sense := sense_of(measured[1], word.phrase)) is not None:
        span = _span(words, i, measured[0], state.taken)
        if span is not None:
            yield finding_of(words, letters, i, (word.start, word.end), sense)
        return
    if word.group != REPEATED:
        yield from _claims_alone(words, letters, i, state)


def _claims_of_heads(
    words: Sequence[Word], letters: str, i: int, claimed: Sequence[tuple[int, tuple[Cue, str]]], state: _State
) -> Iterator[Finding]:
    change, is_of_a_part = changes.change(words, letters, i), scope.is_of_a_part(words, i)
    for h, sense in claimed:
        said = in_time(words[i].phrase, sense, change, is_of_a_part=is_of_a_part)
        if said is None:
            state.parts.append((i, *sense))
        span = None if said is None else _span(words, i, h, state.taken)
        if sense[0] is Cue.PAUSES:
            state.taken.add(h)
        if said is not None and span is not None:
            yield finding_of(words, letters, i, span, (said[0], marked_at_end(words, i, *said)))
        other = contrasted_head(words, letters, i, h)
        if (
            other is not None
            and other not in state.taken
            and (said := _sense(words[other].group, words[i])) is not None
        ):
            state.taken.add(other)
            yield Finding(words[other].start, words[other].end, *said, negated=True)


def _sense_here(words: Sequence[Word], i: int, head: int) -> tuple[Cue, str] | None:
    """What the value word `i` says of `head`; sizes are said of pauses only directly before them."""
    sense = _sense(words[head].group, words[i])
    if words[head].group == "voice" and words[i].phrase in _UNSHAKEN:
        return None  # a steady voice
    is_far = sense is not None and sense[0] is Cue.PAUSES and words[i].phrase in _ADJACENT and head != i + 1
    return None if is_far else sense


def _is_nothing(words: Sequence[Word], letters: str, i: int, head: int, sense: tuple[Cue, str]) -> bool:
    """Whether what word `i` says of `head` is nothing of this clip, or no more than that it changes."""
    is_other = is_of_else(words, head) or pauses_something(words, letters, head)
    if any(w.phrase in _OTHER_SUBJECTS for w in words[head + 1 : i]):
        return True  # the stress is exaggerated
    return is_other or _is_bare_change(words, letters, i, sense)


def _is_beside(letters: str, i: int, head: int) -> bool:
    """Whether at most a colon stands between word `i` and `head`."""
    return set(letters[min(i, head) + 1 : max(i, head)]) <= {"B", "D"}


def _claims_alone(words: Sequence[Word], letters: str, i: int, state: _State) -> Iterator[Finding]:
    """The claims that the value word `i` makes by itself; a boy is male and a child."""
    word = words[i]
    sense = (
        word.sense
        or sense_of(ALONE, word.phrase)
        or denied_turn(words, letters, i)
        or turn_of_last(words, letters, i)
        or _in_the_voice(words, i)
        or _of_a_kind_of_voice(words, i)
        or _in_a_row(words, letters, i)
    )
    change, is_of_a_part = changes.change(words, letters, i), scope.is_of_a_part(words, i)
    said = None if sense is None else in_time(word.phrase, sense, change, is_of_a_part=is_of_a_part)
    if said is None and sense is not None:
        state.parts.append((i, *sense))
    if said is None or _is_bare_change(words, letters, i, said):
        return
    in_voice = any(w.group == "voice" or w.phrase.startswith("in the voice") for w in words[max(0, i - 8) : i + 6])
    is_rated = letters[i + 1 : i + 2] == "B" and words[i + 1].phrase in (":", "=")
    if word.phrase in _DENIED_ALONE and not (in_voice or is_rated) and not scope.is_negated(words, letters, i):
        return
    if speaks_of_speech(words, letters, i, said[0]):
        state.taken.add(i)
        yield finding_of(words, letters, i, (word.start, word.end), (said[0], marked_at_end(words, i, *said)))
        age = AGE_OF_PERSON.get(word.phrase) if said[0] is Cue.GENDER else None
        if age is not None and not has_other_age(words, i):
            yield finding_of(words, letters, i, (word.start, word.end), (Cue.AGE, age))


def _in_the_voice(words: Sequence[Word], i: int) -> tuple[Cue, str] | None:
    """*Nothing in the voice is tense*: a quality beside a phrase that names the voice."""
    sense = SENSES["voice"].get(words[i].phrase)
    near = words[max(0, i - _NEAR_VOICE) : i + _NEAR_VOICE]
    is_named = any(w.kind is Kind.DEGREE and w.phrase.endswith(" voice") for w in near)
    return sense if is_named and sense is not None and sense[0] is Cue.VOICE_QUALITY else None


def _of_a_kind_of_voice(words: Sequence[Word], i: int) -> tuple[Cue, str] | None:
    """*A warm, smooth baritone*."""
    sense = SENSES["voice"].get(words[i].phrase)
    behind = next((w for w in words[i + 1 : i + 4] if w.kind not in (Kind.COMMA, Kind.DEGREE)), None)
    is_named = behind is not None and behind.phrase in _KINDS_OF_VOICE
    return sense if is_named and sense is not None and sense[0] is Cue.VOICE_QUALITY else None


def _in_a_row(words: Sequence[Word], letters: str, i: int) -> tuple[Cue, str] | None:
    """A pitch among levels that need no head: *this one is higher, louder and faster*."""
    voice = SENSES["voice"].get(words[i].phrase)
    if voice is not None and voice[0] in _OF_VOICE and _is_listed(words, letters, i):
        return voice
    beside = _ROW.match(letters, i + 1)
    other = None if beside is None else sense_of(ALONE, words[beside.end()].phrase)
    return _IN_A_ROW.get(words[i].phrase) if other is not None and other[0] in (Cue.ENERGY, Cue.RATE) else None


def _is_listed(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether word `i` is an item of a list of words that need no head: *an old man: rough, low, slow*."""
    if letters[i - 1 : i] not in ("K", "B", "X", "C") or letters[i + 1 : i + 2] not in ("K", "X", "C", ""):
        return False
    if letters[i - 1 : i] == "B" and words[i - 1].phrase != ":":
        return False
    near = (k for k in (i - 4, i - 2, i + 2, i + 4) if 0 <= k < len(words) and letters[k] == "V")
    listed = (k for k in near if set(letters[min(i, k) + 1 : max(i, k)]) <= set("KCV"))
    senses = (sense_of(ALONE, words[k].phrase) for k in listed)
    return any(sense is not None and sense[0] in (Cue.ENERGY, Cue.RATE, Cue.VOICING) for sense in senses)


def _sense(group: str | None, word: Word) -> tuple[Cue, str] | None:
    """What the value word says of a head of `group`; of *low volume* that is repeated, what *low* says."""
    group = group or ALONE
    return sense_of(group, word.phrase) or (
        SENSES[group].get(word.phrase.split(" ")[0]) if word.group == REPEATED else None
    )


def _is_bare_change(words: Sequence[Word], letters: str, i: int, sense: tuple[Cue, str]) -> bool:
    """Whether *the pitch changes*, which says nothing of it unless it is denied."""
    is_moving = sense[0] in (Cue.ENERGY, Cue.RATE) and words[i].phrase.startswith(("var", "fluctuat"))
    return words[i].phrase in _ONLY_DENIED and not is_moving and not scope.is_negated(words, letters, i)


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
