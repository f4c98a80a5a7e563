"""The phrases of the varied style: how they are written down, and how a seed picks among them.

A wording writes its phrases in a small notation:

- `(high/raised)` is one of these;
- `[…]` claims what the phrase stands for, `[!high:loud]` the absence of *high* of the same cue, `[age=child:child]` a
  value of another cue;
- `~` is the place of an adverb of degree, `@` of the speaker (*the speaker*, *she*), `$` of an article or a possessive;
- `<fit|fits>` agrees with the cues that are its subject: plural first;
- nouns begin with their indefinite article (`AN` becomes *a* or *an*), plurals with `+`; `…=>…` writes the definite
  form out; `%` is the ending of a German adjective that only the indefinite form has.

Everything is written out into plain tuples once, when the wording is first used.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType

from cotgen.rules.marking import CLOSING, first_letter, opening
from speech_records import Cue, Emotion, Gender

SUBJECT, POSSESSIVE, _DEGREE = "\ue004", "\ue005", "\ue006"
"""Places that are filled when a text is put together. Like marks, they cannot stand in a transcript."""
_ALTERNATIVES = re.compile(r"\(([^()]*)\)")
_AGREEMENT = re.compile(r"<([^<>|]*)\|([^<>|]*)>")
_CLAIM = re.compile(r"\[(?:(!)([a-z -]+):|([a-z_]+)=([a-z -]+):)?")
_ARTICLES = {"AN": "the", "eine": "die", "ein": "das"}
_NEUTER = "%"

Key = tuple[Cue, str]


@dataclass(frozen=True, slots=True)
class Noun:
    """A cue as a noun phrase, marked."""

    indefinite: str
    definite: str
    plural: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """The ways to say one value of one cue: main clauses (`subject|verb|rest` where word order matters) and nouns."""

    clauses: tuple[str, ...]
    nouns: tuple[Noun, ...]


@dataclass(frozen=True, slots=True)
class Agreeing:
    """A sentence about some cues, for one of them and for several."""

    singular: str
    plural: str


@dataclass(frozen=True, slots=True)
class Wording:
    """All that one language says.

    Fields of templates: `{c0}` a clause, `{i0}` with the verb first, `{f0}` with the verb last, `{n0}` a noun; `{cues}`
    several definite nouns; `{portrait}`, `{text}` of a quote, `{word}`, `{speaker}`.
    """

    generator: str
    facts: Mapping[Key, Fact]
    strong: tuple[tuple[str, str], ...]
    weak: tuple[tuple[str, str], ...]
    only_just: tuple[str, ...]
    conjunction: str
    disjunction: str
    subject: str
    pronouns: Mapping[Gender, str]
    article: str
    possessives: Mapping[Gender, str]
    evidence: Mapping[int, tuple[Agreeing, ...]]
    links: tuple[str, ...]
    quotes: tuple[str, ...]
    spoken_quotes: tuple[str, ...]
    speakers: Mapping[tuple[str, str], str]
    speaker_sentences: tuple[str, ...]
    stress: tuple[Agreeing, ...]
    portraits: Mapping[Emotion, tuple[str, ...]]
    reasons: Mapping[Emotion, tuple[str, ...]]
    fitting: tuple[Agreeing, ...]
    these_fit: tuple[str, ...]
    opposing: tuple[Agreeing, ...]
    opposing_facts: Mapping[int, tuple[Agreeing, ...]]
    opposing_alone: tuple[Agreeing, ...]
    nothing_fits: tuple[str, ...]
    nothing_opposes: tuple[str, ...]
    nothing_at_all: tuple[str, ...]
    conflicts: tuple[str, ...]
    outweighed: tuple[str, ...]
    undecided: tuple[str, ...]
    fillers: tuple[tuple[str, ...], ...]
    conclusions: tuple[str, ...]
    labels: Mapping[str, str]


def expand(templates: Iterable[str]) -> tuple[str, ...]:
    """Every text that the alternatives of `templates` make.

    >>> expand(["a (high/raised) (pitch/tone)", "so"])
    ('a high pitch', 'a high tone', 'a raised pitch', 'a raised tone', 'so')
    """
    made: list[str] = []
    for template in templates:
        pieces = _ALTERNATIVES.split(template)
        choices = [piece.split("/") if i % 2 else [piece] for i, piece in enumerate(pieces)]
        made += ["".join(parts) for parts in product(*choices)]
    return tuple(made)


def marked(text: str, key: Key | None = None) -> str:
    """`text` with its claims marked, those without a name as claims of `key`."""

    def open_(match: re.Match[str]) -> str:
        negated, absent, cue, value = match.groups()
        if cue is not None:
            return opening(Cue(cue), value)
        if key is None:
            raise ValueError(f"{text!r} claims something, and nothing says what")
        return opening(key[0], absent or key[1], negated or "", _DEGREE)

    text = _CLAIM.sub(open_, text).replace("]", CLOSING)
    return text.replace("@", SUBJECT).replace("$", POSSESSIVE)


def fact(key: Key, *, clauses: Iterable[str], nouns: Iterable[str]) -> tuple[Key, Fact]:
    """The phrases for one value of one cue, written out."""
    said = tuple(marked(text, key) for text in expand(clauses))
    return key, Fact(said, tuple(_noun(text, key) for text in expand(nouns)))


def _noun(text: str, key: Key) -> Noun:
    plural = text.startswith("+")
    indefinite, arrow, definite = text.removeprefix("+").partition("=>")
    if not arrow:
        article, _, rest = indefinite.partition(" ")
        definite = f"{_ARTICLES[article]} {rest}" if article in _ARTICLES else f"the {indefinite}"
    return Noun(marked(indefinite.replace(_NEUTER, "s"), key), marked(definite.replace(_NEUTER, ""), key), plural)


def agreeing(templates: Iterable[str]) -> tuple[Agreeing, ...]:
    """Sentences in which verbs agree with the cues."""
    written = [text.replace("@", SUBJECT) for text in expand(templates)]
    return tuple(Agreeing(_AGREEMENT.sub(r"\2", text), _AGREEMENT.sub(r"\1", text)) for text in written)


def with_degree(phrase: str, adverbs: Sequence[tuple[str, str]], rng: random.Random) -> str:
    """`phrase` with one of `adverbs` (word, `Degree` or nothing), or none, in its place."""
    adverb, degree = rng.choice(adverbs) if adverbs and "~" in phrase else ("", "")
    return settled(phrase.replace("~", f"{adverb} " if adverb else "").replace(_DEGREE, degree))


def settled(phrase: str) -> str:
    """`phrase` with its `AN` as *a* or *an*."""
    place = phrase.find("AN ")
    if place < 0:
        return phrase
    article = "an" if first_letter(phrase, place + len("AN ")) in "aeiou" else "a"
    return f"{phrase[:place]}{article}{phrase[place + len('AN') :]}"


def ordered(clause: str, order: str) -> str:
    """A clause with its verb second (`c`), first (`i`) or last (`f`); clauses in one piece stay as they are.

    >>> [ordered("die Stimme|ist|laut", order) for order in "cif"]
    ['die Stimme ist laut', 'ist die Stimme laut', 'die Stimme laut ist']
    """
    if "|" not in clause:
        return clause
    subject, verb, rest = clause.split("|")
    orders = {"c": (subject, verb, rest), "i": (verb, subject, rest), "f": (subject, rest, verb)}
    return " ".join(part for part in orders[order] if part)


def people(*, by_gender: Mapping[str, str], by_age: Mapping[str, str]) -> Mapping[tuple[str, str], str]:
    """How a speaker is named, by gender and age, one of which may be empty; `{}` in an age is the gendered noun."""
    named = {(gender, ""): noun for gender, noun in by_gender.items() if gender}
    for gender, noun in by_gender.items():
        named |= {(gender, age): text.replace("{}", noun.removeprefix("AN ")) for age, text in by_age.items()}
    return MappingProxyType({key: settled(marked(text)) for key, text in named.items()})


def moods(frames: Sequence[str], described: Mapping[Emotion, tuple[str, ...]]) -> Mapping[Emotion, tuple[str, ...]]:
    """Portraits of each emotion: its adjectives (`one/another`) in each of the frames, and phrases of its own."""
    written = {
        emotion: expand([*(frame.replace("{}", f"({adjectives})") for frame in frames), *others])
        for emotion, (adjectives, *others) in described.items()
    }
    return MappingProxyType({emotion: tuple(map(settled, texts)) for emotion, texts in written.items()})


def reasons(sentences: Mapping[Emotion, tuple[str, ...]]) -> Mapping[Emotion, tuple[str, ...]]:
    """Why each emotion sounds as it does, written out."""
    return MappingProxyType({emotion: expand(texts) for emotion, texts in sentences.items()})
