"""PSOLA: the periods of the recording itself, moved apart or together and added (Moulines & Charpentier 1990).

Praat's Manipulation does it (Speech Communication 9: 453–467): pulses are placed on the periods of the voice, windows
of two periods around them are laid down at the new distances, and repeated or left out for another tempo. Nothing is
modelled; what is voiced for Praat but not for this package's tracker keeps the pitch of its neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prosody.errors import ModificationError
from prosody.pitch import CEILING_RATIO, FLOOR_RATIO, PITCH_CEILING_HZ, PITCH_FLOOR_HZ, STEP_S, PitchTrack
from prosody.vocoder import Deadline


def overlap_add(
    signal: NDArray[np.float32],
    sample_rate: int,
    pitch: PitchTrack,
    *,
    new_f0_hz: NDArray[np.float64] | None,
    tempo: float,
    deadline: Deadline,
) -> NDArray[np.float32]:
    """`signal` [n] at another pitch and tempo, [about n / tempo].

    `new_f0_hz` [frames of `pitch`] is what F0 becomes, 0 where unvoiced; `None` leaves it. Raises `ModificationError`
    for clips under three periods of the lowest pitch, and when a stage ends after the deadline.
    """
    import parselmouth
    from parselmouth.praat import call

    floor, ceiling = _limits(pitch)
    sound = parselmouth.Sound(signal.astype(np.float64), sample_rate)
    if sound.duration < 3.0 / floor:
        raise ModificationError(f"{sound.duration:.3f} s: PSOLA needs three periods of {floor:.0f} Hz")
    manipulation = call(sound, "To Manipulation", STEP_S, floor, ceiling)
    deadline.check("To Manipulation")
    if new_f0_hz is not None:
        tier = call("Create PitchTier", "new", 0.0, sound.duration)
        voiced = new_f0_hz > 0
        for time, f0 in zip(pitch.times_s[voiced], new_f0_hz[voiced], strict=True):
            call(tier, "Add point", float(time), float(f0))
        call([manipulation, tier], "Replace pitch tier")
    if tempo != 1.0:
        tier = call("Create DurationTier", "tempo", 0.0, sound.duration)
        call(tier, "Add point", 0.0, 1.0 / tempo)
        call([manipulation, tier], "Replace duration tier")
    changed = call(manipulation, "Get resynthesis (overlap-add)")
    deadline.check("overlap-add")
    return np.asarray(changed.values[0], dtype=np.float32)


def _limits(pitch: PitchTrack) -> tuple[float, float]:
    """Where Praat looks for periods: around the clip's own median, as the second pitch pass does."""
    if not pitch.voiced.any():
        return PITCH_FLOOR_HZ, PITCH_CEILING_HZ
    median = float(np.median(pitch.f0_hz[pitch.voiced]))
    return max(PITCH_FLOOR_HZ, FLOOR_RATIO * median), min(PITCH_CEILING_HZ, CEILING_RATIO * median)
