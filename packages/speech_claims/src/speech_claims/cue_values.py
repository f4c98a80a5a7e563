"""What a profile and its levels say of each cue, in the closed vocabulary of claims.

The one place where measurements become words: the generator writes from these readings and the verifier judges by
them. A cue that was not measured, or whose measurement is called uncertain, has no reading.

Vocabulary: pitch, energy, rate and pitch range `low, normal, high`; contour `rising, falling, rising-falling,
falling-rising, level`; dynamics `flat, moderate, expressive`; voicing `whispered, voiced`; voice quality `breathy,
creaky, rough, tense, trembling, clear`; gender `female, male`; age `child, teenager, young adult, adult, middle-aged,
elderly`; pauses `none, present, few, many, short, long`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from speech_records import ContourShape, Cue, Level, LevelReading, ProsodyLevels, ProsodyProfile

BORDER_PERCENTILES = 5.0
"""A level may also be called by its neighbour's name this close to the tertile between them (our choice: about what
the estimate of a speaker's tertile varies by)."""
EXTREME_PERCENTILES = 10.0
"""What is called *extremely* low lies in the lowest tenth."""
TERTILES = (100 / 3, 200 / 3)

WHISPERED_BELOW = 0.15
"""Voiced share under which speech is called whispered. Our choice, with `VOICED_ABOVE`: of the demo corpus's whispered
clips nine in ten measure 0.0 and the highest 0.19, its phonated clips 0.38 or more."""
VOICED_ABOVE = 0.25
"""Voiced share from which speech is called voiced; between the two nothing is said."""

NARROW_BELOW_ST, WIDE_ABOVE_ST = 3.0, 9.0
"""Semitones between the 5th and 95th percentile of pitch: the published pipeline's cuts of flat and expressive."""
BORDER_ST = 1.0
"""A range this close to a cut may be called by either name (our choice)."""

LONG_PAUSE_S = 0.5
"""A pause from here on is long: well past the 0.25 s that separate hesitation from articulation in the literature."""
MANY_PAUSES = 3

NOISY_BELOW_DB, CLEAR_ABOVE_DB = 6.0, 15.0
"""Harmonics-to-noise ratio under which a voice is called rough, and from which it is called clear: about the 5th and
the 95th percentile of 120 clips of RAVDESS, so that nothing is said of nine voices in ten (our choice)."""
MIN_SNR_DB = 20.0
"""Under this signal-to-noise ratio the recording, not the voice, may be what lacks harmonics (our choice)."""
NOISY = frozenset({"breathy", "creaky", "rough"})

EVEN_BELOW_DB, VARYING_ABOVE_DB = 21.0, 31.0
"""Range of the speech frames' levels under which loudness is called steady, and from which it is called varying: about
the 10th and the 90th percentile of 7 200 clips of acted speech, and nothing is said between (our choice)."""
TREND_DB, TREND_BORDER_DB = 2.5, 1.0
"""Difference of the halves of the speech from which it gets louder or quieter, and how near to it either is fair."""

ADULTS = frozenset({"young adult", "middle-aged", "elderly"})


@dataclass(frozen=True, slots=True)
class CueValue:
    """One cue as measured: its `value`, every value that a claim may fairly give it, and the measurement in words.

    `slightly` are the values that a claim with *slightly* or *a little* may give it besides. Where the measurement can
    decide some values only, they are `decidable`. `extremes` are the values that may be called *extremely* so; `None`
    where that is not known.
    """

    value: str
    accepted: frozenset[str]
    measured: str
    slightly: frozenset[str] = frozenset()
    decidable: frozenset[str] | None = None
    extremes: frozenset[str] | None = None


def cue_values(profile: ProsodyProfile, levels: ProsodyLevels | None) -> Mapping[Cue, CueValue]:
    """The readings of every cue that was measured with certainty, in the order pitch, energy, rate, contour, others.

    >>> from speech_records import ProsodyProfile
    >>> reading = cue_values(ProsodyProfile(duration_s=1.0, sample_rate=16000, voiced_share=0.04), None)[Cue.VOICING]
    >>> reading.value, reading.measured
    ('whispered', '4 % of the speech is voiced')
    """
    voicing = _voicing(profile)
    whispered = voicing is not None and voicing.value == "whispered"
    found = {
        Cue.PITCH: None if whispered else _level(levels.pitch if levels else None, "Hz"),
        Cue.ENERGY: _level(levels.energy if levels else None, "dBFS"),
        Cue.RATE: _level(levels.rate if levels else None, "syllables per second"),
        Cue.CONTOUR_SHAPE: None if whispered else _shape(profile),
        Cue.CONTOUR_DYNAMICS: None if whispered else _dynamics(profile),
        Cue.PITCH_RANGE: None if whispered else _range(profile),
        Cue.VOICING: voicing,
        Cue.PAUSES: _pauses(profile),
        Cue.VOICE_QUALITY: None if whispered else _quality(profile),
        Cue.GENDER: _gender(profile),
        Cue.AGE: _age(profile),
    }
    return {cue: reading for cue, reading in found.items() if reading is not None}


