"""What both styles of the rule generator share: drafts, quotes, stressed words, and the fit of cues to an emotion."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cotgen.rules.marking import unmark
from speech_claims.cue_values import CueValue
from speech_claims.finding import Finding
from speech_claims.quotes import MAX_WORD_CHARACTERS, sanitize, words
from speech_records import Cue, Emotion, MeasuredUtterance
from speech_records.emotion_cues import Evidence, cue_evidence

MIN_WORDS, MAX_WORDS = 50, 200
"""Length of a reasoning text in the published method."""
MAX_STRESSED = 2


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that is not judged yet: its `think` part and what that claims."""

    think: str
    findings: Sequence[Finding]


def finish(body: Sequence[str], conclusion: str, *, fillers: Sequence[str], rng: random.Random) -> Draft:
    """The marked sentences `body` and `conclusion`, which claims nothing, with as many `fillers` between them as the
    least length asks for.
    """
    text, findings = unmark(" ".join(body))
    waiting = rng.sample(fillers, k=len(fillers))
    while len(f"{text} {conclusion}".split()) < MIN_WORDS:
        text = f"{text} {waiting.pop()}"
    return Draft(f"{text} {conclusion}", findings)


def stressed_words(measured: MeasuredUtterance) -> dict[str, float]:
    """The measured stressed words that the transcript really holds, harmless to quote, and their scores."""
    spoken = set(words(sanitize(measured.utterance.transcript or "")))
    found: dict[str, float] = {}
    for stressed in measured.profile.stressed_words or ():
        word = sanitize(stressed.word)
        if len(word) <= MAX_WORD_CHARACTERS and len(words(word)) == 1 and words(word)[0] in spoken:
            found.setdefault(word, stressed.score)
    return found


def sides_of(emotion: Emotion, readings: Mapping[Cue, CueValue], cues: Sequence[Cue]) -> dict[Evidence, list[Cue]]:
    """Those of `cues` that were measured, by whether they fit `emotion`."""
    sides: dict[Evidence, list[Cue]] = {side: [] for side in Evidence}
    for cue in cues:
        if cue in readings:
            sides[cue_evidence(emotion, cue, readings[cue].value)].append(cue)
    return sides
