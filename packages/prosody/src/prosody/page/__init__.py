"""Pages of one HTML file that can be read, heard and kept without a network: their skeleton, and one clip on them.

- `clip`: a clip with its sound, contours and a text whose claims are marked (`ClipView`), as `clip.html.j2` shows it
- `svg`: pictures by matplotlib as part of the page
- `rendering`: a page from a template that extends `skeleton.html.j2` (`render_page`)
"""

from prosody.page.clip import SYMBOLS, ClipView
from prosody.page.rendering import render_page, write_page
from prosody.page.svg import COLOURS, FONT, inline_svg, legend, style_axes

__all__ = ["COLOURS", "FONT", "SYMBOLS", "ClipView", "inline_svg", "legend", "render_page", "style_axes", "write_page"]
