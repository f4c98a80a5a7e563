"""Numbers with units: how they are read, what they are checked against, and how close they have to come.

*A mean F0 of 120 Hz*, *5.1 syll/s*, *−23 dBFS*, *a pause of 0.8 s*, *two pauses*. A value is written `120 Hz`, an
interval `120-180 Hz`, a number of pauses `2`. `TOLERANCES` is how far a claim may lie from the measurement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from speech_records import Cue, ProsodyProfile

TOLERANCES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"Hz": (0.10, 5.0), "st": (0.15, 1.0), "syll/s": (0.15, 0.3), "dBFS": (0.0, 3.0), "s": (0.20, 0.1), "": (0.0, 0.0)}
)
"""Of each unit, the share of the measurement and the amount by which a claim may miss it; the larger one counts. Our
choice: about what two careful measurements of one clip differ by."""
NARROW_INTERVAL = 1.35
"""An interval whose bounds are at most this factor apart may name one value: *between 110 and 130 Hz*."""

_SPELLINGS: Mapping[str, str] = {
    "Hz": r"hz|hertz",
    "kHz": r"khz|kilohertz",
    "ms": r"ms|msec|milliseconds?",
    "s": r"s|secs?|seconds?",
    "st": r"st|semi-?tones?|semi-?tone",
    "octaves": r"octaves?",
    "syll/s": r"syll?(?:ables?|s)?\.?\s*(?:/|per|a|each|every|in\s+(?:a|one|each)|to\s+the)\s*s(?:ec(?:onds?)?)?|sps",
    "words/min": r"words?\s*(?:/|per|a|each|every|in\s+(?:a|one))\s*min(?:ute)?|wpm",
    "LUFS": r"lufs|lkfs",
    "dBFS": r"db\s*fs|dbfs",
    "dB": r"db(?:\s*\(?spl\)?)?(?:\s*\(?a\)?)?|decibels?",
}
_SCALES: Mapping[str, tuple[float, str]] = {"kHz": (1000.0, "Hz"), "ms": (0.001, "s"), "octaves": (12.0, "st")}
_UNIT = "|".join(f"(?P<{_name}>{spelt})" for _name, spelt in ((f"u{i}", s) for i, s in enumerate(_SPELLINGS.values())))
_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_A = r"an?(?=\s+(?:octave|second\s+of\s+(?:silence|quiet))\b)"
_NUMBER = rf"(?:(?:minus\s+|[-−–]\s?)?\d+(?:[.,]\d+)*|half\s+an?\b|{_A}|(?:{'|'.join(_WORDS)})\b)"
_QUANTITY = re.compile(
    rf"(?<![\w.,<>≤≥])(?<![<>≤≥]\s)(?P<first>{_NUMBER})(?:\s*(?:[-–]|to|and)\s*(?P<last>{_NUMBER}))?[\s-]*(?:{_UNIT})(?!\w)",
    re.IGNORECASE,
)
_COUNT = re.compile(
    rf"(?<![\w.,])(?P<first>[1-9]\d{{0,5}}|{'|'.join(_WORDS[1:])})(?=(?:\s+[^\W\d_]+){{0,2}}\s+(?:pauses?|breaks|silences|gaps)\b)",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"(?:pauses|breaks|gaps|silences)\s*(?:\((?:n|no\.?|count)\))?\s*(?::|=|→|->|\bx)\s*(?P<first>[1-9]\d{0,2})(?!\w|[.,]\d|\s*(?:m?s(?:ec)?\b|/))",
    re.IGNORECASE,
)
"""*Pauses: 2*."""
_OF_THEM = re.compile(
    rf"\b(?:pauses|breaks|gaps|silences)\b[^.!?;]{{0,40}}?\bthere\s+(?:are|were)\s+(?:only\s+|just\s+|exactly\s+|no\s+more\s+than\s+)?"
    rf"(?P<first>{'|'.join(_WORDS[1:])}|[2-9])\b(?=\s*(?:of\s+them|in\s+all|altogether)?\s*(?:[.,;:!]|$))",
    re.IGNORECASE,
)
"""*Consider the pauses: there are five of them*."""
_TIMES = re.compile(
    rf"(?<=\b)(?:paus(?:e[sd]?|ing)|hesitat(?:e[sd]?|ing)|stops?(?:\s+(?:dead|short))?|stopped|halts?|halted|breaks\s+off)\s+(?:just\s+|only\s+|exactly\s+)?"
    rf"(?:\?\s*(?:only\s+|just\s+)?)?(?P<first>twice|thrice|(?:{'|'.join(_WORDS[1:])}|\d{{1,2}})(?=\s+times\b))",
    re.IGNORECASE,
)
"""*Hesitates twice*."""
_CUES: Mapping[str, tuple[Cue, ...]] = {
    "Hz": (Cue.PITCH, Cue.PITCH_RANGE), "st": (Cue.PITCH_RANGE,), "syll/s": (Cue.RATE,), "words/min": (Cue.RATE,),
    "dBFS": (Cue.ENERGY,), "dB": (Cue.ENERGY,), "LUFS": (Cue.ENERGY,), "s": (Cue.PAUSES,), "": (Cue.PAUSES,),
}  # fmt: skip
_POSSIBLE: Mapping[str, tuple[float, float]] = {
    "Hz": (20.0, 2000.0), "words/min": (20.0, 500.0), "dB": (0.0, 130.0), "LUFS": (-90.0, 0.0)
}  # fmt: skip
"""What a voice can reach at all, of units that the profile may not have."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, or an interval, in one of the units of `TOLERANCES`, words per minute, dB or LUFS; `""` counts."""

    low: float
    high: float
    unit: str

    def __str__(self) -> str:
        bounds = f"{self.low:.10g}" if self.low == self.high else f"{self.low:.10g}-{self.high:.10g}"
        return f"{bounds} {self.unit}".rstrip()

    @property
    def cues(self) -> tuple[Cue, ...]:
        """The cues that are measured in this unit, the usual one first."""
        return _CUES.get(self.unit, ())


