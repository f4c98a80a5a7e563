"""The little SVG that the charts need: escaped elements, linear axes, round ticks.

Elements carry classes, never inline styles: the page's one style sheet colours them, for light and dark alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup, escape


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """One XML element; text and attribute values are escaped, `Markup` children are kept.

    A trailing underscore of an attribute name is dropped, other underscores become dashes; `None` leaves it out.

    >>> print(element("text", "a < b", class_="tick", text_anchor="end", x=1.0))
    <text class="tick" text-anchor="end" x="1">a &lt; b</text>
    """
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    content = Markup("").join(escape(child) for child in children)
    return Markup(f"<{name}{pairs}>{content}</{name}>")  # noqa: S704 - every part is escaped above


def number(value: object) -> object:
    """Floats with at most two decimals, so that pages stay small; anything else as it is."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def drawing(width: float, height: float, *children: object, title: str, description: str) -> Markup:
    """An inline picture that scales with the page, with a name and a description for those who cannot see it."""
    view = f"0 0 {width:g} {height:g}"
    return element("svg", *children, role="img", viewBox=view, aria_label=f"{title}. {description}")


def path(points: Iterable[tuple[float, float]], *, class_: str) -> Markup:
    """A line through the points, in pixels."""
    return element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=class_)


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps values [low, high] linearly onto pixels [start, end].

    >>> Axis(0.0, 1.0, 100.0, 0.0)(0.25)
    75.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / ((self.high - self.low) or 1.0) * (self.end - self.start)


def ticks(low: float, high: float, *, about: int = 5) -> tuple[float, ...]:
    """Round numbers in [low, high], in steps of 1, 2 or 5 times a power of ten.

    >>> ticks(0.0, 1.0)
    (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """
    if high <= low:
        return (low,)
    raw = (high - low) / about
    power = 10.0 ** floor(log10(raw))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw * (1 - 1e-9))
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return tuple(round(i * step, 10) for i in range(first, last + 1))
