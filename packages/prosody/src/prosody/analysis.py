"""From tracks to a `ProsodyProfile`: `analyze` sums up what `prosody.measurement` finds frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prosody.audio import DEFAULT_SAMPLE_RATE, resample
from prosody.contour import Contour, contour_of
from prosody.energy import HOP_S, EnergyTrack, clipping_share, summarise_energy
from prosody.errors import AlignmentError
from prosody.measurement import Tracks, checked_samples, measure_signal, reliability
from prosody.pitch import PitchTrack, harmonicity_db
from prosody.syllabify import count_syllables
from speech_records import ContourShape, ProsodyProfile, SyllableSource

if TYPE_CHECKING:
    from prosody.age_gender import SpeakerBackend, SpeakerGuess
    from prosody.stress import StressBackend

MAX_RATE_SPS: Final = 12.0
"""Syllables per second that nobody keeps up for a sentence: the fastest of 407 hand-counted clips of EmoDB has 9.6.
A transcript that asks for more does not belong to the clip."""
CUT_RATIO: Final = 1.2
"""A clip that stops while the voice sounds, under a transcript with this many times the syllables that can be heard, is
taken to be cut: the transcript says more than the clip holds."""


def analyze(
    samples: ArrayLike,
    sample_rate: int,
    *,
    transcript: str | None = None,
    language: str | None = None,
    stress: StressBackend | None = None,
    speaker: SpeakerBackend | None = None,
) -> ProsodyProfile:
    """Measure one mono clip; what cannot be known is `None`, and `notes` say why.

    `samples`: real numbers of shape [n], full scale ±1; NaN, infinite, empty, unscaled or multichannel input raises
    `AnalysisError`. `sample_rate` in Hz, 4 kHz to 768 kHz. With a `transcript` the syllables are counted in it
    (`language` as in `count_syllables`), otherwise in the sound. A `stress` backend also finds its stressed words;
    a `speaker` backend says gender and age group.
    """
    checked = checked_samples(samples, sample_rate)
    recording = Recording(
        resample(checked, sample_rate, DEFAULT_SAMPLE_RATE),
        duration_s=len(checked) / sample_rate,
        sample_rate=sample_rate,
        clipping_share=clipping_share(checked),
    )
    return profile_of(recording, transcript=transcript, language=language, stress=stress, speaker=speaker)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A clip at 16 kHz, with what only its own sample rate shows: float32 `signal` [n], full scale ±1."""

    signal: NDArray[np.float32]
    duration_s: float
    sample_rate: int
    clipping_share: float
    notes: tuple[str, ...] = ()


def profile_of(
    recording: Recording,
    *,
    transcript: str | None = None,
    language: str | None = None,
    stress: StressBackend | None = None,
    speaker: SpeakerBackend | None = None,
) -> ProsodyProfile:
    """`analyze` of a recording."""
    measured = measure_signal(recording.signal, duration_s=recording.duration_s, sample_rate=recording.sample_rate)
    profile = _summarise(measured, recording, transcript, language)
    if profile.energy_dbfs is None:
        return profile
    signal, rate = recording.signal, DEFAULT_SAMPLE_RATE
    if speaker is not None:
        profile = _with_speaker(profile, speaker.speaker(signal, rate))
    if stress is None or transcript is None:
        return profile
    try:
        return replace(profile, stressed_words=stress.stressed_words(signal, rate, transcript=transcript))
    except AlignmentError as error:
        return replace(profile, notes=(*profile.notes, f"stressed words unknown: {error}"))


def _with_speaker(profile: ProsodyProfile, guess: SpeakerGuess) -> ProsodyProfile:
    """A model's guess in place of the acoustic one."""
    if guess.gender is None:
        note = f"the speaker model finds a child ({guess.gender_confidence:.2f}): gender unknown"
        return replace(
            profile, gender=None, gender_confidence=None, age_group=guess.age_group, notes=(*profile.notes, note)
        )
    return replace(profile, gender=guess.gender, gender_confidence=guess.gender_confidence, age_group=guess.age_group)


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
        phrases.append(contour_of(part, reliability=reliability(part)))
    return tuple(phrases)


def _summarise(measured: Tracks, recording: Recording, transcript: str | None, language: str | None) -> ProsodyProfile:
    notes = [*recording.notes, *measured.notes]
    if not measured.speech.any():
        return ProsodyProfile(duration_s=measured.duration_s, sample_rate=measured.sample_rate, notes=tuple(notes))
    energy = summarise_energy(EnergyTrack(measured.energy_times_s, measured.energy_dbfs), measured.speech)
    frames = measured.energy_times_s[measured.speech]
    start, end = float(frames[0] - HOP_S / 2), float(frames[-1] + HOP_S / 2)
    pause_s = sum(p.end_s - p.start_s for p in measured.pauses)
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
        energy_change_db=energy.change_db,
        noise_floor_dbfs=energy.noise_floor_dbfs,
        snr_db=energy.snr_db,
        clipping_share=recording.clipping_share,
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
        "f0_reliability": reliability(pitch),
        "contour_shape": contour.shape,
        "contour_dynamics": contour.dynamics,
        "contour_confidence": contour.confidence,
    }


def _syllables(
    measured: Tracks, transcript: str | None, language: str | None, notes: list[str]
) -> tuple[int | None, SyllableSource | None]:
    heard = measured.syllables
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
    return not (cut and counted > CUT_RATIO * measured.syllables)
