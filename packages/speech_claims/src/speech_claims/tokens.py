"""Text as words with one letter of grammar each (`lexicon.Kind`), phrases of the lexicon as one word.

Two kinds of words are read by what stood before them: pronouns (*the pitch … it is high*) take the place of the last
head, and *so is* (*the pitch is normal, and so is the rate*) repeats the last value.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from speech_claims import lexicon
from speech_claims.lexicon import Kind
from speech_claims.persons import ages, ratings, sexes
from speech_claims.quantities import Quantity, quantities
from speech_claims.senses import AGES_OF_PERSONS, GROUP_OF_HEAD, SENSES, YOUNG_PERSONS, is_comparative, word_set
from speech_claims.spans import Span
from speech_records import Cue

_ABBREVIATED = r"(?i:\b(?:freq|vol|avg|ave|approx|spkr|artic|intens|incl|occ|esp|incr|decr|mod|max|min|int|i\.e)\.)"
_RAW = re.compile(
    rf"{_ABBREVIATED}(?=\s*[a-z\d↑↓→=:,;])|[^\W_]+(?:['’][^\W_]+)*"
    r"|&|->|=>|\+\+|[↑↓↗↘→⇒=|]|\s[-–]\s|[.!?;:,\n()—…/]"
)
_PUNCTUATION = {
    **dict.fromkeys((",", "(", ")", "|"), Kind.COMMA),
    **dict.fromkeys((":", "->", "=>", "→", "⇒", "="), Kind.COPULA),  # "pitch: high"
    "/": Kind.AND,
}
_SYMBOLS = {"↑": "increased", "↓": "decreased", "↗": "rising", "↘": "falling", "++": "increased"}
_RUN = re.compile(r"([a-z])\1{2,}")
"""A letter said long: *slooow*."""
_GAP = re.compile(r"[\s\-‐‑–]*")
_ENDS_A_SENTENCE = re.compile(r"[.!?…].\s+[^\W\d_a-z]")
"""Over the last two characters of a quote and on: *… by the door.” The pitch …*."""
_CONTRACTED = re.compile(r"(it|that|there|what|he|she|who|which|this|here|they|we|you)('s|'re)")
_PRONOUNS, _REPEATS, _REPEATS_DENIED = (word_set(name) for name in ("pronouns", "repeats", "repeats_denied"))

_ANAPHORIC = frozenset("BMNVDG")
REPEATED = "repeated"
"""Group of a word that repeats the last value; its head stands to the right."""
_PERSONS = word_set("persons")
_HEADING = 6
"""Words of a question that is no more than a heading."""
_LOOSE_HEADS, _NEAR_VOICE = word_set("loose_heads"), 10
_ASIDES, _ASIDE = frozenset(("for all", "for all that", "of course", "admittedly", "as it happens")), 12
_PARENTHETIC = frozenset(("though", "however"))
_LAST_TWO = frozenset(("the former", "the latter"))
_RELATIVES = frozenset(("that", "which", "who"))


@dataclass(frozen=True, slots=True)
class Word:
    """A word or phrase with its place and its letter; of a head, the group that its values are read in.

    `REPEATED` instead of a group marks a word that repeats a value; `sense` is what a word claims here by itself,
    `quantity` the number that it is.
    """

    start: int
    end: int
    phrase: str
    kind: Kind
    group: str | None = None
    sense: tuple[Cue, str] | None = None
    quantity: Quantity | None = None


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
    return _resolved(_without_asides(_asked(words)))


def _asked(words: list[Word]) -> list[Word]:
    """*Voice? Strained.* as *voice: strained*: a question that names a head and no value is a heading."""
    read = list(words)
    start = 0
    for i, word in enumerate(words):
        if word.kind is not Kind.BOUNDARY:
            continue
        question = words[start:i]
        names_a_head = question and question[-1].kind is Kind.HEAD and len(question) <= _HEADING
        if word.phrase == "?" and names_a_head and all(w.kind is not Kind.VALUE for w in question):
            read[i] = replace(word, phrase=":", kind=Kind.COPULA)
        start = i + 1
    return read


def _without_asides(words: list[Word]) -> list[Word]:
    """The words without what stands between commas as a concession: *neither, for all the anger, is the loudness*."""
    kept: list[Word] = []
    i = 0
    while i < len(words):
        close = _aside_end(words, i)
        if close is not None:
            i = close
        else:
            kept.append(words[i])
        i += 1
    return kept


def _aside_end(words: Sequence[Word], i: int) -> int | None:
    """The comma that ends the concession that word `i` opens; `None` where it opens none."""
    if words[i].kind is not Kind.COMMA or i + 1 == len(words) or words[i + 1].phrase not in _ASIDES:
        return None
    close = next((k for k in range(i + 1, min(len(words), i + _ASIDE)) if words[k].kind is Kind.COMMA), None)
    return close if close is not None and all(w.kind is not Kind.BOUNDARY for w in words[i:close]) else None


def _numbers(text: str, start: int, end: int) -> list[Word]:
    """Ages in years, signs of sex, and numbers with a unit or of pauses, in order."""
    persons = [Word(a, b, text[a:b].lower(), Kind.VALUE, sense=sense) for a, b, sense in ages(text, start, end)]
    persons += [Word(a, b, text[a:b].lower(), Kind.VALUE, sense=sense) for a, b, sense in sexes(text, start, end)]
    persons += _ratings(text, start, end)
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
    if count != 2 or i + 2 >= len(raw) or table.get(raw[i][2]) not in (Kind.VALUE, Kind.HEAD):
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
    table |= dict.fromkeys(_PRONOUNS - set(table), Kind.OTHER) | dict.fromkeys(_REPEATS - set(table), Kind.OTHER)
    table |= dict.fromkeys((_LAST_TWO | _ASIDES) - set(table), Kind.OTHER)
    table |= dict.fromkeys(_REPEATS_DENIED - set(table), Kind.NEGATION)
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
    return Kind.COMMA if phrase.strip() in "-–" else _PUNCTUATION.get(phrase, Kind.BOUNDARY)


def _resolved(words: list[Word]) -> list[Word]:
    """The words whose letter depends on those around them, with it."""
    head: str | None = None
    former: str | None = None
    value: str | None = None
    resolved: list[Word] = []
    for i, word in enumerate(words):
        if word.phrase in _LAST_TWO and head is not None and former is not None and _is_said_of(words, i):
            resolved.append(replace(word, kind=Kind.HEAD, group=former if "f" in word.phrase else head))
            continue
        if value is not None and word.phrase in _REPEATS_DENIED and _is_last_head(words, i):
            resolved += _denied_repeat(word, value)
        else:
            resolved.append(_read(words, i, resolved[-1] if resolved else None, head, value))
        if resolved[-1].kind is Kind.HEAD:
            former = head if resolved[-1].group != head else former
            head = resolved[-1].group
        elif resolved[-1].kind is Kind.VALUE:
            value = resolved[-1].phrase
    return resolved


def _is_said_of(words: Sequence[Word], i: int) -> bool:
    """Whether something is said of *the latter*: *the latter is low*, not *the latter possibly due to …*."""
    following = next((w for w in words[i + 1 : i + 4] if w.kind is not Kind.DEGREE), None)
    return following is not None and following.kind in "BMVK"


def _read(words: Sequence[Word], i: int, before: Word | None, head: str | None, value: str | None) -> Word:
    """Word `i` as the words around it, the last head and the last value have it read."""
    word, following = words[i], words[i + 1] if i + 1 < len(words) else None
    if word.phrase in _PARENTHETIC and before is not None and before.kind is Kind.COMMA and _is_end(following):
        return replace(word, kind=Kind.DEGREE)
    if word.phrase in _RELATIVES and before is not None and before.kind in (Kind.HEAD, Kind.COMMA):
        return replace(word, kind=Kind.RELATIVE)
    if word.phrase in _PRONOUNS and head is not None and _refers(before, word, following, head):
        return replace(word, kind=Kind.HEAD, group=head)
    if word.phrase in _REPEATS and value is not None:
        return replace(word, phrase=value, kind=Kind.VALUE, group=REPEATED)
    return _as_noun(words, i, before, following)


def _as_noun(words: Sequence[Word], i: int, before: Word | None, following: Word | None) -> Word:
    """Word `i` as what stands beside it has it read: an age of a person, a power of a voice, a level of loudness."""
    word = words[i]
    age = _age(word, following)
    if age is None and following is not None and following.kind is Kind.OTHER and i + 2 < len(words):
        age = _age(word, words[i + 2])  # an old sea captain
    if age is not None:
        return replace(word, kind=Kind.VALUE, sense=(Cue.AGE, age))
    if (
        word.kind is Kind.VALUE
        and before is not None
        and following is not None
        and _is_no_value(word, before, following)
    ):
        return replace(word, kind=Kind.DEGREE)
    if word.phrase in _LOOSE_HEADS and not _is_by_a_voice(words, i):
        return replace(word, kind=Kind.OTHER, group=None)
    is_between = before is not None and before.kind is Kind.HEAD and _is_end(following)
    if word.phrase in ("above", "below") and is_between:
        return replace(word, phrase=f"{word.phrase} average", kind=Kind.VALUE)  # tempo average, loudness below
    if word.phrase == "level" and _is_the_level(before, following):
        return replace(word, kind=Kind.HEAD, group="energy")
    return word


def _is_no_value(word: Word, before: Word | None, following: Word | None) -> bool:
    """*Gently* of *gently descends*, *average* of *a high average pitch* and *her pitch average is 230 Hz*."""
    if before is None or following is None:
        return False
    moves = SENSES["contour"].get(following.phrase)
    if word.phrase.endswith("ly") and following.kind is Kind.VALUE and moves is not None:
        return moves[0] is Cue.CONTOUR_SHAPE
    if word.phrase not in ("average", "mean", "median", "normal", "usual"):
        return False
    is_measured = before.kind is Kind.HEAD and (following.kind is Kind.COPULA or following.quantity is not None)
    return is_measured or (before.kind is Kind.VALUE and following.kind is Kind.HEAD)


def _is_by_a_voice(words: Sequence[Word], i: int) -> bool:
    """Whether a voice is spoken of near word `i`: *the voice has little power*, not *the power of the law*."""
    first, last = max(0, i - _NEAR_VOICE), min(len(words), i + _NEAR_VOICE)
    start = next((k for k in range(i, first - 1, -1) if words[k].kind is Kind.BOUNDARY), first)
    end = next((k for k in range(i, last) if words[k].kind is Kind.BOUNDARY), last)
    groups = ("pitch", "voice") if words[i].phrase == "quality" else ("voice", "delivery")
    return any(w.group in groups and w.phrase not in _LOOSE_HEADS for w in words[start:end])


def _is_the_level(before: Word | None, following: Word | None) -> bool:
    """*The voice is mellow, the level moderate*; not *the level contour*."""
    if before is None or before.phrase not in ("the", "its", "overall") or following is None:
        return False
    return following.kind in (Kind.COPULA, Kind.COMMA, Kind.VALUE) or following.quantity is not None


def _denied_repeat(word: Word, value: str) -> tuple[Word, Word]:
    """*Neither is* as a denial and the value that it repeats."""
    middle = word.start + word.phrase.index(" ")
    return Word(word.start, middle, "neither", Kind.NEGATION), Word(middle + 1, word.end, value, Kind.VALUE, REPEATED)


def _age(word: Word, person: Word | None) -> str | None:
    """The age that *young* or *old* claims of the person it stands before."""
    if word.phrase not in AGES_OF_PERSONS or person is None or person.phrase not in _PERSONS:
        return None
    age = AGES_OF_PERSONS[word.phrase]
    if age == "child" and person.phrase not in YOUNG_PERSONS:
        return None
    return "child" if age == "young adult" and person.phrase in YOUNG_PERSONS else age


def _is_last_head(words: Sequence[Word], i: int) -> bool:
    """Whether only a head follows in the clause: *and neither is the loudness*."""
    kinds = "".join(w.kind for w in words[i + 1 : i + 6])
    return re.match(r"[AD]*H(?:[CRN]+[AD]*H)*(?:[XKT]|$)", kinds) is not None


def _is_end(word: Word | None) -> bool:
    return word is None or word.kind in (Kind.COMMA, Kind.BOUNDARY)


def _refers(before: Word | None, word: Word, following: Word | None, head: str) -> bool:
    if word.phrase == "ones":
        return head == "pauses"
    if word.phrase == "one":
        return before is not None and before.kind is Kind.VALUE
    return following is not None and following.kind in _ANAPHORIC
