"""One clip on the page: its sound, its contours, and the text with every claim marked by its verdict."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from speech_records import Claim, Verdict
from trainer.report.data import ClipView
from trainer.report.svg import Axis, drawing, element, path, ticks

WIDTH, LEFT, RIGHT = 960.0, 52.0, 8.0
WAVE_HEIGHT, TRACK_HEIGHT, GAP, FOOT = 96.0, 128.0, 30.0, 34.0
COLUMNS = 480
"""Columns into which the waveform is gathered: two units of the drawing each."""
ENERGY_FLOOR_DB = 60.0
"""How far below the loudest frame the energy axis reaches; what is quieter is background."""

SYMBOLS = {Verdict.SUPPORTED: "✓", Verdict.CONTRADICTED: "✗", Verdict.UNVERIFIABLE: "?"}
_GRAVEST = (Verdict.CONTRADICTED, Verdict.UNVERIFIABLE, Verdict.SUPPORTED)


def audio_uri(samples: NDArray[np.float32], sample_rate: int) -> str:
    """The clip as a `data:` URI: 16-bit mono WAV, which every browser plays. Samples beyond [-1, 1] are clipped."""
    pcm = np.round(np.clip(np.nan_to_num(samples), -1.0, 1.0) * 32767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(pcm.tobytes())
    return "data:audio/wav;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def mark_claims(text: str, claims: Sequence[Claim]) -> Markup:
    """The text with its claims marked; where claims overlap, the gravest verdict colours and all measurements show.

    >>> print(mark_claims("a < b", []))
    a &lt; b
    """
    cuts = sorted({0, len(text), *(c.start for c in claims), *(c.end for c in claims)})
    pieces = [_piece(text, a, b, claims) for a, b in pairwise(cuts)]
    return Markup("").join(pieces)


def _piece(text: str, start: int, end: int, claims: Sequence[Claim]) -> Markup:
    covering = [c for c in claims if c.start <= start and end <= c.end]
    if not covering:
        return Markup.escape(text[start:end])
    verdict = min((c.verdict for c in covering), key=_GRAVEST.index)
    words = "; ".join(f"{c.verdict.value}: {c.measured or 'nothing measured to hold it against'}" for c in covering)
    tip = element("span", f"{SYMBOLS[verdict]} {words}", role="tooltip", class_="tip")
    return element("mark", text[start:end], tip, class_=verdict.value, tabindex="0")


def contours(clip: ClipView) -> Markup:
    """Waveform, pitch and energy above one another over the same seconds."""
    x = Axis(0.0, clip.duration_s or 1.0, LEFT, WIDTH - RIGHT)
    wave_end = 14.0 + WAVE_HEIGHT
    pitch_end = wave_end + GAP + TRACK_HEIGHT
    energy_end = pitch_end + GAP + TRACK_HEIGHT
    parts = [
        _time_grid(x, energy_end),
        _waveform(clip, x, 14.0, wave_end),
        _pitch(clip, x, wave_end + GAP, pitch_end),
        _energy(clip, x, pitch_end + GAP, energy_end),
    ]
    title = f"Waveform, pitch and energy of {clip.utterance_id}"
    return drawing(WIDTH, energy_end + FOOT, *parts, title=title, description=_describe(clip))


def _describe(clip: ClipView) -> str:
    f0 = clip.f0_hz[np.isfinite(clip.f0_hz)]
    pitch = f"pitch from {f0.min():.0f} to {f0.max():.0f} hertz" if f0.size else "no voiced frame"
    energy = clip.energy_dbfs[np.isfinite(clip.energy_dbfs)]
    loudest = f"loudest frame at {energy.max():.0f} decibels of full scale" if energy.size else "no energy measured"
    return f"{clip.duration_s:.2f} seconds; {pitch}; {loudest}."


def _time_grid(x: Axis, bottom: float) -> Markup:
    parts = []
    for value in ticks(x.low, x.high, about=8):
        at = x(value)
        parts.append(element("line", x1=at, x2=at, y1=14, y2=bottom, class_="grid"))
        parts.append(element("text", f"{value:g} s", x=at, y=bottom + 18, text_anchor="middle", class_="tick"))
    return Markup("").join(parts)


def _title(text: str, top: float) -> Markup:
    return element("text", text, x=LEFT, y=top - 6, class_="axis-label")


def _waveform(clip: ClipView, x: Axis, top: float, bottom: float) -> Markup:
    samples = np.nan_to_num(clip.samples)
    if not samples.size:
        return _title("waveform: no samples", top)
    chunks = np.array_split(samples, min(COLUMNS, samples.size))
    peak = max(float(np.abs(samples).max()), 1e-9)
    y = Axis(-peak, peak, bottom, top)
    at = np.linspace(x.start, x.end, len(chunks))
    upper = [(float(px), y(float(c.max()))) for px, c in zip(at, chunks, strict=True)]
    lower = [(float(px), y(float(c.min()))) for px, c in zip(at, chunks, strict=True)]
    outline = " ".join(f"{px:.1f},{py:.1f}" for px, py in [*upper, *reversed(lower)])
    return Markup("").join((_title("waveform", top), element("polygon", points=outline, class_="wave")))


def _pitch(clip: ClipView, x: Axis, top: float, bottom: float) -> Markup:
    voiced = np.isfinite(clip.f0_hz) & (clip.f0_hz > 0)
    if not voiced.any():
        return _title("pitch: no voiced frame", top)
    octaves = np.log2(clip.f0_hz, where=voiced, out=np.full(clip.f0_hz.shape, np.nan))
    low, high = float(np.nanmin(octaves)) - 0.15, float(np.nanmax(octaves)) + 0.15
    y = Axis(low, high, bottom, top)
    parts = [_title("pitch, Hz (logarithmic)", top)]
    marks = {hertz: float(np.log2(hertz)) for hertz in (50, 75, 100, 150, 200, 300, 400, 600, 800)}
    parts += [_level(str(hertz), y(octave)) for hertz, octave in marks.items() if low <= octave <= high]
    for run in _runs(voiced):
        points = [(x(float(clip.pitch_times_s[i])), y(float(octaves[i]))) for i in run]
        # A lone voiced frame would be a line without length, hence invisible.
        parts.append(path(points if len(points) > 1 else points * 2, class_="line pitch"))
    return Markup("").join(parts)


def _energy(clip: ClipView, x: Axis, top: float, bottom: float) -> Markup:
    finite = np.isfinite(clip.energy_dbfs)
    if not finite.any():
        return _title("energy: nothing measured", top)
    high = float(clip.energy_dbfs[finite].max()) + 2.0
    low = max(float(clip.energy_dbfs[finite].min()), high - ENERGY_FLOOR_DB)
    y = Axis(low, high, bottom, top)
    parts = [_title("energy, dB of full scale", top)]
    parts += [_level(f"{db:g}".replace("-", "\N{MINUS SIGN}"), y(db)) for db in ticks(low, high, about=4)]
    for run in _runs(finite):
        points = [(x(float(clip.energy_times_s[i])), y(max(low, float(clip.energy_dbfs[i])))) for i in run]
        parts.append(path(points, class_="line energy"))
    return Markup("").join(parts)


def _level(label: str, y: float) -> Markup:
    line = element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid")
    return line + element("text", label, x=LEFT - 8, y=y + 4, text_anchor="end", class_="tick")


def _runs(mask: NDArray[np.bool_]) -> list[list[int]]:
    """Indices of each unbroken stretch of true values."""
    indices = np.flatnonzero(mask)
    return [run.tolist() for run in np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1) if run.size]
