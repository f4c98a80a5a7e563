"""Trends that two levels make: *quiet, then louder*; *opens softly, and by the end she is yelling*; *high -> low*."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from speech_claims import changes, scope
from speech_claims.finding import Finding
from speech_claims.lexicon import Kind
from speech_claims.movement import is_of_time, trend
from speech_claims.senses import word_set
from speech_claims.word import Word
from speech_records import Cue

_THEN = frozenset(
    ("then", "->", "→", "=>", "⇒", "later", "followed by", "afterwards", "before", "and then", "by the end", "finally")
)
_FIRST = word_set("first_part")
_BETWEEN = re.compile(r"[KCDBOPEGV]{1,6}")
_BY_TURNS = re.compile(
    r"\bone (?:moment|minute|second|word|phrase)\b.*\bthe next\b|\bsometimes\b.*\bsometimes\b|\bnow\b.*\bnow\b|"
    r"\b(?:by turns|in turns?|alternat\w+|at random|unpredictably|from (?:word|phrase|moment|syllable|sentence) to)\b|"
    r"\bthen .*\bagain\b"
)
"""Between two opposite levels or trends that take turns."""
_REACH = 24
_OPPOSITES = word_set("opposites")
_OPPOSITE = {
    "rising": "falling",
    "falling": "rising",
    "high": "low",
    "low": "high",
    "steady": "varying",
    "varying": "steady",
}
_CUES = {
    "pitch": Cue.PITCH,
    "energy": Cue.ENERGY,
    "rate": Cue.RATE,
    "range": Cue.PITCH_RANGE,
    "contour": Cue.CONTOUR_SHAPE,
}
Part = tuple[int, Cue, str]


def with_trends(
    found: Sequence[tuple[int, Finding]], parts: Sequence[Part], words: Sequence[Word], letters: str
) -> list[tuple[int, Finding]]:
    """`found`, where levels that follow one another in time are one trend; `parts` are levels said of a part only."""
    kept = _in_sequence(found, words, letters)
    for (i, cue, first), (k, other, last) in pairwise(parts):
        in_time = 0 < k - i <= _REACH and _begins(words, letters, i) and not _begins(words, letters, k)
        goes = trend(cue, first, last) if cue is other and in_time else None
        is_said = any(i <= j <= k + 2 and is_of_time(f.cue, f.value) and f.cue is cue for j, f in kept)
        if goes is not None and not is_said:
            kept.append((k, Finding(words[k].start, words[k].end, *goes)))
    return sorted(kept, key=lambda one: one[0])


def opposed(words: Sequence[Word], found: Sequence[tuple[int, Finding]]) -> list[Finding]:
    """*The pace picks up; the loudness does just the opposite*."""
    findings = []
    for k in (k for k, w in enumerate(words) if w.phrase in _OPPOSITES):
        head = next((w for w in reversed(words[max(0, k - 2) : k]) if w.kind is Kind.HEAD), None)
        before = next((f for i, f in reversed(found) if k - _REACH < i < k and not f.negated), None)
        if head is None or before is None or before.value not in _OPPOSITE or head.group not in _CUES:
            continue
        value = _OPPOSITE[before.value]
        is_contour = head.group == "pitch" and value in ("rising", "falling")
        cue = Cue.CONTOUR_SHAPE if is_contour else _CUES[head.group]
        findings.append(Finding(words[k].start, words[k].end, cue, value))
    return findings


def _in_sequence(
    found: Sequence[tuple[int, Finding]], words: Sequence[Word], letters: str
) -> list[tuple[int, Finding]]:
    kept: list[tuple[int, Finding]] = []
    first: str | None = None  # the level that the last trend started from
    for i, finding in found:
        last_i, last = kept[-1] if kept else (i, finding)
        follows = last is not finding and _is_then(words, letters, last_i, i) and not (last.negated or finding.negated)
        same = follows and (last.cue is finding.cue or (last.cue is Cue.CONTOUR_SHAPE and finding.cue is Cue.PITCH))
        goes = trend(finding.cue, last.value if first is None else first, finding.value) if same else None
        if last is not finding and _alternates(words, last_i, i, last, finding):
            kept[-1] = (i, Finding(last.start, finding.end, finding.cue, "varying"))
            continue
        if goes is None:
            first = None
            kept.append((i, finding))
        else:
            first = first or last.value
            kept[-1] = (i, Finding(last.start, finding.end, *goes))
    return kept


def _alternates(words: Sequence[Word], i: int, k: int, one: Finding, other: Finding) -> bool:
    """*At the top of his lungs one moment and under his breath the next*; *speeds up and slows down at random*."""
    if one.cue is not other.cue or one.cue not in (Cue.ENERGY, Cue.RATE) or one.negated or other.negated:
        return False
    if {one.value, other.value} not in ({"high", "low"}, {"rising", "falling"}):
        return False
    near = " ".join(w.phrase for w in words[max(0, i - 3) : k + 5])
    return _BY_TURNS.search(near) is not None


def _is_then(words: Sequence[Word], letters: str, i: int, k: int) -> bool:
    names_it = any(w.phrase in _THEN for w in words[i + 1 : k])
    return names_it and _BETWEEN.fullmatch(letters, i + 1, k) is not None


def _begins(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether the level of word `i` is said of the start, or what the sound comes from."""
    if changes.change(words, letters, i) is changes.Change.FROM:
        return True
    clause, _ = scope.clause_of(words, i)
    return any(w.phrase in _FIRST for w in clause)
