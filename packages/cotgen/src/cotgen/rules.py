"""The rule generator: from a labelled, measured utterance to reasoning that claims only what was measured.

Two styles, both seeded and offline: `plain` (`rules/1`, module `plain`) with few phrasings, for models so small that
they have to learn the wording first, and `varied` (`rules/2`, module `varied`) for everyone else. The styles know what
each of their phrases claims, so the verdicts come from `verification.judge` and no text is searched for claims.
"""

from __future__ import annotations

import random

from cotgen import plain, wording
from cotgen.draft import MAX_WORDS, MIN_WORDS
from cotgen.errors import GenerationError
from cotgen.readings import read_cues
from cotgen.verification import judge
from speech_records import Emotion, LabelSet, MeasuredUtterance, ReasoningTrace

__all__ = ["MAX_WORDS", "MIN_WORDS", "generate"]


def generate(measured: MeasuredUtterance, *, label_set: LabelSet, seed: int) -> ReasoningTrace:
    """Reasoning of 50 to 200 words that leads from the measured cues to the utterance's label in `label_set`.

    Same utterance, same seed, same text. The trace carries its claims as judged by the same measurements, and
    is synthetic when the utterance is. Raises `GenerationError` when the utterance has no emotion or `label_set`
    leaves its emotion out.
    """
    utterance = measured.utterance
    emotion = _label(measured, label_set)
    rng = random.Random(f"{wording.GENERATOR}:{seed}:{utterance.utterance_id}")
    readings = read_cues(measured.profile, measured.levels)
    draft = plain.write(measured, readings, emotion=emotion, label=label_set.text(emotion), rng=rng)
    return ReasoningTrace(
        utterance_id=utterance.utterance_id,
        think=draft.think,
        answer=emotion,
        claims=tuple(judge(draft.think, draft.findings, measured.profile, measured.levels, utterance.transcript)),
        generator=wording.GENERATOR,
        seed=seed,
        synthetic=utterance.synthetic,
    )


def _label(measured: MeasuredUtterance, label_set: LabelSet) -> Emotion:
    name, given = measured.utterance.utterance_id, measured.utterance.emotion
    if given is None:
        raise GenerationError(f"utterance {name!r} has no emotion: reasoning is only written for labelled speech")
    emotion = label_set.map(given)
    if emotion is None:
        raise GenerationError(f"utterance {name!r}: label set {label_set.name} leaves out the emotion {given.value!r}")
    return emotion
