"""What a number in a text is said of: *a mean F0 of 120 Hz*, *rate 5.1 syll/s*, *a pause of 0.8 s*."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from speech_claims import topics
from speech_claims.lexicon import Kind
from speech_claims.quantities import Quantity
from speech_claims.senses import word_set
from speech_claims.word import Word
from speech_records import Cue

_REACH = 10
_NEAR = 4
_CUE_OF_GROUP: Mapping[str, Cue] = {
    "pitch": Cue.PITCH, "energy": Cue.ENERGY, "rate": Cue.RATE, "range": Cue.PITCH_RANGE, "pauses": Cue.PAUSES
}  # fmt: skip
_SPANS = frozenset(
    (
        "span",
        "spans",
        "spanning",
        "covers",
        "covering",
        "ranges over",
        "ranges",
        "extends",
        "spreads",
        "roams",
        "moves",
        "within",
    )
)
_RANGES = frozenset(("ranges", "ranging", "extends", "extending", "moves", "travels", "spreads"))
_IS_NORM = re.compile(r"^(?:is|was|being) (?:\S+ ){0,3}(?:norm|average|baseline|usual|mean for)\b")
"""*For which 110 Hz is this speaker's norm*."""
_LASTS = frozenset(
    ("lasts", "lasting", "long", "measures", "measuring", "which", "takes", "longest", "shortest", "each", "them")
)
"""Words of the length of pauses: *one of which lasts 0.8 s*."""
_NEEDS_HEAD = frozenset(("s", "st", "dB", ""))
"""Units that many things have: without a head that is measured in it, such a number claims nothing."""
_HIGHEST_HZ = 2000.0
"""Above it a number says something of a pitch only where it names the pitch."""
_SHORT_WAY = re.compile(r"[BDPAEMNV]*[OK]?[BDPAEMNV]*")
_OF_A_NUMBER = re.compile(r"O(?:K?L[BM]|K|B)[DNA]*$")
"""From a number to what is said of it."""
_LISTED = ("K", "C", "KC")
_SAYS = frozenset("BDPAEMN")
_BOUNDS, _OTHER_MEASURES, _EXTREMES = (word_set(name) for name in ("bounds", "other_measures", "extremes"))
_BEFORE_HEAD = (Kind.DEGREE, Kind.VALUE, Kind.PREPOSITION, Kind.OTHER, Kind.ARTICLE)
_STOPS = (Kind.BOUNDARY, Kind.BUT, Kind.QUOTE)


def measures(words: Sequence[Word], letters: str) -> Iterator[tuple[int, Cue, int | None]]:
    """The words that are numbers said of a cue of this clip, in order, each with the cue and the head that names it."""
    last: tuple[int, Cue, int | None] | None = None
    for i, word in enumerate(words):
        if last is not None and _continues(words, letters, last[0], i):
            last = (i, *last[1:])
            yield last
        elif (
            word.quantity is not None and not _is_of_else(words, i, word.quantity) and not topics.is_no_claim(words, i)
        ):
            found = _said_of(words, letters, i, word.quantity)
            if found is not None:
                last = (i, *found)
                yield last


def _continues(words: Sequence[Word], letters: str, last: int, i: int) -> bool:
    """*Of 0.6 s and 1.1 s*: whether the number `i` goes on from the last."""
    one, other = words[last].quantity, words[i].quantity
    same = one is not None and other is not None and one.unit == other.unit == "s"
    return same and letters[last + 1 : i] in _LISTED


