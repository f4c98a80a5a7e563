"""Keeps, repairs or rejects a trace: checks on a whole text, beside the verdicts on its claims.

A contradicted claim can be repaired: the sentence that holds it is dropped, and what is left is verified and checked
again. Every other problem rejects the trace, and so does a faithfulness score under `MIN_FAITHFULNESS` of what is left.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from cotgen.rules.draft import MAX_WORDS, MIN_WORDS
from cotgen.verdict import verdict_span
from speech_claims import ClaimsError, faithfulness, verify_trace
from speech_claims.mentions import quoted_spans
from speech_claims.quotes import words
from speech_records import Claim, Cue, Emotion, MeasuredUtterance, ReasoningTrace, Verdict
from speech_records.emotions import ALIASES

NGRAM = 6
MAX_REPEATED_SHARE = 0.2
"""Share of a text's word runs of length `NGRAM` that may have occurred before in it."""

MIN_FAITHFULNESS = 0.15
"""Lowest faithfulness score of a text that is kept: just above what one text for all clips reaches on RAVDESS, EmoDB
and nEMO (0.14, `docs/faithfulness.md`). A text under it shows nothing that was heard."""

_SENTENCE = re.compile(r"\S.*?(?:[.!?…]+[”’\"')]*(?=\s|$)|$)\s*", re.DOTALL)
_TAG = re.compile(r"</?\s*(?:think|answer)\s*>", re.IGNORECASE)
_CONCLUDES = re.compile(r"\b(?:emotion|label|answer|conclu\w+|feel\w*|therefore|thus|overall|so)\b", re.IGNORECASE)
_MIN_ALIAS = 4


class Problem(StrEnum):
    """What can be wrong with a text."""

    TAGS = "tags"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    LABEL_LEAK = "label_leak"
    EARLY_VERDICT = "early_verdict"
    OTHER_ANSWER = "other_answer"
    REPETITION = "repetition"
    MISQUOTE = "misquote"
    CONTRADICTED = "contradicted"
    UNFAITHFUL = "unfaithful"


class Decision(StrEnum):
    """What becomes of a trace."""

    KEPT = "kept"
    REPAIRED = "repaired"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Screened:
    """A trace after screening, with what was wrong with it before and, when it is rejected, what still is.

    `trace` is the text as it may be used, `verified` as it came; both with their claims.
    """

    decision: Decision
    trace: ReasoningTrace
    verified: ReasoningTrace
    problems: tuple[Problem, ...] = ()
    remaining: tuple[Problem, ...] = ()


def check(text: str, answer: Emotion, claims: Sequence[Claim]) -> tuple[Problem, ...]:
    """The problems of `text`, whose verified claims are `claims` and which is to lead to `answer`.

    Tags of the answer format; fewer than 50 or more than 200 words; the label in the first sentence; a verdict
    (`cotgen.verdict`) before the first claim about the sound; a last sentence that concludes on another emotion;
    repeated sentences or runs of words; quotes that were not said; contradicted claims. Labels inside quotes count for
    nothing.

    >>> [str(problem) for problem in check("An angry voice.", Emotion.ANGRY, [])]
    ['too_short', 'label_leak']
    """
    sentences = split_sentences(_without_quotes(text))
    count = len(text.split())
    concluded = _labels(sentences[-1]) if sentences and _CONCLUDES.search(sentences[-1]) else set()
    contradicted = [c for c in claims if c.verdict is Verdict.CONTRADICTED]
    found = {
        Problem.TAGS: _TAG.search(text) is not None,
        Problem.TOO_SHORT: count < MIN_WORDS,
        Problem.TOO_LONG: count > MAX_WORDS,
        Problem.LABEL_LEAK: bool(sentences) and answer in _labels(sentences[0]),
        Problem.EARLY_VERDICT: _is_early(verdict_span(text), claims),
        Problem.OTHER_ANSWER: bool(concluded) and answer not in concluded,
        Problem.REPETITION: _repeats(text),
        Problem.MISQUOTE: any(c.cue is Cue.QUOTE for c in contradicted),
        Problem.CONTRADICTED: any(c.cue is not Cue.QUOTE for c in contradicted),
    }
    return tuple(problem for problem, is_there in found.items() if is_there)


