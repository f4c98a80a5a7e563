"""Profiles as rows of a table: JSON Lines (nested, nothing lost), CSV and Parquet (flat, one column a field)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import IO, Any

from prosody.batch import Measured
from prosody.errors import ProsodyError, ScaleError
from prosody.perturbation import VoiceQuality
from speech_records import ProsodyProfile, atomic_path, from_dict

COLUMNS: tuple[str, ...] = ("path", "sha256", *(field.name for field in fields(ProsodyProfile)))
VOICE_COLUMNS: tuple[str, ...] = tuple(f"voice_{field.name}" for field in fields(VoiceQuality))
_TYPES = {"path": "str", "sha256": "str", **{field.name: str(field.type) for field in fields(ProsodyProfile)}}


def flat_row(measured: Measured) -> dict[str, Any]:
    """One value per column; tuples (pauses, stressed words, notes) as JSON text, `None` stays `None`.

    >>> row = flat_row(Measured("a.wav", "00", ProsodyProfile(duration_s=1.0, sample_rate=16000)))
    >>> row["path"], row["pauses"], row["f0_median_hz"]
    ('a.wav', '[]', None)
    """
    nested = measured.row()
    row = {"path": nested["path"], "sha256": nested["sha256"]}
    for name in COLUMNS[2:]:
        value = nested["profile"].get(name)
        row[name] = json.dumps(value, ensure_ascii=False) if isinstance(value, list | tuple) else value
    if measured.voice is not None:
        row |= {f"voice_{name}": value for name, value in nested["voice"].items()}
    return row


def _columns(first: Measured | None) -> tuple[str, ...]:
    """`COLUMNS`, and those of the voice where it was measured: the same for every row of a run."""
    return COLUMNS if first is None else tuple(flat_row(first))


def write_csv(results: Iterable[Measured], stream: IO[str]) -> None:
    """RFC 4180 with a header line; unknown is the empty cell."""
    rows = iter(results)
    first = next(rows, None)
    writer = csv.DictWriter(stream, _columns(first))
    writer.writeheader()
    for measured in () if first is None else chain((first,), rows):
        writer.writerow(flat_row(measured))


def write_parquet(results: Iterable[Measured], path: Path) -> None:
    """One typed column a field (needs pyarrow, `pip install emotionthinker-prosody[parquet]`); unknown is null."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ProsodyError("Parquet needs pyarrow: pip install 'emotionthinker-prosody[parquet]'") from error
    schema = pa.schema([(name, _arrow_type(name, pa)) for name in (*COLUMNS, *VOICE_COLUMNS)])
    rows = [flat_row(measured) for measured in results]
    if not any(name in row for row in rows for name in VOICE_COLUMNS):
        schema = pa.schema([schema.field(name) for name in COLUMNS])
    with atomic_path(path) as temporary:  # pyarrow removes what it fails to write
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary)


def _arrow_type(column: str, pa: Any) -> Any:
    """By the field's type, never by its values: files in which a field is always unknown go together with others."""
    hint = _TYPES.get(column, "float")
    if "int" in hint:
        return pa.int64()
    if "bool" in hint:
        return pa.bool_()
    return pa.float64() if "float" in hint else pa.string()


def read_rows(path: Path) -> Iterator[Measured]:
    """The rows of a JSON Lines file that `prosody analyze` wrote; `ScaleError` names the line that is not one."""
    try:
        with path.open(encoding="utf-8", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                yield _row(line, f"{path}: line {number}")
    except (OSError, UnicodeDecodeError) as error:
        raise ScaleError(f"{path}: {error}") from error


def _row(line: str, where: str) -> Measured:
    try:
        raw = json.loads(line)
        return Measured(raw["path"], raw.get("sha256", ""), from_dict(ProsodyProfile, raw["profile"], where=where))
    except (ValueError, KeyError, TypeError) as error:
        raise ScaleError(f"{where}: not a row of `prosody analyze` ({type(error).__name__}: {error})") from error


def complete_lines(path: Path) -> Sequence[str]:
    """The finished lines of a file that a killed run may have left in the middle of one."""
    if not path.exists():
        return []
    text = path.read_bytes().decode("utf-8", "replace")
    return text[: text.rfind("\n") + 1].split("\n")[:-1]  # other characters that end a line may be in a path
