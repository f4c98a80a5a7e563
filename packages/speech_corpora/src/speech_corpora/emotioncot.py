"""The published EmotionCoT JSON Lines, read and written.

One object a line: `audio_path, transcription, emotion, pitch_level, energy_level, speed_level, stressed_words,
intonation, gender, age_level, cot_analysis`. The release also spells some of them differently; `ALIASES` lists how.
Reading keeps the good rows and says what was wrong with the others; writing always uses the first spelling.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from speech_corpora.errors import CorpusError
from speech_corpora.manifest import parse_object
from speech_records import (
    AGE_GROUPS,
    ContourDynamics,
    ContourShape,
    Emotion,
    FailedItem,
    Gender,
    InvalidRecordError,
    Level,
    MeasuredUtterance,
    ReasoningTrace,
    RecordFormatError,
    SpeechRecordsError,
)
from speech_records.files import escape_surrogates

ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "transcription": ("transcript",),
        "emotion": ("gt",),
        "stressed_words": ("stress",),
        "gender": ("gender_new",),
        "age_level": ("age_group",),
    }
)
"""Other spellings of a field that occur in the release."""

T = TypeVar("T")
_FILE_NAME_BYTE = re.compile("[\udc80-\udcff]")
"""What `os.fsdecode` makes of a byte that is not UTF-8."""

SPEED: Mapping[Level, str] = MappingProxyType({Level.LOW: "slow", Level.NORMAL: "normal", Level.HIGH: "fast"})
INTONATIONS = ("rising", "falling", "rising-falling", "falling-rising", "flat", "expressive")


@dataclass(frozen=True, slots=True)
class EmotionCoTRow:
    """One row of the release. What a row does not say is `None`; `stressed_words` is empty when none is given.

    `intonation` is one of `INTONATIONS`, `age_level` one of `speech_records.AGE_GROUPS`.
    """

    audio_path: str
    transcription: str
    emotion: Emotion
    cot_analysis: str
    pitch_level: Level | None = None
    energy_level: Level | None = None
    speed_level: Level | None = None
    stressed_words: tuple[str, ...] = ()
    intonation: str | None = None
    gender: Gender | None = None
    age_level: str | None = None

    def __post_init__(self) -> None:
        for name, known in (("intonation", INTONATIONS), ("age_level", AGE_GROUPS)):
            value = getattr(self, name)
            if value is not None and value not in known:
                raise InvalidRecordError(f"{name} must be one of {', '.join(known)}, got {value!r}")
        for name in ("audio_path", "cot_analysis"):
            if not getattr(self, name).strip():
                raise InvalidRecordError(f"{name} must not be empty")


@dataclass(frozen=True, slots=True)
class EmotionCoTListing:
    """The good rows of a file in their order, and the lines that were left out."""

    rows: tuple[EmotionCoTRow, ...]
    rejected: tuple[FailedItem, ...] = ()


def from_trace(measured: MeasuredUtterance, trace: ReasoningTrace) -> EmotionCoTRow:
    """The published form of a trace and what was measured of its utterance."""
    profile, levels, utterance = measured.profile, measured.levels, measured.utterance
    pitch, energy, rate = (levels.pitch, levels.energy, levels.rate) if levels else (None, None, None)
    return EmotionCoTRow(
        audio_path=utterance.audio_path,
        transcription=utterance.transcript or "",
        emotion=trace.answer,
        cot_analysis=trace.think,
        pitch_level=pitch.level if pitch else None,
        energy_level=energy.level if energy else None,
        speed_level=rate.level if rate else None,
        stressed_words=tuple(w.word for w in profile.stressed_words or ()),
        intonation=_intonation(profile.contour_shape, profile.contour_dynamics),
        gender=utterance.gender or profile.gender,
        age_level=utterance.age_group or (profile.age_group if profile.age_group in AGE_GROUPS else None),
    )


def read(path: str | PathLike[str]) -> EmotionCoTListing:
    """The rows of the file at `path`. Raises `CorpusError` when it is missing or no row of it is usable."""
    source = Path(path)
    if not source.is_file():
        raise CorpusError(f"EmotionCoT file {source} does not exist")
    rows: list[EmotionCoTRow] = []
    rejected: list[FailedItem] = []
    with source.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            try:
                rows.append(from_line(raw, f"line {number}"))
            except SpeechRecordsError as error:
                rejected.append(FailedItem.of(f"{source.name}:{number}", "read", error))
    if not rows:
        first = f"; first of {len(rejected)} rejected: {rejected[0].message}" if rejected else ""
        raise CorpusError(f"EmotionCoT file {source} holds no usable row{first}")
    return EmotionCoTListing(tuple(rows), tuple(rejected))


def from_line(raw: bytes, where: str) -> EmotionCoTRow:
    """The row in one line of the published form. Raises `SpeechRecordsError` that names `where`."""
    return _read_row(parse_object(raw, where), where)


def to_line(row: EmotionCoTRow) -> str:
    """The row as one line of the published form, with the line's end; file names may hold any byte."""
    text = json.dumps(_row_object(row), ensure_ascii=False, allow_nan=False)
    return _FILE_NAME_BYTE.sub(lambda byte: escape_surrogates(byte[0]), text) + "\n"


