"""Low, normal, high: a profile read against the distribution of its corpus.

A scale holds, for each measure and group, a table of quantiles. The cuts are its tertiles (33⅓ and 66⅔ per cent), as in
the method's annotation. Pitch is read per gender; a group of fewer than `MIN_GROUP` clips is left out, its readings
fall back to the pooled group, and `LevelReading.group` says so. A scale is JSON with its sample sizes and carries a
hash of its content, so that a reading names exactly what it was compared with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np

from prosody.errors import ScaleError
from speech_records import Gender, Level, LevelReading, ProsodyLevels, ProsodyProfile, atomic_write

POOLED: Final = "pooled"
MIN_GROUP: Final = 20
"""Fewer clips than this do not make a gender's own pitch scale: the standard error of a tertile would exceed 10
percentiles."""
MIN_ENERGY_SPAN_DB: Final = 3.0
"""Where the tertiles of the energy lie closer, the recordings were brought to one level, and energy is not read: what
differs follows the peak of each file, not the voice. In EmoDB (2.0 dB) anger measures lower than boredom, in nEMO
(2.3 dB) as sadness; in RAVDESS, whose gain was fixed, the tertiles are 8 dB apart. Our choice."""
QUANTILES: Final = 101
LOW_PERCENTILE: Final = 100.0 / 3.0
HIGH_PERCENTILE: Final = 200.0 / 3.0
SCHEMA_VERSION: Final = "1.0"

MEASURES: Final[Mapping[str, Callable[[ProsodyProfile], float | None]]] = {
    "pitch": lambda profile: profile.f0_median_hz,
    "energy": lambda profile: profile.energy_dbfs,
    "rate": lambda profile: profile.articulation_rate_sps,
}
"""What each level is read from: median F0 (Hz), active-speech level (dBFS), articulation rate (syllables/s)."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """One measure in one group: sample size and evenly spaced quantiles from the minimum to the maximum."""

    n: int
    quantiles: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.n < 1 or len(self.quantiles) < 2:
            raise ScaleError(f"a distribution needs a sample and two quantiles, got n={self.n}, {len(self.quantiles)}")
        if not np.isfinite(self.quantiles).all() or (np.diff(self.quantiles) < 0).any():
            raise ScaleError("quantiles must be finite and ascending")

    def percentile(self, value: float) -> float:
        """Where `value` lies, in [0, 100]; ties take the middle of their range.

        >>> Distribution(3, (1.0, 2.0, 3.0)).percentile(2.5)
        75.0
        """
        table = np.asarray(self.quantiles)
        grid = np.linspace(0.0, 100.0, len(table))
        equal = np.flatnonzero(table == value)
        if len(equal):
            return float((grid[equal[0]] + grid[equal[-1]]) / 2)
        return float(np.interp(value, table, grid))

    def span(self) -> float:
        """How far the tertiles are apart, in the measure's unit.

        >>> Distribution(4, (0.0, 3.0, 6.0, 9.0)).span()
        3.0
        """
        low, high = np.percentile(self.quantiles, (LOW_PERCENTILE, HIGH_PERCENTILE))
        return float(high - low)


@dataclass(frozen=True, slots=True)
class LevelScale:
    """Distributions of pitch, energy and rate, by group; see the module."""

    name: str
    groups: Mapping[str, Mapping[str, Distribution]]

    @classmethod
    def fit(cls, items: Iterable[tuple[ProsodyProfile, Gender | None]], *, name: str) -> LevelScale:
        """The scale of a corpus from its profiles and the speakers' genders (`None`: the profile's own, if any).

        Raises `ScaleError` when no profile carries any of the three measures.
        """
        values: dict[str, dict[str, list[float]]] = {measure: {POOLED: []} for measure in MEASURES}
        for profile, gender in items:
            for measure, read in MEASURES.items():
                value = read(profile)
                if value is None:
                    continue
                values[measure][POOLED].append(value)
                group = gender or profile.gender
                if measure == "pitch" and group is not None:
                    values[measure].setdefault(group.value, []).append(value)
        groups = {
            measure: {
                group: _distribution(found)
                for group, found in by_group.items()
                if found and (group == POOLED or len(found) >= MIN_GROUP)
            }
            for measure, by_group in values.items()
        }
        if not any(groups.values()):
            raise ScaleError(f"scale {name!r}: none of the profiles has a pitch, an energy or a rate to fit")
        return cls(name, groups)

    def read(self, profile: ProsodyProfile, *, gender: Gender | None = None) -> ProsodyLevels:
        """The levels of `profile`; pitch against `gender`'s distribution (default: the profile's own gender).

        A measure that the profile or the scale lacks reads `None`, and so does the energy where the scale's recordings
        were brought to one level (`MIN_ENERGY_SPAN_DB`).
        """
        readings: dict[str, LevelReading] = {}
        for measure, read in MEASURES.items():
            value, by_group = read(profile), self.groups.get(measure, {})
            known = gender or profile.gender
            group = known.value if known is not None and known.value in by_group else POOLED
            levelled = measure == "energy" and group in by_group and by_group[group].span() < MIN_ENERGY_SPAN_DB
            if value is not None and group in by_group and not levelled:
                percentile = by_group[group].percentile(value)
                readings[measure] = LevelReading(_level(percentile), value, percentile, group)
        return ProsodyLevels(scale=self.name, scale_hash=self.hash, **readings)

    @property
    def hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the scale's canonical JSON."""
        canonical = json.dumps(self._content(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """The scale as indented JSON with its hash."""
        return json.dumps({**self._content(), "hash": self.hash}, indent=1)

    def _content(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "measures": {
                measure: {group: {"n": d.n, "quantiles": list(d.quantiles)} for group, d in sorted(by_group.items())}
                for measure, by_group in self.groups.items()
            },
        }

    @classmethod
    def from_json(cls, text: str) -> LevelScale:
        """Read a scale; `ScaleError` for anything else, and when the content does not match its hash."""
        try:
            raw = json.loads(text)
            if str(raw["schema_version"]).split(".")[0] != SCHEMA_VERSION.split(".")[0]:
                raise ScaleError(f"scale of schema {raw['schema_version']}, this release reads {SCHEMA_VERSION}")
            scale = cls(
                str(raw["name"]),
                {
                    str(measure): {
                        str(group): Distribution(int(d["n"]), tuple(float(q) for q in d["quantiles"]))
                        for group, d in by_group.items()
                    }
                    for measure, by_group in raw["measures"].items()
                },
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ScaleError(f"not a level scale: {type(error).__name__}: {error}") from error
        if raw.get("hash", scale.hash) != scale.hash:
            raise ScaleError(
                f"scale {scale.name!r} says hash {raw['hash']}, its content has {scale.hash}: it was edited"
            )
        return scale

    def save(self, path: str | Path) -> None:
        """Write `to_json` to `path`, atomically."""
        with atomic_write(Path(path)) as file:
            file.write(self.to_json() + "\n")

    @classmethod
    def load(cls, path: str | Path) -> LevelScale:
        """Read the scale at `path`; `ScaleError` naming the path when it is missing or malformed."""
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ScaleError(f"{path}: {error}") from error
        except ScaleError as error:
            raise ScaleError(f"{path}: {error}") from error


@cache
def default_scale() -> LevelScale:
    """`DEFAULT_SCALE`: for a single clip without a corpus.

    Fitted on 960 clips of RAVDESS (actors 1–16, English), 278 of EmoDB (speakers 03, 08–12, German) and 539 of nEMO
    (WR0, SM0, EB0, IC0, KD0, Polish): acted emotional speech of 27 adults. Pitch and rate carry over to recordings
    of adults. Energy does not: it depends on microphone, distance and gain, so its level against this scale says how
    the file is, not how the person spoke.
    """
    return LevelScale.from_json(files("prosody").joinpath("default_scale.json").read_text(encoding="utf-8"))


def _distribution(values: list[float]) -> Distribution:
    table = np.percentile(values, np.linspace(0.0, 100.0, QUANTILES))
    return Distribution(len(values), tuple(round(float(q), 4) for q in table))


def _level(percentile: float) -> Level:
    if percentile < LOW_PERCENTILE:
        return Level.LOW
    return Level.HIGH if percentile > HIGH_PERCENTILE else Level.NORMAL