def quantity(value: str) -> Quantity | None:
    """The quantity that a claim's value is, in any spelling of its unit; `None` where it is a word.

    >>> str(quantity("0.12 kHz")), str(quantity("110-130 hertz")), quantity("high")
    ('120 Hz', '110-130 Hz', None)
    """
    text = value.strip()
    if re.fullmatch(r"\d+", text):
        return Quantity(float(text), float(text), "")
    found = _QUANTITY.fullmatch(text)
    return None if found is None else _read(found)


def quantities(text: str, start: int, end: int) -> Iterator[tuple[int, int, Quantity]]:
    """The quantities of `text[start:end]` with their spans, in order."""
    for match in sorted(
        (*_QUANTITY.finditer(text, start, end), *_COUNT.finditer(text, start, end)), key=re.Match.start
    ):
        yield *match.span(), _read(match)
    counted = (pattern.finditer(text, start, end) for pattern in (_TIMES, _COUNTED, _OF_THEM))
    for match in (one for found in counted for one in found):
        yield *match.span("first"), _read(match)


def agrees(cue: Cue, claimed: Quantity, profile: ProsodyProfile) -> tuple[bool, str] | None:
    """Whether the claim of `cue` holds, and the measurement in words; `None` where it was not measured.

    A unit that the cue is not measured in, or a number that no voice reaches, does not hold of any clip.
    """
    if cue not in claimed.cues:
        return False, f"{claimed.unit or 'a number'} is no unit of {cue.value}"
    least, most = _POSSIBLE.get(claimed.unit, (0.0 if claimed.unit != "dBFS" else -120.0, 1e4))
    if claimed.low < least or claimed.high > most:
        return False, f"outside {least:g} to {most:g} {claimed.unit}"
    measured = _measured(cue, claimed, profile)
    if not measured:
        return None
    close = any(_covers(claimed, m) for m in measured)
    return close, ", ".join(f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}" for low, high in measured)


