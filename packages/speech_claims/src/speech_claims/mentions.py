"""Finds which words of the transcript a text quotes, and which it calls stressed.

Quotes are marked by “…” or "…"; of two or more words also in ‘…’ or '…'. A single quoted word is one of the transcript
only after a word of speaking; otherwise it may be anything (a label, a term).
"""

from __future__ import annotations

import re
import string
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from speech_claims.finding import Finding
from speech_claims.lexicon import Kind
from speech_claims.quotes import words
from speech_claims.spans import Occupied, Span
from speech_claims.tokens import kinds_in
from speech_records import Cue

_DOUBLE = r'“[^“”\n]*”|"[^"\n]*"'
_SINGLE = r"‘[^‘\n]*?’(?!\w)|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w))+'(?!\w)"
_QUOTED = re.compile(rf"(?P<tag><[a-z]+\s[^<>\n]{{0,300}}>)|{_DOUBLE}|{_SINGLE}")
"""Quotes; those of a tag (*<prosody rate="slow">*) are none."""
_SPEAKING = re.compile(
    r"\b(?:say(?:s|ing)?|said|ask(?:s|ed)?|words?|phrase|sentence|line|transcript|utter(?:s|ed|ance)?|reads?|hear|"
    r"(?:opens?|begins?|starts?|ends?|closes?|finish(?:es)?)\s+(?:off\s+)?(?:with|on|by)|"
    r"speaks?|spoken|repl(?:y|ies)|exclaims?|text)\b[^.!?“\"]{0,30}$",
    re.IGNORECASE,
)

