"""Modified speech: pitch, range, contour, energy, tempo, pauses, whisper, through WORLD or PSOLA.

F0 comes from this package's own tracker, so what is modified is what is measured. A change of energy alone, or pauses
alone, pass neither, and no change returns a copy.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prosody.audio import resample
from prosody.contour import fit_line
from prosody.energy import active_level, frame_energy, peak
from prosody.errors import ModificationError
from prosody.measurement import checked_samples, tracks
from prosody.pitch import STEP_S, PitchTrack
from prosody.psola import overlap_add
from prosody.vocoder import MAX_DURATION_S, MIN_WORLD_RATE, Deadline, Vocoded, put_together, take_apart, whispered
from speech_records import ContourShape

MAX_PITCH_ST: Final = 24.0
MAX_RANGE_FACTOR: Final = 4.0
MAX_ENERGY_DB: Final = 40.0
MIN_TEMPO: Final = 0.25
MAX_TEMPO: Final = 4.0
MAX_PAUSE_S: Final = 10.0
DEFAULT_TIME_LIMIT_S: Final = 60.0
PEAK_LIMIT: Final = 0.999
CONTOUR_ST: Final = 6.0
"""Excursion of an imposed contour: three times the 2 st that make a shape."""
RESIDUAL_KEPT: Final = 0.5
"""Share of the speaker's own movement around the line that an imposed contour leaves, so that it stays speech."""
_AUDIBLE_DB: Final = 0.5
_FADE_S: Final = 0.010

_HEIGHTS: Final = {
    ContourShape.RISING: (-0.5, 0.0, 0.5),
    ContourShape.FALLING: (0.5, 0.0, -0.5),
    ContourShape.RISING_FALLING: (-0.5, 0.5, -0.5),
    ContourShape.FALLING_RISING: (0.5, -0.5, 0.5),
    ContourShape.LEVEL: (0.0, 0.0, 0.0),
}
_log = logging.getLogger(__name__)


class Method(StrEnum):
    """How speech is taken apart: `world`, a vocoder, or `psola`, periods of the recording itself moved and added."""

    WORLD = "world"
    PSOLA = "psola"


@dataclass(frozen=True, slots=True)
class PauseAt:
    """Silence of `duration_s` to insert at `at_s` of the original clip."""

    at_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class PitchChange:
    """What is to become of F0; see `modify`."""

    pitch_st: float
    range_factor: float
    contour: ContourShape | None
    contour_st: float

    @property
    def asked(self) -> bool:
        """Whether anything changes."""
        return self.pitch_st != 0.0 or self.range_factor != 1.0 or self.contour is not None

    def applied(
        self, times_s: NDArray[np.float64], f0_hz: NDArray[np.float64], pitch: PitchTrack
    ) -> NDArray[np.float64]:
        """The new F0 at `times_s`, 0 where `f0_hz` is; the median is that of `pitch`."""
        voiced, median = f0_hz > 0, float(np.median(pitch.f0_hz[pitch.voiced]))
        st = 12.0 * np.log2(f0_hz[voiced] / median)
        if self.contour is not None:
            times = times_s[voiced]
            u = (times - times[0]) / max(times[-1] - times[0], STEP_S)
            line = fit_line(u, st)
            target = self.contour_st * np.interp(u, [0.0, 0.5, 1.0], _HEIGHTS[self.contour])
            st = target + RESIDUAL_KEPT * (st - line)
        new = np.zeros(len(f0_hz))
        new[voiced] = median * 2.0 ** ((st * self.range_factor + self.pitch_st) / 12.0)
        return new


def modify(
    samples: ArrayLike,
    sample_rate: int,
    *,
    pitch_st: float = 0.0,
    range_factor: float = 1.0,
    energy_db: float = 0.0,
    tempo: float = 1.0,
    contour: ContourShape | None = None,
    contour_st: float = CONTOUR_ST,
    whisper: bool = False,
    pauses: Sequence[PauseAt] = (),
    method: Method = Method.WORLD,
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
) -> NDArray[np.float32]:
    """The clip with its prosody changed, float32 of shape [m] at the same sample rate.

    `pitch_st` moves F0 by semitones; `range_factor` stretches it around the median (0 = monotone); `tempo` 2 is
    twice as fast. `contour` replaces the intonation's line by rising, falling, … with an excursion of `contour_st`
    semitones. `whisper` takes the voice away. `energy_db` moves the active-speech level, which every other change
    keeps; where samples would clip the gain is limited and the log (`prosody.modification`) says by how much.
    `pauses` insert silence. `method` is WORLD, or PSOLA, which moves the recording's own periods and cannot whisper.

    Raises `ModificationError` for values out of range, for pitch changes on clips without voicing, for clips over two
    minutes, and when the method needs longer than `time_limit_s`; `AnalysisError` for samples that cannot be measured.
    """
    signal = checked_samples(samples, sample_rate)
    duration_s = len(signal) / sample_rate
    change = PitchChange(pitch_st, range_factor, contour, contour_st)
    _check_ranges(change, energy_db, tempo)
    _check_pauses(pauses, duration_s)
    if whisper and change.asked:
        raise ModificationError("whispered speech has no pitch to change: drop whisper or the changes of pitch")
    if whisper and method is Method.PSOLA:
        raise ModificationError("PSOLA moves the periods of a voice and cannot take it away: whisper needs WORLD")
    result = signal.copy()
    if change.asked or whisper or tempo != 1.0:
        if duration_s > MAX_DURATION_S:
            raise ModificationError(f"{duration_s:.1f} s of speech; at most {MAX_DURATION_S:g} s are modified at once")
        pitch = tracks(signal, sample_rate).pitch
        if change.asked and not pitch.voiced.any():
            raise ModificationError("the clip has no credible voicing: there is no pitch to change")
        deadline = Deadline(time_limit_s)
        if method is Method.PSOLA:
            changed = _by_psola(signal, sample_rate, pitch, change, tempo=tempo, deadline=deadline)
        else:
            changed = _by_world(signal, sample_rate, pitch, change, tempo=tempo, whisper=whisper, deadline=deadline)
        wanted = round(len(signal) / tempo)  # both round to whole frames
        changed = np.pad(changed[:wanted], (0, max(0, wanted - len(changed))))
        result = _same_level(changed, signal, sample_rate)
    return _insert_pauses(_amplify(result, energy_db), sample_rate, pauses, tempo)


