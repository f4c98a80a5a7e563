"""The page at the end of a run: one HTML file with its numbers, curves and one clip that can be heard.

- `data`: what the page shows, as frozen records (`ReportData` and its parts).
- `sources`: those parts from evaluations and histories (`system_result`, `paired_differences`, `rl_run`).
- `findings`: plain sentences computed from those numbers.
- `charts`, `clip`: pictures, and the clip with its marked claims.
- `page`: puts them into `page.html.j2` and writes the file (`write_report`).
"""

from trainer.report.data import (
    ClipView,
    Curve,
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
from trainer.report.page import render, write_report
from trainer.report.sources import paired_differences, rl_run, system_result

__all__ = [
    "ClipView",
    "Curve",
    "Measure",
    "PairedDifference",
    "Provenance",
    "RLRun",
    "RLStep",
    "ReportData",
    "ReportError",
    "SanityCheck",
    "System",
    "SystemResult",
    "paired_differences",
    "render",
    "rl_run",
    "system_result",
    "write_report",
]
