"""The report: every part is there, every sentence follows from the numbers, hostile text stays text, nothing is loaded.

The data are made by hand below (`report_data`); expected sentences and numbers are worked from them in each docstring.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from math import isfinite, nan
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from prosody import PitchTrack, Tracks
from prosody.page import ClipView
from speech_records import PAPER_9, Claim, Cue, Emotion, Verdict
from trainer.metrics import Estimate, Prediction, evaluate
from trainer.metrics import compare as compare_predictions
from trainer.report.charts import Line, line_chart
from trainer.report.collect import paired_differences, rl_run, system_result
from trainer.report.data import (
    Curve,
    ExplainedClip,
    JudgeRow,
    Measure,
    PairedDifference,
    Provenance,
    ReportData,
    ReportError,
    RLRun,
    RLStep,
    SanityCheck,
    System,
    SystemResult,
)
from trainer.report.findings import compare, gate, standing
from trainer.report.page import render, write_report

LABELS = tuple(PAPER_9.text(label) for label in PAPER_9.labels)
THINK = (
    "The pitch is high and the contour is rising. The speaker talks fast, with a soft voice, while saying "
    '"Leave the box by the door".'
)
HOSTILE = '</q><script>alert("x")</script><img src="https://evil.example/x.png" onerror=alert(1)>'


def claim(text: str, cue: Cue, value: str, verdict: Verdict, measured: str | None, *, within: str = THINK) -> Claim:
    start = within.index(text)
    return Claim(start, start + len(text), text, cue, value, verdict, measured)


def clip_view() -> ClipView:
    """Two seconds of a 200 Hz tone that swells and fades; unvoiced in the middle."""
    rate, seconds = 16_000, 2.0
    t = np.arange(int(rate * seconds)) / rate
    swell = np.sin(np.pi * t / seconds)
    times = np.arange(0.0, seconds, 0.01)
    f0 = 200.0 + 60.0 * times
    f0[80:110] = nan
    return ClipView(
        name="demo_v15_s07_angry",
        text=THINK,
        is_reasoning=True,
        claims=(
            claim("pitch is high", Cue.PITCH, "high", Verdict.SUPPORTED, "median 243 Hz, 88th percentile"),
            claim("contour is rising", Cue.CONTOUR_SHAPE, "rising", Verdict.SUPPORTED, "rising, confidence 0.81"),
            claim("soft voice", Cue.ENERGY, "low", Verdict.CONTRADICTED, "−14.2 dBFS, 91st percentile"),
            claim("talks fast", Cue.RATE, "high", Verdict.UNVERIFIABLE, None),
        ),
        samples=(0.6 * swell * np.sin(2 * np.pi * 200 * t)).astype(np.float32),
        sample_rate=rate,
        tracks=Tracks(
            duration_s=seconds,
            sample_rate=rate,
            pitch=PitchTrack(times, f0, np.isfinite(f0).astype(float)),
            energy_times_s=times,
            energy_dbfs=20 * np.log10(np.maximum(0.4 * np.sin(np.pi * times / seconds), 1e-4)),
            speech=np.ones(len(times), dtype=bool),
            pauses=(),
            contour=None,
            nuclei_s=np.empty(0),
        ),
    )


def confusion(right: int) -> tuple[tuple[int, ...], ...]:
    """20 clips of each label: `right` on the diagonal, two without a label, the rest on the next label."""
    rows = []
    for i in range(len(LABELS)):
        row = [0] * (len(LABELS) + 1)
        row[i], row[-1], row[(i + 1) % len(LABELS)] = right, 2, 18 - right
        rows.append(tuple(row))
    return tuple(rows)


def policy(system: System, accuracy: float, right: int) -> SystemResult:
    around = Estimate(accuracy, accuracy - 0.05, accuracy + 0.05)
    measures = dict.fromkeys((Measure.ACCURACY, Measure.UAR, Measure.MACRO_F1), around)
    measures |= {
        Measure.VALID_FORMAT: Estimate(0.9, 0.85, 0.94),
        Measure.SUPPORTED: Estimate(0.71, 0.66, 0.76),
        Measure.CONTRADICTED: Estimate(0.18, 0.14, 0.23),
        Measure.FAITHFULNESS: Estimate(0.31, 0.27, 0.36),
        Measure.REWARD_SCORE: Estimate(3.42, 3.3, 3.55),
    }
    return SystemResult(system, measures, confusion(right))


def rl_steps(total: int, opens_at: int | None) -> tuple[RLStep, ...]:
    """Outcome rises from 0.4; from the gate on there is τ: 0.8 in the lowest group of every third step, else 1."""
    steps = []
    for step in range(1, total + 1):
        wave_ = 0.05 * np.sin(1.7 * step)
        is_open = opens_at is not None and step >= opens_at
        low = 0.8 if step % 3 == 0 else 1.0
        steps.append(
            RLStep(
                step=step,
                format=min(1.0, 0.85 + step / 400),
                outcome=float(0.4 + 0.15 * step / total + wave_),
                reasoning=float(0.6 + 0.1 * step / total + wave_ / 3),
                tau_mean=(3 + low) / 4 if is_open else None,
                tau_min=low if is_open else None,
                tau_below_one_share=(0.25 if low < 1 else 0.0) if is_open else None,
                gate_open=is_open,
            )
        )
    return tuple(steps)


def report_data() -> ReportData:
    chance = Estimate(1 / 9, 1 / 9, 1 / 9)
    baselines = (
        SystemResult(System.MAJORITY, {Measure.ACCURACY: chance, Measure.UAR: chance}),
        SystemResult(System.LOGISTIC_REGRESSION, {Measure.ACCURACY: Estimate(0.6, 0.54, 0.66)}),
    )
    policies = (policy(System.SFT, 0.45, 9), policy(System.GRPO, 0.5, 10), policy(System.GRPO_PTR, 0.55, 11))
    differences = (
        PairedDifference(System.GRPO, System.SFT, Measure.ACCURACY, Estimate(0.05, 0.012, 0.083)),
        PairedDifference(System.GRPO, System.SFT, Measure.MACRO_F1, Estimate(0.031, -0.004, 0.07)),
        PairedDifference(System.GRPO_PTR, System.GRPO, Measure.ACCURACY, Estimate(0.05, -0.01, 0.11)),
        PairedDifference(System.GRPO_PTR, System.GRPO, Measure.REWARD_SCORE, Estimate(0.1, -0.05, 0.25)),
    )
    sft = (
        Curve(
            "prosody first", tuple(range(1, 401, 5)), tuple(float(4 * np.exp(-s / 90) + 0.9) for s in range(1, 401, 5))
        ),
        Curve("all tasks", tuple(range(401, 801, 5)), tuple(float(1.4 * np.exp(-s / 700)) for s in range(1, 401, 5))),
    )
    return ReportData(
        corpus="demo",
        synthetic=True,
        labels=LABELS,
        clips=180,
        speakers=4,
        chance=1 / 9,
        systems=baselines + policies,
        differences=differences,
        sanity=(
            SanityCheck("text alone", "logistic regression on the words of the transcript", Estimate(0.1, 0.06, 0.15)),
            SanityCheck(
                "shuffled audio", "the SFT policy hears the clip of another utterance", Estimate(0.12, 0.08, 0.16)
            ),
        ),
        sft_curves=sft,
        rl_runs=(
            RLRun(System.GRPO, rl_steps(50, None), gated=False),
            RLRun(System.GRPO_PTR, rl_steps(60, 14), gated=True),
        ),
        judge=(JudgeRow("swapped", 900, 0.91, 0.55, None, 0.76), JudgeRow("own", 1200, 0.83, 0.52, 0.51, 0.57)),
        clip=ExplainedClip(clip_view(), "v15", System.GRPO_PTR, "angry", "angry", "Leave the box by the door"),
        provenance=Provenance(
            seeds={"corpus": 0, "sft": 0, "grpo": 0},
            versions={"torch": "2.13.0", "emotionthinker-trainer": "0.1.0"},
            data_sha256={"annotated/sft.jsonl": hashlib.sha256(b"sft").hexdigest()},
            durations_s={
                "corpus": 21.3,
                "annotate": 48.0,
                "sft": 251.0,
                "reward": 40.2,
                "grpo": 118.0,
                "grpo_ptr": 121.0,
            },
        ),
    )


class _Page(HTMLParser):
    """Collects elements, attribute values and the text outside style sheets."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"unbalanced </{tag}>"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def named(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.elements if name == tag)