def _intonation(shape: ContourShape | None, dynamics: ContourDynamics | None) -> str | None:
    """The release's one word for shape and dynamics: a movement if there is one, else how lively the contour is."""
    if shape is not None and shape.value in INTONATIONS:
        return shape.value
    if dynamics in (ContourDynamics.FLAT, ContourDynamics.EXPRESSIVE):
        return dynamics.value
    return None


def _row_object(row: EmotionCoTRow) -> dict[str, Any]:
    return {
        "audio_path": row.audio_path,
        "transcription": row.transcription,
        "emotion": row.emotion.value,
        "pitch_level": row.pitch_level.value if row.pitch_level else None,
        "energy_level": row.energy_level.value if row.energy_level else None,
        "speed_level": SPEED[row.speed_level] if row.speed_level else None,
        "stressed_words": list(row.stressed_words),
        "intonation": row.intonation,
        "gender": row.gender.value if row.gender else None,
        "age_level": row.age_level,
        "cot_analysis": row.cot_analysis,
    }


def _read_row(data: Mapping[str, Any], where: str) -> EmotionCoTRow:
    values = _canonical(data, where)
    try:
        return EmotionCoTRow(
            audio_path=_text(values, "audio_path"),
            transcription=_text(values, "transcription"),
            emotion=Emotion.parse(_text(values, "emotion")),
            cot_analysis=_text(values, "cot_analysis"),
            pitch_level=_choice(values, "pitch_level", {level.value: level for level in Level}),
            energy_level=_choice(values, "energy_level", {level.value: level for level in Level}),
            speed_level=_choice(values, "speed_level", {word: level for level, word in SPEED.items()}),
            stressed_words=_words(values),
            intonation=_choice(values, "intonation", {word: word for word in INTONATIONS}),
            gender=_choice(values, "gender", {gender.value: gender for gender in Gender}),
            age_level=_choice(values, "age_level", {word.lower(): word for word in AGE_GROUPS}),
        )
    except SpeechRecordsError as error:
        raise type(error)(f"{where}: {error}") from error


def _canonical(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields under their first spelling. Unknown fields, and one field given twice, are refused."""
    spelling = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
    known = EmotionCoTRow.__dataclass_fields__
    values: dict[str, Any] = {}
    for key, value in data.items():
        name = spelling.get(key, key)
        if name not in known:
            raise RecordFormatError(f"{where}: unknown field {key!r}")
        if name in values and values[name] != value:
            raise RecordFormatError(f"{where}: field {name!r} is given twice, as {values[name]!r} and {value!r}")
        values[name] = value
    return values


def _text(values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        raise RecordFormatError(f"field {name!r} is missing")
    value = values[name]
    if not isinstance(value, str):
        raise RecordFormatError(f"{name} must be a string, got {value!r}")
    return value


def _choice(values: Mapping[str, Any], name: str, known: Mapping[str, T]) -> T | None:
    value = values.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or value.strip().lower() not in known:
        raise RecordFormatError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    return known[value.strip().lower()]


def _words(values: Mapping[str, Any]) -> tuple[str, ...]:
    value = values.get("stressed_words")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise RecordFormatError(f"stressed_words must be a list of strings, got {value!r}")
    return tuple(value)
