"""Finds what a text claims of pitch, energy, rate, contour, range, pauses, voicing and gender.

Text becomes words with one letter of grammar each (`lexicon.Kind`); a value word finds the head it is said of by
patterns over the letters left and right of it, tried in a fixed order (`_heads_of`). Quotes are never searched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from cotgen import lexicon
from cotgen.lexicon import ALONE, Kind
from speech_records import Cue

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim found in a text, not judged yet: its half-open span, its cue and what it says of it."""

    start: int
    end: int
    cue: Cue
    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """A word or phrase of the lexicon, or any other word, with its place and its letter."""

    start: int
    end: int
    phrase: str
    kind: Kind


# Over letters to the left of a value word, up to it: where its head stands.
_COPULA = re.compile(r"(?P<heads>H(?:[KCRN]+[ADN]*H)*)K?[DOPAN]{0,5}[BM](?:[NDVKCRTAMB]|[PA](?=[NDVA]))*$")
_ADJACENT_LEFT = re.compile(r"(?P<heads>H(?:[KCRN]+[ADN]*H)*)[DN]*$")
_SAME_SUBJECT = re.compile(r"(?P<heads>H(?:[KCRN]+[ADN]*H)*)[DN]*V[DE]*[KCT]+[DN]*$")
# Over letters to the right of a value word: where its head stands.
_ADJACENT_RIGHT = re.compile(r"D*(?P<heads>H(?:[KCR]+H(?![DN]*[VBM]))*)")
_JOINED_RIGHT = re.compile(r"(?:[DV]|[KCRT]+(?=[DVN])|N(?=[DV]))*(?P<heads>H(?:[KCR]+H(?![DN]*[VBM]))*)")
_IN_HEAD = re.compile(r"[DE]*P[AD]*(?P<heads>H(?:[KCR]+[AD]*H(?![DN]*[VBM]))*)")

# Over letters to the left: a negation, with at most one ordinary word between (*does not sound loud*).
_NEGATED = re.compile(r"[NM](?:[DABMPHVR]|K(?=R)|O(?!.*O)){0,8}$")
_NO_HEAD = re.compile(r"N[DA]*$")
_REACH = 40
"""Words to the left of a value among which its head and its negation are looked for."""

_PUNCTUATION = {",": Kind.COMMA, ":": Kind.COPULA}  # "pitch: high"
_BETWEEN_WORDS = r"[\s\-‐‑–]+"


def find(text: str, *, quotes: Sequence[Span] = ()) -> list[Finding]:
    """The claims of `text` in their order, outside `quotes`.

    >>> [(f.cue.value, f.value, text[f.start:f.end]) for text in ["A high, loud voice."] for f in find(text)]
    [('pitch', 'high', 'high'), ('energy', 'high', 'loud')]
    """
    words = tokenise(text, quotes=quotes)
    letters = "".join(w.kind.value for w in words)
    taken: set[int] = set()
    findings: list[Finding] = []
    for i, word in enumerate(words):
        if word.kind is Kind.VALUE and not _is_no_claim(words, i):
            findings += _claims_of(words, letters, i, taken)
    findings += _bare_pauses(words, letters, taken)
    return sorted(findings, key=lambda f: (f.start, f.end))


def tokenise(text: str, *, quotes: Sequence[Span] = ()) -> list[Word]:
    """The words of `text` with their letters; each quote is one word.

    >>> "".join(w.kind.value for w in tokenise("The pitch is not very high."))
    'AHBNDVX'
    """
    pattern, kinds = _scanner()
    words: list[Word] = []
    position = 0
    for start, end in [*sorted(quotes), (len(text), len(text))]:
        for match in pattern.finditer(text, position, start):
            phrase = _canonical(match.group())
            words.append(Word(match.start(), match.end(), phrase, _kind(phrase, kinds)))
        if start < end:
            words.append(Word(start, end, "", Kind.QUOTE))
        position = end
    return words


@cache
def _scanner() -> tuple[re.Pattern[str], dict[str, Kind]]:
    kinds = dict(lexicon.kinds())
    phrases = sorted(kinds, key=lambda p: (-len(p), p))
    listed = "|".join(re.escape(p).replace(r"\ ", _BETWEEN_WORDS) for p in phrases)
    pattern = rf"(?<![\w'])(?:{listed})(?![\w'])|[^\W_]+(?:['’][^\W_]+)*|[.!?;:,\n()—]"
    return re.compile(pattern, re.IGNORECASE), kinds


def _canonical(text: str) -> str:
    """As the lexicon writes it: lower case, single blanks for hyphens, without a possessive ending."""
    phrase = re.sub(_BETWEEN_WORDS, " ", text.lower().replace("’", "'"))
    return phrase if phrase in lexicon.DEFINITE else phrase.removesuffix("'s")


def _kind(phrase: str, kinds: dict[str, Kind]) -> Kind:
    if phrase in kinds:
        return kinds[phrase]
    if phrase[0].isalnum():
        return Kind.OTHER
    return _PUNCTUATION.get(phrase, Kind.BOUNDARY)


