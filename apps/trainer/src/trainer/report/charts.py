"""Charts over steps and over systems, as inline SVG. Colours come from the page's style sheet by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from trainer.metrics import Estimate
from trainer.report.svg import Axis, drawing, element, path, ticks

WIDTH, HEIGHT = 480.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 10.0, 40.0, 38.0
SMOOTH_FROM = 24
"""Lines with at least this many points get a moving mean over them; a twelfth of the points wide."""


@dataclass(frozen=True, slots=True)
class Line:
    """A named series; `colour` is the class that colours it. Points without a value are left out."""

    name: str
    points: tuple[tuple[int, float], ...]
    colour: str

    @classmethod
    def of(cls, name: str, steps: Sequence[int], values: Sequence[float | None], *, colour: str) -> Line:
        """The line through those steps that have a value."""
        return cls(name, tuple((s, v) for s, v in zip(steps, values, strict=True) if v is not None), colour)


@dataclass(frozen=True, slots=True)
class Mark:
    """A step to point out, with what happened there."""

    step: int
    label: str


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    y_label: str,
    y_range: tuple[float, float] | None = None,
    x_range: tuple[int, int] | None = None,
    marks: Sequence[Mark] = (),
    smooth: bool = True,
) -> Markup:
    """Lines over steps with axes, a legend and marked steps; a sentence instead when there is nothing to draw.

    The ranges are those of the points unless given; the lower end of y is then at most 0. `smooth` draws the moving
    mean over long lines: not for values whose extremes matter.
    """
    drawn = [line for line in lines if line.points]
    if not drawn:
        return element("p", f"{title}: nothing was recorded.", class_="missing")
    values = [v for line in drawn for _, v in line.points]
    low, high = y_range or (min(0.0, *values), max(values))
    steps = x_range or tuple(s for line in drawn for s, _ in line.points)
    x = Axis(float(min(steps)), float(max(steps)), LEFT, WIDTH - RIGHT)
    y = Axis(low, high, HEIGHT - BOTTOM, TOP)
    parts = [
        _grid(x, y, y_label),
        *(_mark(mark, x, y) for mark in marks),
        *(_line(line, x, y, smooth=smooth) for line in drawn),
    ]
    svg = drawing(WIDTH, HEIGHT, *parts, title=title, description=" ".join(_describe(line) for line in drawn))
    return _figure(title, svg, legend([(line.name, line.colour) for line in drawn]))


def _figure(title: str, svg: Markup, note: Markup) -> Markup:
    return element("figure", element("figcaption", title), svg, note, class_="chart")


def legend(entries: Sequence[tuple[str, str]]) -> Markup:
    """Names beside their colours; nothing for a single line, which the title names already."""
    if len(entries) < 2:
        return Markup("")
    items = (element("li", element("span", class_=f"swatch {colour}"), name) for name, colour in entries)
    return element("ul", *items, class_="legend")


def _grid(x: Axis, y: Axis, y_label: str) -> Markup:
    parts = [element("text", y_label, x=0, y=10, class_="axis-label")]
    for value in ticks(y.low, y.high):
        at = y(value)
        parts.append(element("line", x1=x.start, x2=x.end, y1=at, y2=at, class_="grid"))
        parts.append(element("text", f"{value:g}", x=x.start - 8, y=at + 4, text_anchor="end", class_="tick"))
    for value in ticks(x.low, x.high, about=8):
        if value.is_integer():
            label = f"{value:g}"
            parts.append(element("text", label, x=x(value), y=y.start + 18, text_anchor="middle", class_="tick"))
    end = {"x": x.end, "y": y.start + 33, "text_anchor": "end"}
    return Markup("").join([*parts, element("text", "step", **end, class_="axis-label")])


def _mark(mark: Mark, x: Axis, y: Axis) -> Markup:
    at = x(mark.step)
    right = at < (x.start + x.end) / 2
    anchor, offset = ("start", 6) if right else ("end", -6)
    return Markup("").join(
        [
            element("line", x1=at, x2=at, y1=y.end - 16, y2=y.start, class_="mark"),
            element("text", mark.label, x=at + offset, y=y.end - 8, text_anchor=anchor, class_="mark-label"),
        ]
    )


def _line(line: Line, x: Axis, y: Axis, *, smooth: bool) -> Markup:
    mean = moving_mean([v for _, v in line.points]) if smooth else None
    pixels = [(x(s), y(v)) for s, v in line.points]
    parts = []
    if mean is not None:
        parts.append(path(pixels, class_=f"line faint {line.colour}"))
        pixels = [(x(s), y(v)) for (s, _), v in zip(line.points, mean, strict=True)]
    parts.append(path(pixels, class_=f"line {line.colour}"))
    if mean is None:
        radius = 3.0 if len(line.points) < SMOOTH_FROM else 1.8
        for (step, value), (px, py) in zip(line.points, pixels, strict=True):
            tip = element("title", f"{line.name}, step {step}: {value:.3g}")
            parts.append(element("circle", tip, cx=px, cy=py, r=radius, class_=line.colour))
    return element("g", *parts)


def moving_mean(values: Sequence[float]) -> list[float] | None:
    """A centred mean, its window cut at the ends; `None` for lines short enough to be read as they are.

    >>> moving_mean([1.0, 2.0]) is None
    True
    """
    if len(values) < SMOOTH_FROM:
        return None
    half = max(1, len(values) // 24)
    windows = [values[max(0, i - half) : i + half + 1] for i in range(len(values))]
    return [sum(window) / len(window) for window in windows]


def _describe(line: Line) -> str:
    (first_step, first), (last_step, last) = line.points[0], line.points[-1]
    values = [v for _, v in line.points]
    return (
        f"{line.name}: {first:.3g} at step {first_step}, {last:.3g} at step {last_step}, "
        f"between {min(values):.3g} and {max(values):.3g}."
    )


@dataclass(frozen=True, slots=True)
class Dot:
    """A share with its interval, on a row of its own."""

    name: str
    estimate: Estimate
    colour: str


def forest_plot(dots: Sequence[Dot], *, title: str, chance: float) -> Markup:
    """Shares and their intervals one below the other, beside the line of chance."""
    width, row, left, foot = 720.0, 30.0, 212.0, 30.0
    height = row * len(dots) + foot + 14.0
    most = max([chance, *(dot.estimate.high or dot.estimate.value for dot in dots)])
    x = Axis(0.0, min(1.0, most * 1.08), left, width - 66.0)
    base = height - foot
    parts = [
        Markup("").join(
            (
                element("line", x1=x(value), x2=x(value), y1=8, y2=base, class_="grid"),
                element("text", f"{100 * value:g} %", x=x(value), y=base + 18, text_anchor="middle", class_="tick"),
            )
        )
        for value in ticks(0.0, x.high)
    ]
    parts.append(element("line", x1=x(chance), x2=x(chance), y1=8, y2=base, class_="mark"))
    parts += [_forest_row(dot, x, 8 + row * (i + 0.5), width) for i, dot in enumerate(dots)]
    words = "; ".join(f"{dot.name} {100 * dot.estimate.value:.1f} %" for dot in dots)
    svg = drawing(width, height, *parts, title=title, description=f"{words}; chance {100 * chance:.1f} %.")
    note = f"Bars are 95 % intervals over speakers; the dashed line is chance ({100 * chance:.1f} %)."
    return _figure(title, svg, element("p", note, class_="note"))


def _forest_row(dot: Dot, x: Axis, y: float, width: float) -> Markup:
    e = dot.estimate
    parts = [element("text", dot.name, x=0, y=y + 4, class_="row-label")]
    if e.low is not None and e.high is not None:
        parts.append(element("line", x1=x(e.low), x2=x(e.high), y1=y, y2=y, class_=f"interval {dot.colour}"))
    parts.append(element("circle", cx=x(e.value), cy=y, r=6, class_=dot.colour))
    value = f"{100 * e.value:.1f} %"
    parts.append(element("text", value, x=width, y=y + 4, text_anchor="end", class_="row-value"))
    return element("g", *parts)


def bar(share: float, *, colour: str) -> Markup:
    """A bar that fills `share` of its cell; decoration beside a printed number, so it has no name of its own."""
    rectangles = (
        element("rect", width=100, height=6, class_="bar-back"),
        element("rect", width=100.0 * share, height=6, class_=colour),
    )
    return element(
        "svg", *rectangles, viewBox="0 0 100 6", aria_hidden="true", class_="bar", preserveAspectRatio="none"
    )
