"""Fundamental frequency: Praat's autocorrelation method in two passes, then octave repair.

Pass 1 looks everywhere between 60 and 800 Hz, every 30 ms, for the speaker's median; over 400 Hz it looks higher too,
because a voice beyond 800 Hz shows at half of its pitch. Pass 2 looks every 10 ms in the range around that median (the
idea of De Looze & Hirst 2008, Speech Prosody). All are Praat's "To Pitch (ac)" (Boersma 1993, IFA Proceedings 17:
97–110) through parselmouth. Frames in vocal fry are taken out of both.
Octave repair then compares every voiced run with the clip's own pitch and takes Praat's next-best candidate where a
run lies an octave off.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prosody.audio import resample
from prosody.energy import peak

PITCH_FLOOR_HZ: Final = 60.0
PITCH_CEILING_HZ: Final = 1_600.0
"""Shouted and frightened speech of women reaches 700 Hz, screams and cries of infants 1 500 Hz."""
WIDE_HZ: Final = (PITCH_FLOOR_HZ, 800.0)
HIGHEST_SHARE: Final = 0.47
"""Of the sample rate: how high a sound's frequency is looked for, to tell what lies beyond the ceiling."""
COARSE_STEP_S: Final = 0.030
STEP_S: Final = 0.010
FLOOR_RATIO: Final = 0.5
CEILING_RATIO: Final = 2.5
"""Pass 2 spans median·0.5 to median·2.5, 12 st down and 16 up: voices leave their median further upwards."""
SILENCE_THRESHOLD: Final = 0.03
VOICING_THRESHOLD: Final = 0.45
"""Praat's defaults for speech."""
MAX_CANDIDATES: Final = 5
COARSE_CANDIDATES: Final = 4
COARSE_RATE: Final = 8_000
"""Hz; the first pass only needs the median, to within the range that the second then spans."""
MIN_VOICED_S: Final = 0.100
"""Less voicing than this gives no pitch."""
MIN_STRENGTH: Final = 0.5
"""A clip whose voiced frames correlate less than this on average is noise (Praat's strength is a correlation)."""
MIN_RUN_FRAMES: Final = 3
"""Shorter stretches are two periods at most, by chance as often as by voice."""
MAX_JUMP_ST: Final = 1.0
"""A voice moves less than this from frame to frame on average (RAVDESS and EmoDB: 0.4 ± 0.15 st, at most 0.94); the
accidental pitches of whisper and noise leap (whispered resyntheses of the same clips: 1.7 ± 0.4 st)."""
MAX_WEAK_JUMP_ST: Final = 0.7
WEAK_STRENGTH: Final = 0.75
"""Of a clip that leaps more than 0.7 st, the strength decides: 53 voiced clips of the two corpora lie above 0.75, of
their whispered resyntheses 95 % below. Voices in loud noise are as weak, but do not leap."""
SPARSE_SHARE: Final = 0.2
SPARSE_STRENGTH: Final = 0.7
SPARSE_JUMP_ST: Final = 0.4
"""Of a clip where less than a fifth of what is loud enough is voiced, weakly and moving more than 0.4 st a frame, the
voicing is accidental too: six of 151 whispered resyntheses passed the limits above, five of them like this; of 151
voiced clips none has a share under 0.4."""
FRY_MIN_HZ: Final = 150.0
FRY_DIP_DB: Final = 10.0
"""In vocal fry (pulses at 20–55 Hz) the first formant rings after each pulse and is periodic, but dies away: frames
whose level dips by 10 dB and comes back within 30 ms on either side have no pitch over 150 Hz. Of voiced frames of
RAVDESS, EmoDB and nEMO 95 % dip by less than 6.1 dB and 99 % by less than 10; of synthetic fry 95 % by over 14."""
_FRY_STEP_S: Final = 0.0025
_FRY_REACH: Final = (
    13  # steps: 30 ms and the step itself, as long as the slowest pulses of 22 Hz need from their middle
)
_FRY_AROUND: Final = 17  # steps: 40 ms
_FRY_SHARE: Final = 0.25
_FRY_PULSES_AROUND: Final = 49  # steps: 120 ms, two pulses of 18 Hz and more
OCTAVE_TOLERANCE_ST: Final = 3.0
MIN_MOVEMENT_ST: Final = 0.03
"""A voice never holds still: the median frame of a clip moves at least 0.07 st in RAVDESS and EmoDB (336 clips), and
0.04 in espeak-ng at no pitch range at all. Tones and instruments move less."""
MIN_MOVEMENT_S: Final = 0.5
CHUNK_S: Final = 60.0
_MARGIN_S: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class PitchTrack:
    """F0 over time. `times_s` (frame centres), `f0_hz` (NaN where unvoiced), `strength` (normalised autocorrelation
    of the chosen candidate, 0 where unvoiced): all float64 of shape [frames]. `note` says why pitch is missing.
    """

    times_s: NDArray[np.float64]
    f0_hz: NDArray[np.float64]
    strength: NDArray[np.float64]
    note: str | None = None

    @property
    def voiced(self) -> NDArray[np.bool_]:
        """Frames with a pitch, [frames]."""
        return np.isfinite(self.f0_hz)