def _claims_of(words: Sequence[Word], letters: str, i: int, taken: set[int]) -> Iterator[Finding]:
    """The claims that the value word `i` makes: one for each head it is said of, or one by itself."""
    word = words[i]
    negated = _is_negated(letters, i)
    for heads in _heads_of(letters, i):
        claimed = [(h, sense) for h in heads if (sense := _sense(words[h], word)) is not None]
        if claimed:
            for h, (cue, value) in claimed:
                start, end = _span(words, i, h, taken)
                yield Finding(start, end, cue, _at_end(words, i, cue, value), negated)
            return
    alone = lexicon.SENSES[ALONE].get(word.phrase)
    if alone is not None:
        taken.add(i)
        yield Finding(word.start, word.end, alone[0], _at_end(words, i, *alone), negated)


def _heads_of(letters: str, i: int) -> Iterator[list[int]]:
    """Candidate heads of the value word `i`, best first, nearest head first.

    1. directly before a head: *high pitch (and energy)*     2. after a copula: *pitch (and energy) is very high*
    3. joined to others before a head: *a high, loud voice*  4. directly after a head: *energy low*, *pitch rises*
    5. *high in pitch*, *a rise in pitch*                    6. *the pitch rises and stays high* without its copula
    """
    first = max(0, i - _REACH)
    left, right = letters[first:i], letters[i + 1 :]
    for pattern, is_left in (
        (_ADJACENT_RIGHT, False), (_COPULA, True), (_JOINED_RIGHT, False), (_ADJACENT_LEFT, True), (_IN_HEAD, False),
        (_SAME_SUBJECT, True),
    ):  # fmt: skip
        match = pattern.search(left) if is_left else pattern.match(right)
        if match is not None:
            offset = match.start("heads") + (first if is_left else i + 1)
            found = [offset + k for k, letter in enumerate(match["heads"]) if letter == Kind.HEAD]
            yield found[::-1] if is_left else found


def _sense(head: Word, value: Word) -> tuple[Cue, str] | None:
    return lexicon.SENSES[lexicon.GROUP_OF_HEAD[head.phrase]].get(value.phrase)


def _at_end(words: Sequence[Word], i: int, cue: Cue, value: str) -> str:
    """`value`, marked when it is said of the end of the contour only."""
    if cue is not Cue.CONTOUR_SHAPE or value not in ("rising", "falling"):
        return value
    following = [w for w in words[i + 1 : i + 3] if w.kind is not Kind.DEGREE]
    is_final = bool(following) and following[0].kind is Kind.AT_END
    return f"{value} at the end" if is_final or words[i].phrase in lexicon.FINAL_PHRASES else value


def _span(words: Sequence[Word], i: int, head: int, taken: set[int]) -> Span:
    """From the value to its head, or only that of the two which no earlier claim holds, so that spans never overlap."""
    low, high = min(i, head), max(i, head)
    if taken.isdisjoint(range(low, high + 1)) and not _holds_other_value(words, low, high):
        taken.update(range(low, high + 1))
        return words[low].start, words[high].end
    own = head if i in taken else i
    taken.add(own)
    return words[own].start, words[own].end


def _holds_other_value(words: Sequence[Word], low: int, high: int) -> bool:
    return any(w.kind in (Kind.VALUE, Kind.HEAD) for w in words[low + 1 : high])


def _bare_pauses(words: Sequence[Word], letters: str, taken: set[int]) -> Iterator[Finding]:
    """Pauses that are mentioned without a value: there are some, or, negated, none."""
    for i, word in enumerate(words):
        if word.kind is not Kind.HEAD or lexicon.GROUP_OF_HEAD[word.phrase] != "pauses" or i in taken:
            continue
        if _is_no_claim(words, i):
            continue
        if _NO_HEAD.search(letters[max(0, i - _REACH) : i]):
            yield Finding(word.start, word.end, Cue.PAUSES, "none")
        else:
            yield Finding(word.start, word.end, Cue.PAUSES, "present", _is_negated(letters, i))


def _is_negated(letters: str, i: int) -> bool:
    return _NEGATED.search(letters[max(0, i - _REACH) : i]) is not None


def _is_no_claim(words: Sequence[Word], i: int) -> bool:
    """Whether word `i` stands in a clause that speaks of a hypothesis or of speech in general, not of this clip."""
    clause, place = _clause(words, i)
    phrases = {w.phrase for w in clause}
    if phrases & lexicon.HYPOTHETICAL:
        return True
    return bool(phrases & lexicon.GENERIC) and not _is_definite(clause[:place])


def _clause(words: Sequence[Word], i: int) -> tuple[Sequence[Word], int]:
    """The words between the boundaries around word `i`, and its place among them."""
    ends = (Kind.BOUNDARY, Kind.BUT)
    start = next((k + 1 for k in range(i, -1, -1) if words[k].kind in ends), 0)
    end = next((k for k in range(i, len(words)) if words[k].kind in ends), len(words))
    return words[start:end], i - start


def _is_definite(before: Sequence[Word]) -> bool:
    """Whether the last article before a word is a definite one."""
    articles = [w for w in before if w.kind is Kind.ARTICLE]
    return bool(articles) and articles[-1].phrase in lexicon.DEFINITE
