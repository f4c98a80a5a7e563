"""The records that packages and applications exchange.

Frozen, slotted, checked when built. Units are in the names; what was not measured or not given is `None`, never a
guess. Times count from the start of the clip in seconds. Text spans are half-open character ranges.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from math import isfinite
from typing import ClassVar

from speech_records.emotions import Emotion
from speech_records.errors import InvalidRecordError


class Gender(StrEnum):
    """Of the speaker, as the corpus says or as the voice suggests."""

    FEMALE = "female"
    MALE = "male"


AGE_GROUPS = ("Child", "Teenager", "Young Adult", "Middle-aged", "Elderly")
AGE_CUTS = (13, 20, 35, 60)
"""The groups of the method's released annotation; an age on a cut belongs to the older one."""


def age_group(years: float) -> str:
    """The group of an age.

    >>> age_group(12.9), age_group(13), age_group(34.9), age_group(35), age_group(60)
    ('Child', 'Teenager', 'Young Adult', 'Middle-aged', 'Elderly')
    """
    return AGE_GROUPS[bisect_right(AGE_CUTS, years)]


class Level(StrEnum):
    """Reading of a measurement against a named scale; of a rate, low is slow and high is fast."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class ContourShape(StrEnum):
    """Course of the smoothed pitch over the clip; `uncertain` and `too_short` say why none is given."""

    RISING = "rising"
    FALLING = "falling"
    RISING_FALLING = "rising-falling"
    FALLING_RISING = "falling-rising"
    LEVEL = "level"
    UNCERTAIN = "uncertain"
    TOO_SHORT = "too_short"


class ContourDynamics(StrEnum):
    """How far the pitch moves over the clip."""

    FLAT = "flat"
    MODERATE = "moderate"
    EXPRESSIVE = "expressive"


class Cue(StrEnum):
    """What a claim speaks of: the field of the profile or of its levels that can prove it."""

    PITCH = "pitch"
    PITCH_RANGE = "pitch_range"
    ENERGY = "energy"
    RATE = "rate"
    CONTOUR_SHAPE = "contour_shape"
    CONTOUR_DYNAMICS = "contour_dynamics"
    STRESS = "stress"
    PAUSES = "pauses"
    VOICING = "voicing"
    VOICE_QUALITY = "voice_quality"
    GENDER = "gender"
    AGE = "age"
    QUOTE = "quote"


class Verdict(StrEnum):
    """What a measurement says of a claim; `unverifiable` when nothing was measured that could decide."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNVERIFIABLE = "unverifiable"


class Degree(StrEnum):
    """How much of it a claim says: *slightly raised*, *very loud*, *extremely low*, *infinitely high*."""

    SLIGHT = "slight"
    STRONG = "strong"
    EXTREME = "extreme"
    IMPOSSIBLE = "impossible"


class SyllableSource(StrEnum):
    """Whether syllables were counted in the signal or derived from the transcript."""

    SIGNAL = "signal"
    TRANSCRIPT = "transcript"


def _check(condition: object, record: object, message: str) -> None:
    if not condition:
        raise InvalidRecordError(f"{type(record).__name__}: {message}")


def _check_floats(record: object) -> None:
    for name in _field_names(type(record)):  # type: ignore[arg-type]
        value = getattr(record, name)
        if isinstance(value, float) and not isfinite(value):
            raise InvalidRecordError(f"{type(record).__name__}.{name}: {value} is not a finite number")


@cache
def _field_names(cls: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(cls))


def _check_share(record: object, *names: str) -> None:
    for name in names:
        value = getattr(record, name)
        _check(value is None or 0.0 <= value <= 1.0, record, f"{name} must lie in [0, 1], got {value}")


def _check_positive(record: object, *names: str) -> None:
    for name in names:
        value = getattr(record, name)
        _check(value is None or value > 0, record, f"{name} must be positive, got {value}")


def _check_not_negative(record: object, *names: str) -> None:
    for name in names:
        value = getattr(record, name)
        _check(value is None or value >= 0, record, f"{name} must not be negative, got {value}")


def _check_order(record: object, start_name: str, end_name: str) -> None:
    _check_not_negative(record, start_name, end_name)
    start, end = getattr(record, start_name), getattr(record, end_name)
    in_order = start is None or end is None or start < end
    _check(in_order, record, f"{start_name} must lie before {end_name}, got {start} and {end}")


