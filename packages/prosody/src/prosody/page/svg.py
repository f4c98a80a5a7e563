"""Pictures drawn by matplotlib, as SVG inside a page.

Colours are names of the style sheet's variables, so that light and dark both look right; no element carries an inline
style, which the page's content security policy would refuse.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from typing import Any, Final
from xml.etree import ElementTree as ET

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_NAMES = ("ink", "soft", "rule", "accent", "grey", "slate", "blue", "teal", "amber", "violet", "faint")
COLOURS: Final = {name: f"#0000{number:02x}" for number, name in enumerate(_NAMES, start=1)}
"""What matplotlib is told for each variable of the style sheet; `inline_svg` puts the variable in its place."""
FONT: Final[Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "svg.fonttype": "none",
    "text.parse_math": False,
    "text.color": COLOURS["ink"],
}
"""Settings of matplotlib under which pictures of a page are drawn."""


def style_axes(axes: Axes, y_label: str, *, pad: float = 6) -> Axes:
    """The axes in the page's colours, with `y_label` as a title at the left; returned."""
    axes.set_title(y_label, loc="left", pad=pad, fontsize=9, color=COLOURS["soft"])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelcolor=COLOURS["soft"])
    axes.grid(visible=True, axis="y", color=COLOURS["rule"])
    axes.set_axisbelow(True)
    return axes


def legend(entries: Sequence[tuple[str, str]]) -> Markup:
    """Names beside their colours."""
    item = Markup('<li><span class="swatch c-{}"></span>{}</li>')
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(item.format(c, name) for name, c in entries))


def inline_svg(figure: Figure, title: str, description: str) -> Markup:
    """The figure as an SVG element without inline styles, with a name for those who cannot see it."""
    buffer = io.StringIO()
    # Ids that are the same each time, and others in other charts; the browser's fonts hold more letters than ours.
    with mpl.rc_context({"svg.hashsalt": title}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
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
