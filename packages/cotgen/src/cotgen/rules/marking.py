"""Text that knows what it claims: claims stand as invisible marks in it until `unmark` turns them into findings.

Whoever writes from measurements knows what each phrase says of the sound. It puts the phrase between marks that hold
the claim, joins and capitalises text as it likes, and asks for the spans at the end. The marks are private-use
characters, which `quoting.sanitize` takes out of every transcript: no foreign text can hold one.
"""

from __future__ import annotations

import re
from functools import cache

from speech_claims.finding import Finding
from speech_records import Cue, Degree

_OPEN, _FIELD, _SEPARATOR, _CLOSE = "\ue000", "\ue001", "\ue002", "\ue003"
_MARK = re.compile(f"{_OPEN}([^{_SEPARATOR}]*){_SEPARATOR}|{_CLOSE}")
_FIRST_LETTER = re.compile(f"((?:{_OPEN}[^{_SEPARATOR}]*{_SEPARATOR})*)(.)", re.DOTALL)
_DEGREES = {"": None, **{d.value: d for d in Degree}}


@cache
def opening(cue: Cue, value: str, negated: str = "", degree: str = "", hedged: str = "") -> str:
    """The mark before a phrase that claims `value` of `cue`; the last three are empty where they do not apply."""
    return _OPEN + _FIELD.join((cue.value, value, negated, degree, hedged)) + _SEPARATOR


CLOSING = _CLOSE
"""The mark after a phrase that claims something."""


def mark(template: str, cue: Cue, claimed: str, **fields: str) -> str:
    """`template` filled with `fields`, each phrase in square brackets of its own marked as claiming `claimed` of `cue`.

    Brackets and braces in `fields` and `claimed` mean nothing.

    >>> unmark(mark("The [pitch is {level}].", Cue.PITCH, "low", level="[low]"))[0]
    'The pitch is [low].'
    """
    opened = (part.split("]") for part in template.split("["))
    filled = [_CLOSE.join([text.format(**fields) for text in texts]) for texts in opened]
    return opening(cue, claimed).join(filled)


def unmark(marked: str) -> tuple[str, list[Finding]]:
    """The plain text and its claims, in their order.

    >>> text, (finding,) = unmark(mark("The [pitch is low].", Cue.PITCH, "low"))
    >>> text[finding.start:finding.end], finding.cue.value, finding.value
    ('pitch is low', 'pitch', 'low')
    """
    pieces: list[str] = []
    findings: list[Finding] = []
    position = length = start = 0
    fields = ""
    for match in _MARK.finditer(marked):
        piece = marked[position : match.start()]
        pieces.append(piece)
        length += len(piece)
        position = match.end()
        if match[1] is not None:
            fields, start = match[1], length
        else:
            cue, value, negated, degree, hedged = fields.split(_FIELD)
            findings.append(Finding(start, length, Cue(cue), value, bool(negated), _DEGREES[degree], bool(hedged)))
    pieces.append(marked[position:])
    return "".join(pieces), findings


def first_letter(marked: str, position: int = 0) -> str:
    """The first letter that is no mark from `position` on; empty at the end.

    >>> first_letter(mark("a [high pitch]", Cue.PITCH, "high"), 2)
    'h'
    """
    found = _FIRST_LETTER.match(marked, position)
    return found[2] if found else ""


def capitalised(marked: str) -> str:
    """`marked` with its first letter in upper case; what begins with a quote stays as it was said.

    >>> capitalised("a high pitch"), unmark(capitalised(mark("[stress] it", Cue.STRESS, "x")))[0]
    ('A high pitch', 'Stress it')
    """
    return _FIRST_LETTER.sub(lambda m: m[1] + m[2].upper(), marked, count=1)
