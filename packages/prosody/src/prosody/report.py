"""A corpus at a glance: how pitch, energy and rate are distributed, per corpus and gender, as text and as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from prosody.errors import ScaleError
from prosody.levels import HIGH_PERCENTILE, LOW_PERCENTILE, MEASURES, MIN_GROUP, POOLED
from prosody.plotting import plain
from speech_records import Gender, ProsodyProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNITS: Final = {"pitch": "median F0 (Hz)", "energy": "active level (dBFS)", "rate": "articulation rate (syllables/s)"}
_COLOURS: Final = {POOLED: "#64748b", Gender.FEMALE.value: "#c2410c", Gender.MALE.value: "#0f766e"}
_QUANTILES: Final = (5.0, LOW_PERCENTILE, 50.0, HIGH_PERCENTILE, 95.0)
_HEADINGS: Final = ("p5", "low below", "median", "high above", "p95")
_VIOLIN: Final = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The values of one measure in one corpus and group (`pooled`, `female`, `male`), ascending, [n]."""

    measure: str
    corpus: str
    group: str
    values: NDArray[np.float64]

    @property
    def quantiles(self) -> NDArray[np.float64]:
        """The 5th percentile, the lower cut, the median, the upper cut and the 95th percentile, [5]."""
        return np.asarray(np.percentile(self.values, _QUANTILES))


def distributions(corpora: Mapping[str, Iterable[ProsodyProfile]]) -> list[Group]:
    """Every measure in every corpus, pooled and per gender of the profile; groups without a value are left out.

    Raises `ScaleError` when no profile has any of the three measures.
    """
    groups = []
    for corpus, given in corpora.items():
        profiles = list(given)
        for measure, read in MEASURES.items():
            for group in (POOLED, *(gender.value for gender in Gender)):
                values = [
                    value
                    for profile in profiles
                    if (group == POOLED or (profile.gender is not None and profile.gender.value == group))
                    and (value := read(profile)) is not None
                ]
                if values:
                    groups.append(Group(measure, corpus, group, np.sort(values)))
    if not groups:
        raise ScaleError(f"{', '.join(corpora)}: none of the profiles has a pitch, an energy or a rate")
    return sorted(groups, key=lambda group: list(MEASURES).index(group.measure))


def as_text(groups: Sequence[Group]) -> str:
    """A table with the sample size, the cuts and the spread of each group; small groups are marked."""
    width = max(len(group.corpus) for group in groups)
    lines = [f"{'measure':8}{'corpus':{width + 2}}{'group':9}{'n':>7}" + "".join(f"{h:>12}" for h in _HEADINGS)]
    for group in groups:
        cells = "".join(f"{value:12.2f}" for value in group.quantiles)
        small = f"  under {MIN_GROUP} clips: read as pooled" if len(group.values) < MIN_GROUP else ""
        lines.append(f"{group.measure:8}{group.corpus:{width + 2}}{group.group:9}{len(group.values):7}{cells}{small}")
    return "\n".join(lines) + "\n"


def draw(groups: Sequence[Group]) -> Figure:
    """One panel a measure, one shape a corpus and group: its distribution, with bars at the two cuts."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    measures = [measure for measure in MEASURES if any(group.measure == measure for group in groups)]
    rows = [[group for group in groups if group.measure == measure] for measure in measures]
    heights = [len(row) + 1.0 for row in rows]
    figure = Figure(figsize=(9.0, 1.2 + 0.42 * sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, measure, row in zip(panels, measures, rows, strict=True):
        _draw_panel(axes, measure, row)
    return figure


def _draw_panel(axes: Axes, measure: str, row: Sequence[Group]) -> None:
    if measure == "pitch":
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:.0f}")
    for place, group in enumerate(row):
        colour = _COLOURS[group.group]
        if np.ptp(group.values) > 0:  # a density needs a spread
            body = axes.violinplot(group.values, [place], orientation="horizontal", widths=_VIOLIN, showextrema=False)
            for shape in body["bodies"]:  # type: ignore[attr-defined]
                shape.set(facecolor=colour, alpha=0.35)
        _, low, median, high, _ = group.quantiles
        axes.plot([low, low, np.nan, high, high], [place - 0.3, place + 0.3, np.nan, place - 0.3, place + 0.3],
                  color=colour, linewidth=1.5)  # fmt: skip
        axes.plot(median, place, "o", color=colour, markersize=4)
    axes.set_yticks(
        range(len(row)), labels=[f"{plain(group.corpus)}, {group.group} (n = {len(group.values)})" for group in row]
    )
    axes.invert_yaxis()
    axes.set_xlabel(UNITS[measure])
    axes.spines[["top", "right"]].set_visible(False)
