"""Refusing settings that cannot be right."""

from __future__ import annotations

from trainer.errors import ConfigError


def check(name: str, value: object, holds: object, expected: str) -> None:
    """Raise `ConfigError`, which says what is `expected` of the setting `name`, unless it `holds`."""
    if not holds:
        raise ConfigError(f"{name} is {value}, expected {expected}")


def check_positive(settings: object, *names: str) -> None:
    """Raise `ConfigError` unless the settings of these names are 1 or more."""
    for name in names:
        check(name, getattr(settings, name), getattr(settings, name) >= 1, ">= 1")
