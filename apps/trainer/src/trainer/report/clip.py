"""One clip on the page: its sound, and the text with every claim marked by its verdict."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import soundfile
from markupsafe import Markup
from numpy.typing import NDArray

from speech_records import Claim, Verdict

SYMBOLS = {Verdict.SUPPORTED: "✓", Verdict.CONTRADICTED: "✗", Verdict.UNVERIFIABLE: "?"}
_GRAVEST = (Verdict.CONTRADICTED, Verdict.UNVERIFIABLE, Verdict.SUPPORTED)


def audio_uri(samples: NDArray[np.float32], sample_rate: int) -> str:
    """The clip as a `data:` URI: 16-bit mono WAV, which every browser plays. Samples beyond [-1, 1] are clipped."""
    pcm = np.round(np.clip(np.nan_to_num(samples), -1.0, 1.0) * 32767).astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, sample_rate, format="WAV", subtype="PCM_16")
    return "data:audio/wav;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def mark_claims(text: str, claims: Sequence[Claim]) -> Markup:
    """The text with its claims marked; where claims overlap, the gravest verdict colours and all measurements show.

    >>> print(mark_claims("a < b", []))
    a &lt; b
    """
    cuts = sorted({0, len(text), *(c.start for c in claims), *(c.end for c in claims)})
    return Markup("").join(_piece(text, a, b, claims) for a, b in pairwise(cuts))


def _piece(text: str, start: int, end: int, claims: Sequence[Claim]) -> Markup:
    covering = [c for c in claims if c.start <= start and end <= c.end]
    if not covering:
        return Markup.escape(text[start:end])
    verdict = min((c.verdict for c in covering), key=_GRAVEST.index)
    words = "; ".join(f"{c.verdict.value}: {c.measured or 'nothing measured to check it against'}" for c in covering)
    form = Markup('<mark class="{}" tabindex="0">{}<span role="tooltip" class="tip">{} {}</span></mark>')
    return form.format(verdict.value, text[start:end], SYMBOLS[verdict], words)