def test_every_part_is_on_the_page(tmp_path: Path) -> None:
    """Each expected phrase is read off `report_data`; 9 right of 20 clips make a recall of 45 %."""
    out = write_report(report_data(), tmp_path / "new" / "report.html")
    page = _Page(out.read_text(encoding="utf-8"))
    assert page.open == []
    for phrase in (
        "Synthetic speech.", "majority class", "logistic regression on prosody", "GRPO-PTR", "macro-F1",
        "unweighted average recall", "valid format", "supported claims", "contradicted claims", "faithfulness",
        "reward-model score", "Whether the judge listens", "0.91",
        "3.42", "3.30 – 3.55", "text alone", "shuffled audio", "Supervised fine-tuning: loss", "GRPO-PTR: reward parts",
        "GRPO-PTR: trust weight τ", "gate opens, step 14", "contempt or disgust", "45.0 %", "demo_v15_s07_angry",
        "median 243 Hz, 88th percentile", "Leave the box by the door", "torch", "2.13.0", "4 min 11 s",
        hashlib.sha256(b"sft").hexdigest(),
    ):  # fmt: skip
        assert phrase in page.text, phrase
    matrices = [t for t in page.named("table") if t.get("class") == "confusion"]
    assert len(matrices) == 3
    assert [p.name for p in out.parent.iterdir()] == ["report.html"]