def _is_early(verdict: tuple[int, int] | None, claims: Sequence[Claim]) -> bool:
    """Whether evidence is only named after the verdict; a text without either has no order to break."""
    heard = [c.start for c in claims if c.cue is not Cue.QUOTE]
    return verdict is not None and bool(heard) and verdict[1] <= min(heard)


def screen(trace: ReasoningTrace, measured: MeasuredUtterance) -> Screened:
    """`trace` verified against `measured` and kept, repaired or rejected; its claims are those of its text now."""
    verified = verify_trace(trace, measured)
    problems = check(verified.think, verified.answer, verified.claims)
    if not problems:
        if _is_faithful(verified, measured):
            return Screened(Decision.KEPT, verified, verified)
        unfaithful = (Problem.UNFAITHFUL,)
        return Screened(Decision.REJECTED, verified, verified, unfaithful, unfaithful)
    if not set(problems) <= {Problem.CONTRADICTED, Problem.MISQUOTE}:
        return Screened(Decision.REJECTED, verified, verified, problems, problems)
    text = _without_contradicted(verified)
    if not text:
        return Screened(Decision.REJECTED, verified, verified, problems, problems)
    repaired = verify_trace(replace(verified, think=text, claims=()), measured)
    remaining = check(repaired.think, repaired.answer, repaired.claims)
    if not remaining and not _is_faithful(repaired, measured):
        remaining = (Problem.UNFAITHFUL,)
    if remaining:
        return Screened(Decision.REJECTED, verified, verified, problems, remaining)
    return Screened(Decision.REPAIRED, repaired, verified, problems)


def _is_faithful(trace: ReasoningTrace, measured: MeasuredUtterance) -> bool:
    """Whether the text of `trace` scores `MIN_FAITHFULNESS` or more; a clip that offers no cue asks for nothing."""
    try:
        made = faithfulness(trace.think, measured.profile, measured.levels, measured.utterance.transcript)
    except ClaimsError:  # longer than is scored
        return False
    return not made.offered or made.score >= MIN_FAITHFULNESS


def split_sentences(text: str) -> list[str]:
    """The sentences of `text`; joined they are `text` again, without space before the first.

    >>> split_sentences("The pitch is low. Is it? Yes…")
    ['The pitch is low. ', 'Is it? ', 'Yes…']
    """
    return [match.group() for match in _SENTENCE.finditer(text) if match.group()]


def _without_contradicted(trace: ReasoningTrace) -> str:
    """The text without the sentences that hold a contradicted claim; empty when the last sentence is one of them."""
    bad = [c for c in trace.claims if c.verdict is Verdict.CONTRADICTED]
    kept: list[str] = []
    is_bad = False
    # Marks inside a quote end no sentence of the text: split the text with its quotes blanked.
    text = _without_quotes(trace.think)
    position = len(text) - len(text.lstrip())
    for blanked in split_sentences(text):
        start, position = position, position + len(blanked)
        is_bad = any(start < c.end and c.start < position for c in bad)
        if not is_bad:
            kept.append(trace.think[start:position])
    return "" if is_bad else "".join(kept).strip()


def _without_quotes(text: str) -> str:
    """`text` with every quote replaced by as many letters, so that positions stay."""
    pieces: list[str] = []
    position = 0
    for start, end in quoted_spans(text):
        pieces += [text[position:start], "x" * (end - start - 1), "." if text[end - 2 : end - 1] in ".!?…" else "x"]
        position = end
    return "".join([*pieces, text[position:]])


def _labels(sentence: str) -> set[Emotion]:
    """The emotions that a sentence names, by their own name or an alias of some length."""
    padded = f" {' '.join(words(sentence))} "
    return {
        emotion
        for emotion in Emotion
        for name in (emotion.value, *ALIASES[emotion])
        if (name == emotion.value or len(name) >= _MIN_ALIAS) and f" {name} " in padded
    }


def _repeats(text: str) -> bool:
    sentences = Counter(tuple(words(s)) for s in split_sentences(text))
    if any(n > 1 and len(s) > 2 for s, n in sentences.items()):
        return True
    said = words(text)
    runs = [tuple(said[i : i + NGRAM]) for i in range(len(said) - NGRAM + 1)]
    return bool(runs) and 1 - len(set(runs)) / len(runs) > MAX_REPEATED_SHARE