_AGAIN = r"(?:(?:then|again|also|once\s+more|later)\s+)?(?:on\s+)?(?:the\s+word\s+)?"
_LIST = rf"(?P<words>Q++(?:(?:\s*,)?\s*(?:and|or|&|,)\s*{_AGAIN}Q++){{0,7}})"
_STRESS = r"(?:stress|nucleus|emphasis|accent|prominence|focus|weight|stresses|accents|beat)"
_WEIGHT = r"(?:stress(?:es)?|nucleus|emphasis|accents?|prominence|weight)"
_STRESSED = (
    r"(?:stressed|emphasi[sz]ed|accented|prominent|highlighted|accentuated|underlined|singled out|emphatic|weighted)"
)
_STRESSING = (
    r"(?:stress(?:es|ing|ed)|emphasi[sz](?:es|ing|ed|e)|accentuat(?:es|ing|ed|e)|highlight(?:s|ing|ed)?|"
    r"underlin(?:es|ing|ed|e)|stress|accent(?:s|ing|ed)|lean(?:s|ing|ed)?\s+(?:\w+\s+)?(?:on|into)|singl(?:es?|ing|ed)\s+out|dwell(?:s|ing|ed)?\s+on|linger(?:s|ing|ed)?\s+(?:up)?on|bit(?:es?|ing)\s+off|"
    r"punch(?:es|ing|ed)?|hit(?:s|ting)?|hammer(?:s|ed|ing)?|pick(?:s|ed|ing)?\s+out|driv(?:es?|ing)\s+home|"
    r"(?:com(?:es|ing)|bear(?:s|ing)|press(?:es|ing))\s+(?:down\s+)?(?:hard(?:er|est)?\s+)?(?:up)?on|(?:gives?|giving|lends?|lending|adds?|adding)\s+(?:[\w']+\s+){0,2}?(?:weight|emphasis|stress)\s+to)"
)
_HIT = rf"(?:hits?|hammered|picked\s+out|singled\s+out|leaned\s+on|{_STRESSED}|{_WEIGHT})"
_STRONGER = (
    r"(?:strong(?:er|est|ly)?|loud(?:er|est|ly)?|heav(?:y|ier|iest|ily)|hard(?:er)?|emphatic(?:ally)?|forceful(?:ly)?|"
    r"intense(?:ly)?|powerful(?:ly)?)"
)
_CARRIES = (
    r"(?:is|are|was|were|isn['’]t|aren['’]t|wasn['’]t|weren['’]t|being|gets?|receives?|carr(?:y|ies|ying)|bears?|takes?|"
    r"has|have)"
)
_THE_WORD = r"(?:the\s+)?(?:(?:last|final|first|second|third|opening|closing)\s+)?(?:words?\s*,?\s*|syllable\s+)?"
_NOT_THIS = rf"(?:\s*,?\s*(?:and\s+)?(?:not|rather\s+than|instead\s+of)\s+(?:on\s+)?{_THE_WORD}Q+)?"
_DOES_STRESS = rf"(?:[\w']+\s+){{0,4}}?(?:{_STRESSED}|{_STRESSING}|{_STRESS})"
_STRESS_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\bit\s+(?:is|was|['’]s)\s+(?:on\s+)?{_THE_WORD}{_LIST}(?={_NOT_THIS}\s*,?\s*(?:that|which)\s+{_DOES_STRESS}\b)",
        rf"(?:(?:no|the|strong|clear|main|most|particular|extra)\s+)*{_STRESS}\s+(?:[\w']+\s+){{0,4}}?(?:up)?on\s+{_THE_WORD}{_LIST}",
        rf"(?:(?:does|do)\s+not\s+|doesn't\s+)?{_STRESSING}\s+{_THE_WORD}{_LIST}",
        rf"{_STRESSED}\s+(?:words?|syllables?)\s*(?:is|are|:|being|here\s+is)?\s*{_LIST}",
        rf"{_THE_WORD}{_LIST}\s*,?\s*(?:that|which)?\s*(?:'s|’s|{_CARRIES})\s+(?:[\w']+\s+){{0,3}}?(?:{_STRESSED}|{_STRESS})\b(?!\s+(?:up)?on\b)",
        rf"{_THE_WORD}{_LIST}\s+(?:\w+ly\s+)?(?:stands?|sticks?|jumps?|leaps?|pops?)\s+out",
        rf"{_WEIGHT}\b[^.!?;Q]{{0,40}}?(?:\bon|\bin|\bto|\bfor|\bwith|\bby|\bbetween|\bamong|:|=|->|→|\bis)\s*{_THE_WORD}{_LIST}",
        rf"\bwords?\s+(?:[\w']+\s+){{0,3}}?(?:stands?|sticks?|jumps?)\s+out[^.!?;Q]{{0,30}}?:\s*{_LIST}",
        rf"{_STRESSED}\s+(?:word|syllable|part)s?\s+(?:in|of|:|is|are)\s*{_THE_WORD}{_LIST}",
        rf"{_THE_WORD}{_LIST}\s+(?:is|was)\s+(?:the\s+(?:one|word)\s+)?(?:[\w']+\s+){{0,4}}?{_HIT}\b",
        rf"{_LIST}\s*(?:←|<-|\()\s*{_WEIGHT}",
        rf"{_STRESSED}\s*:?\s*{_LIST}",
        rf"{_LIST}\s+(?:[\w']+ly\s+)?{_STRESSED}\b",
        rf"{_STRESS}(?:\s+(?:lies?|falls?|is|rests?))?\s*\?\s*(?:up)?on\s+{_LIST}",
        rf"\b(?:up)?on\s+{_THE_WORD}{_LIST}\s*,?\s+(?:[\w']+\s+){{1,6}}?{_STRESS}\b",
        rf"\b(?:words?|syllable)\s+{_LIST}\s+(?:is|are|was|were|sounds?|comes?\s+out|gets?)\s+(?:[\w']+\s+){{0,2}}?{_STRONGER}\b",
        rf"{_LIST}\s+(?:is|are|was|were|sounds?|comes?\s+out)\s+(?:[\w']+\s+){{0,2}}?{_STRONGER}\s+than\b",
        rf"\b(?:ma[dk]es?|making|sa(?:y|ys|id)|speaks?|pronounc(?:es?|ed)|gives?|hits?)\s+(?:\w+\s+)?{_STRONGER}\s+{_THE_WORD}{_LIST}",
        rf"\b(?:ma[dk]es?|making|sa(?:y|ys|id)|speaks?|pronounc(?:es?|ed))\s+{_THE_WORD}{_LIST}\s+(?:more\s+|very\s+|so\s+|quite\s+)?{_STRONGER}\b(?!\s+voice)",
        rf"\b(?:weight|force|stress|emphasis|accent)\s+(?:up)?(?:on|in|to|at)\s+{_THE_WORD}{_LIST}",
        rf"\b(?:loudest|strongest|heaviest|longest|most\s+{_STRESSED})\s+(?:word|syllable)\s*(?:is|was|being|:)?\s*{_LIST}",
        rf"\b(?:word\s+)?{_LIST}\s+(?:that\s+)?gets\s+(?:\w+\s+){{0,2}}?(?:punch|force|push|spotlight|attention)\b",
        rf"\bputs?\s+{_THE_WORD}{_LIST}\s+in(?:to)?\s+(?:the\s+)?(?:spotlight|foreground|relief|focus)\b",
        rf"{_LIST}\s*,?\s+(?:which|that)\s+(?:[\w']+\s+){{0,3}}?{_STRESSED}\b",
    )
)
_UNSTRESSED = re.compile(
    r"\s+(?:(?:is|was|are|were|does|did|has|had)\s+not|(?:is|was|are|were|does|did|has|had)n['’]t)\b"
)
"""*“Brilliant” is stressed, while “idea” is not*."""
_CONTRASTED = re.compile(
    rf"\b(?:instead\s+of|rather\s+than|not|than)\s+(?:(?:(?:up)?on|to|at|in)\s+)?{_THE_WORD}$", re.IGNORECASE
)
_STRESSED_INSTEAD = re.compile(
    rf"\b(?:but|rather)\s+(?:rather\s+)?(?:it\s+is\s+|it's\s+)?(?:(?:(?:up)?on|to|at|in)\s+)?{_THE_WORD}$",
    re.IGNORECASE,
)
_AS_A_WORD = re.compile(r"\s+(?:occurs?|appears?|means?|meant|is\s+used|comes\s+up|is\s+ambiguous)\b", re.IGNORECASE)
"""*The word “loud” occurs twice*."""
_LIKEWISE = re.compile(r"\b(?P<no>neither|nor|so|as)\s+(?:does|do|is|are|has|was|were)\s+$", re.IGNORECASE)
"""*“Never” stands out, and so does “again”*."""
_TERM = re.compile(
    r"\b(?:terms?|labels?|category|expression|notion|called|rated|marked|emotions?|concept|adjective|answer|tagged|"
    r"(?:caption|annotation|annotator|report|rater|model|system|listener)\s+(?:says|said|reads|writes|calls\s+it)|"
    r"(?:one|another|others?|annotators?|raters?|some)\s+(?:wrote|chose|picked|put|said)|"
    r"labell?ed|described\s+as|so-called|option|class)\b[^.!?“\"\w]{0,4}(?:as\s+|is\s+|of\s+|be\s+|itself\s+)?$",
    re.IGNORECASE,
)
_WHERE = re.compile(
    r"\b(?:before|after|on|at|in|from|until|till|to|by|with|around|following|preceding|and|of|word|words|syllable)\s+(?:the\s+)?(?:words?\s+)?$",
    re.IGNORECASE,
)
"""Before a quoted word that says where something is heard."""
_NOT = re.compile(r"\b(?:not|no|never|neither|nor)\b|n't\b", re.IGNORECASE)
_UNQUOTED = re.compile(
    rf"\b(?:{_STRESS}\s+(?:[\w']+\s+){{0,2}}?(?:up)?on\s+(?:the\s+word\s+)?|{_STRESSING}\s+the\s+word\s+|"
    rf"{_WEIGHT}\s*(?::|=|->|→)\s*)(?P<word>[^\W\d_][\w']*)"
)
_BLANK = "Q"
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
"""Small letters of the same length: patterns that ignore case take twice as long."""
_OF_TERMS = frozenset((Kind.VALUE, Kind.HEAD, Kind.DEGREE, Kind.NEGATION, Kind.ARTICLE, Kind.AND, Kind.OR, Kind.COMMA))
NO_WORD = "no word"
"""The value of the claim that no word is stressed."""
_ANY = r"(?:(?:single|particular|individual|special|noticeable|audible|obvious|clear|real|strong)\s+)*"
_GETS = r"(?:is|are|gets?|receives?|carr(?:y|ies)|bears?|has|have|stands?|sticks?|jumps?)\s+(?:[\w']+\s+){0,2}?"
_WEIGHTED = rf"(?:{_STRESSED}|{_STRESS}|out)\b"
_NO_WORD_FROM = (
    rf"(?:no|not\s+(?:a|any|one)(?:\s+of\s+(?:the|her|his|these|those))?)\s+{_ANY}(?:word|syllable)s?\s+{_GETS}{_WEIGHTED}",
    rf"none\s+of\s+(?:the|her|his|their)\s+words\s+{_GETS}{_WEIGHTED}",
    rf"without\s+(?:any\s+)?{_ANY}(?:word\s+)?(?:stress|emphasis|accents?)\b",
    rf"without\s+{_STRESSING}\s+any\b(?:\s+(?:of\s+the\s+)?words?)?",
    rf"no\s+{_ANY}(?:word\s+)?(?:stress|emphasis|prominence)\b(?:\s+on\s+any\s+{_ANY}words?)?",
    rf"{_STRESSING}\s+(?:no|none\s+of\s+(?:the|her|his))\s+{_ANY}words?\b",
    rf"(?:all|every|each)\s+(?:the\s+)?words?\s+{_GETS}(?:same|equal(?:ly)?|evenly)\s+{_WEIGHTED}",
    rf"{_STRESS}\s+there\s+(?:is|are)\s+none\b",
    rf"{_STRESS}(?:ed\s+words?)?\s*(?::|=|→|->|is|are)\s*(?:none|absent|nowhere|no\s+words?|nil|0)\b",
    rf"(?:no|zero|nil|little|hardly\s+any)\s+{_STRESS}\s+on\s+any\s+{_ANY}words?\b",
    rf"(?:absence|lack)\s+of\s+(?:any\s+)?{_ANY}(?:{_STRESSED}\s+words?|(?:word\s+)?(?:stress|emphasis|accents?)\b)",
    rf"(?:nothing|no\s+(?:part|element|item)s?)\s+(?:in|of|within)\s+(?:the|this|that|her|his)\s+\w+\s+{_GETS}{_WEIGHTED}",
    rf"no\s+{_ANY}(?:word|syllable)s?\s+{_STRESSED}",
    rf"(?:every|each)\s+(?:word|syllable)\s+(?:\w+\s+){{1,3}}?(?:same|equal)\s+{_WEIGHTED}",
    rf"no\s+{_ANY}word\s+dominates\b",
    rf"nothing\s+is\s+(?:particularly\s+|specially\s+)?{_STRESSED}\b",
)
_NO_WORD_STRESSED = re.compile(
    rf"(?<!\w)(?:{'|'.join(_NO_WORD_FROM)})"
    rf"|(?:\bnot|n['’]t|\bnever)\s+(?:\w+\s+or\s+)?(?:stress|emphasi[sz]e|accentuate|highlight|lean\s+on|single\s+out)\s+any\s+{_ANY}words?\b"
)
_ON_A_WORD = re.compile(r"[^.!?;]{0,40}?Q")


