"""Text as its reader sees it, and the sentences in which that is not what the claims' finder reads.

A word can be hidden from a parser and not from a reader, or the other way round: *not* with a Cyrillic letter,
*~~not~~*, *“not” loud*, *nicht loud*. Letters that only look Latin are read as what they look like; a sentence that
holds such devices, asks, takes back what it says (*which is a lie*) or speaks of an emotion in general (*anger is
loud*) is *obscured*: what it says can be wrong, but it earns no credit (`faithfulness`).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from speech_claims.lexicon import Kind
from speech_claims.mentions import quoted_spans
from speech_claims.quotes import is_quoted_from
from speech_claims.spans import Span
from speech_claims.tokens import kinds_in

_LOOK_ALIKES = str.maketrans(
    "АВЕКМНОРСТУХІЅЈаеорсухіѕјԁӏһԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧανορυχι",
    "ABEKMHOPCTYXISJaeopcyxisjdlhqwABEZHIKMNOPTYXavopuxi",
)
_STRUCK = re.compile(r"~~[^~\n]{0,400}~~|<(s|del|strike)>[^<\n]{0,400}</\1>|<!--[^\n]{0,400}?-->", re.IGNORECASE)
_OVERLAYS = frozenset("\u0334\u0335\u0336\u0337\u0338\u20d2\u20d3\u20e5\u20e6")
"""Combining marks that strike a letter through."""
_TURNS_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
_BROKEN_WORD = re.compile(
    r"[^\W\d_](?:\d+|[_*|~^=+#@$%\\{}]{1,8})[^\W\d_]"  # n0t, n*ot
    r"|(?<!\w)(?:[^\W\d_][\s.\-_*]{1,3}){2}[^\W\d_](?!\w)"  # n o t, n.o.t
)
_MARKUP = re.compile(
    r"</?[a-z][^<>\n]{0,400}>|&(?:#\w{1,8}|[a-z]{2,10});|\\[a-z]{1,20}\{|~[^~\s][^~\n]{0,100}~", re.IGNORECASE
)
_FOREIGN_DENIAL = re.compile(
    r"\b(?:nicht|kein|keine|keinen|nie|niemals|pas|jamais|nunca|jamás|niet|geen|nooit|inte|ikke|ei|não|mai|nem)\b",
    re.IGNORECASE,
)
_GENERAL = re.compile(
    r"(?:^|(?<=[.!?…\n]))[^\w\n]{0,4}(?:anger|joy|happiness|sadness|grief|fear|disgust|surprise|contempt|boredom|calm"
    r"|calmness|excitement|(?:angry|happy|sad|fearful|disgusted|surprised|bored|calm|excited|neutral)"
    r" (?:speech|people|persons|voices|speakers))(?: \w+){0,2}?"
    r" (?:is|are|has|have|sounds?|means?|makes?|brings?|tends?)\b",
    re.IGNORECASE,
)
"""What an emotion is like: said of speech in general, whatever comes after."""
_RETRACTED = re.compile(
    r"\?(?=\s|$)|\b(?:a lie|untrue|not true|is false|nonsense|said nobody|no one says|kidding)\b",
    re.IGNORECASE,
)
"""A question, and words that take back what their sentence says."""
_TAKES_BACK = re.compile(
    r"(?:(?:and|but|well|oh|actually|or|wait),? ){0,3}"
    r"(?:psych|(?:i|we) made (?:it|that|this|everything) up"
    r"|no|nope|nah|not|non|never|wrong|false|untrue|incorrect|not (?:really|at all|so)|or not|on the contrary"
    r"|(?:quite |just |exactly )?the (?:opposite|reverse|contrary)(?: is (?:true|the case))?"
    r"|(?:just |only )?(?:kidding|joking)|(?:i|we) (?:lied|lie|take (?:it|that) back)|never mind"
    r"|(?:scratch|strike|forget|ignore|delete) (?:that|it|this)"
    r"|(?:that|this|it|which)(?: all)? (?:is|was)(?:n't| not)? (?:so|true|false|wrong|right|correct|untrue|the case))",
    re.IGNORECASE,
)
"""A sentence that does nothing but deny the one before it."""
_WORDS = re.compile(r"[^\W_]")
_TAKES_ALL_BACK = re.compile(
    r"\b(?:none of (?:this|that|it|the above|these)\b|(?:ignore|forget|disregard) (?:all|everything|the above)"
    r"|(?:all|everything|the above)(?: of (?:this|that|it))?(?: (?:above|so far|before))?"
    r" (?:is|was) (?:false|wrong|untrue|invented|made up))",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$)|\n")
_DENIALS = ("not", "never", "hardly", "barely", "scarcely", "neither", "without", "nothing")
_REAL_WORDS = frozenset(("ever", "hardy", "barley", "bare", "note", "noting"))


def _misspelt(word: str) -> set[str]:
    """A denial with a letter doubled or missing, or two of them swapped: *nott*, *nto*, *nevr*."""
    places = range(len(word))
    doubled = {word[:i] + word[i] + word[i:] for i in places}
    swapped = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in places[:-1]}
    short = {word[:i] + word[i + 1 :] for i in places[1:]} if len(word) >= 5 else set()
    return (doubled | swapped | short) - _REAL_WORDS - {word}


_MISSPELT = sorted(wrong for word in _DENIALS for wrong in _misspelt(word))
_FIRST_LETTERS = "".join(sorted({word[0] for word in _MISSPELT}))
"""Looked for before the words, of which there are many."""
_MISSPELT_DENIAL = re.compile(
    rf"\b(?=[{_FIRST_LETTERS}])(?:no+t{{3,}}|n+o{{2,}}t+|{'|'.join(_MISSPELT)})\b", re.IGNORECASE
)
_DEVICES = (_MISSPELT_DENIAL, _BROKEN_WORD, _MARKUP, _FOREIGN_DENIAL, _GENERAL, _RETRACTED)
_DENYING = frozenset((Kind.NEGATION, Kind.NEGATED_COPULA))
_CLAIMING = _DENYING | {Kind.VALUE}
_WHERE_DENIED = re.compile(r"\b(?:is|are|was|were|does|do|did|has|have|sounds?|seems?|being)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Readable:
    """`text` without control characters and struck words, look-alike letters replaced; its sentences' ends, and which
    of them are obscured.
    """

    text: str
    ends: tuple[int, ...]
    obscured: frozenset[int]

    def is_obscured(self, start: int, end: int) -> bool:
        """Whether any sentence that holds a part of `start` to `end` is obscured."""
        first, last = bisect_right(self.ends, start), bisect_right(self.ends, max(start, end - 1))
        return any(i in self.obscured for i in range(first, last + 1))


def readable(text: str, transcript: str | None) -> Readable:
    r"""`text` as it is read, in linear time. A quote of the transcript obscures nothing, whatever its script.

    >>> made = readable("It is n\u043et loud. It is fast.", None)
    >>> made.text, sorted(made.obscured)
    ('It is not loud. It is fast.', [0])
    """
    plain, suspect = _plain(unicodedata.normalize("NFKC", text))
    for match in _STRUCK.finditer(plain):
        suspect.append(match.start())
    plain = _STRUCK.sub(lambda match: " " * len(match.group()), plain)
    quotes = quoted_spans(plain)
    unquoted = _blanked(plain, quotes)
    suspect = [i for i in suspect if not _inside(i, quotes)]
    suspect += [m.start() for p in _DEVICES for m in p.finditer(unquoted)]
    suspect += [start for start, end in quotes if _is_scare_quote(plain, (start, end), transcript)]
    ends = (*(m.end() for m in _SENTENCE_END.finditer(unquoted)), len(plain) + 1)
    obscured = {bisect_right(ends, i) for i in suspect} | _taken_back(unquoted, ends)
    return Readable(_folded(plain, quotes), ends, frozenset(obscured))


def _taken_back(text: str, ends: Sequence[int]) -> set[int]:
    """The sentences that the next one takes back, and all before one that takes everything back."""
    denied: set[int] = set()
    last = -1  # the last sentence of words
    for i, (start, end) in enumerate(pairwise((0, *ends))):
        sentence = text[start:end]
        if _TAKES_ALL_BACK.search(sentence) is not None:
            denied |= set(range(i + 1))
            continue
        words = _WORDS.search(sentence)
        if words is None:
            continue
        if _TAKES_BACK.fullmatch(sentence[words.start() : words.start() + 60].rstrip(" .!?…,;-—)*")) is not None:
            denied |= {last, i} if last >= 0 else {i}
        last = i
    return denied


def _plain(text: str) -> tuple[str, list[int]]:
    """`text` without format and control characters, and where something hides: a turned direction, a struck letter, a
    letter that is not Latin.
    """
    kept: list[str] = []
    suspect: list[int] = []
    for character in text:
        if character.isascii():
            kept.append(character if character >= " " or character == "\n" else " ")
            continue
        hides, replaced = _of_character(character)
        if hides:
            suspect.append(len(kept))
        if replaced:
            kept.append(replaced)
    return "".join(kept), suspect


@cache
def _of_character(character: str) -> tuple[bool, str]:
    """Whether a character outside ASCII hides something, and what is read in its place."""
    if character in _OVERLAYS or character in _TURNS_DIRECTION:
        return True, ""
    category = unicodedata.category(character)
    if category == "Cf":
        return False, ""
    if category[0] in "CZ":
        return False, " "
    return category[0] == "L" and not unicodedata.name(character, "").startswith(("LATIN", "MODIFIER")), character


def _blanked(text: str, spans: Sequence[Span]) -> str:
    pieces: list[str] = []
    position = 0
    for start, end in spans:
        closes = "." if text[end - 2 : end - 1] in (".", "!", "?", "…") else "_"
        pieces += [text[position:start], "_" * (end - start - 1), closes]
        position = end
    return "".join([*pieces, text[position:]])


def _folded(text: str, quotes: Sequence[Span]) -> str:
    """`text` with look-alikes of Latin letters as those, outside quotes."""
    pieces: list[str] = []
    position = 0
    for start, end in quotes:
        pieces += [text[position:start].translate(_LOOK_ALIKES), text[start:end]]
        position = end
    return "".join([*pieces, text[position:].translate(_LOOK_ALIKES)])


def _inside(position: int, spans: Sequence[Span]) -> bool:
    i = bisect_right(spans, (position, len(spans) and spans[-1][1])) - 1
    return i >= 0 and spans[i][0] <= position < spans[i][1]


def _is_scare_quote(text: str, span: Span, transcript: str | None) -> bool:
    """Whether values or denials are quoted that the speaker did not say, or a denial where one would deny."""
    start, end = span
    quoted = text[start + 1 : end - 1]
    is_denial_due = _WHERE_DENIED.search(text, max(0, start - 12), start) is not None
    is_said = transcript is not None and is_quoted_from(quoted, transcript)
    if is_said and not is_denial_due:
        return False
    kinds = kinds_in(quoted)
    if kinds and kinds <= _DENYING and is_denial_due:
        return True
    return not is_said and not _CLAIMING.isdisjoint(kinds)
