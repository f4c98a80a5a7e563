"""From `ReportData` to one self-contained HTML file, by `prosody.page`."""

from __future__ import annotations

import os
from pathlib import Path

from markupsafe import Markup

from prosody.page import render_page, write_page
from trainer.report import charts, findings
from trainer.report.charts import Dot, Line
from trainer.report.data import Measure, ReportData, RLRun, System, SystemResult

COLOURS = {
    System.MAJORITY: "grey",
    System.LOGISTIC_REGRESSION: "slate",
    System.COLD_START: "teal",
    System.SFT: "blue",
    System.GRPO: "amber",
    System.GRPO_PTR: "violet",
}


def write_report(data: ReportData, out_html: str | os.PathLike[str]) -> Path:
    """Write the page for `data` to `out_html` and return its path.

    Missing folders are made; an older page is replaced whole or, when writing fails, left as it was.
    """
    return write_page(render(data), out_html)


def render(data: ReportData) -> str:
    """The page for `data` as text; the same data give the same page."""
    return render_page(
        "trainer.report",
        "page.html.j2",
        data=data,
        standing=findings.standing(data),
        comparisons=findings.compare(data.differences),
        gates=[findings.gate(run) for run in data.rl_runs],
        overview=_overview(data),
        measures=_measured(data),
        show=findings.show,
        interval=findings.interval,
        against_chance=findings.against_chance,
        colours=COLOURS,
        learning=_learning(data),
        rewards=[chart for run in data.rl_runs for chart in _rewards(run)],
        policies=[result for result in data.systems if result.confusion is not None],
        recalls=_recalls(data),
        percent=findings.percent,
        heat=heat,
        seconds=seconds,
    )


def heat(share: float) -> str:
    """The class that shades a cell, in ten steps.

    >>> heat(0.0), heat(0.52), heat(1.0)
    ('h0', 'h5', 'h10')
    """
    return f"h{round(10 * share)}"


def seconds(duration_s: float) -> str:
    """A duration as people write it.

    >>> seconds(4.21), seconds(135.0)
    ('4.2 s', '2 min 15 s')
    """
    minutes, rest = divmod(round(duration_s), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{duration_s:.1f} s"


def _measured(data: ReportData) -> list[Measure]:
    """What was measured of a system; of a judge's score there is no column where there was no judge."""
    found = {measure for result in data.systems for measure in result.measures}
    return [m for m in Measure if m is Measure.ACCURACY or m in found]


def _overview(data: ReportData) -> Markup:
    dots = [
        Dot(result.system.display, estimate, COLOURS[result.system])
        for result in data.systems
        if (estimate := result.measures.get(Measure.ACCURACY)) is not None
    ]
    dots += [Dot(check.name, check.accuracy, "faint") for check in data.sanity]
    if not dots:
        return Markup('<p class="missing">No accuracy was evaluated.</p>')
    return charts.forest_plot(dots, title="Accuracy on held-out speakers", chance=data.chance)


def _learning(data: ReportData) -> list[Markup]:
    palette = ("blue", "teal", "amber", "violet", "slate")
    losses = [Line(c.name, c.steps, c.values, palette[i % 5]) for i, c in enumerate(data.sft_curves)]
    outcomes = [_line(run.system.display, run, "outcome", COLOURS[run.system]) for run in data.rl_runs]
    return [
        charts.line_chart(losses, title="Supervised fine-tuning: loss", y_label="cross-entropy, nats per token"),
        charts.line_chart(
            outcomes,
            title="Reinforcement learning: accuracy of rollouts",
            y_label="share with the right label",
            y_range=(0.0, 1.0),
            gates=[run.gate_step for run in data.rl_runs if run.gate_step is not None],
        ),
    ]


def _line(name: str, run: RLRun, value: str, colour: str) -> Line:
    return Line(name, [step.step for step in run.steps], [getattr(step, value) for step in run.steps], colour)


def _rewards(run: RLRun) -> list[Markup]:
    if not run.steps:
        return []
    parts = [
        ("format", "format", "slate"),
        ("outcome", "outcome", "blue"),
        ("reasoning, before τ", "reasoning", "teal"),
    ]
    trust = [("mean over groups", "tau_mean", "violet"), ("lowest group", "tau_min", "amber")]
    lowered = [("τ < 1", "tau_below_one_share", "violet")]
    charted = [(parts, "reward parts", "mean over rollouts", True)]
    if run.gated:
        charted.append((trust, "trust weight τ", "weight of the reasoning reward", False))
        charted.append((lowered, "groups with τ < 1", "share of the step's groups", False))
    return [
        charts.line_chart(
            [_line(name, run, value, colour) for name, value, colour in lines],
            title=f"{run.system.display}: {title}",
            y_label=label,
            y_range=(0.0, 1.0),
            x_range=(run.steps[0].step, run.steps[-1].step),
            gates=[] if run.gate_step is None else [run.gate_step],
            smooth=smooth,
        )
        for lines, title, label, smooth in charted
    ]


def _recalls(data: ReportData) -> list[tuple[str, list[tuple[SystemResult, float | None]]]]:
    """For each label, the recall of each system that has a confusion matrix."""
    policies = [result for result in data.systems if result.confusion is not None]
    return [(label, [(p, p.recalls()[i]) for p in policies]) for i, label in enumerate(data.labels)]