def quoted_spans(text: str) -> list[Span]:
    """Where quotes are in `text`, marks included; single marks only around two or more words or after `word`.

    >>> [("The speaker says “so it is”.")[a:b] for a, b in quoted_spans("The speaker says “so it is”.")]
    ['“so it is”']
    """
    return [match.span() for match in _QUOTED.finditer(text) if match["tag"] is None]


def without_quotes(text: str) -> str:
    """What is left of `text` when its quotes are taken out.

    >>> without_quotes("She says “no” twice.")
    'She says   twice.'
    """
    pieces, position = [], 0
    for start, end in quoted_spans(text):
        pieces.append(text[position:start])
        position = end
    return " ".join([*pieces, text[position:]])


def find_stress(text: str, *, quotes: Sequence[Span], transcript: str | None) -> list[Finding]:
    """The words that `text` calls stressed, or, negated, not stressed: quoted words, and unquoted ones that the
    transcript holds. Each word is one claim.
    """
    blanked = quotes_blanked(text, quotes)
    starts = [start for start, _ in quotes]
    findings: list[Finding] = []
    taken = Occupied(len(text))
    for pattern in _STRESS_PATTERNS if quotes else ():
        for match in pattern.finditer(blanked):
            if taken.is_free(match.span()):
                inside = quotes[bisect_left(starts, match.start("words")) : bisect_left(starts, match.end("words"))]
                negated = _NOT.search(match.group()) is not None
                negated = (
                    negated
                    or _CONTRASTED.search(blanked, max(0, match.start("words") - 40), match.start("words")) is not None
                )
                claims = _stress_claims(text, match.span(), inside, negated=negated)
                findings += claims
                for claim in claims:
                    taken.add((claim.start, claim.end))
    findings += _contrasted(text, blanked, quotes, findings)
    findings += _no_word(blanked, taken)
    if transcript is not None:
        findings += _unquoted_stress(blanked, frozenset(words(transcript)), findings)
    return sorted(findings, key=lambda f: f.start)