def movements(profile: ProsodyProfile) -> Mapping[tuple[Cue, str], CueValue]:
    """What is known of change within the clip, by the claims (cue, value) that it decides. Of speed nothing is."""
    found: dict[tuple[Cue, str], CueValue] = {}
    spread, change = profile.energy_range_db, profile.energy_change_db
    if spread is not None and not EVEN_BELOW_DB <= spread < VARYING_ABOVE_DB:
        value = _exact("steady" if spread < EVEN_BELOW_DB else "varying", f"levels range over {spread:.0f} dB")
        found |= dict.fromkeys(((Cue.ENERGY, "steady"), (Cue.ENERGY, "varying")), value)
    if change is not None:
        accepted = {name for name, up in (("rising", change), ("falling", -change)) if up >= TREND_DB - TREND_BORDER_DB}
        if abs(change) < TREND_DB + TREND_BORDER_DB:
            accepted.add("even")
        named = "rising" if change >= TREND_DB else "falling" if change <= -TREND_DB else "even"
        value = CueValue(named, frozenset(accepted), f"second half {change:+.1f} dB against the first")
        found |= dict.fromkeys(((Cue.ENERGY, "rising"), (Cue.ENERGY, "falling")), value)
    return found


def _exact(value: str, measured: str) -> CueValue:
    return CueValue(value, frozenset({value}), measured)


def _level(reading: LevelReading | None, unit: str) -> CueValue | None:
    if reading is None:
        return None
    accepted = _near(reading, BORDER_PERCENTILES)
    measured = (
        f"{reading.value:.3g} {unit}: {reading.level.value} (percentile {reading.percentile:.0f}, {reading.group})"
    )
    extremes = frozenset(
        name
        for name, share in (("low", reading.percentile), ("high", 100.0 - reading.percentile))
        if share <= EXTREME_PERCENTILES
    )
    return CueValue(
        reading.level.value, accepted, measured, slightly=_near(reading, 2 * BORDER_PERCENTILES), extremes=extremes
    )


def _near(reading: LevelReading, border: float) -> frozenset[str]:
    """The reading's level and those whose cut lies within `border` percentiles of it."""
    named = {reading.level.value}
    for cut, (below, above) in zip(TERTILES, ((Level.LOW, Level.NORMAL), (Level.NORMAL, Level.HIGH)), strict=True):
        if abs(reading.percentile - cut) <= border and reading.level in (below, above):
            named |= {below.value, above.value}
    return frozenset(named)


def _shape(profile: ProsodyProfile) -> CueValue | None:
    shape = profile.contour_shape
    if shape is None or shape in (ContourShape.UNCERTAIN, ContourShape.TOO_SHORT):
        return None
    slope = "" if profile.f0_slope_st_per_s is None else f" ({profile.f0_slope_st_per_s:+.1f} semitones per second)"
    return _exact(shape.value, f"{shape.value} contour{slope}")


def _dynamics(profile: ProsodyProfile) -> CueValue | None:
    if profile.contour_dynamics is None:
        return None
    spread = "" if profile.f0_range_st is None else f" ({profile.f0_range_st:.1f} semitones of pitch range)"
    return _exact(profile.contour_dynamics.value, f"{profile.contour_dynamics.value} melody{spread}")


def _range(profile: ProsodyProfile) -> CueValue | None:
    spread = profile.f0_range_st
    if spread is None:
        return None
    names = (Level.LOW, Level.NORMAL, Level.HIGH)
    value = names[(spread >= NARROW_BELOW_ST) + (spread > WIDE_ABOVE_ST)]
    accepted = {value.value}
    for i, cut in enumerate((NARROW_BELOW_ST, WIDE_ABOVE_ST)):
        if abs(spread - cut) <= BORDER_ST:
            accepted |= {names[i].value, names[i + 1].value}
    return CueValue(value.value, frozenset(accepted), f"{spread:.1f} semitones: {value.value}")


def _voicing(profile: ProsodyProfile) -> CueValue | None:
    share = profile.voiced_share
    if share is None or WHISPERED_BELOW <= share < VOICED_ABOVE:
        return None
    return _exact("whispered" if share < WHISPERED_BELOW else "voiced", f"{100 * share:.0f} % of the speech is voiced")


def _pauses(profile: ProsodyProfile) -> CueValue | None:
    if profile.pause_share is None:
        return None
    if not profile.pauses:
        return CueValue("none", frozenset({"none", "few"}), "no pause")
    longest = max(p.end_s - p.start_s for p in profile.pauses)
    count = len(profile.pauses)
    length = "long" if longest >= LONG_PAUSE_S else "short"
    accepted = frozenset({"present", length, "many" if count >= MANY_PAUSES else "few"})
    return CueValue("long" if length == "long" else "present", accepted, f"{count} pauses, the longest {longest:.2f} s")


def _gender(profile: ProsodyProfile) -> CueValue | None:
    if profile.gender is None:
        return None
    sure = "" if profile.gender_confidence is None else f" (confidence {profile.gender_confidence:.2f})"
    return _exact(profile.gender.value, f"{profile.gender.value} voice{sure}")


def _quality(profile: ProsodyProfile) -> CueValue | None:
    hnr, snr = profile.hnr_db, profile.snr_db
    if hnr is None or NOISY_BELOW_DB <= hnr < CLEAR_ABOVE_DB:
        return None
    if hnr < NOISY_BELOW_DB and snr is not None and snr < MIN_SNR_DB:
        return None
    clear = hnr >= CLEAR_ABOVE_DB
    return CueValue(
        "clear" if clear else "rough",
        frozenset({"clear"}) if clear else NOISY,
        f"harmonics {hnr:.1f} dB above the noise",
        decidable=NOISY | {"clear"},
    )


def _age(profile: ProsodyProfile) -> CueValue | None:
    if profile.age_group is None:
        return None
    group = profile.age_group.lower()
    return CueValue(group, frozenset({group, "adult"} if group in ADULTS else {group}), f"voice of age group {group}")
