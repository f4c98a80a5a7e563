"""Three variants of one sentence, joined: low, normal and high in one attribute, in a known order."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prosody.energy import peak
from prosody.errors import ModificationError
from prosody.measurement import checked_samples
from prosody.modification import PEAK_LIMIT, modify
from speech_records import Level

PITCH_STEP_ST: Final = 4.0
"""Between neighbouring variants; in conversation only differences over 3 st count ('t Hart 1981, JASA 69: 811–821)."""
ENERGY_STEP_DB: Final = 8.0
"""Between neighbouring variants; 10 dB is about twice as loud."""
TEMPO_STEP: Final = 1.3
GAP_S: Final = 0.5


class Attribute(StrEnum):
    """What differs between the variants."""

    PITCH = "pitch"
    ENERGY = "energy"
    RATE = "rate"


_STEPS: Final = {Level.LOW: -1, Level.NORMAL: 0, Level.HIGH: 1}


def comparative(
    samples: ArrayLike, sample_rate: int, *, attribute: Attribute, order: Sequence[Level], gap_s: float = GAP_S
) -> NDArray[np.float32]:
    """The clip's variants in the given order, half a second of silence between them, float32 [m].

    `order` holds two or three different levels. All variants pass the vocoder alike, so that its sound gives nothing
    away; the energy variants are scaled together until the loudest just does not clip, so that their steps stay.
    Raises `ModificationError` for another order and wherever `modify` does.
    """
    if len(order) < 2 or len(set(order)) != len(order):
        raise ModificationError(
            f"order must name two or three different levels, got {[level.value for level in order]}"
        )
    if not 0.0 <= gap_s <= 10.0:
        raise ModificationError(f"gap_s must lie in [0, 10], got {gap_s}")
    signal = checked_samples(samples, sample_rate)
    if attribute is Attribute.ENERGY:
        variants = _louder_and_softer(signal, order)
    else:
        variants = [_variant(signal, sample_rate, attribute, _STEPS[level]) for level in order]
    gap = np.zeros(round(gap_s * sample_rate), dtype=np.float32)
    pieces = [variants[0], *(piece for variant in variants[1:] for piece in (gap, variant))]
    return np.concatenate(pieces)


def _variant(signal: NDArray[np.float32], sample_rate: int, attribute: Attribute, step: int) -> NDArray[np.float32]:
    if attribute is Attribute.PITCH:
        # A shift that is not heard keeps the unchanged variant in the vocoder too.
        return modify(signal, sample_rate, pitch_st=step * PITCH_STEP_ST or 1e-6)
    return modify(signal, sample_rate, tempo=TEMPO_STEP**step if step else 1.0 + 1e-9)


def _louder_and_softer(signal: NDArray[np.float32], order: Sequence[Level]) -> list[NDArray[np.float32]]:
    top = peak(signal)
    gains = [10.0 ** (_STEPS[level] * ENERGY_STEP_DB / 20.0) for level in order]
    together = min(1.0, PEAK_LIMIT / (max(gains) * top)) if top > 0.0 else 1.0
    return [(signal * np.float32(gain * together)).astype(np.float32) for gain in gains]