def _no_word(blanked: str, taken: Occupied) -> list[Finding]:
    """*No word is stressed*; not *no stress on “door”*."""
    return [
        Finding(*match.span(), Cue.STRESS, NO_WORD)
        for match in _NO_WORD_STRESSED.finditer(blanked)
        if taken.is_free(match.span()) and _ON_A_WORD.match(blanked, match.end()) is None
    ]


def find_quotes(
    text: str, *, quotes: Sequence[Span], transcript: str | None, stressed: Iterable[Finding] = ()
) -> list[Finding]:
    """The quotes of `text` that claim to be the speaker's words; not words that are `stressed` elsewhere in it."""
    called = frozenset(f.value for f in stressed)
    spoken = frozenset(words(transcript)) if transcript is not None else frozenset()
    findings = []
    for start, end in quotes:
        said = words(text[start:end])
        introduced = _SPEAKING.search(text, max(0, start - 60), start) is not None
        if _TERM.search(text[max(0, start - 40) : start]) and (not spoken or not set(said) <= spoken):
            continue
        if _AS_A_WORD.match(text, end) is not None:
            continue
        if not introduced and not set(said) <= spoken and _is_a_term(text[start + 1 : end - 1]):
            continue
        if len(said) > 1 or (
            said and (introduced or (said[0] in spoken and not _is_place(text, start, said[0], called)))
        ):
            findings.append(Finding(start, end, Cue.QUOTE, text[start + 1 : end - 1].strip()))
    return findings