def semitones(f0_hz: NDArray[np.float64], reference_hz: float) -> NDArray[np.float64]:
    """Distance from `reference_hz` in semitones, 12·log2(f/ref).

    >>> semitones(np.array([220.0]), 110.0)
    array([12.])
    """
    return np.asarray(12.0 * np.log2(f0_hz / reference_hz))


@dataclass(frozen=True, slots=True, eq=False)
class _Frames:
    """Praat's frames of one stretch: `times_s` and `fry` [frames], `f0_hz` and `strength` [candidates, frames]; the
    chosen candidate is row 0.
    """

    times_s: NDArray[np.float64]
    f0_hz: NDArray[np.float64]
    strength: NDArray[np.float64]
    fry: NDArray[np.bool_]


def track_pitch(samples: NDArray[np.float32], sample_rate: int, spans: list[tuple[float, float]]) -> PitchTrack:
    """The pitch of the clip within `spans` (seconds, in order); outside them nothing is voiced and no frame is kept.

    Without credible voicing (fewer than 100 ms, or frames that hardly correlate) every frame is unvoiced.
    """
    top = peak(samples)
    chunks = [chunk for start, end in spans for chunk in _split(start, end)]
    low = resample(samples, sample_rate, COARSE_RATE)
    coarse = _joined([_praat(low, COARSE_RATE, c, step_s=COARSE_STEP_S, limits_hz=WIDE_HZ, top=top) for c in chunks])
    voiced = coarse.f0_hz[0][coarse.f0_hz[0] > 0]
    if len(voiced) * COARSE_STEP_S < MIN_VOICED_S / 2:
        return _unvoiced(coarse, note=_fry_note(coarse, COARSE_STEP_S))
    median = float(np.median(voiced))
    if median > FLOOR_RATIO * WIDE_HZ[1]:
        median = _unfolded(samples, sample_rate, chunks, median=median, top=top)
        if median > PITCH_CEILING_HZ:
            return _unvoiced(coarse, note=f"pitch beyond {PITCH_CEILING_HZ:g} Hz: out of range, unknown")
    limits = (max(PITCH_FLOOR_HZ, FLOOR_RATIO * median), min(PITCH_CEILING_HZ, CEILING_RATIO * median))
    fine = _joined([_praat(samples, sample_rate, c, step_s=STEP_S, limits_hz=limits, top=top) for c in chunks])
    f0, strength = _repair_octaves(fine.times_s, fine.f0_hz, fine.strength)
    credible = _credible(fine.times_s, f0, strength)
    note = _fry_note(fine, STEP_S)
    return PitchTrack(fine.times_s, np.where(credible, f0, np.nan), np.where(credible, strength, 0.0), note)


def _joined(parts: list[_Frames]) -> _Frames:
    """Stretches in one; where one has fewer candidates than another, the rest are 0."""
    if not parts:
        return _Frames(np.empty(0), np.empty((1, 0)), np.empty((1, 0)), np.empty(0, dtype=bool))
    rows = max(len(part.f0_hz) for part in parts)
    return _Frames(
        np.concatenate([part.times_s for part in parts]),
        np.concatenate([_pad(part.f0_hz, rows) for part in parts], axis=1),
        np.concatenate([_pad(part.strength, rows) for part in parts], axis=1),
        np.concatenate([part.fry for part in parts]),
    )


