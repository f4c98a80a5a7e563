"""The rule generator: from a labelled, measured utterance to reasoning that claims only what was measured.

Two styles, both seeded and offline: `plain` (`rules/1`, module `plain`) with few phrasings, for models so small that
they have to learn the wording first, and `varied` (`rules/2`, module `varied`) for everyone else. The styles know what
each of their phrases claims, so the verdicts come from `verification.judge` and no text is searched for claims.

- `draft`, `marking`: what both styles share; text that knows what it claims
- `wording`: the plain style's phrasings
- `phrases`, `wording_en…`, `wording_de…`: the varied style's notation, and its tables in two languages
"""

from __future__ import annotations

import random
from enum import StrEnum

from cotgen.admission import label_of
from cotgen.errors import GenerationError
from cotgen.readings import read_cues
from cotgen.rules import plain, varied, wording, wording_de, wording_en
from cotgen.rules.draft import MAX_WORDS, MIN_WORDS, Draft
from cotgen.rules.phrases import Wording
from cotgen.verification import judge
from speech_records import LabelSet, MeasuredUtterance, ReasoningTrace

__all__ = ["MAX_WORDS", "MIN_WORDS", "Language", "Style", "generate"]


class Style(StrEnum):
    """How much the wording varies."""

    PLAIN = "plain"
    VARIED = "varied"


class Language(StrEnum):
    """What the reasoning is written in."""

    ENGLISH = "en"
    GERMAN = "de"


def generate(
    measured: MeasuredUtterance,
    *,
    label_set: LabelSet,
    seed: int,
    style: Style = Style.PLAIN,
    language: Language | None = None,
) -> ReasoningTrace:
    """Reasoning of 50 to 200 words that leads from the measured cues to the utterance's label in `label_set`.

    Same utterance, style, language and seed, same text. `language` is, where none is given, the utterance's when that
    is German, and English otherwise; the plain style is always English. The trace carries its claims as judged by the
    same measurements, and is synthetic when the utterance is. Raises `GenerationError` when the utterance has no
    emotion, `label_set` leaves its emotion out, or the plain style is asked for in German.
    """
    utterance = measured.utterance
    emotion = label_of(measured, label_set)
    words = _wording(style, language, utterance.language)
    generator = wording.GENERATOR if words is None else words.generator
    rng = random.Random(f"{generator}:{seed}:{utterance.utterance_id}")
    readings = read_cues(measured.profile, measured.levels)
    label = label_set.text(emotion)
    draft: Draft
    if words is None:
        draft = plain.write(measured, readings, emotion=emotion, label=label, rng=rng)
    else:
        draft = varied.write(measured, readings, emotion=emotion, label=label, rng=rng, wording=words)
    return ReasoningTrace(
        utterance_id=utterance.utterance_id,
        think=draft.think,
        answer=emotion,
        claims=tuple(judge(draft.think, draft.findings, measured.profile, measured.levels, utterance.transcript)),
        generator=generator,
        seed=seed,
        synthetic=utterance.synthetic,
    )


def _wording(style: Style, language: Language | None, spoken: str | None) -> Wording | None:
    """What the varied style says, in `language` or else in the one that is `spoken`; `None` for the plain style."""
    if style is Style.PLAIN:
        if language is Language.GERMAN:
            raise GenerationError(
                "the plain style is written in English only: ask for style varied, or for language en"
            )
        return None
    if language is None:
        language = Language.GERMAN if (spoken or "").lower().startswith("de") else Language.ENGLISH
    return wording_de.WORDING if language is Language.GERMAN else wording_en.WORDING
