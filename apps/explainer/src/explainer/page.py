"""An explanation as one HTML page: the clip to hear, its contours to see, and the answer with its claims marked."""

from __future__ import annotations

import os
from pathlib import Path

from explainer.basis import basis
from explainer.explanation import Explanation
from prosody import load_audio, tracks
from prosody.page import ClipView, render_page, write_page
from speechlm.features import MAX_SECONDS


def write_explanation(explanation: Explanation, clip: str | Path, out_html: str | os.PathLike[str]) -> Path:
    """Write the page of `explanation`, which is of the file `clip`, to `out_html`, and return its path.

    Raises `prosody.ProsodyError` when the clip can no longer be read, `OSError` when the page cannot be written.
    """
    audio = load_audio(clip, max_duration_s=MAX_SECONDS)
    view = ClipView(
        name=Path(explanation.source).name,
        text=explanation.text if explanation.reasoning is None else explanation.reasoning,
        is_reasoning=explanation.reasoning is not None,
        claims=explanation.claims,
        samples=audio.samples,
        sample_rate=audio.sample_rate,
        tracks=tracks(audio.samples, audio.sample_rate),
        stressed_words=explanation.profile.stressed_words or (),
    )
    page = render_page(
        "explainer",
        "page.html.j2",
        view=view,
        explanation=explanation,
        basis=basis(explanation),
    )
    return write_page(page, out_html)
