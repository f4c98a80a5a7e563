"""One clip on a page: sound, contours, marked claims; legible colours, and nothing that acts or is loaded.

Expected values follow from how the clip is made (`view`): two seconds of 200 Hz that rise by 60 Hz a second.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import re
import wave
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from prosody import PitchTrack, Tracks
from prosody.page import ClipView, render_page, write_page
from prosody.page.clip import audio_uri, contours, mark_claims
from speech_records import Claim, Cue, InvalidRecordError, StressedWord, Verdict

RATE = 16_000
TEXT = "high, fast"


def claim(text: str, cue: Cue, value: str, verdict: Verdict, measured: str | None, *, within: str = TEXT) -> Claim:
    start = within.index(text)
    return Claim(start, start + len(text), text, cue, value, verdict, measured)


def view() -> ClipView:
    """Two seconds of a 200 Hz tone; unvoiced in the middle; one claim supported, one contradicted."""
    times = np.arange(0.0, 2.0, 0.01)
    f0 = 200.0 + 60.0 * times
    f0[80:110] = np.nan
    tracks = Tracks(
        duration_s=2.0,
        sample_rate=RATE,
        pitch=PitchTrack(times, f0, np.isfinite(f0).astype(float)),
        energy_times_s=times,
        energy_dbfs=-20.0 - 5.0 * times,
        speech=np.ones(len(times), dtype=bool),
        pauses=(),
        contour=None,
        nuclei_s=np.empty(0),
    )
    claims = (
        claim("high", Cue.PITCH, "high", Verdict.SUPPORTED, "243 Hz"),
        claim("fast", Cue.RATE, "high", Verdict.CONTRADICTED, "3.1 syll/s"),
    )
    samples = (0.5 * np.sin(2 * np.pi * 200 * np.arange(2 * RATE) / RATE)).astype(np.float32)
    return ClipView("a.wav", TEXT, True, claims, samples, RATE, tracks)


def drawn(clip: ClipView) -> str:
    """The words in the picture of a clip."""
    return " ".join(ET.fromstring(str(contours(clip))).itertext())


def test_the_sound_is_the_clip() -> None:
    """0, +1, -1 and an overshoot, as 16-bit PCM: 0, 32767, -32767 and the overshoot clipped to 32767."""
    uri = audio_uri(np.array([0.0, 1.0, -1.0, 2.0], dtype=np.float32), RATE)
    head, _, encoded = uri.partition(",")
    assert head == "data:audio/wav;base64"
    with wave.open(io.BytesIO(base64.b64decode(encoded))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        assert np.frombuffer(file.readframes(4), dtype="<i2").tolist() == [0, 32767, -32767, 32767]


def test_overlapping_claims_show_the_gravest_verdict_and_every_measurement() -> None:
    """ "high, fast" holds "high" [0, 4) supported inside "high, fast" [0, 10) contradicted: both pieces are red, and
    each says which tip describes it.
    """
    claims = [
        claim("high", Cue.PITCH, "high", Verdict.SUPPORTED, "243 Hz"),
        claim("high, fast", Cue.RATE, "high", Verdict.CONTRADICTED, "3.1 syll/s"),
    ]
    root = ET.fromstring(f"<p>{mark_claims(TEXT, claims)}</p>")
    assert [m.get("class") for m in root] == ["contradicted", "contradicted"]
    assert [m.text for m in root] == ["high", ", fast"]
    tips = [m.find("span") for m in root]
    assert [m.get("aria-describedby") for m in root] == [tip.get("id") for tip in tips if tip is not None]
    assert len({m.get("aria-describedby") for m in root}) == 2
    assert tips[0] is not None
    assert tips[0].text is not None
    assert "243 Hz" in tips[0].text
    assert "3.1 syll/s" in tips[0].text


def test_unvoiced_and_unheard_clips_are_drawn_as_such() -> None:
    """A whispered clip has no pitch, an empty one no samples, a silent one no energy: the panels say so. Digital
    silence, −inf dBFS, in the middle of a clip breaks its energy line in two.
    """
    clip = view()
    assert "pitch from 200 to 319 hertz; loudest frame at -20 decibels" in str(contours(clip))
    pitch = dataclasses.replace(clip.tracks.pitch, f0_hz=np.full(200, np.nan))
    assert "pitch: no voiced frame" in drawn(
        dataclasses.replace(clip, tracks=dataclasses.replace(clip.tracks, pitch=pitch))
    )
    assert "waveform: no samples" in drawn(dataclasses.replace(clip, samples=np.zeros(0, dtype=np.float32)))
    energy = clip.tracks.energy_dbfs.copy()
    energy[90:100] = -np.inf
    cut = dataclasses.replace(clip, tracks=dataclasses.replace(clip.tracks, energy_dbfs=energy))
    root = ET.fromstring(str(contours(cut)))
    lines = [p.get("d", "") for p in root.iter("path") if p.get("stroke") == "var(--amber)"]
    (energy_line,) = [line for line in lines if line.count("L") > 2]
    assert energy_line.count("M") == 2
    mute = dataclasses.replace(clip.tracks, energy_dbfs=np.full(200, -np.inf))
    assert "energy: nothing measured" in drawn(dataclasses.replace(clip, tracks=mute))


def test_stressed_words_are_drawn_where_they_have_times() -> None:
    """One with times, one without; letters that no font has, control codes and formulas stay text."""
    timed = StressedWord("d\x01oor$x$\U000e0041", 0.9, 0.5, 0.9)
    words = drawn(dataclasses.replace(view(), stressed_words=(timed, StressedWord("kids", 0.8))))
    assert "door$x$" in words
    assert "kids" not in words


def test_claims_that_stand_elsewhere_are_refused() -> None:
    """The spans of the two claims hold other words in another text."""
    with pytest.raises(InvalidRecordError, match=r"clip a\.wav: claim 'high' does not stand at its span"):
        dataclasses.replace(view(), text="another text, long enough")


def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: ClipView) -> str:
    """The card of a clip on a page of a package that is made here, with a style sheet of its own."""
    package = tmp_path / "page_of_a_test"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "style.css").write_text(".mine { color: var(--ink); }\n")
    (package / "page.html.j2").write_text(
        '{% extends "skeleton.html.j2" %}{% from "clip.html.j2" import clip_card %}'
        "{% block title %}{{ clip.name }}{% endblock %}{% block main %}{{ clip_card(clip) }}{% endblock %}"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return render_page("page_of_a_test", "page.html.j2", clip=clip)


def test_a_page_allows_its_own_style_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hostile text in every field stays text; the policy names the hash of exactly the style sheet on the page."""
    attack = "</title><script>alert(1)</script>"
    said = claim("<script>", Cue.QUOTE, attack, Verdict.UNVERIFIABLE, attack, within=attack)
    text = page(tmp_path, monkeypatch, dataclasses.replace(view(), name=attack, text=attack, claims=(said,)))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 5
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert ".mine" in style
    assert f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in text
    assert "default-src 'none'" in text
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)


