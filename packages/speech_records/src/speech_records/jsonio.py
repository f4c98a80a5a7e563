r"""Records as strict JSON, one object to a line.

What is written, and what is accepted:

- A record that has a `schema_version` writes it first, nested records too, and it must be there to be read.
- Every field is written; what is not known is `null`. A field that has a default may be absent.
- Unknown fields, duplicate keys, wrong types, `NaN` and infinities are refused. An integer is accepted where a float
  stands (and becomes one); nothing else is converted.
- Half a surrogate pair is refused, but for bytes of an `audio_path` that are not UTF-8: Python's surrogate escapes are
  written and read as `\udcXX`.
- Schema versions are `major.minor`. Another major is refused. A newer minor may only add optional fields: one that is
  `null` is passed over, one that holds a value is refused rather than silently dropped.

Every refusal is a `RecordFormatError` that names the place (file and line, when known) and the field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from functools import cache
from math import isfinite
from os import PathLike
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from speech_records.errors import RecordFormatError
from speech_records.files import atomic_write, escape_surrogates

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RecordT = TypeVar("RecordT", bound="DataclassInstance")

_VERSION_KEY = "schema_version"
_VERSION_FORM = re.compile(r"(\d{1,9})\.(\d{1,9})", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_ESCAPED = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Surrogates that do not stand for a byte of a file name."""
_FILE_NAME = "audio_path"
"""The field of any record that names a file."""
_encoded = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_NUMBERS = frozenset({bool, int, float})
_SCALAR_NAMES = {str: "a string", bool: "true or false", int: "an integer", float: "a number"}


def to_dict(record: DataclassInstance) -> dict[str, Any]:
    """The record as plain JSON values: dicts, lists, strings, numbers, booleans and `None`.

    Raises `TypeError` when a field holds anything that JSON has no word for, `ValueError` for half a surrogate pair.

    >>> from speech_records import Pause
    >>> to_dict(Pause(start_s=0.5, end_s=0.75))
    {'start_s': 0.5, 'end_s': 0.75}
    """
    if isinstance(record, type) or not is_dataclass(record):
        raise TypeError(f"{record!r} is no record")
    version, written = _written(type(record))
    found: dict[str, Any] = {} if version is None else {_VERSION_KEY: version}
    for name, where, refused in written:
        value = getattr(record, name)
        found[name] = value if _is_plain(value) else _encode(value, where, refused)
    return found


def from_dict(cls: type[RecordT], data: Mapping[str, Any], *, where: str = "") -> RecordT:
    """The record of type `cls` that `data`, as `to_dict` made it, holds.

    `where` says in errors where the data came from. Raises `RecordFormatError` as the module describes, and also when
    the values break the record's own invariants.
    """
    return _decode_record(cls, data, "", where)


def to_json(record: DataclassInstance) -> str:
    """The record as one line of JSON, without the line's end.

    Raises `RecordFormatError` when a number is not finite or a string holds half a surrogate pair.

    >>> from speech_records import Pause
    >>> to_json(Pause(start_s=0.5, end_s=0.75))
    '{"start_s": 0.5, "end_s": 0.75}'
    """
    try:
        return escape_surrogates(_encoded(to_dict(record)))
    except ValueError as error:
        raise RecordFormatError(f"{type(record).__name__} has no JSON form: {error}") from error


def from_json(cls: type[RecordT], text: str, *, line: int | None = None) -> RecordT:
    """The record of type `cls` that one JSON object holds; `line` is named in errors.

    >>> from speech_records import Pause
    >>> from_json(Pause, '{"start_s": 0.5, "end_s": 0.75}')
    Pause(start_s=0.5, end_s=0.75)
    >>> from_json(Pause, '{"start_s": 0.5, "stop_s": 0.75}', line=7)
    Traceback (most recent call last):
        ...
    speech_records.errors.RecordFormatError: line 7: Pause has no field 'stop_s'
    """
    return _parse(cls, text, "" if line is None else f"line {line}")


def read_jsonl(path: str | PathLike[str], cls: type[RecordT]) -> Iterator[RecordT]:
    """The records of a UTF-8 JSON Lines file, in order, read as they are asked for; blank lines are passed over.

    Raises `RecordFormatError` at the first line that is wrong, naming file, line and field; `OSError` when the file
    cannot be read.
    """
    with Path(path).open("rb") as file:
        for number, raw in enumerate(file, start=1):
            where = f"{path}, line {number}"
            try:
                text = raw.decode()
            except UnicodeDecodeError as error:
                raise RecordFormatError(f"{where}: not UTF-8 text: {error}") from error
            if text.strip():
                yield _parse(cls, text, where)