def test_rows_and_differences_come_from_evaluations() -> None:
    """Two speakers, two clips each, with one answer wrong before and none after: accuracy 3/4 and 1, gain 1/4.

    The wrong answer named no label, so it stands in the last column of the confusion matrix.
    """
    happy, sad = Emotion.HAPPY, Emotion.SAD
    after = [
        Prediction("a1", "ann", happy, happy, format_ok=True, verdicts=(Verdict.SUPPORTED, Verdict.CONTRADICTED)),
        Prediction("a2", "ann", sad, sad, format_ok=True),
        Prediction("b1", "ben", happy, happy, format_ok=True),
        Prediction("b2", "ben", sad, sad, format_ok=True),
    ]
    before = [*after[:3], dataclasses.replace(after[3], answer=None, format_ok=False)]
    result = system_result(
        System.SFT,
        evaluate(before, label_set=PAPER_9),
        label_only=evaluate(after, label_set=PAPER_9),
        reward_score=3.0,
        evaluator_score=2.5,
    )
    assert {measure: estimate.value for measure, estimate in result.measures.items()} == pytest.approx(
        {
            Measure.ACCURACY: 0.75, Measure.UAR: 0.75, Measure.MACRO_F1: (1.0 + 2 / 3) / 2, Measure.VALID_FORMAT: 0.75,
            Measure.SUPPORTED: 0.5, Measure.CONTRADICTED: 0.5, Measure.REWARD_SCORE: 3.0, Measure.LABEL_ONLY: 1.0,
                Measure.EVALUATOR_SCORE: 2.5,
        }
    )  # fmt: skip
    assert result.confusion is not None
    assert result.confusion[PAPER_9.labels.index(sad)][-1] == 1
    comparison = compare_predictions(before, after, label_set=PAPER_9)
    found = {d.measure: d.difference.value for d in paired_differences(System.GRPO, System.SFT, comparison)}
    assert found[Measure.ACCURACY] == pytest.approx(0.25)
    assert set(found) == {Measure.ACCURACY, Measure.UAR, Measure.MACRO_F1}