def _by_world(
    signal: NDArray[np.float32],
    sample_rate: int,
    pitch: PitchTrack,
    change: PitchChange,
    *,
    tempo: float,
    whisper: bool,
    deadline: Deadline,
) -> NDArray[np.float32]:
    rate = max(sample_rate, MIN_WORLD_RATE)
    parts = take_apart(resample(signal, sample_rate, rate), rate, pitch, deadline=deadline)
    if change.asked:
        f0 = change.applied(parts.times_s, parts.f0_hz, pitch)
        parts = Vocoded(f0, parts.envelope, parts.aperiodicity, parts.times_s)
    elif whisper:
        parts = whispered(parts)
    return resample(put_together(parts, rate, tempo=tempo, deadline=deadline), rate, sample_rate)


def _by_psola(
    signal: NDArray[np.float32],
    sample_rate: int,
    pitch: PitchTrack,
    change: PitchChange,
    *,
    tempo: float,
    deadline: Deadline,
) -> NDArray[np.float32]:
    f0 = change.applied(pitch.times_s, np.nan_to_num(pitch.f0_hz), pitch) if change.asked else None
    return overlap_add(signal, sample_rate, pitch, new_f0_hz=f0, tempo=tempo, deadline=deadline)


def _check_ranges(change: PitchChange, energy_db: float, tempo: float) -> None:
    for name, value, low, high in (
        ("pitch_st", change.pitch_st, -MAX_PITCH_ST, MAX_PITCH_ST),
        ("range_factor", change.range_factor, 0.0, MAX_RANGE_FACTOR),
        ("energy_db", energy_db, -MAX_ENERGY_DB, MAX_ENERGY_DB),
        ("tempo", tempo, MIN_TEMPO, MAX_TEMPO),
        ("contour_st", change.contour_st, 0.0, MAX_PITCH_ST),
    ):
        if not low <= value <= high:  # NaN fails too
            raise ModificationError(f"{name} must lie in [{low:g}, {high:g}], got {value}")
    if change.contour is not None and change.contour not in _HEIGHTS:
        raise ModificationError(f"contour {change.contour.value!r} is a finding, not a shape that can be imposed")


def _check_pauses(pauses: Sequence[PauseAt], duration_s: float) -> None:
    for pause in pauses:
        if not (0.0 <= pause.at_s <= duration_s and 0.0 < pause.duration_s <= MAX_PAUSE_S):
            raise ModificationError(
                f"{pause}: must lie inside the clip of {duration_s:.3f} s and last at most {MAX_PAUSE_S:g} s"
            )


def _same_level(changed: NDArray[np.float32], original: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """The vocoder's output at the active-speech level of what went in."""
    before = active_level(frame_energy(original, sample_rate).dbfs)
    after = active_level(frame_energy(changed, sample_rate).dbfs)
    return changed if before is None or after is None else _amplify(changed, before - after)


def _amplify(samples: NDArray[np.float32], gain_db: float) -> NDArray[np.float32]:
    """Gain without clipping: limited to what the peak allows, and logged."""
    if gain_db == 0.0:
        return samples
    top = peak(samples)
    allowed = 20.0 * np.log10(PEAK_LIMIT / top) if top > 0.0 else gain_db
    if gain_db > max(allowed, 0.0):
        if gain_db > max(allowed, 0.0) + _AUDIBLE_DB:
            _log.warning("gain limited from %+.1f dB to %+.1f dB: samples would clip", gain_db, max(allowed, 0.0))
        gain_db = max(float(allowed), 0.0)
    return (samples * np.float32(10.0 ** (gain_db / 20.0))).astype(np.float32)


def _insert_pauses(
    samples: NDArray[np.float32], sample_rate: int, pauses: Sequence[PauseAt], tempo: float
) -> NDArray[np.float32]:
    """Silence at each place, with 10 ms fades on both sides so that the cut does not click."""
    pieces: list[NDArray[np.float32]] = []
    fade = max(1, round(_FADE_S * sample_rate))
    start = 0
    for pause in sorted(pauses, key=lambda p: p.at_s):
        cut = min(len(samples), round(pause.at_s / tempo * sample_rate))
        pieces += [_faded(samples[start:cut], fade, before=start > 0, after=True)]
        pieces += [np.zeros(round(pause.duration_s * sample_rate), dtype=np.float32)]
        start = cut
    pieces.append(_faded(samples[start:], fade, before=start > 0, after=False))
    return np.concatenate(pieces)


def _faded(piece: NDArray[np.float32], fade: int, *, before: bool, after: bool) -> NDArray[np.float32]:
    piece, width = piece.copy(), min(fade, len(piece))
    ramp = np.linspace(0.0, 1.0, width, dtype=np.float32)
    if before:
        piece[:width] *= ramp
    if after and width:
        piece[-width:] *= ramp[::-1]
    return piece