_ELSEWHERE = re.compile(r"[/\\]|[A-Za-z]:|[A-Za-z][A-Za-z0-9+.-]*:[/\\]")
"""How a path begins that does not start at the root: a slash, a drive letter, the scheme of a URL."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One labelled clip of a corpus. `audio_path` is relative to the corpus root and stays inside it.

    `gender` and `age_group` (one of `AGE_GROUPS`) are what the corpus says of the speaker. `start_s` and `end_s` say
    which part of the file it is, `channel` which of its channels, counted from 0, is this speaker's; `None` means from
    the start, to the end, the mean of all channels.
    """

    schema_version: ClassVar[str] = "1.2"

    utterance_id: str
    corpus: str
    audio_path: str
    speaker_id: str
    emotion: Emotion | None = None
    transcript: str | None = None
    language: str | None = None
    split: str | None = None
    gender: Gender | None = None
    stressed_words: tuple[str, ...] | None = None
    synthetic: bool = False
    start_s: float | None = None
    end_s: float | None = None
    channel: int | None = None
    age_group: str | None = None

    def __post_init__(self) -> None:
        _check_floats(self)
        _check(bool(self.utterance_id.strip()), self, "utterance_id must not be empty")
        _check(bool(self.speaker_id.strip()), self, f"{self.utterance_id}: speaker_id must not be empty")
        parts = self.audio_path.replace("\\", "/").split("/")
        _check(bool(self.audio_path), self, f"{self.utterance_id}: audio_path must not be empty")
        _check(
            not _ELSEWHERE.match(self.audio_path) and ".." not in parts and "\0" not in self.audio_path,
            self,
            f"{self.utterance_id}: audio_path {self.audio_path!r} must be relative and stay inside the corpus root",
        )
        _check_order(self, "start_s", "end_s")
        _check_not_negative(self, "channel")
        wanted = f"age_group must be one of {', '.join(AGE_GROUPS)}, got {self.age_group!r}"
        _check(self.age_group is None or self.age_group in AGE_GROUPS, self, f"{self.utterance_id}: {wanted}")

    @property
    def is_segment(self) -> bool:
        """Whether the clip is a part of its file: a range of it, or one of its channels."""
        return (self.start_s, self.end_s, self.channel) != (None, None, None)


@dataclass(frozen=True, slots=True)
class Pause:
    """A silence inside the speech."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        _check_floats(self)
        _check(0.0 <= self.start_s < self.end_s, self, f"need 0 <= start_s < end_s, got {self.start_s}, {self.end_s}")


@dataclass(frozen=True, slots=True)
class StressedWord:
    """A word heard as prominent; `score` in [0, 1], times `None` where the words were not aligned."""

    word: str
    score: float
    start_s: float | None = None
    end_s: float | None = None

    def __post_init__(self) -> None:
        _check_floats(self)
        _check(bool(self.word.strip()), self, "word must not be empty")
        _check_share(self, "score")
        _check_order(self, "start_s", "end_s")


@dataclass(frozen=True, slots=True)
class ProsodyProfile:
    """Physical measurements of one clip. `None` means "cannot be known here"; `notes` says why.

    Pitch in Hz and in semitones (`_st`), levels in dB relative to full scale (`_dbfs`: a full-scale square wave
    is 0), rates in syllables per second (`_sps`), shares in [0, 1].
    """

    schema_version: ClassVar[str] = "1.0"

    duration_s: float
    sample_rate: int
    speech_start_s: float | None = None
    speech_end_s: float | None = None
    f0_median_hz: float | None = None
    f0_p05_hz: float | None = None
    f0_p95_hz: float | None = None
    f0_range_st: float | None = None
    f0_sd_st: float | None = None
    f0_slope_st_per_s: float | None = None
    f0_reliability: float | None = None
    voiced_share: float | None = None
    energy_dbfs: float | None = None
    energy_range_db: float | None = None
    energy_change_db: float | None = None
    noise_floor_dbfs: float | None = None
    snr_db: float | None = None
    clipping_share: float | None = None
    hnr_db: float | None = None
    syllables: int | None = None
    syllable_source: SyllableSource | None = None
    articulation_rate_sps: float | None = None
    speaking_rate_sps: float | None = None
    pauses: tuple[Pause, ...] = ()
    pause_share: float | None = None
    contour_shape: ContourShape | None = None
    contour_dynamics: ContourDynamics | None = None
    contour_confidence: float | None = None
    stressed_words: tuple[StressedWord, ...] | None = None
    gender: Gender | None = None
    gender_confidence: float | None = None
    age_group: str | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_floats(self)
        _check_positive(self, "sample_rate", "f0_median_hz", "f0_p05_hz", "f0_p95_hz")
        _check_not_negative(
            self, "duration_s", "f0_range_st", "f0_sd_st", "energy_range_db", "syllables",
            "articulation_rate_sps", "speaking_rate_sps",
        )  # fmt: skip
        _check_order(self, "speech_start_s", "speech_end_s")
        _check_share(
            self, "f0_reliability", "voiced_share", "clipping_share", "pause_share", "contour_confidence",
            "gender_confidence",
        )  # fmt: skip
        low, mid, high = self.f0_p05_hz, self.f0_median_hz, self.f0_p95_hz
        if low is not None and mid is not None and high is not None:
            _check(low <= mid <= high, self, f"need f0_p05_hz <= f0_median_hz <= f0_p95_hz, got {low}, {mid}, {high}")


@dataclass(frozen=True, slots=True)
class LevelReading:
    """One measurement read against a scale: where it lies (percentile in [0, 100]) and what that is called.

    `group` names the part of the scale it was compared with (`female`, `male`, or `pooled`).
    """

    level: Level
    value: float
    percentile: float
    group: str = "pooled"

    def __post_init__(self) -> None:
        _check_floats(self)
        _check(0.0 <= self.percentile <= 100.0, self, f"percentile must lie in [0, 100], got {self.percentile}")


@dataclass(frozen=True, slots=True)
class ProsodyLevels:
    """The low/normal/high readings of one profile against the scale named by `scale` and `scale_hash`.

    A reading is `None` where its measurement is, or where the scale has nothing to hold it against.
    """

    schema_version: ClassVar[str] = "1.0"

    scale: str
    scale_hash: str
    pitch: LevelReading | None = None
    energy: LevelReading | None = None
    rate: LevelReading | None = None

    def __post_init__(self) -> None:
        _check(bool(self.scale) and bool(self.scale_hash), self, "scale and scale_hash must not be empty")


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement about the sound, found in `text[start:end]`, and what the measurement says of it.

    `value` is what the text claims (`high`, `rising`, …), `measured` what was measured, in words and units. `degree`
    and `hedged` say how the text puts it: *slightly*, *very*; *seems*, *perhaps*.
    """

    start: int
    end: int
    text: str
    cue: Cue
    value: str
    verdict: Verdict
    measured: str | None = None
    degree: Degree | None = None
    hedged: bool = False

    def __post_init__(self) -> None:
        _check(0 <= self.start < self.end, self, f"need 0 <= start < end, got {self.start}, {self.end}")
        _check(len(self.text) == self.end - self.start, self, f"text {self.text!r} does not fill its span")


