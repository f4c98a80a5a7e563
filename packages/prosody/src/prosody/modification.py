"""Modified speech: pitch, range, contour, energy, tempo, pauses, whisper, through the WORLD vocoder.

WORLD (Morise, Yokomori & Ozawa 2016, IEICE Trans. E99-D: 1877–1884) takes speech apart into F0, spectral envelope
(CheapTrick) and aperiodicity (D4C) and puts it together again. F0 comes from this package's own tracker, so what is
modified is what is measured. A change of energy alone, or pauses alone, never pass the vocoder, and no change
returns a copy.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Final, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prosody.audio import resample
from prosody.contour import fit_line
from prosody.energy import active_level, frame_energy, peak
from prosody.errors import ModificationError
from prosody.measurement import checked_samples, tracks
from prosody.pitch import PitchTrack
from speech_records import ContourShape

MAX_PITCH_ST: Final = 24.0
MAX_RANGE_FACTOR: Final = 4.0
MAX_ENERGY_DB: Final = 40.0
MIN_TEMPO: Final = 0.25
MAX_TEMPO: Final = 4.0
MAX_PAUSE_S: Final = 10.0
MAX_DURATION_S: Final = 120.0
"""WORLD holds two spectra per 5 ms frame: two minutes take about 400 MB."""
DEFAULT_TIME_LIMIT_S: Final = 60.0
PEAK_LIMIT: Final = 0.999
CONTOUR_ST: Final = 6.0
"""Excursion of an imposed contour: three times the 2 st that make a shape."""
RESIDUAL_KEPT: Final = 0.5
"""Share of the speaker's own movement around the line that an imposed contour leaves, so that it stays speech."""
_FRAME_MS: Final = 5.0
_MIN_WORLD_RATE: Final = 16_000  # below it, D4C has no band left to estimate aperiodicity in
_AUDIBLE_DB: Final = 0.5
_FADE_S: Final = 0.010
_BRIDGE_S: Final = 0.045  # WORLD needs F0 up to the edges of voicing, where a 10 ms track already lets go

_HEIGHTS: Final = {
    ContourShape.RISING: (-0.5, 0.0, 0.5),
    ContourShape.FALLING: (0.5, 0.0, -0.5),
    ContourShape.RISING_FALLING: (-0.5, 0.5, -0.5),
    ContourShape.FALLING_RISING: (0.5, -0.5, 0.5),
    ContourShape.LEVEL: (0.0, 0.0, 0.0),
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PauseAt:
    """Silence of `duration_s` to insert at `at_s` of the original clip."""

    at_s: float
    duration_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Vocoded:
    """WORLD's parameters of a clip, every 5 ms.

    `f0_hz` (0 = unvoiced) and `times_s` are [frames], the power `envelope` and the `aperiodicity` [frames, bins].
    """

    f0_hz: NDArray[np.float64]
    envelope: NDArray[np.float64]
    aperiodicity: NDArray[np.float64]
    times_s: NDArray[np.float64]


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
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
) -> NDArray[np.float32]:
    """The clip with its prosody changed, float32 of shape [m] at the same sample rate.

    `pitch_st` moves F0 by semitones; `range_factor` stretches it around the median (0 = monotone); `tempo` 2 is
    twice as fast. `contour` replaces the intonation's line by rising, falling, … with an excursion of `contour_st`
    semitones. `whisper` takes the voice away. `energy_db` moves the active-speech level, which every other change
    keeps; where samples would clip the gain is limited and the log (`prosody.modification`) says by how much.
    `pauses` insert silence.

    Raises `ModificationError` for values out of range, for pitch changes on clips without voicing, for clips over two
    minutes, and when the vocoder needs longer than `time_limit_s`; `AnalysisError` for samples that cannot be measured.
    """
    signal = checked_samples(samples, sample_rate)
    duration_s = len(signal) / sample_rate
    _check_ranges(pitch_st, range_factor, energy_db, tempo, contour_st)
    _check_pauses(pauses, duration_s)
    if contour is not None and contour not in _HEIGHTS:
        raise ModificationError(f"contour {contour.value!r} is a finding, not a shape that can be imposed")
    pitch_changes = pitch_st != 0.0 or range_factor != 1.0 or contour is not None
    if whisper and pitch_changes:
        raise ModificationError("whispered speech has no pitch to change: drop whisper or the changes of pitch")
    result = signal.copy()
    if pitch_changes or whisper or tempo != 1.0:
        deadline = _Deadline(time_limit_s)
        rate = max(sample_rate, _MIN_WORLD_RATE)
        pitch = tracks(signal, sample_rate).pitch
        if pitch_changes and not pitch.voiced.any():
            raise ModificationError("the clip has no credible voicing: there is no pitch to change")
        parts = take_apart(resample(signal, sample_rate, rate), rate, pitch, deadline=deadline)
        if pitch_changes:
            f0 = _new_pitch(
                parts, pitch, pitch_st=pitch_st, range_factor=range_factor, contour=contour, contour_st=contour_st
            )
            parts = Vocoded(f0, parts.envelope, parts.aperiodicity, parts.times_s)
        elif whisper:
            parts = _whispered(parts)
        vocoded = resample(put_together(parts, rate, tempo=tempo, deadline=deadline), rate, sample_rate)
        wanted = round(len(signal) / tempo)  # WORLD rounds up to whole frames
        vocoded = np.pad(vocoded[:wanted], (0, max(0, wanted - len(vocoded))))
        result = _same_level(vocoded, signal, sample_rate)
    return _insert_pauses(_amplify(result, energy_db), sample_rate, pauses, tempo)


