"""Movements of the contour: at its end (*the last word goes up*), denied ones, and pairs (*up, then down*)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from speech_claims import scope
from speech_claims.finding import Finding
from speech_claims.lexicon import Kind
from speech_claims.senses import FINAL_PHRASES, SENSES
from speech_claims.word import Word
from speech_records import Cue

_LAST = re.compile(r"(?:^|[XKCT])A?E[DNB]*$")
_ON_LAST = re.compile(r"[DPA]*E")
_SEQUENCE = frozenset(
    ("then", "and", "before", "and then", "followed by", "afterwards", "later", "again", "by", "only")
)
_AT_END_REACH = 7
_TURN_REACH = 10
_NAMED_REACH = 4
_FINAL = frozenset(("final", "terminal", "closing"))


def denied_turn(words: Sequence[Word], letters: str, i: int) -> tuple[Cue, str] | None:
    """*No rise, no fall: the contour is level*: a movement that is denied near what would move."""
    sense = SENSES["contour"].get(words[i].phrase)
    near = words[max(0, i - _TURN_REACH) : i + _TURN_REACH]
    if sense is None or sense[0] is not Cue.CONTOUR_SHAPE or letters[max(0, i - 1) : i] != "N":
        return None
    return sense if any(w.group in ("contour", "pitch") for w in near) else None


def turn_of_last(words: Sequence[Word], letters: str, i: int) -> tuple[Cue, str] | None:
    """*The last word goes up*: a movement of the contour's end."""
    sense = SENSES["contour"].get(words[i].phrase)
    if sense is None or sense[0] is not Cue.CONTOUR_SHAPE:
        return None
    near = words[max(0, i - _AT_END_REACH) : i]
    comma = max((k for k, w in enumerate(near) if w.kind is Kind.COMMA), default=-1)
    if any(w.group in ("energy", "rate") for w in near[comma + 1 :]):
        return None
    of_last = _LAST.search(letters[max(0, i - scope.REACH) : i]) or _ON_LAST.match(letters[i + 1 : i + 1 + scope.REACH])
    return sense if of_last is not None else None


def marked_at_end(words: Sequence[Word], i: int, cue: Cue, value: str) -> str:
    """`value`, marked when it is said of the end of the contour only."""
    if cue is not Cue.CONTOUR_SHAPE or value not in ("rising", "falling"):
        return value
    if words[i].phrase in FINAL_PHRASES or _names_the_end(words, i):
        return f"{value} at the end"
    for step in (1, -1):
        for k in range(i + step, i + step * _AT_END_REACH, step):
            if not 0 <= k < len(words) or words[k].kind in (Kind.BOUNDARY, Kind.BUT, Kind.AND):
                break
            if words[k].kind is Kind.VALUE and not words[k].phrase.endswith("ly"):
                break
            if words[k].kind is Kind.AT_END:
                return f"{value} at the end"
    return value


def _names_the_end(words: Sequence[Word], i: int) -> bool:
    """*A final fall*, *terminal contour: falling*."""
    before = words[max(0, i - _NAMED_REACH) : i]
    near = [w.phrase.split(" ")[0] for w in before[-3:]]
    heading = any(
        w.phrase in _FINAL and h.kind is Kind.HEAD and h.group in ("pitch", "contour", "range")
        for w, h in pairwise(before)
    )
    return heading or any(w in _FINAL for w in near[-1:]) or "terminal" in near


def joined_turns(
    found: Sequence[tuple[int, Finding]], words: Sequence[Word], letters: str
) -> list[tuple[int, Finding]]:
    """*Goes up and then comes down* is one claim of a rise and fall, not two."""
    joined: list[tuple[int, Finding]] = []
    for i, finding in found:
        last = joined[-1] if joined else None
        if last is not None and _is_second_half(last[1], finding) and _follows(words, letters, last[0], i):
            continue
        if last is not None and _is_turn(last[1], finding) and _follows(words, letters, last[0], i):
            value = f"{last[1].value}-{finding.value.removesuffix(' at the end')}"
            start, end = min(last[1].start, finding.start), max(last[1].end, finding.end)
            joined[-1] = (i, replace(last[1], start=start, end=end, value=value))
        else:
            joined.append((i, finding))
    return joined


def _is_second_half(one: Finding, other: Finding) -> bool:
    """Whether *arches up and comes down* says its fall a second time."""
    return one.cue is other.cue is Cue.CONTOUR_SHAPE and one.value.endswith(f"-{other.value}")


def _is_turn(one: Finding, other: Finding) -> bool:
    values = {one.value, other.value.removesuffix(" at the end")}
    return (
        one.cue is other.cue is Cue.CONTOUR_SHAPE
        and values == {"rising", "falling"}
        and not (one.negated or other.negated)
    )


def _follows(words: Sequence[Word], letters: str, i: int, k: int) -> bool:
    between = letters[i + 1 : k].replace("V", "O")  # sinks to the middle and climbs
    in_sequence = any(w.phrase in _SEQUENCE for w in words[i + 1 : k])
    return in_sequence and re.fullmatch(r"[DKCAPOEHQB]{0,9}", between) is not None
