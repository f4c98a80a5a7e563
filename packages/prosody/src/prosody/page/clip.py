"""One clip on a page: its sound, its contours, and a text about it with every claim marked by its verdict."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import soundfile
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from prosody.measurement import Tracks
from prosody.page.svg import COLOURS, FONT, inline_svg, style_axes
from speech_records import Claim, InvalidRecordError, StressedWord, Verdict

SYMBOLS: Final = {Verdict.SUPPORTED: "✓", Verdict.CONTRADICTED: "✗", Verdict.UNVERIFIABLE: "?"}
_GRAVEST: Final = (Verdict.CONTRADICTED, Verdict.UNVERIFIABLE, Verdict.SUPPORTED)
_COLUMNS: Final = 480
"""Columns into which the waveform is gathered."""
_ENERGY_FLOOR_DB: Final = 60.0
"""How far below the loudest frame the energy axis reaches; what is quieter is background."""
_LINE: Final[Any] = {"linewidth": 2.2, "marker": ".", "markersize": 3}  # the mark shows a frame that stands alone


@dataclass(frozen=True, slots=True, eq=False)
class ClipView:
    """A clip and what was said of it, as `clip.html.j2` shows them.

    `samples` float32[n] in [-1, 1] and their `tracks`. `text` is what the claims' spans count in: the reasoning, or
    the whole answer where no reasoning could be read from it (then `is_reasoning` is false). `stressed_words` are
    drawn where they have times.
    """

    name: str
    text: str
    is_reasoning: bool
    claims: tuple[Claim, ...]
    samples: NDArray[np.float32]
    sample_rate: int
    tracks: Tracks
    stressed_words: tuple[StressedWord, ...] = ()

    def __post_init__(self) -> None:
        for claim in self.claims:
            if self.text[claim.start : claim.end] != claim.text:
                raise InvalidRecordError(f"clip {self.name}: claim {claim.text!r} does not stand at its span")


def contours(clip: ClipView) -> Markup:
    """Waveform, pitch and energy above one another over the same seconds, the stressed words over the waveform."""
    with mpl.rc_context(FONT):
        figure = Figure(figsize=(9.6, 4.4), layout="constrained")
        wave, pitch, level = figure.subplots(3, 1, sharex=True, height_ratios=(3, 4, 4))
        said = [_draw_wave(wave, clip), _draw_pitch(pitch, clip.tracks), _draw_energy(level, clip.tracks)]
        level.xaxis.set_major_formatter("{x:g} s")
        level.set_xlim(0.0, clip.tracks.duration_s or 1.0)
        title = f"Waveform, pitch and energy of {clip.name}"
        words = "; ".join([f"{clip.tracks.duration_s:.2f} seconds", *filter(None, said)])
        return inline_svg(figure, title, f"{words}.")


def _draw_wave(axes: Axes, clip: ClipView) -> str:
    timed = [
        (_printable(w.word), (w.start_s + w.end_s) / 2)
        for w in clip.stressed_words
        if w.start_s is not None and w.end_s is not None
    ]
    style_axes(axes, "waveform" if clip.samples.size else "waveform: no samples", pad=16 if timed else 6).set_yticks([])
    if clip.samples.size:
        columns = np.array_split(np.nan_to_num(clip.samples), min(_COLUMNS, clip.samples.size))
        ends = [column.min() for column in columns], [column.max() for column in columns]
        axes.fill_between(np.linspace(0.0, clip.tracks.duration_s, len(columns)), *ends, color=COLOURS["slate"])
    for word, middle in timed:
        place: Any = {"ha": "center", "va": "bottom", "transform": axes.get_xaxis_transform()}
        axes.text(middle, 1.0, word, color=COLOURS["accent"], **place)
    words = ", ".join(word for word, _ in timed)
    return f"stressed words over the waveform: {words}" if words else ""


def _draw_pitch(axes: Axes, tracks: Tracks) -> str:
    f0 = tracks.pitch.f0_hz[tracks.pitch.voiced]
    style_axes(axes, "pitch, Hz (logarithmic)" if f0.size else "pitch: no voiced frame").set_yscale("log")
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.plot(tracks.pitch.times_s, tracks.pitch.f0_hz, color=COLOURS["violet"], **_LINE)
    return f"pitch from {f0.min():.0f} to {f0.max():.0f} hertz" if f0.size else "no voiced frame"


def _draw_energy(axes: Axes, tracks: Tracks) -> str:
    energy = np.where(np.isfinite(tracks.energy_dbfs), tracks.energy_dbfs, np.nan)
    if np.isnan(energy).all():
        style_axes(axes, "energy: nothing measured")
        return "no energy measured"
    style_axes(axes, "energy, dB of full scale")
    axes.plot(tracks.energy_times_s, energy, color=COLOURS["amber"], **_LINE)
    loudest = float(np.nanmax(energy))
    axes.set_ylim(max(float(np.nanmin(energy)), loudest - _ENERGY_FLOOR_DB) - 2, loudest + 2)
    return f"loudest frame at {loudest:.0f} decibels of full scale"


def _printable(text: str) -> str:
    """Without characters that no picture can hold, such as control codes."""
    return "".join(c for c in text if c.isprintable())


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
    form = Markup(
        '<mark class="{0}" tabindex="0" aria-describedby="tip-{1}">{2}'
        '<span role="tooltip" class="tip" id="tip-{1}">{3} {4}</span></mark>'
    )
    return form.format(verdict.value, start, text[start:end], SYMBOLS[verdict], words)
