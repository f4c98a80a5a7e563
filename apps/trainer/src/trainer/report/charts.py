"""Charts drawn by matplotlib, as SVG inside the page.

Colours are names of the style sheet's variables, so that light and dark both look right; no element carries an inline
style, which the page's content security policy would refuse.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from trainer.metrics import Estimate
from trainer.report.data import ClipView

SMOOTH_FROM = 24
"""Lines with at least this many points get a moving mean over them; a twelfth of the points wide."""
COLUMNS = 480
"""Columns into which the waveform is gathered."""
ENERGY_FLOOR_DB = 60.0
"""How far below the loudest frame the energy axis reaches; what is quieter is background."""

_NAMES = ("ink", "soft", "rule", "accent", "grey", "slate", "blue", "teal", "amber", "violet", "faint")
COLOURS = {name: f"#0000{number:02x}" for number, name in enumerate(_NAMES, start=1)}
"""What matplotlib is told for each variable of the style sheet; `_inline` puts the variable in its place."""
_FONT: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "svg.fonttype": "none",
    "text.parse_math": False,
    "text.color": COLOURS["ink"],
}


@dataclass(frozen=True, slots=True)
class Line:
    """A named series over steps in a colour of `COLOURS`; values may be missing."""

    name: str
    steps: Sequence[int]
    values: Sequence[float | None]
    colour: str

    @property
    def points(self) -> list[tuple[int, float]]:
        """The steps that have a value."""
        return [(step, value) for step, value in zip(self.steps, self.values, strict=True) if value is not None]


@dataclass(frozen=True, slots=True)
class Dot:
    """A share with its interval, in a colour of `COLOURS`, on a row of its own."""

    name: str
    estimate: Estimate
    colour: str


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    y_label: str,
    y_range: tuple[float, float] | None = None,
    x_range: tuple[int, int] | None = None,
    gates: Sequence[int] = (),
    smooth: bool = True,
) -> Markup:
    """Lines over steps with a legend and the steps at which gates open; a sentence when there is nothing to draw.

    The ranges are those of the points unless given; the lower end of y is then at most 0. `smooth` draws the moving
    mean over long lines: not for values whose extremes matter.
    """
    drawn = [line for line in lines if line.points]
    if not drawn:
        return Markup('<p class="missing">{}: nothing was recorded.</p>').format(title)
    with mpl.rc_context(_FONT):
        figure = Figure(figsize=(4.8, 2.5), layout="constrained")
        axes = _axes(figure.subplots(), y_label, pad=16 if gates else 6)
        for line in drawn:
            steps, values = np.array(line.points).T
            colour, mean = COLOURS[line.colour], moving_mean(values) if smooth else None
            if mean is not None:
                axes.plot(steps, values, color=colour, linewidth=0.8, alpha=0.4)
            marker = None if mean is not None else "."
            axes.plot(
                steps, values if mean is None else mean, color=colour, linewidth=1.8, marker=marker, clip_on=False
            )
        axes.set_xlabel("step", loc="right", color=COLOURS["soft"])
        axes.set_xlim(x_range)
        axes.set_ylim(*(y_range or (min(0.0, axes.get_ylim()[0]), None)))
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        for step in gates:
            left = step < np.mean(axes.get_xlim())
            axes.axvline(step, color=COLOURS["accent"], linewidth=1.2, linestyle="--")
            place: Any = {"ha": "left" if left else "right", "va": "bottom", "transform": axes.get_xaxis_transform()}
            axes.text(step, 1.0, f" gate opens, step {step} ", color=COLOURS["accent"], **place)
        svg = _inline(figure, title, " ".join(_describe(line) for line in drawn))
    entries = [(line.name, line.colour) for line in drawn]
    return _figure(title, svg, legend(entries) if len(entries) > 1 else Markup(""))


def forest_plot(dots: Sequence[Dot], *, title: str, chance: float) -> Markup:
    """Shares and their intervals one below the other, beside the line of chance."""
    with mpl.rc_context(_FONT):
        figure = Figure(figsize=(7.2, 0.45 + 0.3 * len(dots)), layout="constrained")
        axes = _axes(figure.subplots(), "")
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x", color=COLOURS["rule"])
        for row, dot in enumerate(dots):
            e, colour = dot.estimate, COLOURS[dot.colour]
            if e.low is not None and e.high is not None:
                axes.plot([e.low, e.high], [row, row], color=colour, linewidth=4, alpha=0.4, solid_capstyle="round")
            axes.plot(e.value, row, color=colour, marker="o", markersize=8)
            axes.text(1.01, row, f"{100 * e.value:.1f} %", transform=axes.get_yaxis_transform(), va="center")
        axes.axvline(chance, color=COLOURS["accent"], linewidth=1.2, linestyle="--")
        axes.set_yticks(range(len(dots)), [dot.name for dot in dots])
        axes.tick_params(axis="y", labelcolor=COLOURS["ink"], labelsize=10)
        axes.invert_yaxis()
        axes.set_xlim(0.0, None)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
        words = "; ".join(f"{dot.name} {100 * dot.estimate.value:.1f} %" for dot in dots)
        svg = _inline(figure, title, f"{words}; chance {100 * chance:.1f} %.")
    note = f"Bars are 95 % intervals over speakers; the dashed line is chance ({100 * chance:.1f} %)."
    return _figure(title, svg, Markup('<p class="note">{}</p>').format(note))


def contours(clip: ClipView) -> Markup:
    """Waveform, pitch and energy above one another over the same seconds."""
    f0 = clip.f0_hz[np.isfinite(clip.f0_hz)]
    energy = np.where(np.isfinite(clip.energy_dbfs), clip.energy_dbfs, np.nan)
    loudest = None if np.isnan(energy).all() else float(np.nanmax(energy))
    with mpl.rc_context(_FONT):
        figure = Figure(figsize=(9.6, 4.4), layout="constrained")
        wave, pitch, level = figure.subplots(3, 1, sharex=True, height_ratios=(3, 4, 4))
        _axes(wave, "waveform" if clip.samples.size else "waveform: no samples").set_yticks([])
        if clip.samples.size:
            columns = np.array_split(np.nan_to_num(clip.samples), min(COLUMNS, clip.samples.size))
            ends = [column.min() for column in columns], [column.max() for column in columns]
            wave.fill_between(np.linspace(0.0, clip.duration_s, len(columns)), *ends, color=COLOURS["slate"])
        _axes(pitch, "pitch, Hz (logarithmic)" if f0.size else "pitch: no voiced frame").set_yscale("log")
        pitch.yaxis.set_major_locator(MaxNLocator(5))
        pitch.yaxis.set_major_formatter("{x:g}")
        pitch.yaxis.set_minor_locator(NullLocator())
        style: Any = {"linewidth": 2.2, "marker": ".", "markersize": 3}  # the mark shows a frame that stands alone
        pitch.plot(clip.pitch_times_s, clip.f0_hz, color=COLOURS["violet"], **style)
        _axes(level, "energy, dB of full scale" if loudest is not None else "energy: nothing measured")
        level.plot(clip.energy_times_s, energy, color=COLOURS["amber"], **style)
        if loudest is not None:
            level.set_ylim(max(float(np.nanmin(energy)), loudest - ENERGY_FLOOR_DB) - 2, loudest + 2)
        level.xaxis.set_major_formatter("{x:g} s")
        level.set_xlim(0.0, clip.duration_s or 1.0)
        heard = f"pitch from {f0.min():.0f} to {f0.max():.0f} hertz" if f0.size else "no voiced frame"
        peak = "no energy measured" if loudest is None else f"loudest frame at {loudest:.0f} decibels of full scale"
        title = f"Waveform, pitch and energy of {clip.utterance_id}"
        return _inline(figure, title, f"{clip.duration_s:.2f} seconds; {heard}; {peak}.")


def legend(entries: Sequence[tuple[str, str]]) -> Markup:
    """Names beside their colours."""
    item = Markup('<li><span class="swatch c-{}"></span>{}</li>')
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(item.format(c, name) for name, c in entries))


def moving_mean(values: Sequence[float]) -> np.ndarray | None:
    """A centred mean, its window cut at the ends; `None` for lines short enough to be read as they are.

    >>> moving_mean([1.0, 2.0]) is None
    True
    """
    if len(values) < SMOOTH_FROM:
        return None
    window = np.ones(2 * max(1, len(values) // 24) + 1)
    return np.asarray(np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same"))


def _axes(axes: Axes, y_label: str, *, pad: float = 6) -> Axes:
    axes.set_title(y_label, loc="left", pad=pad, fontsize=9, color=COLOURS["soft"])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelcolor=COLOURS["soft"])
    axes.grid(visible=True, axis="y", color=COLOURS["rule"])
    axes.set_axisbelow(True)
    return axes


def _figure(title: str, svg: Markup, note: Markup) -> Markup:
    form = Markup('<figure class="chart"><figcaption>{}</figcaption>{}{}</figure>')
    return form.format(title, svg, note)


def _describe(line: Line) -> str:
    (first_step, first), (last_step, last) = line.points[0], line.points[-1]
    values = [value for _, value in line.points]
    return (
        f"{line.name}: {first:.3g} at step {first_step}, {last:.3g} at step {last_step}, "
        f"between {min(values):.3g} and {max(values):.3g}."
    )


def _inline(figure: Figure, title: str, description: str) -> Markup:
    """The figure as an SVG element without inline styles, with a name for those who cannot see it."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": title}):  # ids that are the same each time, and others in other charts
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = re.sub(r"#0000([0-9a-f]{2})\b", lambda m: f"var(--{_NAMES[int(m[1], 16) - 1]})", buffer.getvalue())
    root = ET.fromstring(text)  # noqa: S314 - matplotlib wrote it
    used = set(re.findall(r"#([\w-]+)", text))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
        plain = {name.rpartition("}")[2]: value for name, value in node.attrib.items()}
        for declaration in plain.pop("style", "").split(";"):
            name, _, value = declaration.partition(":")
            if name.strip() and name.strip() != "font":  # of the page
                plain[name.strip()] = value.strip()
        if plain.get("id") not in used:
            plain.pop("id", None)
        node.attrib.clear()
        node.attrib.update(plain)
    width, height = (root.attrib.pop(name) for name in ("width", "height"))
    root.attrib = {"viewBox": f"0 0 {width[:-2]} {height[:-2]}", "role": "img"}
    root.set("aria-label", f"{title}. {description}")
    return Markup(ET.tostring(root, encoding="unicode", short_empty_elements=False))  # noqa: S704 - escaped by ElementTree
