"""What is said of a value in other words than its own: answers (*Loud? No.*), open alternatives (*high or low*), and
denials that point back (*a sad voice would be slow, and this one is not*; *the tempo is not, either*).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import Enum

from speech_claims.senses import SENSES, word_set
from speech_claims.tokens import Word

_REACH = 45
_STOPS = frozenset((".", "!", "?", "\n", "…"))
_POINTS_BACK = re.compile(r"(?:M|BD*N|N)D*(?:[XKTC]|$)")
_AFFIRMS = re.compile(r"^[DAOH]{0,3}K?(?:C|K[DO])[DO]?[OHA]D*B(?=D*(?:[XK]|$))")
"""Over the letters after a supposed value: *, and it is*; *, as it certainly is here*."""
_PLAIN = ("n't", "nt", "not", "neither", "none")
_AUXILIARIES = frozenset(("is", "are", "was", "were", "has", "have", "had", "'s", "'re"))
_TAG = re.compile(r"K[MB]N?[OHD]$")
"""*…, isn't it?*"""
_JOINED = re.compile(r"H(?:[AD]*[KC]+[AD]*H)*$")
_DENIES_ALL = word_set("denies_all")
_YES = frozenset(("yes", "yeah", "that too", "that", "it is", "she is", "he is"))
_OTHER_END = re.compile(r"[DA]*K?[DA]*R[DAP]*V")


class Answer(Enum):
    """What follows a question: a yes, a no, or nothing that answers it."""

    YES = "yes"
    NO = "no"
    NONE = "none"


def answer(words: Sequence[Word], letters: str, i: int) -> Answer | None:
    """The answer to the question that word `i` is in; `None` where it is in none."""
    last = min(len(words), i + _REACH)
    end = next((k for k in range(i + 1, last) if words[k].phrase in _STOPS or words[k].phrase == ";"), None)
    if end is None or words[end].phrase != "?" or _TAG.search(letters[i:end]) is not None:
        return None
    k = end + 1
    while k < len(words) and (letters[k] == "C" or words[k].phrase == "even"):
        k += 1
    if k >= len(words):
        return Answer.NONE
    if letters[k] in "NM" and "V" not in letters[k : k + 2]:
        return Answer.NO
    said = re.match(r"D+(?:[XKT]|$)", letters[k : k + 6]) if words[k].phrase != "if anything" else None
    return Answer.YES if words[k].phrase in _YES or said is not None else Answer.NONE


def is_open(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether word `i` is one of two values that exclude each other, joined by *or*: *a man or a woman*."""
    right = _OTHER_END.match(letters, i + 1)
    if right is not None and _exclude(words[i].phrase, words[right.end() - 1].phrase):
        return True
    left = range(max(0, i - 6), i)
    return any(
        letters[k] == "V" and (found := _OTHER_END.match(letters, k + 1)) is not None and found.end() - 1 == i
        and _exclude(words[k].phrase, words[i].phrase)
        for k in left
    )  # fmt: skip


def is_affirmed(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether what word `i` supposes is said to be so: *whether the voice is deep, and it is*."""
    end = next((k for k in range(i + 1, min(len(words), i + _REACH)) if words[k].phrase in _STOPS), len(words))
    found = _AFFIRMS.search(letters[i + 1 : end])
    return found is not None and words[i + found.end()].phrase in _AUXILIARIES and not is_open(words, letters, i)


def denied_before(words: Sequence[Word], letters: str, suppressed: Sequence[int]) -> Iterator[tuple[int, int | None]]:
    """The values that a later denial points back to, each with the head that the denial names instead, if any.

    `suppressed` are those that claim nothing themselves, as they are said of others, in general, or of a supposition.
    """
    for k, letter in enumerate(letters):
        if letter not in "NMB":
            continue
        points = None if letter == "B" and words[k].phrase not in _AUXILIARIES else _POINTS_BACK.match(letters, k)
        is_all = words[k].phrase in _DENIES_ALL
        if points is None or (letter == "N" and k and letters[k - 1] in "BM"):  # then it begins at its copula
            continue
        if not is_all and letter == "N" and not words[k].phrase.endswith(_PLAIN):
            continue
        start = _start(words, k)
        head = next((j for j in range(k - 1, max(-1, k - 3), -1) if letters[j] != "D"), None)
        if head is not None and letters[head] == "H" and not is_all:
            value = next((j for j in range(head - 1, start - 1, -1) if letters[j] == "V"), None)
            joined = _JOINED.search(letters[max(0, head - 6) : head + 1])
            for one in (
                j for j in range(head + 1 - len(joined.group() if joined else "H"), head + 1) if letters[j] == "H"
            ):
                if value is not None and words[value].phrase in SENSES[words[one].group or ""]:
                    yield value, one
            continue
        inside = [j for j in suppressed if start <= j < k]
        own = [j for j in inside if not any(w.phrase in _STOPS for w in words[j:k])]
        inside = own or inside
        yield from ((j, None) for j in (inside if is_all else inside[-1:]))


def _start(words: Sequence[Word], k: int) -> int:
    """The first word of the sentence before that of word `k`."""
    stops = 0
    for j in range(k - 1, max(-1, k - _REACH), -1):
        stops += words[j].phrase in _STOPS
        if stops == 2:
            return j + 1
    return max(0, k - _REACH)


def _exclude(one: str, other: str) -> bool:
    for senses in SENSES.values():
        if one in senses and other in senses:
            (cue, value), (other_cue, other_value) = senses[one], senses[other]
            return cue is other_cue and value != other_value
    return False
