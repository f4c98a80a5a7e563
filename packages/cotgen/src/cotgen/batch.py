"""Whole files at a time: record files read line by line, and what went wrong kept beside the output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from cotgen.corpora import emotioncot
from cotgen.errors import CotgenError
from cotgen.quoting import words
from speech_records import (
    MeasuredUtterance,
    ReasoningTrace,
    RecordFormatError,
    from_json,
)

RecordT = TypeVar("RecordT", MeasuredUtterance, ReasoningTrace)


@dataclass(frozen=True, slots=True)
class Failure:
    """One record that was left out: where it stands, at which stage, the error's name and its message."""

    where: str
    stage: str
    error: str
    message: str


def read_records(path: Path, cls: type[RecordT]) -> tuple[list[RecordT], list[Failure]]:
    """The good records of a JSON Lines file, and its broken lines. Raises `CotgenError` when the file is missing."""
    if not path.is_file():
        raise CotgenError(f"{path} does not exist")
    records: list[RecordT] = []
    failures: list[Failure] = []
    for number, raw in enumerate(path.read_bytes().splitlines(), start=1):
        if not raw.strip():
            continue
        try:
            records.append(from_json(cls, raw.decode(), line=number))
        except (RecordFormatError, UnicodeDecodeError) as error:
            failures.append(Failure(f"{path.name}:{number}", "read", type(error).__name__, str(error)))
    return records, failures


def read_measured(path: Path) -> tuple[list[MeasuredUtterance], list[Failure]]:
    """As `read_records`, and of an utterance that stands there twice only the first is kept."""
    records, failures = read_records(path, MeasuredUtterance)
    kept: dict[str, MeasuredUtterance] = {}
    for record in records:
        name = record.utterance.utterance_id
        if name in kept:
            failures.append(Failure(name, "read", "CotgenError", f"utterance {name!r} stands twice in {path.name}"))
        else:
            kept[name] = record
    return list(kept.values()), failures


def read_texts(path: Path, measured: Sequence[MeasuredUtterance]) -> tuple[list[ReasoningTrace], list[Failure]]:
    """Texts to verify: stored traces, or published EmotionCoT rows, which are matched to `measured` by audio path.

    The first line decides which. A row whose transcript is not that of its measurement is a failure.
    """
    if not path.is_file():
        raise CotgenError(f"{path} does not exist")
    with path.open("rb") as file:
        first = next((line for line in file if line.strip()), b"")
    if b'"cot_analysis"' not in first:
        return read_records(path, ReasoningTrace)
    by_audio = {m.utterance.audio_path: m.utterance for m in measured}
    published = emotioncot.read(path)
    failures = [Failure(r.where, "read", type(r).__name__, r.reason) for r in published.rejected]
    texts: list[ReasoningTrace] = []
    for row in published.rows:
        utterance = by_audio.get(row.audio_path)
        if utterance is None:
            reason = "no measured utterance has this audio_path"
        elif utterance.transcript and row.transcription and words(utterance.transcript) != words(row.transcription):
            reason = f"profile of another utterance: {row.transcription!r} was measured as {utterance.transcript!r}"
        else:
            texts.append(ReasoningTrace(utterance.utterance_id, row.cot_analysis, row.emotion, generator="emotioncot"))
            continue
        failures.append(Failure(row.audio_path, "verify", "CotgenError", reason))
    return texts, failures


def write_failures(path: Path, failures: Sequence[Failure]) -> None:
    """Write the failures as JSON Lines; without any, remove what an earlier run left at `path`."""
    if not failures:
        path.unlink(missing_ok=True)
        return
    path.write_text("".join(json.dumps(asdict(f), ensure_ascii=False) + "\n" for f in failures), encoding="utf-8")