def test_a_run_comes_from_its_history() -> None:
    """The gate is shut in the first row, which then has no trust; the second row has everything."""
    rows = [
        {"step": 0, "format": 0.5, "accuracy": 0.25, "gate": 0.0, "loss": 0.1},
        {"step": 1, "format": 1.0, "accuracy": 0.5, "gate": 1.0, "reasoning": 0.6, "trust_mean": 0.95,
         "trust_min": 0.8, "distrusted_groups": 0.25},
    ]  # fmt: skip
    run = rl_run(System.GRPO_PTR, rows, gated=True)
    assert run.steps == (RLStep(0, 0.5, 0.25), RLStep(1, 1.0, 0.5, 0.6, 0.95, 0.8, 0.25, gate_open=True))
    assert run.gate_step == 1


def test_sentences_follow_from_the_intervals() -> None:
    """GRPO - SFT in accuracy, [+1.2, +8.3] points, leaves zero out; macro-F1, [-0.4, +7.0], does not; of GRPO-PTR
    neither interval does."""
    grpo, ptr = compare(report_data().differences)
    assert grpo == (
        "GRPO raised accuracy (+5.0 points; +1.2 to +8.3), compared with SFT. No difference that the interval can tell "
        "from zero in macro-F1 (+3.1 points; −0.4 to +7.0)."
    )
    assert ptr == (
        "GRPO-PTR against GRPO: no difference that the interval can tell from zero in accuracy (+5.0 points; −1.0 to "
        "+11.0); reward-model score (+0.10; −0.05 to +0.25)."
    )


def test_a_loss_is_called_a_loss_and_no_interval_proves_nothing() -> None:
    """[-6, -1] points lies below zero: lowered. A difference without interval proves nothing, however large."""
    lowered = PairedDifference(System.GRPO, System.SFT, Measure.UAR, Estimate(-0.03, -0.06, -0.01))
    blind = PairedDifference(System.GRPO, System.SFT, Measure.ACCURACY, Estimate(0.5, None, None))
    (text,) = compare([lowered, blind])
    assert text.startswith("GRPO lowered unweighted average recall (−3.0 points; −6.0 to −1.0), compared with SFT.")
    assert "from zero in accuracy (+50.0 points; no interval)" in text


def test_standing_of_sft() -> None:
    """0.45 - 1/9 = 33.9 points above the majority; 0.45 / 0.60 = 75 % of the regression. Without it: no sentence."""
    data = report_data()
    text = standing(data)
    assert text is not None
    assert "33.9 points above" in text
    assert "75 % of the accuracy" in text
    assert standing(dataclasses.replace(data, systems=data.systems[1:])) is None


def test_sanity_checks_are_compared_with_chance() -> None:
    """Chance is 1/9 = 0.111: [0.06, 0.15] holds it, [0.2, 0.4] lies above, [0.01, 0.05] below."""
    data = dataclasses.replace(
        report_data(),
        sanity=(
            SanityCheck("words", "…", Estimate(0.1, 0.06, 0.15)),
            SanityCheck("leak", "…", Estimate(0.3, 0.2, 0.4)),
            SanityCheck("inverted", "…", Estimate(0.03, 0.01, 0.05)),
        ),
    )
    text = _Page(render(data)).text
    for row in ("6.0 – 15.0 not told from chance", "20.0 – 40.0 above chance", "1.0 – 5.0 below chance"):
        assert row in text


def test_every_table_of_results_says_that_speech_was_synthetic() -> None:
    """Headline, claims, sanity, recall and three confusion matrices: seven captions; none of them on real speech."""
    data = report_data()
    captions = re.findall(r"<caption>(.*?)</caption>", render(data))
    assert sum(caption.startswith("Synthetic speech. ") for caption in captions) == 7
    assert "ynthetic" not in render(dataclasses.replace(data, synthetic=False))


