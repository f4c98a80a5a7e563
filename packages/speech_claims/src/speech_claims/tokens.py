"""Text as words with one letter of grammar each (`lexicon.Kind`), phrases of the lexicon as one word."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import pairwise

from speech_claims import context, lexicon
from speech_claims.lexicon import Kind
from speech_claims.persons import ages, ratings, sexes
from speech_claims.quantities import quantities
from speech_claims.senses import GROUP_OF_HEAD, is_comparative
from speech_claims.spans import Span
from speech_claims.word import Word
from speech_claims.yardsticks import yardsticks

_ABBREVIATED = r"(?i:\b(?:freq|vol|avg|ave|approx|spkr|artic|intens|incl|occ|esp|incr|decr|mod|max|min|int|i\.e)\.)"
_RAW = re.compile(
    rf"\bw/(?:o\b)?|{_ABBREVIATED}(?=\s*[a-z\d↑↓→=:,;])|[^\W_]+(?:['’][^\W_]+)*"
    r"|&|->|=>|\+\+|[↑↓↗↘→⇒=|]|\s[-–]\s|[.!?;:,\n()—…/·•\x22]|\s\+\s"
)
_PUNCTUATION = {
    **dict.fromkeys((",", "(", ")", "|", '"'), Kind.COMMA),
    **dict.fromkeys((":", "->", "=>", "→", "⇒", "="), Kind.COPULA),  # "pitch: high"
    "/": Kind.AND,
}
_SYMBOLS = {
    "↑": "increased",
    "↓": "decreased",
    "↗": "rising",
    "↘": "falling",
    "++": "increased",
    "w/o": "without",
    "w/": "with",
}
_RUN = re.compile(r"([a-z])\1{2,}")
"""A letter said long: *slooow*."""
_GAP = re.compile(r"[\s\-‐‑–]*")
_ENDS_A_SENTENCE = re.compile(r"[.!?…].\s+[^\W\d_a-z]")
"""Over the last two characters of a quote and on: *… by the door.” The pitch …*."""
_CONTRACTED = re.compile(r"(it|that|there|what|he|she|who|which|this|here|they|we|you)('s|'re)")


def tokenise(text: str, *, quotes: Sequence[Span] = (), last: Container[int] = ()) -> list[Word]:
    """The words of `text` with their letters; each quote is one word. `last` are the starts of those that hold the last
    word of what is said: *the pitch falls on “door”* speaks of the end.

    >>> "".join(w.kind for w in tokenise("The pitch is not very high."))
    'AHBNDVX'
    """
    words: list[Word] = []
    position = 0
    for start, end in [*sorted(quotes), (len(text), len(text))]:
        for number in _numbers(text, position, start):
            if number.start >= position:
                words += _phrases(text, list(_raw(text, position, number.start)))
                words.append(number)
                position = number.end
        words += _phrases(text, list(_raw(text, position, start)))
        if start < end:
            is_at_end = start in last and bool(words) and words[-1].phrase in ("on", "at", "upon", "with")
            words.append(Word(start, end, "", Kind.AT_END if is_at_end else Kind.QUOTE))
            if _ENDS_A_SENTENCE.match(text, end - 2):
                words.append(Word(end, end, "", Kind.BOUNDARY))
        position = end
    return context.resolved(context.without_asides(context.with_headings(words)))


@lru_cache(maxsize=8192)
def kinds_in(quoted: str) -> frozenset[Kind]:
    """The letters of the words of a quote, kept: many texts quote the same words."""
    return frozenset(word.kind for word in tokenise(quoted))


def _numbers(text: str, start: int, end: int) -> list[Word]:
    """Ages in years, signs of sex, and numbers with a unit or of pauses, in order."""
    persons = [Word(a, b, text[a:b].lower(), Kind.VALUE, sense=sense) for a, b, sense in ages(text, start, end)]
    persons += [Word(a, b, text[a:b].lower(), Kind.VALUE, sense=sense) for a, b, sense in sexes(text, start, end)]
    persons += _ratings(text, start, end)
    persons += [Word(a, b, said, Kind.VALUE, sense=sense) for a, b, said, sense in yardsticks(text, start, end)]
    measures = [Word(a, b, str(q), Kind.OTHER, quantity=q) for a, b, q in quantities(text, start, end)]
    return sorted([*persons, *measures], key=lambda word: word.start)


def _ratings(text: str, start: int, end: int) -> Iterator[Word]:
    """The ratings of a scale, each between commas; one of 0 is denied."""
    for first, last, is_denied, sense in ratings(text, start, end):
        yield Word(first, first, ",", Kind.COMMA)
        if is_denied:
            yield Word(first, first, "no", Kind.NEGATION)
        yield Word(first, last, text[first:last].lower(), Kind.VALUE, sense=sense)
        yield Word(last, last, ",", Kind.COMMA)


def _raw(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Single words in lower case, with their places; *it's* is two."""
    for match in _RAW.finditer(text, start, end):
        word = match.group().lower().replace("’", "'")
        word = word.replace(".", "") if len(word) > 1 and word[-1] == "." else word
        word = _SYMBOLS.get(word, word)
        contracted = _CONTRACTED.fullmatch(word)
        if contracted is None:
            yield match.start(), match.end(), word
        else:
            middle = match.start() + len(contracted[1])
            yield match.start(), middle, contracted[1]
            yield middle, match.end(), contracted[2]


