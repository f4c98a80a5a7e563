"""What a text says twice in one phrase, or says and denies in one sentence: one claim."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from speech_claims.finding import Finding

_SENTENCE_END, _ONE_SENTENCE = re.compile(r"[.!?;:]"), 40
_ONE_PHRASE = re.compile(r"[DPAOKC]{0,3}")
"""Between two words of one phrase that say the same: *yells at the top of her lungs*."""


def said_once(found: Sequence[tuple[int, Finding]], letters: str) -> list[tuple[int, Finding]]:
    """What one phrase says twice, as one claim: *mumbles at low volume*."""
    once: list[tuple[int, Finding]] = []
    for i, finding in found:
        if once and _says_again(once[-1][1], finding) and _ONE_PHRASE.fullmatch(letters, once[-1][0] + 1, i):
            once[-1] = (i, replace(once[-1][1], end=max(once[-1][1].end, finding.end)))
        else:
            once.append((i, finding))
    return once


def _says_again(one: Finding, other: Finding) -> bool:
    return (one.cue, one.value, one.negated) == (other.cue, other.value, other.negated)


def consistent(findings: Sequence[Finding], text: str) -> list[Finding]:
    """The findings without denials of what their sentence says: *loud but not shouted*, *slow without dragging*."""
    kept: list[Finding] = []
    for k, f in enumerate(findings):
        near = (*findings[max(0, k - 1) : k], *findings[k + 1 : k + 2])
        said = (o for o in near if not o.negated and (o.cue, o.value) == (f.cue, f.value))
        between = (text[min(f.end, o.end) : max(f.start, o.start)] for o in said)
        if not (f.negated and any(_SENTENCE_END.search(b) is None and len(b) < _ONE_SENTENCE for b in between)):
            kept.append(f)
    return kept
