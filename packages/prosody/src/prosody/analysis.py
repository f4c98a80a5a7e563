"""From samples to a `ProsodyProfile`: `tracks` measures frame by frame, `analyze` sums the tracks up.

Everything is measured at 16 kHz: other rates are resampled first, so that 8 and 48 kHz copies of one clip agree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prosody.audio import DEFAULT_SAMPLE_RATE, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, resample
from prosody.contour import Contour, contour_of
from prosody.energy import (
    ACTIVITY_FLOOR_DB,
    HOP_S,
    SILENCE_DBFS,
    EnergyTrack,
    active_level,
    clipping_share,
    frame_energy,
    speech_activity,
    summarise_energy,
)
from prosody.errors import AlignmentError, AnalysisError
from prosody.gender import MIN_SAMPLE_RATE as FULL_BAND_RATE
from prosody.gender import GenderGuess, guess_gender
from prosody.nuclei import syllable_nuclei
from prosody.pitch import PitchTrack, harmonicity_db, track_pitch
from prosody.syllabify import count_syllables
from speech_records import ContourShape, Pause, ProsodyProfile, SyllableSource

if TYPE_CHECKING:
    from prosody.stress import StressBackend

MIN_DURATION_S: Final = 0.100
"""Shorter clips have neither two periods of every voice nor a syllable."""
MIN_PAUSE_S: Final = 0.250
"""Shorter silences are mostly closures of plosives (de Jong & Bosker 2013, DiSS: 250 ms)."""
MIN_SPEECH_S: Final = 0.100
MAX_RATE_SPS: Final = 12.0
"""Syllables per second that nobody keeps up for a sentence: the fastest of 407 hand-counted clips of EmoDB has 9.6.
A transcript that asks for more does not belong to the clip."""
CUT_RATIO: Final = 1.4
"""A clip that stops while the voice sounds, under a transcript with this many times the syllables that can be heard, is
taken to be cut: the transcript says more than the clip holds."""
_SPAN_MARGIN_S: Final = 0.060
_SPAN_JOIN_S: Final = 0.200


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """What was measured frame by frame.

    `pitch` has its own times (within speech only); `energy_dbfs` and `speech` [frames] belong to `energy_times_s`;
    digital silence is −inf dBFS. `contour` is `None` without voicing, `nuclei_s` are syllable nuclei found in the
    sound.
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
    gender: GenderGuess | None = None
    notes: tuple[str, ...] = ()


def analyze(
    samples: ArrayLike,
    sample_rate: int,
    *,
    transcript: str | None = None,
    language: str | None = None,
    stress: StressBackend | None = None,
) -> ProsodyProfile:
    """Measure one mono clip; what cannot be known is `None`, and `notes` say why.

    `samples`: real numbers of shape [n], full scale ±1; NaN, infinite, empty or multichannel input raises
    `AnalysisError`. `sample_rate` in Hz, 4 kHz to 768 kHz. With a `transcript` the syllables are counted in it
    (`language` as in `count_syllables`), otherwise in the sound. A `stress` backend also finds its stressed words.
    """
    checked = checked_samples(samples, sample_rate)
    profile = _summarise(_measure(checked, sample_rate), checked, transcript, language)
    if stress is None or transcript is None or profile.energy_dbfs is None:
        return profile
    try:
        return replace(profile, stressed_words=stress.stressed_words(checked, sample_rate, transcript=transcript))
    except AlignmentError as error:
        return replace(profile, notes=(*profile.notes, f"stressed words unknown: {error}"))


def tracks(samples: ArrayLike, sample_rate: int) -> Tracks:
    """The frame-level measurements behind `analyze`, for plots and for measures of one's own. Same input, same
    errors.
    """
    return _measure(checked_samples(samples, sample_rate), sample_rate)


def phrase_contours(measured: Tracks) -> tuple[Contour | None, ...]:
    """The contour of each phrase between pauses, in order; `None` for a phrase without voicing.

    Without pauses there is one phrase, the clip. A phrase under half a second of voicing is `too_short`.
    """
    edges = [0.0, *(t for pause in measured.pauses for t in (pause.start_s, pause.end_s)), measured.duration_s]
    phrases = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        pitch = measured.pitch
        inside = (pitch.times_s >= start) & (pitch.times_s < end)
        part = PitchTrack(pitch.times_s[inside], pitch.f0_hz[inside], pitch.strength[inside])
        phrases.append(contour_of(part, reliability=_reliability(part)))
    return tuple(phrases)


def _reliability(pitch: PitchTrack) -> float:
    """Mean strength of the voiced frames, in [0, 1]; 0 without any."""
    return float(pitch.strength[pitch.voiced].mean()) if pitch.voiced.any() else 0.0


def checked_samples(samples: ArrayLike, sample_rate: int) -> NDArray[np.float32]:
    """`samples` as contiguous float32 [n]; `AnalysisError` for everything that cannot be measured."""
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
    if not np.isfinite(single).all():
        first = int(np.flatnonzero(~np.isfinite(single))[0])
        raise AnalysisError(f"sample {first} ({first / sample_rate:.3f} s) is NaN, infinite or beyond 32-bit floats")
    return single