def test_an_older_page_is_replaced_and_one_that_cannot_be_is_left(tmp_path: Path) -> None:
    """Written into a new folder, then again; a folder in its place is an error, and stays."""
    out = write_page("<p>old</p>", tmp_path / "new" / "a.html")
    assert write_page("<p>ü</p>", str(out)).read_text(encoding="utf-8") == "<p>ü</p>"
    assert [path.name for path in out.parent.iterdir()] == ["a.html"]
    with pytest.raises(OSError, match="new"):
        write_page("<p></p>", out.parent)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("soft", "card"), ("accent", "paper"), ("accent", "card"),
        ("ink", "good-back"), ("ink", "bad-back"), ("ink", "open-back"), ("good", "card"), ("bad", "card"),
        ("ink", "warn"), ("paper", "ink"),
    ],
)  # fmt: skip
def test_text_has_contrast(ink: str, paper: str, theme: int) -> None:
    """4.5 to 1, as WCAG 2.2 asks of text (level AA), by its formula for relative luminance."""
    style = files("prosody.page").joinpath("style.css").read_text("utf-8")
    colours = dict(re.findall(r"--([\w-]+): light-dark\((.*?)\);", style))

    def luminance(name: str) -> float:
        code = colours[name].split(", ")[theme].removeprefix("#")
        shares = [int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(ink), luminance(paper)))
    assert (light + 0.05) / (dark + 0.05) >= 4.5