def _check_ranges(pitch_st: float, range_factor: float, energy_db: float, tempo: float, contour_st: float) -> None:
    for name, value, low, high in (
        ("pitch_st", pitch_st, -MAX_PITCH_ST, MAX_PITCH_ST),
        ("range_factor", range_factor, 0.0, MAX_RANGE_FACTOR),
        ("energy_db", energy_db, -MAX_ENERGY_DB, MAX_ENERGY_DB),
        ("tempo", tempo, MIN_TEMPO, MAX_TEMPO),
        ("contour_st", contour_st, 0.0, MAX_PITCH_ST),
    ):
        if not low <= value <= high:  # NaN fails too
            raise ModificationError(f"{name} must lie in [{low:g}, {high:g}], got {value}")


def _check_pauses(pauses: Sequence[PauseAt], duration_s: float) -> None:
    for pause in pauses:
        if not (0.0 <= pause.at_s <= duration_s and 0.0 < pause.duration_s <= MAX_PAUSE_S):
            raise ModificationError(
                f"{pause}: must lie inside the clip of {duration_s:.3f} s and last at most {MAX_PAUSE_S:g} s"
            )


class _Deadline:
    """WORLD's C code cannot be interrupted, so the clock is read between its stages, and the length is bounded."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s, self._end = limit_s, time.monotonic() + limit_s

    def check(self, stage: str) -> None:
        if time.monotonic() > self._end:
            raise ModificationError(f"{stage}: the modification took longer than {self._limit_s:g} s")


def _check(deadline: _Deadline | None, stage: str) -> None:
    if deadline is not None:
        deadline.check(stage)


def _pyworld() -> ModuleType:
    """Import WORLD late and without its own complaint about `pkg_resources`, which this package pins to a version
    that has it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
        warnings.filterwarnings("ignore", message="Deprecated call to", category=DeprecationWarning)
        import pyworld
    return cast(ModuleType, pyworld)


def take_apart(
    signal: NDArray[np.float32], rate: int, pitch: PitchTrack, *, deadline: _Deadline | None = None
) -> Vocoded:
    """WORLD's parameters of `signal` ([n], at 16 kHz or more), with F0 from `pitch`."""
    pyworld = _pyworld()
    if len(signal) > MAX_DURATION_S * rate:
        raise ModificationError(
            f"{len(signal) / rate:.1f} s of speech; at most {MAX_DURATION_S:g} s are modified at once"
        )
    x = signal.astype(np.float64)
    step = _FRAME_MS / 1000.0
    times = np.arange(int(len(x) / rate / step) + 1, dtype=np.float64) * step
    f0 = _on_grid(pitch, times)
    envelope = pyworld.cheaptrick(x, f0, times, rate)
    _check(deadline, "CheapTrick")
    aperiodicity = pyworld.d4c(x, f0, times, rate, threshold=0.0)
    _check(deadline, "D4C")
    return Vocoded(f0, envelope, aperiodicity, times)


