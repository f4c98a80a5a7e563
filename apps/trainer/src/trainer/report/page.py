"""From `ReportData` to one self-contained HTML file.

Everything is inside: style, pictures, sound. The page's content security policy forbids scripts and every connection,
and allows the one style sheet by its hash, so that a hostile transcript could not act even if escaping failed.
"""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trainer.report import charts, clip, findings
from trainer.report.charts import Dot, Line, Mark
from trainer.report.data import Measure, ReportData, RLRun, System, SystemResult

COLOURS = {
    System.MAJORITY: "c-grey",
    System.LOGISTIC_REGRESSION: "c-slate",
    System.SFT: "c-blue",
    System.GRPO: "c-amber",
    System.GRPO_PTR: "c-violet",
}


def write_report(data: ReportData, out_html: str | os.PathLike[str]) -> Path:
    """Write the page for `data` to `out_html` and return its path.

    Missing folders are made; an older page is replaced whole or, when writing fails, left as it was.
    """
    target = Path(out_html)
    target.parent.mkdir(parents=True, exist_ok=True)
    page = render(data)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(page)
        Path(temporary).chmod(0o644)  # mkstemp makes files that only their owner may read
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return target


def render(data: ReportData) -> str:
    """The page for `data` as text; the same data give the same page."""
    style = files("trainer.report").joinpath("style.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=PackageLoader("trainer.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=findings.percent, heat=heat, seconds=seconds)
    return environment.get_template("page.html.j2").render(
        data=data,
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii"),
        standing=findings.standing(data),
        comparisons=findings.compare(data.differences),
        gates=[findings.gate(run) for run in data.rl_runs],
        overview=_overview(data),
        measures=tuple(Measure),
        show=findings.show,
        interval=findings.interval,
        against_chance=findings.against_chance,
        colours=COLOURS,
        bar=charts.bar,
        learning=_learning(data),
        rewards=[chart for run in data.rl_runs for chart in _rewards(run)],
        policies=[result for result in data.systems if result.confusion is not None],
        recalls=_recalls(data),
        contours=clip.contours,
        mark_claims=clip.mark_claims,
        symbols=clip.SYMBOLS,
        audio_uri=clip.audio_uri,
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


def _overview(data: ReportData) -> Markup:
    dots = [
        Dot(result.system.display, estimate, COLOURS[result.system])
        for result in data.systems
        if (estimate := result.measures.get(Measure.ACCURACY)) is not None
    ]
    dots += [Dot(check.name, check.accuracy, "c-faint") for check in data.sanity]
    if not dots:
        return Markup('<p class="missing">No accuracy was evaluated.</p>')
    return charts.forest_plot(dots, title="Accuracy on held-out speakers", chance=data.chance)


def _learning(data: ReportData) -> list[Markup]:
    palette = ("c-blue", "c-teal", "c-amber", "c-violet", "c-slate")
    losses = [Line.of(c.name, c.steps, c.values, colour=palette[i % 5]) for i, c in enumerate(data.sft_curves)]
    outcomes = [
        Line.of(
            run.system.display, [s.step for s in run.steps], [s.outcome for s in run.steps], colour=COLOURS[run.system]
        )
        for run in data.rl_runs
    ]
    return [
        charts.line_chart(losses, title="Supervised fine-tuning: loss", y_label="cross-entropy, nats per token"),
        charts.line_chart(
            outcomes,
            title="Reinforcement learning: accuracy of rollouts",
            y_label="share with the right label",
            y_range=(0.0, 1.0),
            marks=[mark for run in data.rl_runs for mark in _gate_mark(run)],
        ),
    ]


def _gate_mark(run: RLRun) -> Sequence[Mark]:
    return [] if run.gate_step is None else [Mark(run.gate_step, f"gate opens, step {run.gate_step}")]


def _rewards(run: RLRun) -> list[Markup]:
    if not run.steps:
        return []
    steps = [s.step for s in run.steps]
    parts = [
        Line.of("format", steps, [s.format for s in run.steps], colour="c-slate"),
        Line.of("outcome", steps, [s.outcome for s in run.steps], colour="c-blue"),
        Line.of("reasoning, before τ", steps, [s.reasoning for s in run.steps], colour="c-teal"),
    ]
    trust = [
        Line.of("mean over groups", steps, [s.tau_mean for s in run.steps], colour="c-violet"),
        Line.of("lowest group", steps, [s.tau_min for s in run.steps], colour="c-amber"),
    ]
    lowered = [Line.of("τ < 1", steps, [s.tau_below_one_share for s in run.steps], colour="c-violet")]
    name = run.system.display
    charted = [(parts, f"{name}: reward parts", "mean over rollouts", True)]
    if run.gated:
        charted.append((trust, f"{name}: trust weight τ", "weight of the reasoning reward", False))
        charted.append((lowered, f"{name}: groups with τ < 1", "share of the step's groups", False))
    ends, marks = (min(steps), max(steps)), _gate_mark(run)
    return [
        charts.line_chart(
            lines, title=title, y_label=label, y_range=(0.0, 1.0), x_range=ends, marks=marks, smooth=smooth
        )
        for lines, title, label, smooth in charted
    ]


def _recalls(data: ReportData) -> list[tuple[str, list[tuple[SystemResult, float | None]]]]:
    """For each label, the recall of each system that has a confusion matrix."""
    policies = [result for result in data.systems if result.confusion is not None]
    return [(label, [(p, p.recalls()[i]) for p in policies]) for i, label in enumerate(data.labels)]
