"""A trace parsed into sentences that keep their claims, so that faults can be put in one after the other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rewardmodel.graded import Penalty
from speech_records import Claim, Cue, Emotion, LabelSet, ReasoningTrace, Verdict

SENTENCE_BOUNDARY = re.compile(r"(?:(?<=[.!?…])|(?<=[.!?…][”\"’']))\s+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence and its claims, whose spans count from the sentence's start."""

    text: str
    claims: tuple[Claim, ...] = ()

    @property
    def cues(self) -> frozenset[Cue]:
        """The prosodic cues it speaks of; a quote of the transcript is none."""
        return frozenset(claim.cue for claim in self.claims) - {Cue.QUOTE}

    def replace_spans(self, spans: Sequence[tuple[int, int]], text: str) -> Sentence:
        """The sentence with `text` in place of each of `spans`, which are ordered and hold no part of a claim."""
        pieces: list[str] = []
        position = 0
        for start, end in spans:
            pieces += [self.text[position:start], text]
            position = end
        moved = [sum(len(text) - (end - start) for start, end in spans if end <= c.start) for c in self.claims]
        claims = (replace(c, start=c.start + m, end=c.end + m) for c, m in zip(self.claims, moved, strict=True))
        return Sentence("".join(pieces) + self.text[position:], tuple(claims))


@dataclass(frozen=True, slots=True)
class ParsedTrace:
    """A trace in sentences, the labels that its answer is chosen from, and the points it has lost so far."""

    sentences: tuple[Sentence, ...]
    answer: Emotion
    label_set: LabelSet
    penalty: Penalty = field(default_factory=Penalty)

    @property
    def cues(self) -> frozenset[Cue]:
        """The prosodic cues that are spoken of."""
        return frozenset[Cue]().union(*(sentence.cues for sentence in self.sentences))

    @property
    def think(self) -> str:
        """The text."""
        return " ".join(sentence.text for sentence in self.sentences)


def parse_trace(trace: ReasoningTrace, *, label_set: LabelSet) -> ParsedTrace:
    """`trace` in sentences, perfect but for the share of its judged cues that its own verification contradicts.

    A quote counts as a cue where it is not what was said. Sentences end in `.!?…` and white space outside claims, so
    that a quoted transcript stays in one piece. Of claims that overlap only the first is kept.
    """
    claims: list[Claim] = []
    for claim in sorted(trace.claims, key=lambda c: (c.start, c.end)):
        if not claims or claim.start >= claims[-1].end:
            claims.append(claim)
    wrong = {c.cue for c in claims if c.verdict is Verdict.CONTRADICTED}
    judged = wrong | {c.cue for c in claims if c.verdict is Verdict.SUPPORTED} - {Cue.QUOTE}
    penalty = Penalty(factual=4.0 * share(len(wrong), len(judged)))
    return ParsedTrace(tuple(_sentences(trace.think, claims)), trace.answer, label_set, penalty)


def sentences(text: str) -> list[str]:
    """The sentences of a text.

    >>> sentences("It is loud. So it is angry!")
    ['It is loud.', 'So it is angry!']
    """
    return [part for part in SENTENCE_BOUNDARY.split(text.strip()) if part]


def share(part: int, whole: int) -> float:
    """`part / whole`, and 0 of nothing."""
    return part / whole if whole else 0.0


def _sentences(text: str, claims: Sequence[Claim]) -> list[Sentence]:
    cuts = [m for m in SENTENCE_BOUNDARY.finditer(text) if not any(c.start < m.start() < c.end for c in claims)]
    starts = [0, *(m.end() for m in cuts)]
    ends = [*(m.start() for m in cuts), len(text)]
    return [
        Sentence(
            text[start:end],
            tuple(replace(c, start=c.start - start, end=c.end - start) for c in claims if start <= c.start < end),
        )
        for start, end in zip(starts, ends, strict=True)
        if start < end
    ]