@dataclass(frozen=True, slots=True)
class ReasoningTrace:
    """Reasoning about one utterance and the answer it ends in, with its verified claims.

    `generator` says what wrote it (`rules/1`, a model's name), `seed` the seed of its wording.
    """

    schema_version: ClassVar[str] = "1.1"

    utterance_id: str
    think: str
    answer: Emotion
    claims: tuple[Claim, ...] = ()
    generator: str = "unknown"
    seed: int | None = None
    synthetic: bool = False

    def __post_init__(self) -> None:
        _check(bool(self.utterance_id.strip()), self, "utterance_id must not be empty")
        _check(bool(self.think.strip()), self, f"{self.utterance_id}: think must not be empty")
        for claim in self.claims:
            _check(
                self.think[claim.start : claim.end] == claim.text,
                self,
                f"{self.utterance_id}: claim {claim.text!r} does not stand at [{claim.start}, {claim.end}) of think",
            )


@dataclass(frozen=True, slots=True)
class RewardScores:
    """A judgement of a reasoning trace on the paper's four criteria, each in [1, 5]."""

    schema_version: ClassVar[str] = "1.0"
    CRITERIA: ClassVar[tuple[str, ...]] = (
        "factual_alignment",
        "interpretative_quality",
        "caption_completeness",
        "fluency_and_structural_clarity",
    )

    factual_alignment: float
    interpretative_quality: float
    caption_completeness: float
    fluency_and_structural_clarity: float

    def __post_init__(self) -> None:
        for name in self.CRITERIA:
            value = getattr(self, name)
            _check(1.0 <= value <= 5.0, self, f"{name} must lie in [1, 5], got {value}")

    def as_tuple(self) -> tuple[float, float, float, float]:
        """The four scores in the order of `CRITERIA`."""
        return (
            self.factual_alignment,
            self.interpretative_quality,
            self.caption_completeness,
            self.fluency_and_structural_clarity,
        )


@dataclass(frozen=True, slots=True)
class MeasuredUtterance:
    """An utterance with its measurements: what annotation stores and what reasoning is written from."""

    schema_version: ClassVar[str] = "1.0"

    utterance: Utterance
    profile: ProsodyProfile
    levels: ProsodyLevels | None = None
    audio_sha256: str | None = None