def _measure(samples: NDArray[np.float32], sample_rate: int) -> Tracks:
    duration_s = len(samples) / sample_rate
    if duration_s < MIN_DURATION_S:
        energy = EnergyTrack(np.empty(0), np.empty(0))
        return _without_speech(
            duration_s, sample_rate, energy, f"shorter than {MIN_DURATION_S:g} s: nothing was measured"
        )
    signal, rate = resample(samples, sample_rate, DEFAULT_SAMPLE_RATE), DEFAULT_SAMPLE_RATE
    energy = frame_energy(signal, rate)
    level = active_level(energy.dbfs)
    if level is None or level < SILENCE_DBFS:
        return _without_speech(duration_s, sample_rate, energy, f"no signal above {SILENCE_DBFS:g} dBFS")
    # Wherever speech can be at all, not only where it stands out: soft voices beside loud ones show by their pitch.
    spans = _spans(energy.times_s, energy.dbfs > level - ACTIVITY_FLOOR_DB)
    pitch = track_pitch(signal, rate, spans)
    voiced = _at(energy.times_s, pitch)
    speech = speech_activity(energy, voiced)
    if speech.sum() * HOP_S < MIN_SPEECH_S:
        return _without_speech(duration_s, sample_rate, energy, "no speech found: neither voicing nor modulated energy")
    return Tracks(
        duration_s=duration_s,
        sample_rate=sample_rate,
        pitch=pitch,
        energy_times_s=energy.times_s,
        energy_dbfs=energy.dbfs,
        speech=speech,
        pauses=_pauses(energy.times_s, speech),
        contour=contour_of(pitch, reliability=_reliability(pitch)),
        nuclei_s=syllable_nuclei(signal, rate, speech=speech, voiced=voiced, first_s=float(energy.times_s[0])),
        gender=guess_gender(signal, rate, pitch) if sample_rate >= FULL_BAND_RATE else None,
        notes=() if pitch.voiced.any() else ("no credible voicing: whispered or noisy, pitch is unknown",),
    )


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


def _at(times_s: NDArray[np.float64], pitch: PitchTrack) -> NDArray[np.bool_]:
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


def _summarise(
    measured: Tracks, samples: NDArray[np.float32], transcript: str | None, language: str | None
) -> ProsodyProfile:
    if not measured.speech.any():
        return ProsodyProfile(duration_s=measured.duration_s, sample_rate=measured.sample_rate, notes=measured.notes)
    energy = summarise_energy(EnergyTrack(measured.energy_times_s, measured.energy_dbfs), measured.speech)
    frames = measured.energy_times_s[measured.speech]
    start, end = float(frames[0] - HOP_S / 2), float(frames[-1] + HOP_S / 2)
    pause_s = sum(p.end_s - p.start_s for p in measured.pauses)
    notes = list(measured.notes)
    if energy.noise_floor_dbfs is None:
        notes.append("noise floor and SNR unknown: under 100 ms of recorded background")
    syllables, source = _syllables(measured, transcript, language, notes)
    guess = measured.gender
    voiced_s = float(measured.pitch.voiced.sum()) * HOP_S
    return ProsodyProfile(
        duration_s=measured.duration_s,
        sample_rate=measured.sample_rate,
        speech_start_s=start,
        speech_end_s=end,
        voiced_share=min(1.0, voiced_s / (end - start - pause_s)),
        energy_dbfs=energy.active_dbfs,
        energy_range_db=energy.range_db,
        noise_floor_dbfs=energy.noise_floor_dbfs,
        snr_db=energy.snr_db,
        clipping_share=clipping_share(samples),
        hnr_db=harmonicity_db(measured.pitch),
        syllables=syllables,
        syllable_source=source,
        articulation_rate_sps=None if syllables is None else syllables / (end - start - pause_s),
        speaking_rate_sps=None if syllables is None else syllables / (end - start),
        pauses=measured.pauses,
        pause_share=pause_s / (end - start),
        gender=guess.gender if guess is not None else None,
        gender_confidence=guess.confidence if guess is not None and guess.gender is not None else None,
        notes=tuple(notes),
        **_pitch_fields(measured),
    )


def _pitch_fields(measured: Tracks) -> dict[str, Any]:
    pitch, contour = measured.pitch, measured.contour
    if contour is None:
        return {"contour_shape": ContourShape.TOO_SHORT}
    low, median, high = np.percentile(pitch.f0_hz[pitch.voiced], [5.0, 50.0, 95.0])
    return {
        "f0_median_hz": float(median),
        "f0_p05_hz": float(low),
        "f0_p95_hz": float(high),
        "f0_range_st": contour.range_st,
        "f0_sd_st": contour.sd_st,
        "f0_slope_st_per_s": contour.slope_st_per_s,
        "f0_reliability": _reliability(pitch),
        "contour_shape": contour.shape,
        "contour_dynamics": contour.dynamics,
        "contour_confidence": contour.confidence,
    }


def _syllables(
    measured: Tracks, transcript: str | None, language: str | None, notes: list[str]
) -> tuple[int | None, SyllableSource | None]:
    heard = len(measured.nuclei_s)
    if transcript is not None and transcript.strip():
        counted = count_syllables(transcript, language=language)
        if counted is None:
            notes.append("syllables of the transcript unknown (language or writing): counted in the sound")
        elif _fits(counted, measured):
            return counted, SyllableSource.TRANSCRIPT
        else:
            notes.append(
                f"transcript of {counted} syllables does not fit the clip ({heard} heard): counted in the sound"
            )
    if not heard:
        notes.append("no syllable nucleus found in the sound: rates are unknown")
        return None, None
    return heard, SyllableSource.SIGNAL


def _fits(counted: int, measured: Tracks) -> bool:
    """Whether a transcript of `counted` syllables can have been said in this clip."""
    if counted > MAX_RATE_SPS * HOP_S * float(measured.speech.sum()):
        return False
    cut = (
        bool(measured.speech[-1]) and measured.energy_dbfs[-1] > np.median(measured.energy_dbfs[measured.speech]) - 20.0
    )
    return not (cut and counted > CUT_RATIO * len(measured.nuclei_s))