def write_jsonl(path: str | PathLike[str], records: Iterable[DataclassInstance]) -> int:
    """Write the records to a UTF-8 JSON Lines file and return how many there were.

    All or nothing: lines go to a temporary file beside `path` that takes its place at the end, so a reader never sees
    half a file and a failure leaves what was there before.
    """
    count = 0
    with atomic_write(Path(path)) as file:
        for record in records:
            file.write(to_json(record) + "\n")
            count += 1
    return count


class _Field(NamedTuple):
    hint: Any
    required: bool
    refused: re.Pattern[str]
    optional: bool
    """Whether it may be `None`."""
    plain: Any
    """The type, `None` aside, of a field that holds one plain value."""
    members: Mapping[str, Any]
    """What the text of a field means that holds one of an enumeration."""

    def holds(self, value: object) -> bool:
        """Whether a value is, at first sight, one that `_decode` would return as it is."""
        if value is None:
            return self.optional
        if type(value) is not self.plain:
            return False
        return value.isascii() if isinstance(value, str) else not isinstance(value, float) or isfinite(value)


@cache
def _schema(cls: type[DataclassInstance]) -> dict[str, _Field]:
    hints = get_type_hints(cls)
    return {f.name: _field(f, hints[f.name]) for f in fields(cls) if f.init}


def _is_plain(value: object) -> bool:
    """Whether a value is, at first sight, one that `_encode` would return as it is."""
    kind = type(value)
    return value is None or kind in _NUMBERS or (kind is str and value.isascii())  # type: ignore[attr-defined]


