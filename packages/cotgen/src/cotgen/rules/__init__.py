"""The rule generator: from a labelled, measured utterance to reasoning that claims only what was measured.

Two styles, both seeded and offline: `plain` (`rules/3`, module `plain`) with few phrasings, for models so small that
they have to learn the wording first, and `varied` (`rules/4`, module `varied`) for everyone else. The styles know what
each of their phrases claims, so the verdicts come from `speech_claims.judge` and no text is searched for claims.

- `draft`, `marking`: what both styles share; text that knows what it claims
- `plain_wording`: the plain style's phrasings
- `phrases`, `varied_facts`, `varied_moods`, `varied_wording`: the varied style's notation, and its tables
"""

from __future__ import annotations

import random
from enum import StrEnum

from cotgen.admission import label_of
from cotgen.rules import plain, plain_wording, varied, varied_wording
from cotgen.rules.draft import MAX_WORDS, MIN_WORDS
from speech_claims import judge
from speech_claims.cue_values import cue_values
from speech_records import LabelSet, MeasuredUtterance, ReasoningTrace

__all__ = ["MAX_WORDS", "MIN_WORDS", "Style", "generate"]


class Style(StrEnum):
    """How much the wording varies."""

    PLAIN = "plain"
    VARIED = "varied"


def generate(
    measured: MeasuredUtterance,
    *,
    label_set: LabelSet,
    seed: int,
    style: Style = Style.PLAIN,
) -> ReasoningTrace:
    """Reasoning of 50 to 200 words that leads from the measured cues to the utterance's label in `label_set`.

    Same utterance, style and seed, same text, in English whatever is spoken. The trace carries its claims as judged by
    the same measurements, and is synthetic when the utterance is. Raises `GenerationError` when the utterance has no
    emotion or `label_set` leaves its emotion out.
    """
    utterance = measured.utterance
    emotion = label_of(measured, label_set)
    generator = plain_wording.GENERATOR if style is Style.PLAIN else varied_wording.GENERATOR
    rng = random.Random(f"{generator}:{seed}:{utterance.utterance_id}")
    readings = cue_values(measured.profile, measured.levels)
    label = label_set.text(emotion)
    write = plain.write if style is Style.PLAIN else varied.write
    draft = write(measured, readings, emotion=emotion, label=label, rng=rng)
    return ReasoningTrace(
        utterance_id=utterance.utterance_id,
        think=draft.think,
        answer=emotion,
        claims=tuple(judge(draft.think, draft.findings, measured.profile, measured.levels, utterance.transcript)),
        generator=generator,
        seed=seed,
        synthetic=utterance.synthetic,
    )
