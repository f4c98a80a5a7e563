"""Shorthand for persons and voices: ages, signs of sex, ratings (*aged eight*, *Pt (f, 67 y)*, *GRBAS: R2 B0*)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from speech_records import Cue

_AGE_BOUNDS = (
    (13, "child"),
    (20, "teenager"),
    (36, "young adult"),
    (40, "adult"),
    (60, "middle-aged"),
    (120, "elderly"),
)
_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = ("ten", "eleven", "twelve", *(f"{n}teen" for n in ("thir", "four", "fif", "six", "seven", "eigh", "nine")))
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_DECADES = "|".join((*(f"{ten[:-1]}ies" for ten in _TENS), "[2-9]0s"))
_NUMBERS = {word: n for n, word in enumerate((*_ONES, *_TEENS), start=1)}
_NUMBERS |= dict(zip(_TENS, range(20, 100, 10), strict=True))
_WORDS = rf"(?:(?:{'|'.join(_TENS)})[\s-](?:{'|'.join(_ONES)})|{'|'.join((*_TEENS, *_TENS, *_ONES))})"
_N = rf"(?:\d{{1,2}}|{_WORDS})"
_OLD = r"(?:years?[\s-]*(?:old|of\s+age)\b|y/?o\b|y(?:ea)?rs?\.?(?:\s+old)?(?!\w)|y\b)"
_ABOUT = r"(?:(?:about|around|roughly|some|perhaps|maybe|approximately|nearly|almost|over|past)\s+|ca\.?\s+|~\s*)?"
_PERSON = (
    r"(?:girl|boy|child|kid|lad|lass|youth|teen|(?:wo)?man|lady|gentleman|fellow|chap|bloke|guy|person|grand\w+|speaker|"
    r"sounds?|sounding)"
)
_ONE = r"(?:(?:fe)?male|(?:wo)?man|boy|girl|lady|kid|child|(?<![\w.'’-])[fm])"
_BEHIND = (
    r"(?=\s*(?:[.,;:!?]|$|(?:or\s+(?:so|more|over|older|there\w+)|"
    r"by|in|with|who|is|and|speak\w*|talk\w*|i\s+\w+)\b))"
)
_PARTS = {"early": 2, "mid": 6, "late": 8}
_PART = r"(?:(?:early|mid|late)[\s-])?"
_YEARS_BY = (
    rf"(?P<years>{_N})[\s-]*{_OLD}",
    rf"age[d]?\s*(?:[:=]\s*|of\s+)?{_ABOUT}(?P<aged>{_N})\b(?!\s*(?:hz|db|%|s\b|per\b))",
    rf"age\s+(?:is\s+|to\s+be\s+|lies\s+|as\s+|put\s+)?(?:at\s+|near\s+){_ABOUT}(?P<put>{_N})\b",
    rf"{_PERSON}\s+(?:of\s+)?{_ABOUT}(?P<of>{_WORDS}|\d\d){_BEHIND}",
    rf"{_ONE}\s*,\s*{_ABOUT}(?P<beside>{_WORDS}|\d\d)(?=\s*(?:[.,;:)]|$)|\s*\n)",
    rf"(?:not|n['’]t|cannot|no)\s+(?:be\s+|sound\s+|much\s+)*older\s+than\s+(?P<under>{_N})\b",
    rf"in\s+(?:his|her|their)\s+{_PART}(?P<decade>[2-9]0)s\b",
    rf"{_ONE},?\s+{_PART}(?P<tens>{_DECADES})\b",
    rf"(?<!his )(?<!her )(?<!their )(?P<part>early|mid|late)[\s-](?P<plural>{_DECADES})\b",
    rf"(?P<ish>{'|'.join(_TENS)})[\s-]?(?:ish|something)\b",
)
"""Each from the start of a word on."""
_YEARS = re.compile(rf"(?<!\w)(?:{'|'.join(_YEARS_BY)})|\((?P<months>\d{{1,2}});\d{{1,2}}\)", re.IGNORECASE)
_BESIDE = (
    r"(?:pt|pat|patient|client|spkr|speaker|adolescent|adult|child|teen|voice|caller|"
    r"\d{1,2}\s*(?:y|yo|y/o|yrs?|years?))\.?"
)
_SEX = re.compile(
    rf"(?P<female>♀)|(?P<male>♂)"
    rf"|(?<![\w.'’-])(?P<sign>[FfMm])(?=\s*[,/;]?\s*\d0s|\s*[,/;]\s*\d|\s*{_BESIDE}(?!\w)|/\d)"
    rf"|(?i:\b{_BESIDE}\s*[,(:/]?\s*)(?P<after>[FfMm])(?=[,).;:/]|\s*$)"
    rf"|(?i:\b(?:sex|gender)\s*[:=]\s*)(?P<field>[FfMm])(?!\w)"
)

_GRBAS = re.compile(
    r"(?:\bGRBAS\b\W{0,3}|(?=\bG\s?[0-3][\s,;/]*R\s?[0-3][\s,;/]*B\s?[0-3]))(?P<ratings>(?:[GRBAS]\s?[0-3][\s,;/]*){2,5})"
)
_RATING = re.compile(r"(?P<letter>[RBAS])\s?(?P<grade>[0-3])")
_RATED = {
    "R": (Cue.VOICE_QUALITY, "rough"), "B": (Cue.VOICE_QUALITY, "breathy"), "A": (Cue.ENERGY, "low"),
    "S": (Cue.VOICE_QUALITY, "tense")
}  # fmt: skip


def ratings(text: str, start: int, end: int) -> Iterator[tuple[int, int, bool, tuple[Cue, str]]]:
    """What the GRBAS scale says of roughness, breathiness, asthenia (weakness) and strain, with its span; a grade of 0
    denies it.

    >>> [(denied, value) for *_, denied, (_, value) in ratings("GRBAS: R2 B0 S1", 0, 15)]
    [(False, 'rough'), (True, 'breathy'), (False, 'tense')]
    """
    for scale in _GRBAS.finditer(text, start, end):
        for match in _RATING.finditer(text, *scale.span("ratings")):
            yield *match.span(), match["grade"] == "0", _RATED[match["letter"]]


def ages(text: str, start: int, end: int) -> Iterator[tuple[int, int, tuple[Cue, str]]]:
    """The ages in years that `text[start:end]` names, with their spans.

    >>> [age for *_, (_, age) in ages("A boy of eight and a woman, forty-five years old.", 0, 50)]
    ['child', 'middle-aged']
    """
    for match in _YEARS.finditer(text, start, end):
        name = match.lastgroup or ""
        years = _years(match[name])
        years += 6 if name in ("decade", "tens") else 3 if name == "ish" else 0
        years += _PARTS[match["part"].lower()] if name == "plural" else 0
        first = match.start(name) if name in ("of", "beside", "tens") else match.start()
        yield first, match.end(), (Cue.AGE, next(age for bound, age in _AGE_BOUNDS if years < bound))


def sexes(text: str, start: int, end: int) -> Iterator[tuple[int, int, tuple[Cue, str]]]:
    """The single signs of sex in `text[start:end]`, with their spans.

    >>> [sex for *_, (_, sex) in sexes("Pt (f, 67 y); second spkr: ♂", 0, 28)]
    ['female', 'male']
    """
    for match in _SEX.finditer(text, start, end):
        name = match.lastgroup or ""
        sign = match[name].lower()
        yield match.start(name), match.end(name), (Cue.GENDER, "female" if sign in "f♀" else "male")


def _years(text: str) -> int:
    if text.rstrip("s").isdigit():
        return int(text.rstrip("s"))
    if text.lower().endswith("ties"):
        text = text[:-3] + "y"
    return sum(_NUMBERS[word] for word in re.split(r"[\s-]", text.lower()))