def _said_of(words: Sequence[Word], letters: str, i: int, number: Quantity) -> tuple[Cue, int | None] | None:
    """The cue of a head that the number `i` joins, whatever its unit, else its unit's cue."""
    for k in range(i + 1, min(len(words), i + 1 + _NEAR)):
        if words[k].kind is Kind.HEAD and _cue_of(words[k]) in number.cues:
            return _CUE_OF_GROUP[words[k].group or ""], k
        if words[k].kind not in _BEFORE_HEAD:
            break
    for k in range(i - 1, max(-1, i - 1 - _REACH), -1):
        other = words[k].quantity
        is_other = other is not None and bool(number.unit and other.unit)
        if words[k].kind is Kind.QUOTE and any(w.phrase in _LASTS for w in words[k:i]):
            continue  # the pause after “sun” lasts 2.3 s
        goes_on = (number.unit == "s" and letters[k + 1 : i] in _LISTED) or any(w.phrase in _SPANS for w in words[k:i])
        if words[k].kind in _STOPS or (is_other and not goes_on):
            break
        cue = _cue_of(words[k])
        if cue is Cue.PITCH and number.unit == "st" and any(w.phrase in _SPANS for w in words[k:i]):
            return Cue.PITCH_RANGE, k
        between = letters[k + 1 : i]
        is_near = (
            number.unit not in _NEEDS_HEAD
            or _SHORT_WAY.fullmatch(between) is not None
            or cue is Cue.PITCH_RANGE
            or (cue is Cue.PAUSES and any(w.phrase in _LASTS for w in words[k:i]))
        )
        if cue is not None and is_near and (cue in number.cues or set(between) <= _SAYS):
            return cue, k
    is_of_no_voice = number.unit in _NEEDS_HEAD or (number.unit == "Hz" and number.low > _HIGHEST_HZ)
    return None if is_of_no_voice else (number.cues[0], None)


def _parts(word: Word) -> bool:
    return word.kind in _STOPS or word.kind is Kind.COMMA


def _cue_of(word: Word) -> Cue | None:
    return _CUE_OF_GROUP.get(word.group or "") if word.kind is Kind.HEAD else None


def _is_of_else(words: Sequence[Word], i: int, number: Quantity) -> bool:
    """Whether the number is a bound, a norm, one end of a movement, or of another thing than the voice."""
    start = next((k + 1 for k in range(i - 1, max(-1, i - _REACH), -1) if _parts(words[k])), max(0, i - _REACH + 1))
    end = next((k for k in range(i + 1, i + _NEAR) if k >= len(words) or _parts(words[k])), i + _NEAR)
    quote = next((k + 1 for k in range(i - 1, start - 1, -1) if words[k].kind is Kind.QUOTE), start)
    spans = any(w.phrase.split(" ")[0] in _RANGES for w in words[max(start, i - 3) : i])
    if not spans and any(w.phrase in _BOUNDS for w in words[max(start, quote, i - 3) : i]):
        return True
    if number.unit and words[i + 1 : i + 2] and words[i + 1].phrase.split(" ")[0] in ("above", "below"):
        return True  # 3 dB above her average
    if number.unit and _IS_NORM.search(" ".join(w.phrase for w in words[i + 1 : i + 7])):
        return True
    is_of_pauses = any(w.group == "pauses" for w in words[max(0, i - _REACH) : i])
    lasts = _LASTS if is_of_pauses else frozenset()
    if any(
        not _OTHER_MEASURES.isdisjoint((w.phrase, *w.phrase.split(" "))) and w.phrase not in lasts
        for w in words[start:end]
    ):
        return True
    is_interval = number.low != number.high
    return not is_interval and any(not _EXTREMES.isdisjoint((w.phrase, w.phrase.split(" ")[0])) for w in words[start:i])


def measured_head(words: Sequence[Word], letters: str, i: int) -> tuple[int, str] | None:
    """The number that word `i` is said of where no head is named, and its group: *it lies at 98 Hz, which is low*."""
    found = _OF_A_NUMBER.search(letters[max(0, i - _REACH) : i])
    at = i - len(found.group()) if found is not None else i
    number = words[at].quantity
    if number is None or not number.unit:
        return None
    return next(((at, group) for group, cue in _CUE_OF_GROUP.items() if cue is number.cues[0]), None)
