"""Charts of a run: lines over steps, shares beside chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from prosody.page import COLOURS, FONT, inline_svg, legend, style_axes
from trainer.metrics import Estimate

SMOOTH_FROM = 24
"""Lines with at least this many points get a moving mean over them; a twelfth of the points wide."""


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
    with mpl.rc_context(FONT):
        figure = Figure(figsize=(4.8, 2.5), layout="constrained")
        axes = style_axes(figure.subplots(), y_label, pad=16 if gates else 6)
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
        svg = inline_svg(figure, title, " ".join(_describe(line) for line in drawn))
    entries = [(line.name, line.colour) for line in drawn]
    return _figure(title, svg, legend(entries) if len(entries) > 1 else Markup(""))


def forest_plot(dots: Sequence[Dot], *, title: str, chance: float) -> Markup:
    """Shares and their intervals one below the other, beside the line of chance."""
    with mpl.rc_context(FONT):
        figure = Figure(figsize=(7.2, 0.45 + 0.3 * len(dots)), layout="constrained")
        axes = style_axes(figure.subplots(), "")
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
        svg = inline_svg(figure, title, f"{words}; chance {100 * chance:.1f} %.")
    note = f"Bars are 95 % intervals over speakers; the dashed line is chance ({100 * chance:.1f} %)."
    return _figure(title, svg, Markup('<p class="note">{}</p>').format(note))


def moving_mean(values: Sequence[float]) -> np.ndarray | None:
    """A centred mean, its window cut at the ends; `None` for lines short enough to be read as they are.

    >>> moving_mean([1.0, 2.0]) is None
    True
    """
    if len(values) < SMOOTH_FROM:
        return None
    window = np.ones(2 * max(1, len(values) // 24) + 1)
    return np.asarray(np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same"))


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