def _on_grid(pitch: PitchTrack, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """F0 at `times_s`: interpolated inside voicing and over holes up to 45 ms, 0 elsewhere."""
    voiced = pitch.voiced
    if not voiced.any():
        return np.zeros(len(times_s))
    at, f0 = pitch.times_s[voiced], pitch.f0_hz[voiced]
    following = np.clip(np.searchsorted(at, times_s), 1, len(at) - 1) if len(at) > 1 else np.zeros(len(times_s), int)
    gap = at[following] - at[following - 1] if len(at) > 1 else np.full(len(times_s), np.inf)
    inside = (times_s >= at[0]) & (times_s <= at[-1]) & (gap <= _BRIDGE_S)
    distance = np.minimum(np.abs(times_s - at[following]), np.abs(times_s - at[following - 1]))
    return np.where(inside | (distance <= _FRAME_MS / 1000.0), np.interp(times_s, at, f0), 0.0)


def _new_pitch(
    parts: Vocoded,
    pitch: PitchTrack,
    *,
    pitch_st: float,
    range_factor: float,
    contour: ContourShape | None,
    contour_st: float,
) -> NDArray[np.float64]:
    voiced = parts.f0_hz > 0
    median = float(np.median(pitch.f0_hz[pitch.voiced]))
    st = 12.0 * np.log2(parts.f0_hz[voiced] / median)
    if contour is not None:
        times = parts.times_s[voiced]
        u = (times - times[0]) / max(times[-1] - times[0], _FRAME_MS / 1000.0)
        line = fit_line(u, st)
        target = contour_st * np.interp(u, [0.0, 0.5, 1.0], _HEIGHTS[contour])
        st = target + RESIDUAL_KEPT * (st - line)
    f0 = np.zeros(len(parts.f0_hz))
    f0[voiced] = median * 2.0 ** ((st * range_factor + pitch_st) / 12.0)
    return f0


def _whispered(parts: Vocoded) -> Vocoded:
    """Noise through the same vocal tract, tilted up 3 dB per octave above 500 Hz and down below, as in whisper.

    Whispered vowels lack the low-frequency energy of the glottal source (Ito, Takeda & Itakura 2005, Speech
    Communication 45: 139–152).
    """
    bins = parts.envelope.shape[1]
    octaves = np.log2(np.maximum(np.arange(bins), 0.5) / (bins - 1) * 8000.0 / 500.0)
    tilt = 10.0 ** (3.0 * octaves / 10.0)
    return Vocoded(np.zeros_like(parts.f0_hz), parts.envelope * tilt, np.ones_like(parts.aperiodicity), parts.times_s)


def put_together(
    parts: Vocoded, rate: int, *, tempo: float = 1.0, deadline: _Deadline | None = None
) -> NDArray[np.float32]:
    """Speech from WORLD's parameters, float32 [m] at `rate`; `tempo` 2 is twice as fast."""
    pyworld = _pyworld()
    if tempo != 1.0:
        source = np.arange(int((len(parts.f0_hz) - 1) / tempo) + 1) * tempo
        nearest = np.minimum(np.round(source).astype(int), len(parts.f0_hz) - 1)
        parts = Vocoded(
            parts.f0_hz[nearest], parts.envelope[nearest], parts.aperiodicity[nearest], parts.times_s[: len(nearest)]
        )
    y = pyworld.synthesize(
        np.ascontiguousarray(parts.f0_hz),
        np.ascontiguousarray(parts.envelope),
        np.ascontiguousarray(parts.aperiodicity),
        rate,
        _FRAME_MS,
    )
    _check(deadline, "synthesis")
    return np.asarray(y, dtype=np.float32)


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
