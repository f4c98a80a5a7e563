"""The page of an explanation: everything is on it, hostile text stays text, and a browser shows it as it should."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
from html import unescape
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from explainer import Explanation, explain, load_policy, write_explanation
from explainer.cli import app
from speech_records import Claim, Cue, StressedWord, Verdict

TRANSCRIPT = "Leave it by the door"
CHROMIUM = shutil.which("chromium")
PROBE = """
<iframe id="frame" src="explain.html" width="400" height="3000"></iframe><pre id="found"></pre>
<script>
onload = async () => {
  const frame = document.getElementById("frame"), page = frame.contentDocument, audio = page.querySelector("audio");
  const marks = [...page.querySelectorAll("mark[tabindex]")], style = frame.contentWindow.getComputedStyle;
  frame.contentWindow.focus();
  const claims = marks.map(mark => {
    const tip = mark.querySelector(".tip"), before = style(tip).display;
    mark.focus();
    const box = tip.getBoundingClientRect();
    return {before, line: style(mark).borderBottomStyle, tip: tip.innerText, left: box.left, right: box.right};
  });
  for (let i = 0; i < 200 && !audio.duration; i++) await new Promise(done => setTimeout(done, 50));
  const found = {claims, seconds: audio.duration, width: page.documentElement.scrollWidth};
  document.getElementById("found").textContent = JSON.stringify(found);
};
</script>
"""


@pytest.fixture(scope="module")
def explanation(trained: Path, clip: Path) -> Explanation:
    return explain(clip, load_policy(trained), transcript=TRANSCRIPT)


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["explain", *(str(word) for word in words)])


def words_of(page: str) -> str:
    """The text of a page outside its style sheet and elements."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_the_command_writes_one_page_of_the_clip(trained: Path, clip: Path, tmp_path: Path) -> None:
    """Emotion, sound, contours, each claim with what was measured, what it was checked against, probabilities: all
    inside, nothing that loads or acts. The explanation is printed all the same.
    """
    out = tmp_path / "new" / "explain.html"
    result = run(clip, "--checkpoint", trained, "--transcript", TRANSCRIPT, "--html", out)
    assert result.exit_code == 0, result.stderr
    assert "✓ supported" in result.stdout
    assert f"explainer: wrote {out}" in result.stderr
    page = out.read_text(encoding="utf-8")
    text = words_of(page)
    for phrase in (
        "angry", "high.wav", "What this policy says of people proves nothing", "The pitch is high",
        "✓ supported: 240 Hz",
        "✗ contradicted: 240 Hz", TRANSCRIPT, "Pitch: read against all voices of the scale tones", "Energy: not read",
        "contempt or disgust", "Stage grpo_ptr, corpus demo, seed 0",
    ):  # fmt: skip
        assert phrase in text, phrase
    assert 'src="data:audio/wav;base64,' in page
    assert 'role="img" aria-label="Waveform, pitch and energy of high.wav' in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert "<script" not in page


def test_an_answer_without_form_has_a_page(babbling: Path, clip: Path, tmp_path: Path) -> None:
    """A random model: no emotion, no claim, no reasoning; the page shows what it wrote and says what is wrong."""
    explanation = dataclasses.replace(explain(clip, load_policy(babbling), max_new_tokens=8), text="loud: angry")
    text = words_of(write_explanation(explanation, clip, tmp_path / "a.html").read_text(encoding="utf-8"))
    for phrase in (
        "No emotion that could be read",
        "the answer cannot be read",
        "loud: angry",
        "makes no claim",
        "never learnt to answer by",
    ):
        assert phrase in text, phrase
    assert "synthetic" not in text


