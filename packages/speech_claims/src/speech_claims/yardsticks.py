"""Levels by a yardstick: *twice the normal tempo*, *well past her usual pitch*, *barely above a murmur*."""

from __future__ import annotations

import re
from collections.abc import Iterator

from speech_records import Cue

_WHOSE = (
    r"(?:(?:the|an?|his|her|their|its|one['’]s|my|our|your|this|that|any|(?:most|other|many)\s+\w+['’]|\w+['’]s)"
    r"\s+)"
)
_NORMAL = (
    r"(?:normal|usual|average|typical|customary|ordinary|expected|standard|reference|baseline|habitual|everyday|"
    r"conversational|natural|default|modal|regular|required|necessary|comfortable)"
)
_NORM = (
    r"(?:norms?|normal|average|usual|baseline|mean|median|expectations?|standard|benchmark|par|target|avg\.?|"
    r"(?:(?:ordinary|normal|everyday|polite|casual|quiet|common|usual)\s+)?"
    r"(?:conversation|talk|speech|chat|speaking|talking))"
)
_ONE = (
    r"(?:is|was|one|you|we|i|people|most|many|speakers|adults|would|might|could|should|usually|normally|ordinarily|"
    r"['’]d)"
)
_EXPECTED = (
    rf"what\s+(?:{_ONE}\s+){{1,4}}(?:expects?|expected|call|calls|consider|considered|hears?|heard|thought|called|"
    r"find|finds|normal|usual|typical|average|customary|ordinary|needed|required|necessary|considered|comfortable)"
    r"(?:\s+(?:normal|usual|typical|average|ordinary))?"
    rf"(?:\s+(?:of|from|in|for)\s+{_WHOSE}{{0,2}}(?:{_NORMAL}\s+)?(?:{_NORM}|\w+))?"
    rf"|what\s+(?:it|he|she|they)\s+(?:ought|should|needs?|used|has|have)\s+(?:to\s+)?be"
    rf"|where\s+(?:an?|the|most|his|her|one|you|i|we)\s+(?:[\w-]+\s+){{0,4}}?(?:would|usually|normally|ordinarily|might|expects?|lies?|sits?)(?:\s+(?:sit|lie|be|stay|expect|put|find)(?:\s+it)?)?"
)
_YARDSTICK = (
    rf"{_WHOSE}{{0,3}}(?:own\s+)?(?:{_EXPECTED}|{_NORMAL}(?:\s+(?:{_NORM}|level|value|figure|mark))?|{_NORM})(?!\w)"
)
_MANY = r"(?:\d+|two|three|four|five|six|ten|several|many|one\s+and\s+a\s+half|\d[.,]\d)"
_MORE = (
    r"(?:above(?!\s+all\b)|over|beyond|past|exceed(?:s|ed|ing)?|surpass(?:es|ed|ing)?|in\s+excess\s+of|north\s+of|upwards\s+of|"
    r"higher\s+than|greater\s+than|more\s+than|(?:(?:almost|nearly|about)\s+)?"
    rf"(?:twice|double|triple|{_MANY}\s+times|half\s+again))"
)
_LESS = (
    r"(?:below|under|beneath|short\s+of|south\s+of|less\s+than|lower\s+than|"
    r"(?:(?:about|barely|less\s+than|roughly|only)\s+)?(?:half|(?:a|one)\s+(?:third|quarter|fifth|fraction)(?:\s+of)?|"
    r"two\s+thirds(?:\s+of)?))"
)
_FAINT = (
    r"(?:whisper(?:ing)?|murmur(?:ing)?|mumble|mutter|breath(?:ing)?|sigh|silence|hush|rustle|nothing|hum|inaudible|"
    r"inaudibility|audibility|audible)"
)
_A_LOT = r"(?:(?:well|far|way|a\s+little|just|slightly)\s+)?"
_SOMEBODY = r"(?:him|her|them|it|this|that|every\s+(?:word|syllable)|the\s+\w+)"
_AWAY = (
    r"(?:(?:all\s+the\s+way|right|clear)\s+)?(?:from|in\s+(?:the\s+)?(?:next|other|far|back|another)|across|through|over|"
    r"down|(?:two|three|several|a\s+few)\s+\w+\s+away|streets|miles|a\s+(?:mile|block|street))"
    r"(?:\s+(?:the|an?|next|other|far|back|opposite|another|two|three|streets?|rows?|rooms?|doors?|walls?|village|end|"
    r"side|of))*"
)
_HEARD = (
    r"(?:could|can|might|would|will)\s+"
    rf"(?:be\s+heard(?=\s+(?:from|across|through|over|down|two|three|streets|miles|a\s))|(?:have\s+)?heard?\s+{_SOMEBODY})"
    rf"\s+{_AWAY}"
)
_HEARD_BY = (
    r"(?:neighbou?rs?|people|everyone|everybody|anyone|those|passers-by|the\s+whole\s+\w+)\s+(?:[\w-]+\s+){0,5}?"
    rf"(?:could|must|can|will)\s+(?:(?:surely|probably)\s+)?(?:have\s+)?heard?\s+{_SOMEBODY}"
)
_BARELY_ABOVE = (
    r"(?:(?:barely|hardly|scarcely|only\s+just|not\s+much|little|no|just)\s+"
    r"(?:above|over|more\s+than|louder\s+than|stronger\s+than|short\s+of|past)|(?:quieter|softer)\s+than)\s+"
    rf"(?:an?\s+|the\s+level\s+of\s+(?:an?\s+)?)?{_FAINT}"
)
_LEVELS = re.compile(
    rf"(?<!\w)(?:(?P<high>{_A_LOT}{_MORE}\s+{_YARDSTICK})"
    rf"|(?P<low>{_A_LOT}{_LESS}\s+{_YARDSTICK})"
    rf"|(?P<off>(?:depart|deviat|stray|differ|diverg)\w*\s+(?:\w+\s+)?from\s+{_YARDSTICK})"
    rf"|(?P<at>(?:that|those)\s+of\s+(?:an?\s+)?{_YARDSTICK})"
    rf"|(?P<heard>{_HEARD}|{_HEARD_BY})"
    rf"|(?P<faint>{_BARELY_ABOVE}))\b",
    re.IGNORECASE,
)
OFF_THE_NORM = "off the norm"
"""Denied, it is *normal*: *does not depart from the average*."""
PHRASES = {"high": "above average", "low": "below average", "off": OFF_THE_NORM, "at": "average"}
"""The phrase of the lexicon that each kind of yardstick is read as."""


_SENSES = {"faint": (Cue.ENERGY, "low"), "heard": (Cue.ENERGY, "high")}


def yardsticks(text: str, start: int, end: int) -> Iterator[tuple[int, int, str, tuple[Cue, str] | None]]:
    """The yardsticks of `text[start:end]`: their spans, the phrase each is read as, and what it claims by itself.

    >>> [phrase for *_, phrase, _ in yardsticks("Past what one would call normal, at half the usual tempo", 0, 56)]
    ['above average', 'below average']
    """
    for match in _LEVELS.finditer(text, start, end):
        name = match.lastgroup or ""
        sense = _SENSES.get(name)
        yield *match.span(), PHRASES.get(name, match.group().lower()), sense
