"""Praat's TextGrid: interval tiers in (long or short text form, UTF-8 or UTF-16), long text form out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from prosody.alignment import Segment
from prosody.errors import AlignmentError
from prosody.measurement import Tracks

MAX_BYTES: Final = 16 << 20
_TOKEN: Final = re.compile(r'"((?:[^"]|"")*)"|(?<![\w.])(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])|<exists>|\[\d*\]')
"""A text or a number; else a flag or a running number in brackets, which the long form adds and reading skips."""


def read_textgrid(path: str | Path) -> dict[str, tuple[Segment, ...]]:
    """The interval tiers of a TextGrid by name, without their empty intervals; point tiers are left out.

    Raises `AlignmentError` for a missing file and for one that is no TextGrid.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()[: MAX_BYTES + 1]
    except OSError as error:
        raise AlignmentError(f"{path}: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise AlignmentError(f"{path}: larger than {MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-16" if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig")
        return _parse(text)
    except (UnicodeDecodeError, ValueError, IndexError, StopIteration) as error:
        raise AlignmentError(f"{path}: not a TextGrid ({error})") from error


def _parse(text: str) -> dict[str, tuple[Segment, ...]]:
    """Both text forms hold the same values in the same order; the long one only adds names, which are skipped."""
    if not text.lstrip().startswith("File type"):
        raise ValueError("no 'File type' at its beginning")
    tokens = iter(match for match in _TOKEN.finditer(text) if match.group()[0] not in "<[")

    def string() -> str:
        token = next(tokens)
        if token.group(1) is None:
            raise ValueError(f"a text was expected, found {token.group()!r}")
        return token.group(1).replace('""', '"')

    def number() -> float:
        token = next(tokens)
        if token.group(2) is None:
            raise ValueError(f"a number was expected, found {token.group()!r}")
        return float(token.group(2))

    if string() != "ooTextFile" or string() != "TextGrid":
        raise ValueError("another kind of Praat file")
    number(), number()
    tiers: dict[str, tuple[Segment, ...]] = {}
    for _ in range(int(number())):
        kind, name = string(), string()
        number(), number()
        count = int(number())
        if kind == "IntervalTier":
            intervals = [(number(), number(), string()) for _ in range(count)]
            tiers[name] = tuple(Segment(label, start, end) for start, end, label in intervals if label.strip())
        else:
            for _ in range(count):
                number(), string()
    return tiers


def format_textgrid(tiers: Mapping[str, Sequence[Segment]], duration_s: float) -> str:
    """A TextGrid in the long text form; gaps between segments become empty intervals.

    Raises `AlignmentError` when segments overlap or leave the clip.
    """
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {duration_s:.6f}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, segments) in enumerate(tiers.items(), start=1):
        intervals = _filled(name, segments, duration_s)
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f"        name = {_quoted(name)}"]
        lines += ["        xmin = 0", f"        xmax = {duration_s:.6f}", f"        intervals: size = {len(intervals)}"]
        for index, (start, end, label) in enumerate(intervals, start=1):
            lines += [
                f"        intervals [{index}]:",
                f"            xmin = {start:.6f}",
                f"            xmax = {end:.6f}",
            ]
            lines += [f"            text = {_quoted(label)}"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _filled(name: str, segments: Sequence[Segment], duration_s: float) -> list[tuple[float, float, str]]:
    intervals: list[tuple[float, float, str]] = []
    at = 0.0
    for segment in segments:
        if segment.start_s < at - 1e-6 or segment.end_s > duration_s + 1e-6:
            raise AlignmentError(
                f"tier {name!r}: {segment} overlaps its neighbour or leaves the clip of {duration_s} s"
            )
        if segment.start_s > at + 1e-6:
            intervals.append((at, segment.start_s, ""))
        at = min(segment.end_s, duration_s)
        intervals.append((segment.start_s, at, segment.label))
    if at < duration_s - 1e-6 or not intervals:
        intervals.append((at, duration_s, ""))
    return intervals


def tiers_of(measured: Tracks, words: Sequence[Segment] = ()) -> dict[str, tuple[Segment, ...]]:
    """What was found in a clip as tiers: `pauses`, `voicing`, and `words` where given."""
    from prosody.pitch import STEP_S, voiced_runs

    pitch = measured.pitch
    half = STEP_S / 2
    runs = voiced_runs(pitch.times_s, pitch.voiced)
    voicing = tuple(
        Segment(
            "voiced",
            max(0.0, float(pitch.times_s[run][0] - half)),
            min(measured.duration_s, float(pitch.times_s[run][-1] + half)),
        )
        for run in runs
    )
    tiers = {"pauses": tuple(Segment("pause", p.start_s, p.end_s) for p in measured.pauses), "voicing": voicing}
    return {**tiers, "words": tuple(words)} if words else tiers