def test_gate_sentences() -> None:
    """Open from 14 to 60 are 47 steps; multiples of three among them: 15, 18, …, 60, that is 16."""
    plain, gated = report_data().rl_runs
    assert gate(plain) == "GRPO ran 50 steps; it has no gate."
    assert gate(gated) == (
        "GRPO-PTR: the gate opened at step 14; in 16 of the 47 steps with an open gate some group had τ < 1 (first at "
        "step 15; lowest τ 0.80)."
    )
    shut = RLRun(System.GRPO_PTR, rl_steps(10, None), gated=True)
    assert gate(shut) == "GRPO-PTR: the gate did not open in these 10 steps; no reasoning reward was given."
    trusting = RLRun(System.GRPO_PTR, tuple(dataclasses.replace(s, tau_min=1.0) for s in rl_steps(4, 3)), gated=True)
    assert "in the 2 steps with an open gate no group had τ < 1" in gate(trusting)
    assert gate(RLRun(System.GRPO_PTR, (), gated=True)) == "GRPO-PTR: no steps were recorded."


def test_what_is_missing_is_said() -> None:
    """A report without any optional part: each place says so, nothing is drawn of nothing; no banner on real speech."""
    data = ReportData(
        corpus="ravdess", synthetic=False, labels=("sad", "angry"), clips=2, speakers=1, chance=0.5,
        systems=(SystemResult(System.SFT, {Measure.ACCURACY: Estimate(0.5, None, None)}),),
        rl_runs=(RLRun(System.GRPO_PTR, (), gated=True),),
    )  # fmt: skip
    page = _Page(render(data))
    for phrase in (
        "No paired comparison was evaluated", "No sanity check was run", "No clip was chosen", "no interval",
        "No confusion matrix was evaluated", "fine-tuning: loss: nothing was recorded", "no steps were recorded",
    ):  # fmt: skip
        assert phrase in page.text, phrase
    assert "synthetic" not in page.text.lower()
    empty = _Page(render(dataclasses.replace(data, systems=(), rl_runs=())))
    assert "No accuracy was evaluated" in empty.text
    assert "No reinforcement learning was run" in empty.text


def test_a_shut_gate_draws_no_mark() -> None:
    """No step has an open gate, so no chart may carry the words that mark it, and τ was never computed."""
    run = RLRun(System.GRPO_PTR, rl_steps(30, None), gated=True)
    page = _Page(render(dataclasses.replace(report_data(), rl_runs=(run,))))
    assert "gate opens" not in page.text
    assert "the gate did not open in these 30 steps" in page.text
    assert "trust weight τ: nothing was recorded" in page.text


def test_hostile_text_stays_text() -> None:
    """The same attack in every field that comes from outside: no element of it exists, all of it can be read."""
    data = report_data()
    assert data.clip is not None
    said = claim("<script>", Cue.QUOTE, HOSTILE, Verdict.CONTRADICTED, HOSTILE, within=HOSTILE)
    hostile_clip = dataclasses.replace(
        data.clip, speaker_id=HOSTILE, transcript=HOSTILE, label=HOSTILE, emotion=None,
        view=dataclasses.replace(data.clip.view, name=HOSTILE, text=HOSTILE, claims=(said,)),
    )  # fmt: skip
    data = dataclasses.replace(
        data, corpus=HOSTILE, labels=(HOSTILE, *LABELS[1:]), clip=hostile_clip,
        sanity=(SanityCheck(HOSTILE, HOSTILE, Estimate(0.1, None, None)),),
        sft_curves=(Curve(HOSTILE, (1, 2), (1.0, 0.5)),) * 2,
        provenance=Provenance({HOSTILE: 1}, {HOSTILE: HOSTILE}, {HOSTILE: HOSTILE}, {HOSTILE: 1.0}),
    )  # fmt: skip
    text = render(data)
    page = _Page(text)
    assert page.open == []
    assert not list(page.named("script"))
    assert not list(page.named("img"))
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "<script" not in text
    assert page.text.count(HOSTILE) >= 10
    assert "none that could be read" in page.text