@cache
def _required(cls: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(name for name, field in _schema(cls).items() if field.required)


def _field(field: Field[Any], hint: Any) -> _Field:
    arms = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    plain = next((arm for arm in arms if arm in _SCALAR_NAMES), None)
    enumeration = next((arm for arm in arms if isinstance(arm, type) and issubclass(arm, StrEnum)), ())
    required = field.default is MISSING and field.default_factory is MISSING
    members = {member.value: member for member in enumeration}
    return _Field(hint, required, _refused(field), NoneType in arms, plain, members)


@cache
def _written(cls: type[DataclassInstance]) -> tuple[str | None, tuple[tuple[str, str, re.Pattern[str]], ...]]:
    """The schema version of a record, and of each field its name, its name in errors and what it may not hold."""
    named = ((f.name, f"{cls.__name__}.{f.name}", _refused(f)) for f in fields(cls))
    return _schema_version(cls), tuple(named)


def _refused(field: Field[Any]) -> re.Pattern[str]:
    """The surrogates that a field's text may not hold."""
    return _NOT_ESCAPED if field.name == _FILE_NAME else _SURROGATE


def _schema_version(cls: type[DataclassInstance]) -> str | None:
    version = getattr(cls, _VERSION_KEY, None)
    return version if isinstance(version, str) else None


def _fail(where: str, message: str) -> RecordFormatError:
    return RecordFormatError(f"{where}: {message}" if where else message)


def _parse(cls: type[RecordT], text: str, where: str) -> RecordT:
    try:
        data = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise _fail(where, f"not JSON: {error.msg} at column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise _fail(where, f"not acceptable JSON: {error}") from error
    return _decode_record(cls, data, "", where)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"key {key!r} stands twice in one object")
        result[key] = value
    return result


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _encode(value: object, name: str, refused: re.Pattern[str]) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, str) and not value.isascii() and refused.search(value):
        raise ValueError(f"{name} holds half a surrogate pair: {_shown(value)}")
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, tuple):
        return [_encode(item, f"{name}[{i}]", refused) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {_encode(key, name, refused): _encode(item, f"{name}.{key}", refused) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return to_dict(value)
    raise TypeError(f"{name}: {type(value).__name__} has no JSON form here")


def _decode_record(cls: type[RecordT], data: object, path: str, where: str) -> RecordT:
    name = f"{path}: {cls.__name__}" if path else cls.__name__
    if not isinstance(data, Mapping):
        raise _fail(where, f"{name} must be a JSON object, got {_shown(data)}")
    schema = _schema(cls)
    written = _check_version(cls, data, name, where)
    values = {}
    for key, value in data.items():
        if key in schema:
            field = schema[key]
            if field.holds(value):
                values[key] = value
            elif field.members and isinstance(value, str) and value in field.members:
                values[key] = field.members[value]
            else:
                values[key] = _decode(field.hint, value, f"{path}.{key}" if path else key, where, field.refused)
        elif written is None or key != _VERSION_KEY:
            hint = _newer(cls, written)
            if not hint or value is not None:
                raise _fail(where, f"{name} has no field {key!r}{hint}")
    missing = [key for key in _required(cls) if key not in values]
    if missing:
        raise _fail(where, f"{name} lacks the field {missing[0]!r}")
    try:
        return cls(**values)
    except ValueError as error:
        raise _fail(where, f"{path}: {error}" if path else str(error)) from error


def _check_version(cls: type[RecordT], data: Mapping[str, Any], name: str, where: str) -> str | None:
    """The schema version that `data` was written with; `None` where `cls` has none."""
    known = _schema_version(cls)
    if known is None:
        return None
    if data.get(_VERSION_KEY) == known:
        return known
    if _VERSION_KEY not in data:
        raise _fail(where, f"{name} lacks the field {_VERSION_KEY!r}; this release writes {known!r}")
    written = data[_VERSION_KEY]
    if not isinstance(written, str) or _VERSION_FORM.fullmatch(written) is None:
        raise _fail(where, f'{name}: {_VERSION_KEY} must be a string "major.minor", got {_shown(written)}')
    if _version(written)[0] != _version(known)[0]:
        raise _fail(where, f"{name}: {_VERSION_KEY} {written} cannot be read here, this release reads {known}")
    return written


def _newer(cls: type[RecordT], written: str | None) -> str:
    """What to do about a field of a newer minor version; empty where the data are not newer than this release."""
    known = _schema_version(cls)
    if written is None or known is None or _version(written) <= _version(known):
        return ""
    return f" (written with schema version {written}, this release knows {known}: update speech_records)"


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)


def _decode(hint: Any, value: object, path: str, where: str, refused: re.Pattern[str]) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        if value is None and NoneType in get_args(hint):
            return None
        (inner,) = (arg for arg in get_args(hint) if arg is not NoneType)
        return _decode(inner, value, path, where, refused)
    if origin in _CONTAINERS:
        return _CONTAINERS[origin](hint, value, path, where, refused)
    if is_dataclass(hint) and isinstance(hint, type):
        return _decode_record(hint, value, path, where)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _decode_enum(hint, value, path, where)
    return _decode_scalar(hint, value, path, where, refused)


def _decode_enum(hint: type[StrEnum], value: object, path: str, where: str) -> StrEnum:
    if isinstance(value, str) and value in hint._value2member_map_:
        return hint(value)
    raise _fail(where, f"{path} must be one of {', '.join(hint)}, got {_shown(value)}")


def _decode_tuple(hint: Any, value: object, path: str, where: str, refused: re.Pattern[str]) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _fail(where, f"{path} must be a list, got {_shown(value)}")
    inner = get_args(hint)[0]
    return tuple(_decode(inner, item, f"{path}[{i}]", where, refused) for i, item in enumerate(value))


def _decode_mapping(hint: Any, value: object, path: str, where: str, refused: re.Pattern[str]) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise _fail(where, f"{path} must be a JSON object, got {_shown(value)}")
    key_hint, item_hint = get_args(hint)
    return {
        _decode(key_hint, key, path, where, refused): _decode(item_hint, item, f"{path}.{key}", where, refused)
        for key, item in value.items()
    }


_CONTAINERS: dict[Any, Callable[..., Any]] = {tuple: _decode_tuple, Mapping: _decode_mapping}


def _decode_scalar(hint: Any, value: object, path: str, where: str, refused: re.Pattern[str]) -> object:
    if hint is Any:
        return value
    if hint not in _SCALAR_NAMES:
        raise TypeError(f"{path}: fields of type {hint!r} cannot be read from JSON")
    if hint is float and type(value) is int:
        value = _to_float(value, path, where)
    if type(value) is not hint:
        raise _fail(where, f"{path} must be {_SCALAR_NAMES[hint]}, got {_shown(value)}")
    if isinstance(value, float) and not isfinite(value):
        raise _fail(where, f"{path} must be a finite number, got {value}")
    if isinstance(value, str) and refused.search(value):
        raise _fail(where, f"{path} holds half a surrogate pair: {_shown(value)}")
    return value


def _to_float(value: int, path: str, where: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise _fail(where, f"{path} is too large for a floating-point number") from error


def _shown(value: object, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
