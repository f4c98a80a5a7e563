"""The phrases of the varied style: how they are written down, and how a seed picks among them.

Tables of phrases are written in a small notation:

- `(high/raised)` is one of these;
- `[…]` claims what the phrase stands for, `[!high:loud]` the absence of *high* of the same cue, `[age=child:child]` a
  value of another cue;
- `~` is the place of an adverb of degree, `@` of the speaker (*the speaker*, *she*), `$` of an article or a possessive;
- `<fit|fits>` agrees with the cues that are its subject: plural first;
- nouns begin with their indefinite article (`AN` becomes *a* or *an*), plurals with `+`.

Everything is written out into plain tuples once, when the tables are first used.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from cotgen.rules.marking import CLOSING, first_letter, opening
from speech_claims import notation
from speech_records import Cue, Emotion

SUBJECT, POSSESSIVE, _DEGREE = "\ue004", "\ue005", "\ue006"
"""Places that are filled when a text is put together. Like marks, they cannot occur in a transcript."""
_AGREEMENT = re.compile(r"<([^<>|]*)\|([^<>|]*)>")
_CLAIM = re.compile(r"\[(?:(!)([a-z -]+):|([a-z_]+)=([a-z -]+):)?")

Key = tuple[Cue, str]


@dataclass(frozen=True, slots=True)
class Noun:
    """A cue as a noun phrase, marked."""

    indefinite: str
    definite: str
    plural: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """The ways to say one value of one cue: main clauses and nouns."""

    clauses: tuple[str, ...]
    nouns: tuple[Noun, ...]


@dataclass(frozen=True, slots=True)
class Agreeing:
    """A sentence about some cues, for one of them and for several."""

    singular: str
    plural: str


def expand(templates: Iterable[str]) -> tuple[str, ...]:
    """Every text that the alternatives of `templates` make, in their order."""
    return tuple(text for template in templates for text in notation.expand(template))


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


def fact(key: Key, text: str) -> Fact:
    """The phrases for one value of one cue, one to a line of `text`, written out; nouns follow `=`."""
    lines = [line.strip() for line in text.strip().split("\n")]
    clauses = expand(line for line in lines if not line.startswith("= "))
    nouns = expand(line.removeprefix("= ") for line in lines if line.startswith("= "))
    return Fact(tuple(marked(clause, key) for clause in clauses), tuple(_noun(noun, key) for noun in nouns))


def _noun(text: str, key: Key) -> Noun:
    indefinite = text.removeprefix("+")
    definite = f"the {indefinite.removeprefix('AN ')}"
    return Noun(marked(indefinite, key), marked(definite, key), plural=text.startswith("+"))


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