def exclude(one: Quantity, other: Quantity) -> bool:
    """Whether no measurement agrees with both."""
    if one.unit != other.unit:
        return False
    slack = 2 * max(_slack(q.unit, v) for q in (one, other) for v in (q.low, q.high))
    return one.low - slack > other.high or other.low - slack > one.high


def _measured(cue: Cue, claimed: Quantity, profile: ProsodyProfile) -> list[tuple[float, float]]:
    """What the profile says in the claim's unit: values, or intervals."""
    unit = claimed.unit
    values: list[float | None] = []
    if cue is Cue.PITCH and unit == "Hz":
        low, high = profile.f0_p05_hz, profile.f0_p95_hz
        if claimed.low != claimed.high and low is not None and high is not None:
            return [(low, high), *([] if profile.f0_median_hz is None else [(profile.f0_median_hz,) * 2])]
        values = [profile.f0_median_hz]
    elif cue is Cue.PITCH_RANGE and profile.f0_p05_hz is not None and profile.f0_p95_hz is not None and unit == "Hz":
        if claimed.low != claimed.high:
            return [(profile.f0_p05_hz, profile.f0_p95_hz)]
        values = [profile.f0_p95_hz - profile.f0_p05_hz]
    elif cue is Cue.PITCH_RANGE and unit == "st":
        values = [profile.f0_range_st]
    elif unit == "syll/s":
        values = [profile.articulation_rate_sps, profile.speaking_rate_sps]
    elif unit == "dBFS":
        values = [profile.energy_dbfs]
    elif cue is Cue.PAUSES and profile.pause_share is not None:
        lengths = [p.end_s - p.start_s for p in profile.pauses]
        values = [float(len(lengths))] if unit == "" else [*lengths, sum(lengths)]
    return [(v, v) for v in values if v is not None]


def _covers(claimed: Quantity, measured: tuple[float, float]) -> bool:
    """Whether a claimed number is close to the measured one, both claimed bounds to both measured ones, or a narrow
    claimed interval holds the measured number.
    """
    unit = claimed.unit
    low, high = (v - _slack(unit, v) for v in measured), (v + _slack(unit, v) for v in measured)
    bounds = list(zip(low, high, strict=True))
    if measured[0] == measured[1] and claimed.low != claimed.high:
        narrow = claimed.low > 0 and claimed.high <= NARROW_INTERVAL * claimed.low
        return narrow and claimed.low <= bounds[0][1] and claimed.high >= bounds[0][0]
    return all(a <= c <= b for (a, b), c in zip(bounds, (claimed.low, claimed.high), strict=True))


def _slack(unit: str, measured: float) -> float:
    share, amount = TOLERANCES.get(unit, (0.1, 0.0))
    return max(share * abs(measured), amount)


def _read(match: re.Match[str]) -> Quantity:
    groups = match.groupdict()
    low = _number(groups["first"])
    high = low if groups.get("last") is None else _number(groups["last"])
    names = list(_SPELLINGS)
    unit = next((names[int(key[1:])] for key, found in groups.items() if key[0] == "u" and found is not None), "")
    if unit == "dB" and high <= 0:  # below full scale; a level above it is of sound pressure
        unit = "dBFS"
    scale, unit = _SCALES.get(unit, (1.0, unit))
    return Quantity(scale * min(low, high), scale * max(low, high), unit)


def _number(text: str) -> float:
    word = text.lower()
    if word in _WORDS:
        return float(_WORDS.index(word) + 1)
    if word in ("twice", "thrice"):
        return 2.0 if word == "twice" else 3.0
    if word in ("a", "an"):
        return 1.0
    if word.startswith("half"):
        return 0.5
    digits = re.sub(r"minus|[\s−–]", lambda m: "" if m.group().isspace() else "-", word).replace(" ", "")
    return float(re.sub(r",(?=\d{3}\b)", "", digits).replace(",", "."))
