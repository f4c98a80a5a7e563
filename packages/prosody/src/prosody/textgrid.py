"""Praat's TextGrid: interval tiers in and out, by Praat's own reader and writer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from prosody.alignment import Segment
from prosody.errors import AlignmentError
from prosody.measurement import Tracks

_EDGE_S = 1e-6
_BOM = (b"\xfe\xff", b"\xff\xfe")


def read_textgrid(path: str | Path) -> dict[str, tuple[Segment, ...]]:
    """The interval tiers of a TextGrid by name, without their empty intervals; point tiers are left out.

    Raises `AlignmentError` for a missing file and for one that is not a TextGrid.
    """
    import parselmouth
    from parselmouth.praat import call

    with TemporaryDirectory() as folder:
        plain = Path(folder) / "tiers.TextGrid"  # Praat takes names in UTF-8 only
        plain.symlink_to(Path(path).resolve())
        try:
            grid = parselmouth.read(str(plain))
        except parselmouth.PraatError as error:
            reason = str(error).splitlines()[0].replace(str(plain), str(path))
            raise AlignmentError(f"{path}: not a TextGrid ({reason})") from error
    if not isinstance(grid, parselmouth.TextGrid):
        raise AlignmentError(f"{path}: not a TextGrid but a {type(grid).__name__}")
    tiers: dict[str, tuple[Segment, ...]] = {}
    for tier in range(1, int(call(grid, "Get number of tiers")) + 1):
        if not call(grid, "Is interval tier", tier):
            continue
        intervals = [
            Segment(
                call(grid, "Get label of interval", tier, number),
                call(grid, "Get start time of interval", tier, number),
                call(grid, "Get end time of interval", tier, number),
            )
            for number in range(1, int(call(grid, "Get number of intervals", tier)) + 1)
        ]
        tiers[call(grid, "Get tier name", tier)] = tuple(i for i in intervals if i.label.strip())
    return tiers


def format_textgrid(tiers: Mapping[str, Sequence[Segment]], duration_s: float) -> str:
    """A TextGrid in the long text form; gaps between segments become empty intervals.

    Raises `AlignmentError` when segments overlap or leave the clip.
    """
    from parselmouth.praat import call

    names = list(tiers)
    grid = call("Create TextGrid", 0.0, duration_s, " ".join(f"tier{n}" for n in range(len(names))), "")
    for number, name in enumerate(names, start=1):
        call(grid, "Set tier name", number, name)
        edges: set[float] = set()
        at = 0.0
        for segment in tiers[name]:
            if segment.start_s < at - _EDGE_S or segment.end_s > duration_s + _EDGE_S:
                raise AlignmentError(
                    f"tier {name!r}: {segment} overlaps its neighbour or leaves the clip of {duration_s} s"
                )
            for edge in (segment.start_s, segment.end_s):
                if _EDGE_S < edge < duration_s - _EDGE_S and all(abs(edge - e) > _EDGE_S for e in edges):
                    call(grid, "Insert boundary", number, edge)
                    edges.add(edge)
            at = segment.end_s
        for segment in tiers[name]:
            middle = (segment.start_s + min(segment.end_s, duration_s)) / 2
            call(grid, "Set interval text", number, call(grid, "Get interval at time", number, middle), segment.label)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tiers.TextGrid"
        grid.save(str(path))
        raw = path.read_bytes()
    return raw.decode("utf-16" if raw.startswith(_BOM) else "utf-8")  # Praat writes UTF-16 where ASCII does not do


def tiers_of(measured: Tracks) -> dict[str, tuple[Segment, ...]]:
    """What was found in a clip as tiers: `pauses`, `phrases` with the shape of their contour, `voicing`."""
    from prosody.analysis import phrase_contours
    from prosody.pitch import STEP_S, voiced_runs

    pitch, end_s = measured.pitch, measured.duration_s
    half = STEP_S / 2
    edges = [0.0, *(t for pause in measured.pauses for t in (pause.start_s, pause.end_s)), end_s]
    return {
        "pauses": tuple(Segment("pause", p.start_s, p.end_s) for p in measured.pauses),
        "phrases": tuple(
            Segment(contour.shape.value, start, end)
            for contour, start, end in zip(phrase_contours(measured), edges[::2], edges[1::2], strict=True)
            if contour is not None
        ),
        "voicing": tuple(
            Segment("voiced", max(0.0, float(times[0] - half)), min(end_s, float(times[-1] + half)))
            for times in (pitch.times_s[run] for run in voiced_runs(pitch.times_s, pitch.voiced))
        ),
    }