def _is_a_term(quoted: str) -> bool:
    """Whether a quote is a name for a sound and nothing else: *the form says “too fast”*."""
    kinds = kinds_in(quoted)
    return bool(kinds & {Kind.VALUE, Kind.HEAD}) and kinds <= _OF_TERMS


def _is_place(text: str, start: int, word: str, stressed: frozenset[str]) -> bool:
    """Whether a quoted word only says where: *a pause before “home”*, or of which word the stress is spoken."""
    return word in stressed or _WHERE.search(text, max(0, start - 30), start) is not None


def quotes_blanked(text: str, quotes: Sequence[Span]) -> str:
    """`text` in small letters, every quote replaced by a run of one capital of the same length, which patterns name."""
    pieces: list[str] = []
    position = 0
    for start, end in quotes:
        pieces += [text[position:start].translate(_LOWER), _BLANK * (end - start)]
        position = end
    return "".join([*pieces, text[position:].translate(_LOWER)])


def _stress_claims(text: str, span: Span, quotes: Sequence[Span], *, negated: bool) -> list[Finding]:
    """One finding for each quoted word; the first reaches back to, the last on to the end of the phrase around them."""
    findings = []
    for number, (start, end) in enumerate(quotes):
        value = " ".join(words(text[start:end]))
        if value:
            low = span[0] if number == 0 else start
            high = span[1] if number == len(quotes) - 1 else end
            findings.append(Finding(low, high, Cue.STRESS, value, negated))
    return findings


def _contrasted(text: str, blanked: str, quotes: Sequence[Span], found: Sequence[Finding]) -> list[Finding]:
    """*Stress is on “this”, not on “that”*, or *not on “that” but on “this”*: what is set against a stressed word."""
    findings = []
    in_order = sorted((f.start, f.end) for f in found)
    ends = [end for _, end in in_order]
    taken = Occupied(len(text), in_order)
    stops = [match.start() for match in re.finditer(r"[.!?]", blanked)]
    for start, end in quotes:
        before = blanked[max(0, start - 40) : start]
        number = bisect_left(stops, start)
        first = stops[number - 1] if number else -1
        last = stops[number] if number < len(stops) else len(text)
        nearest = bisect_right(ends, first)  # the first stressed word that ends in this sentence, or after it
        if nearest == len(ends) or in_order[nearest][0] > last or not taken.is_free((start, end)):
            continue
        if _CONTRASTED.search(before) or _UNSTRESSED.match(blanked, end):
            findings += _stress_claims(text, (start, end), [(start, end)], negated=True)
        elif (again := _LIKEWISE.search(before)) is not None:
            negated = again["no"].lower() in ("neither", "nor")
            findings += _stress_claims(text, (start, end), [(start, end)], negated=negated)
        elif _STRESSED_INSTEAD.search(before):
            findings += _stress_claims(text, (start, end), [(start, end)], negated=False)
    return findings


def _unquoted_stress(blanked: str, spoken: frozenset[str], found: Sequence[Finding]) -> list[Finding]:
    findings = []
    taken = Occupied(len(blanked), ((f.start, f.end) for f in found))
    for match in _UNQUOTED.finditer(blanked):
        said = words(match["word"])
        if (
            taken.is_free(match.span())
            and said
            and said[0] in spoken
            and said[0] not in {"the", "a", "an", "it", "this", "that"}
        ):
            findings.append(Finding(*match.span(), Cue.STRESS, said[0], _NOT.search(match.group()) is not None))
    return findings
