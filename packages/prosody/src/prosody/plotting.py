"""One picture of one clip: waveform, pitch, energy, pauses, stressed words.

Figures are built on the Agg canvas directly: pyplot's global state is never touched, so this is safe in threads and
servers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prosody.analysis import analyze
from prosody.measurement import Tracks, tracks
from speech_records import ProsodyProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK: Final = "#22303c"
_PITCH: Final = "#c2410c"
_ENERGY: Final = "#0f766e"
_PAUSE: Final = "#94a3b8"
_WAVE_COLUMNS: Final = 2_000  # more columns than a picture has pixels show nothing
_PITCH_MARGIN: Final = 0.8


def plot(
    samples: ArrayLike, sample_rate: int, *, profile: ProsodyProfile | None = None, title: str | None = None
) -> Figure:
    """A matplotlib figure of the clip: waveform; F0 in Hz (dots, logarithmic) with its smoothed contour; level in dBFS.

    Pauses are shaded, stressed words of `profile` (measured here when not given) are written where they have times.
    Save it with `figure.savefig("clip.png")` or `.svg`. Raises what `analyze` raises.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    measured = tracks(samples, sample_rate)
    profile = profile if profile is not None else analyze(samples, sample_rate)
    figure = Figure(figsize=(9.0, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    wave, pitch, energy = figure.subplots(3, 1, sharex=True, height_ratios=[1.0, 1.5, 1.0])
    _draw_wave(wave, np.asarray(samples, dtype=np.float32), sample_rate)
    _draw_pitch(pitch, measured)
    _draw_energy(energy, measured, profile)
    for axes in (wave, pitch, energy):
        for pause in profile.pauses:
            axes.axvspan(pause.start_s, pause.end_s, color=_PAUSE, alpha=0.3, linewidth=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(0.0, measured.duration_s)
    for word in profile.stressed_words or ():
        if word.start_s is not None and word.end_s is not None:
            middle = (word.start_s + word.end_s) / 2
            wave.annotate(plain(word.word), (middle, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom")
    if title is not None:
        figure.suptitle(plain(title))
    return figure


def plain(text: str) -> str:
    """Text from outside, so written that it is not read as a formula."""
    return text.replace("$", r"\$")


def _draw_wave(axes: Axes, samples: NDArray[np.float32], sample_rate: int) -> None:
    per_column = max(1, len(samples) // _WAVE_COLUMNS)
    columns = samples[: len(samples) // per_column * per_column].reshape(-1, per_column)
    times = (np.arange(len(columns)) + 0.5) * per_column / sample_rate
    axes.fill_between(times, columns.min(axis=1), columns.max(axis=1), color=_INK, linewidth=0.4)
    axes.set_ylabel("amplitude")


def _draw_pitch(axes: Axes, measured: Tracks) -> None:
    axes.set_ylabel("F0 (Hz)")
    contour = measured.contour
    if contour is None:
        axes.text(0.5, 0.5, "no credible voicing", transform=axes.transAxes, ha="center", va="center", color=_PAUSE)
        axes.set_yticks([])
        return
    f0 = measured.pitch.f0_hz
    axes.plot(measured.pitch.times_s, f0, ".", color=_PITCH, markersize=3, alpha=0.5)
    smooth = contour.reference_hz * 2.0 ** (contour.semitones / 12.0)
    holes = np.flatnonzero(np.diff(contour.times_s) > 0.015) + 1
    axes.plot(np.insert(contour.times_s, holes, np.nan), np.insert(smooth, holes, np.nan), color=_PITCH, linewidth=1.6)
    axes.set_yscale("log", base=2)
    low, high = float(np.nanmin(f0)) * _PITCH_MARGIN, float(np.nanmax(f0)) / _PITCH_MARGIN
    ticks = [tick for tick in (50, 75, 100, 150, 200, 300, 400, 600, 800) if low <= tick <= high]
    axes.set_ylim(low, high)
    axes.set_yticks(ticks, labels=[str(tick) for tick in ticks])
    axes.set_title(f"{contour.shape.value} · {contour.dynamics.value}", fontsize="small", loc="right")


def _draw_energy(axes: Axes, measured: Tracks, profile: ProsodyProfile) -> None:
    axes.set_ylabel("level (dBFS)")
    axes.set_xlabel("time (s)")
    finite = np.isfinite(measured.energy_dbfs)
    if finite.any():
        level = np.where(finite, measured.energy_dbfs, np.nan)
        axes.plot(measured.energy_times_s, level, color=_ENERGY, linewidth=0.8, alpha=0.5)
        axes.plot(measured.energy_times_s, np.where(measured.speech, level, np.nan), color=_ENERGY, linewidth=1.6)
    if profile.energy_dbfs is not None:
        axes.axhline(profile.energy_dbfs, color=_ENERGY, linestyle=":", linewidth=1.0)
    if len(measured.nuclei_s):
        axes.plot(measured.nuclei_s, np.interp(measured.nuclei_s, measured.energy_times_s, measured.energy_dbfs), "v",
                  color=_INK, markersize=4)  # fmt: skip