def _phrases(text: str, raw: list[tuple[int, int, str]]) -> Iterator[Word]:
    """The longest phrases of the lexicon, and all other words."""
    table, lengths = _index()
    i = 0
    while i < len(raw):
        start, end, word = raw[i]
        phrase, length = word, 1
        for count in lengths.get((word, raw[i + 1][2]), ()) if i + 1 < len(raw) else ():
            words = raw[i : i + count]
            joined = " ".join(w for _, _, w in words)
            fits = len(words) == count and joined in table and _touch(text, words)
            if fits and not _is_split(raw, i, count, table, lengths):
                phrase, length = joined, count
                break
        end = raw[i + length - 1][1]
        if phrase not in table and phrase not in lexicon.DEFINITE:
            phrase = _known_form(phrase.removesuffix("'s"), table)
        yield Word(start, end, phrase, _kind(phrase, table), GROUP_OF_HEAD.get(phrase))
        i += length


def _known_form(word: str, table: Mapping[str, Kind]) -> str:
    """*Slow* for *slooow*; any other word as it is."""
    if _RUN.search(word) is None:
        return word
    shorter = (_RUN.sub(r"\1\1", word), _RUN.sub(r"\1", word))
    return next((form for form in shorter if form != word and form in table), word)


def _is_split(
    raw: Sequence[tuple[int, int, str]],
    i: int,
    count: int,
    table: Mapping[str, Kind],
    lengths: Mapping[tuple[str, str], Sequence[int]],
) -> bool:
    """Whether the last word of a phrase of two begins a longer one: *fall on* before *on the final word*."""
    if count != 2 or i + 2 >= len(raw):
        return False
    if table.get(raw[i][2]) not in (Kind.VALUE, Kind.HEAD) and raw[i + 1][2] not in ("a", "an"):
        return False
    for reach in lengths.get((raw[i + 1][2], raw[i + 2][2]), ()):
        joined = " ".join(w for _, _, w in raw[i + 1 : i + 1 + reach])
        if table.get(joined) in (Kind.VALUE, Kind.AT_END):
            return True
    return False


@cache
def _index() -> tuple[dict[str, Kind], dict[tuple[str, str], tuple[int, ...]]]:
    """Every phrase with its letter, and of the first two words of phrases, how many words these have, longest first."""
    table = dict(lexicon.kinds())
    in_context = context.PRONOUNS | context.REPEATS | context.LAST_TWO | context.ASIDES
    table |= dict.fromkeys(in_context - set(table), Kind.OTHER)
    table |= dict.fromkeys(context.REPEATS_DENIED - set(table), Kind.NEGATION)
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    for words in (phrase.split(" ") for phrase in table if " " in phrase):
        found[words[0], words[1]].add(len(words))
    return table, {first: tuple(sorted(counts, reverse=True)) for first, counts in found.items()}


def _touch(text: str, raw: Sequence[tuple[int, int, str]]) -> bool:
    """Whether only blanks and hyphens stand between these words."""
    return all(_GAP.fullmatch(text, a[1], b[0]) for a, b in pairwise(raw))


def _kind(phrase: str, table: dict[str, Kind]) -> Kind:
    if phrase in table:
        return table[phrase]
    if is_comparative(phrase):
        return Kind.VALUE
    if phrase[0].isalnum():
        return Kind.DEGREE if phrase.endswith("ly") else Kind.OTHER
    if phrase.strip() == "+":
        return Kind.AND
    return Kind.COMMA if phrase.strip() in "-–" else _PUNCTUATION.get(phrase, Kind.BOUNDARY)
