"""What is said of a value in other words than its own: answers (*Loud? No.*), open alternatives (*high or low*), and
denials that point back (*a sad voice would be slow, and this one is not*; *the tempo is not, either*).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from enum import Enum

from speech_claims.senses import SENSES, names_person, word_set
from speech_claims.word import Word

_REACH = 45
_STOPS = frozenset((".", "!", "?", "\n", "…"))
_POINTS_BACK = re.compile(r"(?:M|BD*N|N)D*(?:[XKTC]|$)")
_DENIAL = re.compile(r"(?:M|BD*N|N)")
_AFFIRMS = re.compile(r"^[DAOH]{0,3}K?(?:C|K[DO])[DO]?[OHA]D*B(?=D*(?:[XK]|$))")
"""Over the letters after a supposed value: *, and it is*; *, as it certainly is here*."""
_PLAIN = ("n't", "nt", "not", "neither", "none")
_AUXILIARIES = frozenset(("is", "are", "was", "were", "has", "have", "had", "'s", "'re"))
_TAG = re.compile(r"K[MB]N?[OHD]$")
"""*…, isn't it?*"""
_JOINED = re.compile(r"H(?:[AD]*[KC]+[AD]*H)*$")
_DENIES_ALL = word_set("denies_all")
_NONE = frozenset(("none", "nothing", "nil"))
_EITHER = frozenset(("either", "any", "of the two", "both"))
_TAIL = word_set("denial_tails")
"""Words between a denial and the end of its clause: *neither is to be found here*, *there isn't one*."""
_TAIL_REACH, _IS_SO_REACH = 7, 9
_IS_SO = re.compile(
    r"(?:which|as|and (?:that|this|it)|(?:which is |and that is |and this is )?(?:just|exactly|precisely) what)\b.*"
    r"\b(?:have|has|hear|heard|find|found|get|see|case|is|does|do)(?: (?:here|now|too|indeed|in this \w+))*"
)
"""After a supposed value: *a raised pitch, which we have here*."""
_UNDERSTATED = frozenset(("understatement", "understating", "putting it mildly"))
_YES = frozenset(("yes", "yeah", "that too", "that", "it is", "she is", "he is", "it does", "she does", "he does"))
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
    if (letters[k] in "NM" and "V" not in letters[k : k + 2]) or words[k].phrase in _NONE:
        return Answer.NO
    said = re.match(r"D+(?:[XKT]|$)", letters[k : k + 6]) if words[k].phrase != "if anything" else None
    two = " ".join(w.phrase for w in words[k : k + 2])
    is_yes = words[k].phrase in _YES or (two in _YES and letters[k + 2 : k + 3] in ("", "X", "K"))
    return Answer.YES if is_yes or said is not None else Answer.NONE


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
    if any(w.phrase in _UNDERSTATED for w in words[i + 1 : end]):
        return True  # to say that she pauses would be an understatement
    comma = next((k for k in range(i + 1, end) if letters[k] == "K"), end)
    if end - comma <= _IS_SO_REACH and _IS_SO.fullmatch(" ".join(w.phrase for w in words[comma + 1 : end])):
        return not is_open(words, letters, i)
    found = _AFFIRMS.search(letters[i + 1 : end])
    return found is not None and words[i + found.end()].phrase in _AUXILIARIES and not is_open(words, letters, i)


def denied_before(words: Sequence[Word], letters: str, suppressed: Sequence[int]) -> Iterator[tuple[int, int | None]]:
    """The values that a later denial points back to, each with the head that the denial names instead, if any.

    `suppressed` are those that claim nothing themselves, as they are said of others, in general, or of a supposition.
    """
    denied = frozenset(suppressed)
    for k, letter in enumerate(letters):
        if letter not in "NMB":
            continue
        points = (letter != "B" or words[k].phrase in _AUXILIARIES) and _closes(words, letters, k)
        is_all = (
            words[k].phrase in _DENIES_ALL
            or words[k].phrase.startswith("neither")
            or any(w.phrase in _EITHER for w in words[k + 1 : k + 4])
        )
        if not points or (letter == "N" and k and letters[k - 1] in "BM"):  # then it begins at its copula
            continue
        if not is_all and letter == "N" and not words[k].phrase.endswith(_PLAIN):
            continue
        if _denies_its_own(words, letters, k, denied):
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
        inside = suppressed[bisect_left(suppressed, start) : bisect_left(suppressed, k)]
        own = [j for j in inside if not any(w.phrase in _STOPS for w in words[j:k])]
        inside = own or inside
        yield from ((j, None) for j in (inside if is_all else inside[-1:]))


def _denies_its_own(words: Sequence[Word], letters: str, k: int, suppressed: frozenset[int]) -> bool:
    """Whether the denial of word `k` is of what its own clause fronts: *soft she is not*."""
    first = max(0, k - _REACH)
    comma = next((j for j in range(k - 1, first - 1, -1) if letters[j] in "XTKC"), first - 1)
    own = (j for j in range(comma + 1, k) if letters[j] == "V" and j not in suppressed)
    return any(not names_person(words[j].phrase) for j in own)


def _closes(words: Sequence[Word], letters: str, k: int) -> bool:
    """Whether the denial that begins at word `k` ends its clause: *is not*; *neither is to be found here*."""
    if _POINTS_BACK.match(letters, k) is not None:
        return True
    denial = _DENIAL.match(letters, k)
    if denial is None:
        return False
    for j in range(denial.end(), min(len(words), denial.end() + _TAIL_REACH) + 1):
        if j >= len(words) or letters[j] in "XKTC":
            return True
        if not _TAIL.issuperset(words[j].phrase.split(" ")):
            return False
    return False


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
