"""Where a text decides: the first words that say what the evidence adds up to, before it is weighed.

Every writer states evidence, then the verdict at one point, then what fits it and what does not. The rules introduce it
with one of `OPENINGS`, the prompt asks a language model for the first of them, so a pure function finds it in any text.
"""

from __future__ import annotations

import re

from speech_claims.mentions import quoted_spans

OPENINGS = ("sounds like", "gives the impression of", "brings to mind", "makes one think of")
_OPENING = re.compile(rf"\b(?:{'|'.join(OPENINGS)})\s+(?=\S)", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[,;:.!?…](?=\s|$)|$")


def verdict_span(text: str) -> tuple[int, int] | None:
    """The characters of `text` that first say what it sounds like; `None` where no such words are. Quotes do not count.

    >>> text = "The rate is fast. It sounds like a tense delivery, and the fast rate fits this."
    >>> start, end = verdict_span(text)
    >>> text[start:end]
    'a tense delivery'
    """
    quotes = quoted_spans(text)
    for found in _OPENING.finditer(text):
        if not any(start < found.end() and found.start() < end for start, end in quotes):
            ending = _CLAUSE_END.search(text, found.end())
            return found.end(), ending.start() if ending else len(text)
    return None