def _unfolded(
    samples: NDArray[np.float32], sample_rate: int, chunks: list[tuple[float, float]], *, median: float, top: float
) -> float:
    """`median`, or the frequency of which it is a half or less: two periods fit where one lies beyond the search."""
    limits = (FLOOR_RATIO * median, HIGHEST_SHARE * sample_rate)
    wide = _joined([_praat(samples, sample_rate, c, step_s=COARSE_STEP_S, limits_hz=limits, top=top) for c in chunks])
    found = wide.f0_hz[0][wide.f0_hz[0] > 0]
    return max(median, float(np.median(found))) if len(found) else median


def _fry_note(frames: _Frames, step_s: float) -> str | None:
    seconds = float(frames.fry.sum()) * step_s
    if seconds < MIN_VOICED_S:
        return None
    return f"vocal fry in {seconds:.1f} s: its pulses are slower than {PITCH_FLOOR_HZ:g} Hz, no pitch there"


def _credible(times: NDArray[np.float64], f0: NDArray[np.float64], strength: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Voiced frames without the shortest runs; none at all when the clip's voicing as a whole looks accidental."""
    voiced, jumps = np.zeros(len(f0), dtype=bool), [np.empty(0)]
    for run in voiced_runs(times, f0 > 0):
        if run.stop - run.start >= MIN_RUN_FRAMES:
            voiced[run] = True
            jumps.append(np.abs(np.diff(12.0 * np.log2(f0[run]))))
    if not voiced.any():
        return voiced
    strength_mean, jump = strength[voiced].mean(), np.concatenate(jumps).mean()
    sparse = voiced.mean() < SPARSE_SHARE and strength_mean < SPARSE_STRENGTH and jump > SPARSE_JUMP_ST
    accidental = sparse or jump > MAX_JUMP_ST or (jump > MAX_WEAK_JUMP_ST and strength_mean < WEAK_STRENGTH)
    if voiced.sum() * STEP_S < MIN_VOICED_S or strength_mean < MIN_STRENGTH or accidental:
        voiced[:] = False
    return voiced


def _unvoiced(frames: _Frames, *, note: str | None) -> PitchTrack:
    count = len(frames.times_s)
    return PitchTrack(frames.times_s, np.full(count, np.nan), np.zeros(count), note)


def _split(start: float, end: float) -> list[tuple[float, float]]:
    """Pieces of about a minute, so that an hour of speech is never in Praat's memory at once."""
    edges = np.linspace(start, end, max(1, int(np.ceil((end - start) / CHUNK_S))) + 1)
    return [(float(a), float(b)) for a, b in pairwise(edges)]


def _praat(
    samples: NDArray[np.float32],
    sample_rate: int,
    chunk: tuple[float, float],
    *,
    step_s: float,
    limits_hz: tuple[float, float],
    top: float,
) -> _Frames:
    """The frames of one chunk; what looks like a pitch in vocal fry is taken out."""
    import parselmouth

    floor, ceiling = limits_hz
    margin = 1.5 / floor  # half of Praat's window of three periods: frames then reach the chunk's edges
    first = max(0, int((chunk[0] - margin) * sample_rate))
    last = min(len(samples), int((chunk[1] + margin) * sample_rate) + 1)
    piece = samples[first:last].astype(np.float64)
    piece_peak = float(max(piece.max(), -piece.min())) if len(piece) else 0.0
    if len(piece) <= 3.0 * sample_rate / floor + 1 or piece_peak == 0.0:
        return _joined([])
    pitch = parselmouth.Sound(piece, sample_rate).to_pitch_ac(
        time_step=step_s,
        pitch_floor=floor,
        pitch_ceiling=ceiling,
        max_number_of_candidates=COARSE_CANDIDATES if step_s == COARSE_STEP_S else MAX_CANDIDATES,
        # Praat's threshold is relative to the loudest sample it sees; keep it relative to the whole clip's.
        silence_threshold=min(1.0, SILENCE_THRESHOLD * top / piece_peak),
        voicing_threshold=VOICING_THRESHOLD,
    )
    table = pitch.to_array()
    times = first / sample_rate + pitch.xs()
    inside = (times >= chunk[0]) & (times < chunk[1])
    frequency = np.where(table["frequency"] > ceiling, 0.0, table["frequency"])[:, inside]
    fry = (frequency[0] > FRY_MIN_HZ) & _dips(piece, sample_rate, pitch.xs()[inside])
    return _Frames(times[inside], np.where(fry, 0.0, frequency), table["strength"][:, inside], fry)


def _dips(samples: NDArray[np.float64], sample_rate: int, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where the level dips by `FRY_DIP_DB` between pulses, at `times_s`: in a quarter of the 40 ms around, and twice in
    the 120 ms around (one dip alone is a consonant).
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    step = round(_FRY_STEP_S * sample_rate)
    blocks = samples[: len(samples) // step * step].reshape(-1, step)
    power = np.einsum("ij,ij->i", blocks, blocks)
    power = power[1:] + power[:-1]
    dbfs = 10.0 * np.log10(power + 1e-6 * power.max())
    half = _FRY_REACH // 2
    before, after = (maximum_filter1d(dbfs, _FRY_REACH, origin=shift) for shift in (half, -half))
    dip = (np.minimum(before, after) - dbfs > FRY_DIP_DB).astype(np.float64)
    begins = np.concatenate((dip[:1], np.clip(np.diff(dip), 0.0, None)))
    often = uniform_filter1d(begins, _FRY_PULSES_AROUND) * _FRY_PULSES_AROUND > 1.5
    fry = often & (uniform_filter1d(dip, _FRY_AROUND) >= _FRY_SHARE)
    return np.asarray(fry[np.clip(np.round(times_s / _FRY_STEP_S).astype(int) - 1, 0, len(fry) - 1)])


def _pad(table: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    return np.nan_to_num(np.pad(table, ((0, rows - len(table)), (0, 0))))


def _repair_octaves(
    times: NDArray[np.float64], candidates: NDArray[np.float64], strengths: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Chosen F0 (0 = unvoiced) and strength per frame, after whole voiced runs that lie an octave off were moved.

    A run is off when its median lies 12 ± 3 st from the median of the other runs of the clip; each of its frames takes
    the candidate nearest to its own frequency moved by that octave, when Praat found one within 3 st.
    """
    f0, strength = candidates[0].copy(), strengths[0].copy()
    for run in voiced_runs(times, f0 > 0):
        others = f0 > 0
        others[run] = False
        rest = f0[others]
        if len(rest) < run.stop - run.start:
            continue
        offset = 12.0 * float(np.log2(np.median(f0[run]) / np.median(rest)))
        if abs(abs(offset) - 12.0) > OCTAVE_TOLERANCE_ST:
            continue
        target = f0[run] * (0.5 if offset > 0 else 2.0)
        found = candidates[:, run]
        with np.errstate(divide="ignore"):
            distance = np.where(found > 0, np.abs(12.0 * np.log2(found / target)), np.inf)
        best = distance.argmin(axis=0)
        columns = np.arange(len(target))
        if (distance[best, columns] < OCTAVE_TOLERANCE_ST).all():
            f0[run], strength[run] = found[best, columns], strengths[:, run][best, columns]
    return f0, np.clip(strength, 0.0, 1.0)


def voiced_runs(times: NDArray[np.float64], voiced: NDArray[np.bool_]) -> list[slice]:
    """Stretches of consecutive voiced frames; a hole in `times` (another span of speech) ends a stretch too."""
    if not len(times):
        return []
    connected = voiced[1:] & voiced[:-1] & (np.diff(times) < 1.5 * STEP_S)
    starts = np.flatnonzero(voiced & np.concatenate(([True], ~connected)))
    ends = np.flatnonzero(voiced & np.concatenate((~connected, [True]))) + 1
    return [slice(int(a), int(b)) for a, b in zip(starts, ends, strict=True)]


def movement_st(track: PitchTrack) -> float | None:
    """Median change of F0 from frame to frame inside voiced runs, in semitones; `None` under half a second of them."""
    steps = [np.abs(np.diff(np.log2(track.f0_hz[run]))) for run in voiced_runs(track.times_s, track.voiced)]
    joined = np.concatenate([np.empty(0), *steps])
    return 12.0 * float(np.median(joined)) if len(joined) * STEP_S >= MIN_MOVEMENT_S else None


def harmonicity_db(track: PitchTrack) -> float | None:
    """Harmonics-to-noise ratio: mean over voiced frames of 10·log10(r / (1 − r)), r the autocorrelation at the period.

    Boersma (1993), equation 4; r is limited to 0.999999 (60 dB). `None` without voicing.
    """
    r = np.minimum(track.strength[track.voiced], 1.0 - 1e-6)
    return float(np.mean(10.0 * np.log10(r / (1.0 - r)))) if len(r) else None
