"""Clips that are longer than a model takes, cut into windows that it does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechlm.errors import AudioInputError
from speechlm.features import MAX_SECONDS, SAMPLE_RATE

SHORTEST_SECONDS = 0.1
"""A last window that would be shorter reaches back instead; any model takes this much."""


def windows(
    samples: NDArray[np.float32], *, seconds: float = MAX_SECONDS, overlap: float = 0.0
) -> list[NDArray[np.float32]]:
    """Cut mono samples at 16 kHz into consecutive windows of at most `seconds`, each `overlap` seconds into the last.

    Every sample lies in a window, and a clip of at most `seconds` is its own only window. A row hears all windows of
    its clip, one behind the other, when its entry of `audio_index` names them all (`collate`). Raises
    `AudioInputError` for samples that are not mono, a length that is not within 0.1 to 30 s, or an overlap that is not
    shorter than it.

    >>> [w.size / 16_000 for w in windows(np.zeros(16_000 * 70, dtype=np.float32))]
    [30.0, 30.0, 10.0]
    """
    if samples.ndim != 1:
        raise AudioInputError(f"samples must be mono (one axis), got shape {samples.shape}")
    if not SHORTEST_SECONDS <= seconds <= MAX_SECONDS:
        raise AudioInputError(f"a window must last {SHORTEST_SECONDS:g} to {MAX_SECONDS:g} s, got {seconds:g} s")
    if not 0 <= overlap < seconds:
        raise AudioInputError(
            f"the overlap must be at least 0 and less than the {seconds:g} s window, got {overlap:g} s"
        )
    size = round(seconds * SAMPLE_RATE)
    hop = max(1, size - round(overlap * SAMPLE_RATE))
    starts = list(range(0, max(1, samples.size - size + hop), hop))
    if len(starts) > 1:
        starts[-1] = min(starts[-1], samples.size - round(SHORTEST_SECONDS * SAMPLE_RATE))
    return [samples[start : start + size] for start in starts]