def test_hostile_text_stays_text(explanation: Explanation, clip: Path, tmp_path: Path) -> None:
    """The same attack in the file's name, the answer, its claims, the transcript and the words: no element of it."""
    attack = '</q><script>alert("x")</script><img src="https://evil.example/x.png" onerror=alert(1)>'
    hostile = dataclasses.replace(
        explanation,
        source=attack,
        problem=attack,
        reasoning=attack,
        transcript=attack,
        claims=(Claim(0, len(attack), attack, Cue.QUOTE, attack, Verdict.CONTRADICTED, attack),),
        profile=dataclasses.replace(explanation.profile, stressed_words=(StressedWord(attack, 0.9, 0.2, 0.4),)),
        policy=dataclasses.replace(explanation.policy, corpus=attack, versions={attack: attack}),
    )
    page = write_explanation(hostile, clip, tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;") >= 8


def test_pages_that_cannot_be_are_refused_before_anything_is_loaded(clip: Path, tmp_path: Path) -> None:
    """A page of two clips, one over a clip, one over a folder: status 2, and no checkpoint was looked for."""
    (tmp_path / "folder.html").mkdir()
    for words, said in (
        ((clip, clip, "--html", tmp_path / "a.html"), "one page cannot show 2 files"),
        ((clip, "--html", clip), "name ends in .html"),
        ((clip, "--html", tmp_path / "folder.html"), "name ends in .html"),
    ):
        result = run(*words, "--checkpoint", tmp_path / "nowhere")
        assert result.exit_code == 2
        assert said in " ".join(result.stderr.replace("│", " ").split())


def test_a_place_that_cannot_be_written_costs_the_page_only(trained: Path, clip: Path, tmp_path: Path) -> None:
    """Below a file there can be no folder: the explanation is printed, one line says what is wrong, status 1."""
    (tmp_path / "file").touch()
    result = run(clip, "--checkpoint", trained, "--html", tmp_path / "file" / "a.html")
    assert result.exit_code == 1
    assert "angry" in result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"explainer: {tmp_path}/file/a.html: the page cannot be written: ")


def test_a_clip_that_cannot_be_explained_leaves_no_page(trained: Path, tmp_path: Path) -> None:
    """A missing file: status 1 and no page."""
    result = run(tmp_path / "missing.wav", "--checkpoint", trained, "--html", tmp_path / "a.html")
    assert result.exit_code == 1
    assert not (tmp_path / "a.html").exists()


def shown_by_chromium(page: Path, profile: Path) -> str:
    """The document that Chromium has made of a local file after its scripts ran."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=30000", "--dump-dom"]
    options += ["--disable-web-security", "--allow-file-access-from-files", f"--user-data-dir={profile}"]
    browser = subprocess.Popen(
        [str(CHROMIUM), *options, page.as_uri()],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        return browser.communicate(timeout=300)[0]
    finally:
        if browser.poll() is None:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.communicate()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_plays_the_clip_and_shows_a_claim_on_focus(
    explanation: Explanation, clip: Path, tmp_path: Path
) -> None:
    """In a window of 400 points. The clip lasts 1.8 s (`conftest.voice`). The style sheet passes the page's own policy:
    claims have the lines of their verdicts. A claim's value is hidden until the keyboard reaches it and then lies
    inside the window, than which nothing is wider.
    """
    write_explanation(explanation, clip, tmp_path / "explain.html")
    (tmp_path / "probe.html").write_text(PROBE, encoding="utf-8")
    document = shown_by_chromium(tmp_path / "probe.html", tmp_path / "profile")
    found = json.loads(unescape(document.partition('<pre id="found">')[2].partition("</pre>")[0]))
    assert [(claim["before"], claim["line"]) for claim in found["claims"]] == [
        ("none", "solid"), ("none", "dashed"), ("none", "solid")
    ]  # fmt: skip
    assert found["claims"][0]["tip"].startswith("✓ supported: 240 Hz")
    assert all(0 < claim["left"] < claim["right"] < 400 for claim in found["claims"])
    assert found["width"] <= 400
    assert found["seconds"] == pytest.approx(1.8, abs=0.01)