def test_nothing_is_loaded() -> None:
    """No attribute that fetches holds anything but `data:`, nor does the style sheet; the policy allows nothing else
    and names the hash of exactly the style sheet on the page."""
    text = render(report_data())
    page = _Page(text)
    fetching = {"src", "href", "srcset", "poster", "action", "data", "xlink:href", "background"}
    urls = [value for _, attributes in page.elements for name, value in attributes.items() if name in fetching]
    assert urls
    assert all(value is not None and value.startswith(("data:", "#")) for value in urls)  # `#`: in this page
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    assert "http://" not in text
    assert "https://" not in text
    assert not [a for _, a in page.elements if "style" in a], "inline styles would be refused by the policy"
    (policy_text,) = [m["content"] for m in page.named("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy_text is not None
    assert policy_text.startswith("default-src 'none';")
    assert f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in policy_text


def test_pictures_are_well_formed_and_described() -> None:
    """Every inline SVG parses as XML, has finite coordinates, and is described or marked as decoration."""
    text = render(report_data())
    pictures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(pictures) > 8
    ids = re.findall(r' id="([^"]+)"', "".join(pictures))
    assert len(set(ids)) == len(ids)
    for picture in pictures:
        root = ET.fromstring(picture)
        assert root.get("aria-hidden") == "true" or (root.get("role") == "img" and root.get("aria-label"))
        for shape in root.iter():
            placed = " ".join(shape.get(name, "0") for name in ("x", "y", "d", "width", "height"))
            assert all(isfinite(float(number)) for number in re.findall(r"[^MLHVCQzZ\s,]+", placed))


def test_tables_have_headers() -> None:
    """Each table has column headers with a scope, and each body row starts with or holds a row header."""
    text = render(report_data())
    for table in re.findall(r"<table.*?</table>", text, re.DOTALL):
        assert '<th scope="col">' in table
        body = table.split("<tbody>")[1].split("</tbody>")[0]
        assert all('<th scope="row"' in row for row in body.split("<tr>")[1:])


def coordinates(path: str) -> list[tuple[str, float, float]]:
    """The commands of an SVG path with their points."""
    found = re.findall(r"([ML]) ([\d.-]+) ([\d.-]+)", path)
    return [(command, float(x), float(y)) for command, x, y in found]


def test_line_chart_places_points_by_value() -> None:
    """Values 0, 1 and 2 over even steps: three points evenly spaced in both directions, the last on top; a step
    without a value is left out. The gate's mark is at the last step."""
    line = Line("loss", [1, 2, 3, 4], [0.0, 1.0, None, 3.0], "blue")
    root = ET.fromstring(str(line_chart([line], title="t", y_label="y", gates=[4])))
    (drawn,) = [
        p for p in root.iter("path") if p.get("stroke") == "var(--blue)" and len(coordinates(p.get("d", ""))) == 3
    ]
    (_, x0, y0), (_, x1, y1), (_, x2, y2) = coordinates(drawn.get("d", ""))
    assert (x2 - x0, y2 - y0) == pytest.approx((3 * (x1 - x0), 3 * (y1 - y0)))
    assert (x1 > x0, y1 < y0) == (True, True)
    (mark,) = [p for p in root.iter("path") if p.get("stroke") == "var(--accent)"]
    assert [x for _, x, _ in coordinates(mark.get("d", ""))] == pytest.approx([x2, x2])
    assert "gate opens, step 4" in "".join(root.itertext())


def test_parts_that_do_not_fit_are_refused() -> None:
    """A curve of two lengths, a matrix of the wrong size."""
    with pytest.raises(ReportError, match="2 steps but 1 values"):
        Curve("loss", (1, 2), (0.5,))
    with pytest.raises(ReportError, match="9 rows"):
        dataclasses.replace(report_data(), systems=(SystemResult(System.SFT, {}, ((1, 0), (0, 1))),))


def test_an_older_page_is_replaced_and_the_same_data_give_the_same_page(tmp_path: Path) -> None:
    """Written twice over an older file: the content is `render(data)`, byte for byte."""
    target = tmp_path / "report.html"
    target.write_text("old")
    data = report_data()
    write_report(data, target)
    first = target.read_bytes()
    write_report(data, str(target))
    assert target.read_bytes() == first == render(data).encode()
