"""The page at the end of a run: one HTML file with its numbers, curves and one clip that can be heard.

- `data`: what the page shows, as frozen records (`ReportData` and its parts).
- `findings`: plain sentences computed from those numbers.
- `svg`, `charts`, `clip`: inline pictures, and the clip with its marked claims.
- `page`: puts them into `page.html.j2` and writes the file (`write_report`).
"""

from trainer.report.data import (
    ClipView,
    Curve,
    Estimate,
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

__all__ = [
    "ClipView",
    "Curve",
    "Estimate",
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
    "render",
    "write_report",
]
