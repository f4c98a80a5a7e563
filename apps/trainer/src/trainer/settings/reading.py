"""Settings from plain values, and their defaults as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from typing import Any, TypeVar

from speech_records import RecordFormatError, from_dict
from trainer.errors import ConfigError
from trainer.settings.stage import StageSettings

REQUIRED = "???"
"""How a composed configuration marks a setting that must be given."""

SettingsT = TypeVar("SettingsT", bound=StageSettings)


def read_settings(kind: type[SettingsT], values: Mapping[str, Any]) -> SettingsT:
    """The settings that plain `values` hold; a dataclass's defaults for what is not in them.

    Raises `ConfigError` for an unknown setting, a value of another type, and one that cannot be right.
    """
    missing = [key for key, value in values.items() if value == REQUIRED]
    if missing:
        raise ConfigError(f"stage {values.get('name')} needs {', '.join(f'{key}=…' for key in missing)}")
    try:
        return from_dict(kind, values, where=f"stage {values.get('name')}")
    except RecordFormatError as error:
        raise ConfigError(str(error)) from error


def refuse_unknown(kind: type[Any], values: Mapping[str, Any], path: str = "") -> None:
    """Raise `ConfigError` for a key of `values` that the settings dataclass does not have; missing ones are fine."""
    known = {f.name: f.default for f in fields(kind)}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"unknown setting {path}{key}; there are {', '.join(path + name for name in known)}")
        if is_dataclass(known[key]):
            refuse_unknown(type(known[key]), value, f"{path}{key}.")


def plain_defaults(kind: type[Any]) -> dict[str, Any]:
    """The defaults of a settings dataclass as plain values, `???` for what must be given."""
    values = {}
    for f in fields(kind):
        value = f.default_factory() if f.default_factory is not MISSING else f.default
        values[f.name] = REQUIRED if value is MISSING else plain(value)
    return values


def plain(value: Any) -> Any:
    """`value` in lists, dicts and scalars.

    >>> from grpo_ptr import ProgressiveSchedule
    >>> plain(ProgressiveSchedule(window=4))
    {'threshold': 0.5, 'window': 4, 'tolerance': 0.05}
    """
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value.value if isinstance(value, StrEnum) else value


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as `a.b` and their values.

    >>> dict(flat({"a": {"b": 1}, "c": [2]}))
    {'a.b': 1, 'c': [2]}
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
