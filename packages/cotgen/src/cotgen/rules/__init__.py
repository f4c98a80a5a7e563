"""The rule generator: from a labelled, measured utterance to reasoning that claims only what was measured.

Three styles, all seeded and offline: `plain` (`rules/3`, module `plain`) with few phrasings, for models so small that
they have to learn the wording first; `salient` (`rules/5`, module `salient`), which says in the same words only what is
clear in the sound; and `varied` (`rules/4`, module `varied`) for everyone else. The styles know what
each of their phrases claims, so the verdicts come from `speech_claims.judge` and no text is searched for claims.

- `draft`, `marking`: what the styles share; text that knows what it claims
- `plain_wording`: the plain style's phrasings
- `phrases`, `varied_facts`, `varied_moods`, `varied_wording`: the varied style's notation, and its tables
"""

from __future__ import annotations

import random
from enum import StrEnum

from cotgen.admission import label_of
from cotgen.rules import plain, plain_wording, salient, varied, varied_wording
from cotgen.rules.draft import MAX_WORDS, MIN_WORDS
from speech_claims import judge
from speech_claims.cue_values import cue_values
from speech_records import LabelSet, MeasuredUtterance, ReasoningTrace

__all__ = ["MAX_WORDS", "MIN_WORDS", "Style", "generate", "rewrite"]


class Style(StrEnum):
    """How much of what was measured is said, and in how many ways."""

    PLAIN = "plain"
    SALIENT = "salient"
    VARIED = "varied"


_WRITERS = {
    Style.PLAIN: (plain_wording.GENERATOR, plain.write),
    Style.SALIENT: (salient.GENERATOR, salient.write),
    Style.VARIED: (varied_wording.GENERATOR, varied.write),
}


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
    generator, write = _WRITERS[style]
    rng = random.Random(f"{generator}:{seed}:{utterance.utterance_id}")
    readings = cue_values(measured.profile, measured.levels)
    label = label_set.text(emotion)
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


def rewrite(measured: MeasuredUtterance, *, like: ReasoningTrace, label_set: LabelSet) -> ReasoningTrace:
    """As `generate`, in the style and with the seed of `like`; in the varied style where no rules wrote that."""
    styles = {generator: style for style, (generator, _) in _WRITERS.items()}
    style = styles.get(like.generator or "", Style.VARIED)
    return generate(measured, label_set=label_set, seed=like.seed or 0, style=style)
