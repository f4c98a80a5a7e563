"""From samples to `Tracks`: what is measured frame by frame, before anything is summed up.

Everything is measured at 16 kHz: other rates are resampled first, so that 8 and 48 kHz copies of one clip agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prosody.audio import DEFAULT_SAMPLE_RATE, resample
from prosody.contour import Contour, contour_of
from prosody.decoding import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from prosody.energy import (
    ACTIVITY_FLOOR_DB,
    HOP_S,
    SILENCE_DBFS,
    EnergyTrack,
    active_level,
    frame_energy,
    peak,
    speech_activity,
)
from prosody.errors import AnalysisError
from prosody.gender import MIN_SAMPLE_RATE as FULL_BAND_RATE
from prosody.gender import GenderGuess, guess_gender
from prosody.hum import remove_hum
from prosody.nuclei import syllables_in_sound
from prosody.pitch import MIN_MOVEMENT_ST, PitchTrack, movement_st, track_pitch
from speech_records import Pause

MIN_DURATION_S: Final = 0.100
"""Shorter clips have neither two periods of every voice nor a syllable."""
MIN_PAUSE_S: Final = 0.250
"""Shorter silences are mostly closures of plosives (de Jong & Bosker 2013, DiSS: 250 ms)."""
MIN_SPEECH_S: Final = 0.100
MAX_PEAK: Final = 100.0
"""40 dB over full scale: no recording in floats goes there, integers that nobody scaled do."""
_SPAN_MARGIN_S: Final = 0.060
_SPAN_JOIN_S: Final = 0.200


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """What was measured frame by frame.

    `pitch` has its own times (within speech only); `energy_dbfs` and `speech` [frames] belong to `energy_times_s`;
    digital silence is −inf dBFS. `contour` is `None` without voicing, `nuclei_s` are syllable nuclei found in the
    sound, `syllables` how many were heard (more than nuclei where some leave no peak).
    """

    duration_s: float
    sample_rate: int
    pitch: PitchTrack
    energy_times_s: NDArray[np.float64]
    energy_dbfs: NDArray[np.float64]
    speech: NDArray[np.bool_]
    pauses: tuple[Pause, ...]
    contour: Contour | None
    nuclei_s: NDArray[np.float64]
    syllables: int = 0
    gender: GenderGuess | None = None
    notes: tuple[str, ...] = ()


def tracks(samples: ArrayLike, sample_rate: int) -> Tracks:
    """The frame-level measurements behind `analyze`, for plots and for measures of one's own. Same input, same
    errors.
    """
    return measure(checked_samples(samples, sample_rate), sample_rate)


def reliability(pitch: PitchTrack) -> float:
    """Mean strength of the voiced frames, in [0, 1]; 0 without any."""
    return float(pitch.strength[pitch.voiced].mean()) if pitch.voiced.any() else 0.0


def checked_samples(samples: ArrayLike, sample_rate: int) -> NDArray[np.float32]:
    """`samples` as contiguous float32 [n]; `AnalysisError` for what cannot be measured."""
    array = np.asarray(samples)
    if array.ndim != 1:
        raise AnalysisError(f"samples must have shape [n], got {list(array.shape)}; average the channels first")
    if not len(array):
        raise AnalysisError("samples are empty")
    if array.dtype.kind != "f":
        raise AnalysisError(f"samples must be floating point with full scale ±1, got {array.dtype}")
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise AnalysisError(f"sample_rate {sample_rate} Hz lies outside {MIN_SAMPLE_RATE}–{MAX_SAMPLE_RATE} Hz")
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(array, dtype=np.float32)
    top = peak(single)
    if top <= MAX_PEAK:  # false for NaN too
        return single
    if np.isfinite(single).all():
        check_peak(top)
    first = int(np.flatnonzero(~np.isfinite(single))[0])
    raise AnalysisError(f"sample {first} ({first / sample_rate:.3f} s) is NaN, infinite or beyond 32-bit floats")


def check_peak(top: float) -> None:
    """Raise `AnalysisError` for samples that nobody scaled."""
    if top > MAX_PEAK:
        raise AnalysisError(f"samples reach {top:g}, full scale is ±1: divide integers by their full scale (32768, …)")


def measure(samples: NDArray[np.float32], sample_rate: int) -> Tracks:
    """`tracks` of samples that `checked_samples` has passed."""
    signal = resample(samples, sample_rate, DEFAULT_SAMPLE_RATE)
    return measure_signal(signal, duration_s=len(samples) / sample_rate, sample_rate=sample_rate)


def measure_signal(signal: NDArray[np.float32], *, duration_s: float, sample_rate: int) -> Tracks:
    """`tracks` of a clip that is at 16 kHz now and lasted `duration_s` at its own `sample_rate`."""
    rate = DEFAULT_SAMPLE_RATE
    if duration_s < MIN_DURATION_S:
        energy = EnergyTrack(np.empty(0), np.empty(0))
        return _without_speech(
            duration_s, sample_rate, energy, f"shorter than {MIN_DURATION_S:g} s: nothing was measured"
        )
    energy = frame_energy(signal, rate)
    level = active_level(energy.dbfs)
    if level is None or level < SILENCE_DBFS:
        return _without_speech(duration_s, sample_rate, energy, f"no signal above {SILENCE_DBFS:g} dBFS")
    # Wherever speech can be at all, not only where it stands out: soft voices beside loud ones show by their pitch.
    spans = _spans(energy.times_s, energy.dbfs > level - ACTIVITY_FLOOR_DB)
    signal, mains_hz = remove_hum(signal, rate, energy)
    pitch = track_pitch(signal, rate, spans)
    voiced = voiced_at(energy.times_s, pitch)
    speech = speech_activity(energy, voiced)
    if speech.sum() * HOP_S < MIN_SPEECH_S:
        return _without_speech(duration_s, sample_rate, energy, "no speech found: neither voicing nor modulated energy")
    movement = movement_st(pitch)
    held = movement is not None and movement < MIN_MOVEMENT_ST
    heard = syllables_in_sound(signal, rate, speech=speech, voiced=voiced, first_s=float(energy.times_s[0]))
    return Tracks(
        duration_s=duration_s,
        sample_rate=sample_rate,
        pitch=pitch,
        energy_times_s=energy.times_s,
        energy_dbfs=energy.dbfs,
        speech=speech,
        pauses=_pauses(energy.times_s, speech),
        contour=contour_of(pitch, reliability=reliability(pitch)),
        nuclei_s=heard.nuclei_s,
        syllables=heard.count,
        gender=guess_gender(signal, rate, pitch) if sample_rate >= FULL_BAND_RATE and not held else None,
        notes=_notes(pitch, held=held, mains_hz=mains_hz),
    )


def _notes(pitch: PitchTrack, *, held: bool, mains_hz: float | None) -> tuple[str, ...]:
    notes = [pitch.note] if pitch.note is not None else []
    if mains_hz is not None:
        notes.append(f"mains hum of {mains_hz:.1f} Hz removed before pitch was measured")
    if held:
        notes.append("pitch is held as no voice holds it: a tone or music, not speech; the pitch is the sound's period")
    if not pitch.voiced.any():
        notes.append("no credible voicing: whispered or noisy, pitch is unknown")
    return tuple(notes)


def _without_speech(duration_s: float, sample_rate: int, energy: EnergyTrack, note: str) -> Tracks:
    nothing = np.empty(0)
    return Tracks(
        duration_s=duration_s,
        sample_rate=sample_rate,
        pitch=PitchTrack(nothing, nothing, nothing),
        energy_times_s=energy.times_s,
        energy_dbfs=energy.dbfs,
        speech=np.zeros(len(energy.times_s), dtype=bool),
        pauses=(),
        contour=None,
        nuclei_s=nothing,
        notes=(note,),
    )


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open index ranges of the true stretches."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _spans(times_s: NDArray[np.float64], loud: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Where pitch is worth looking for: loud stretches with 60 ms around them, joined over gaps up to 320 ms."""
    spans: list[tuple[float, float]] = []
    for first, last in _runs(loud):
        start, end = max(0.0, times_s[first] - _SPAN_MARGIN_S), float(times_s[last - 1] + _SPAN_MARGIN_S)
        if spans and start - spans[-1][1] < _SPAN_JOIN_S:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((float(start), end))
    return spans


def voiced_at(times_s: NDArray[np.float64], pitch: PitchTrack) -> NDArray[np.bool_]:
    """Whether the pitch frame nearest to each of `times_s` is voiced (none within 10 ms: not)."""
    if not len(pitch.times_s):
        return np.zeros(len(times_s), dtype=bool)
    middles = (pitch.times_s[1:] + pitch.times_s[:-1]) / 2
    nearest = np.searchsorted(middles, times_s)
    return np.asarray(pitch.voiced[nearest] & (np.abs(pitch.times_s[nearest] - times_s) <= HOP_S))


def _pauses(times_s: NDArray[np.float64], speech: NDArray[np.bool_]) -> tuple[Pause, ...]:
    """Silences of at least 250 ms between the first and the last speech frame."""
    half = HOP_S / 2
    inside = _runs(~speech)
    return tuple(
        Pause(round(float(times_s[a] - half), 4), round(float(times_s[b - 1] + half), 4))
        for a, b in inside
        if a > 0 and b < len(speech) and (b - a) * HOP_S >= MIN_PAUSE_S
    )
