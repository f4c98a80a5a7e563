"""The salient style, `rules/5`: only what is clear in the sound, each cue once and in a fixed order.

The plain style states every cue, so many of its claims lie close to the border between two values, where even a model
that listens well errs. Here a cue is stated when its measurement lies clearly on one side (`clarity`), and the weighing
names cues without their values, so that no cue is given two. The order is fixed: whether a cue is stated is decided at
one place, not by the luck of the order. No word of a transcript is written that is in another language than the texts:
a language model that cannot write it gets every quote wrong, and then the verdict after it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cotgen.rules import plain_wording as wording
from cotgen.rules.draft import Draft, finish, sides_of, stressed_words
from cotgen.rules.marking import mark
from cotgen.rules.plain import plain_word, quoted_sentence, weighing
from speech_claims.cue_values import NARROW_BELOW_ST, TERTILES, WIDE_ABOVE_ST, CueValue
from speech_claims.senses import value_word
from speech_records import Cue, Emotion, LevelReading, MeasuredUtterance

GENERATOR = "rules/5"
CLEAR = 0.4
"""Least `clarity` of what is stated: levels below the 20th percentile, above the 80th, or from the 40th to the 60th."""
STEEP_ST_PER_S = 12.0
"""Slope of pitch in semitones a second from which a contour could not be clearer (our choice)."""
ENGLISH = ("en", "eng", "english")
"""How the language tag of a transcript begins whose words are quoted; one without a tag counts as English, too."""
LEAST_STATED = 4
"""So many of the cues of `_ORDER` are stated in any case, the clearest."""

_ORDER = (Cue.PITCH, Cue.ENERGY, Cue.RATE, Cue.CONTOUR_DYNAMICS, Cue.CONTOUR_SHAPE)
_NAMES: Mapping[Cue, str] = {
    Cue.PITCH: "the pitch",
    Cue.ENERGY: "the energy",
    Cue.RATE: "the rate",
    Cue.CONTOUR_SHAPE: "the contour",
    Cue.CONTOUR_DYNAMICS: "the melody",
    Cue.PAUSES: "the pauses",
    Cue.VOICING: "the voicing",
}


def write(
    measured: MeasuredUtterance, readings: Mapping[Cue, CueValue], *, emotion: Emotion, label: str, rng: random.Random
) -> Draft:
    """A text of 50 to 200 words that leads to `label`, the name of `emotion`."""
    measured = _without_foreign_words(measured)
    stated = _stated(measured, readings)
    body = [*quoted_sentence(measured.utterance.transcript, rng), *_sentences(measured, readings, stated)]
    body += weighing(emotion, sides_of(emotion, readings, stated), _NAMES, rng)
    conclusion = wording.CONCLUSIONS[1].format(label=label)
    return finish(body, conclusion, fillers=wording.LITTLE_EVIDENCE, rng=rng)


def clarity(measured: MeasuredUtterance, cue: Cue) -> float:
    """How far the measurement of `cue` lies from where it would be called otherwise, in [0, 1]; 0 where unmeasured."""
    profile, levels = measured.profile, measured.levels
    if cue is Cue.CONTOUR_SHAPE:
        return min(1.0, abs(profile.f0_slope_st_per_s or 0.0) / STEEP_ST_PER_S)
    if cue is Cue.CONTOUR_DYNAMICS:
        spread = profile.f0_range_st
        if spread is None:
            return 0.0
        return min(1.0, min(abs(spread - cut) for cut in (NARROW_BELOW_ST, WIDE_ABOVE_ST)) / NARROW_BELOW_ST)
    reading: LevelReading | None = getattr(levels, cue.value, None)
    if reading is None:
        return 0.0
    width = TERTILES[0] / 2 if TERTILES[0] < reading.percentile < TERTILES[1] else TERTILES[0]
    return min(1.0, min(abs(reading.percentile - cut) for cut in TERTILES) / width)


def _without_foreign_words(measured: MeasuredUtterance) -> MeasuredUtterance:
    """The utterance without its transcript where that is not in English."""
    utterance = measured.utterance
    is_english = utterance.language is None or re.split("[-_]", utterance.language.lower())[0] in ENGLISH
    return measured if is_english else replace(measured, utterance=replace(utterance, transcript=None))


def _stated(measured: MeasuredUtterance, readings: Mapping[Cue, CueValue]) -> list[Cue]:
    measured_cues = sorted((c for c in _ORDER if c in readings), key=lambda cue: -clarity(measured, cue))
    chosen = {c for i, c in enumerate(measured_cues) if i < LEAST_STATED or clarity(measured, c) >= CLEAR}
    stated = [cue for cue in _ORDER if cue in chosen]
    stated += [Cue.VOICING] if Cue.VOICING in readings and readings[Cue.VOICING].value == "whispered" else []
    return stated + ([Cue.PAUSES] if Cue.PAUSES in readings and readings[Cue.PAUSES].value in wording.PAUSES else [])


def _sentences(measured: MeasuredUtterance, readings: Mapping[Cue, CueValue], stated: Sequence[Cue]) -> list[str]:
    """Who speaks, then one sentence for each stated cue, in their order, then the word that is stressed most."""
    sentences = []
    if Cue.GENDER in readings:
        gender = readings[Cue.GENDER].value
        sentences.append(mark("The speaker is [{value}].", Cue.GENDER, gender, value=gender))
    for cue in stated:
        value = readings[cue].value
        if cue is Cue.VOICING:
            sentences.append(mark(wording.WHISPERED[0], cue, value))
        elif cue is Cue.PAUSES:
            sentences.append(mark(wording.PAUSES[value][0], cue, value))
        else:
            sentences.append(mark(wording.SENTENCES[cue][0], cue, value, value=value_word(cue, value)))
    if stressed := stressed_words(measured):
        word = max(stressed, key=stressed.__getitem__)
        sentences.append(mark(wording.SENTENCES[Cue.STRESS][0], Cue.STRESS, plain_word(word), value=word))
    return sentences
