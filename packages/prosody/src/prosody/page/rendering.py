"""From a template to one HTML file.

Everything is inside: style, pictures, sound. The page's content security policy forbids scripts and every connection,
and allows the one style sheet by its hash, so that a hostile text could not act even if escaping failed.
"""

from __future__ import annotations

import base64
import hashlib
import os
from importlib.resources import files
from pathlib import Path
from typing import Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from prosody.page.clip import SYMBOLS, audio_uri, contours, mark_claims
from speech_records import atomic_write

_HERE: Final = "prosody.page"
_STYLE: Final = "style.css"


def render_page(package: str, template: str, **context: object) -> str:
    """The page of `template` in `package`, which extends `skeleton.html.j2`; the same context gives the same page.

    A `style.css` of the package follows the style sheet of all pages.
    """
    own = files(package).joinpath(_STYLE)
    style = files(_HERE).joinpath(_STYLE).read_text("utf-8") + (own.read_text("utf-8") if own.is_file() else "")
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, "."), PackageLoader(_HERE, ".")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(contours=contours, mark_claims=mark_claims, symbols=SYMBOLS, audio_uri=audio_uri)
    return environment.get_template(template).render(
        style=Markup(style),  # noqa: S704 - our own files
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii"),
        **context,
    )


def write_page(page: str, out_html: str | os.PathLike[str]) -> Path:
    """Write a page to `out_html` and return its path.

    Missing folders are made; an older page is replaced whole or, when writing fails, left as it was.
    """
    target = Path(out_html)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as file:
        file.write(page)
    return target
