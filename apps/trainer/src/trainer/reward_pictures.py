"""The pictures of a reward model's quality: what it perceives, cue by cue, and what its probabilities mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.reward_report import RewardReport

PICTURE = "quality.svg"


def draw(report: RewardReport, out: Path) -> None:
    """Write `quality.svg` into `out`: claims with the right sound, another and none; claims by cue; reliability."""
    figure = Figure(figsize=(11.0, 3.4), layout="constrained")
    sounds, cues, calibration = figure.subplots(1, 3)
    _sounds(sounds, report)
    _cues(cues, report)
    _reliability(calibration, report)
    figure.savefig(out / PICTURE, metadata={"Date": None})


def _sounds(axes: Axes, report: RewardReport) -> None:
    bars = {
        "right sound": report.claims,
        "likelihood alone": report.untrained,
        "another clip": report.shuffled,
        "silence": report.silent,
    }
    width = 0.8 / len(bars)
    for n, (name, found) in enumerate(bars.items()):
        places = np.arange(len(report.claims)) + n * width
        axes.bar(places, [_area(found[s].auroc if s in found else None) for s in report.claims], width, label=name)
    axes.set_xticks(np.arange(len(report.claims)) + 0.4 - width / 2, [f"{s} texts" for s in report.claims])
    _area_axis(axes, "claims: true or false?")
    axes.legend(fontsize=7)


def _cues(axes: Axes, report: RewardReport) -> None:
    names = sorted({cue for found in report.claims.values() for cue in found.by_cue})
    for n, (source, found) in enumerate(report.claims.items()):
        areas = [_area(found.by_cue.get(cue)) for cue in names]
        axes.bar(np.arange(len(names)) + 0.4 * n, areas, 0.4, label=f"{source} texts")
    axes.set_xticks(np.arange(len(names)) + 0.2, [name.replace("_", "\n") for name in names], fontsize=7)
    _area_axis(axes, "by cue")
    axes.legend(fontsize=7)


def _reliability(axes: Axes, report: RewardReport) -> None:
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    for source, bins in report.reliability.items():
        ece = report.claims[source].ece
        axes.plot([b[0] for b in bins], [b[1] for b in bins], marker=".", label=f"{source} texts, ECE {ece:.3f}")
    axes.set(xlabel="probability", ylabel="share of true claims", title="calibration", xlim=(0, 1), ylim=(0, 1))
    axes.legend(fontsize=7)


def _area_axis(axes: Axes, title: str) -> None:
    axes.axhline(0.5, color="grey", linewidth=0.8)
    axes.set(ylabel="AUROC", title=title, ylim=(0.3, 1.0))


def _area(value: float | None) -> float:
    return float("nan") if value is None else value
