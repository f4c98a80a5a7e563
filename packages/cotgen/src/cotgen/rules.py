"""The rule generator `rules/1`: from a labelled, measured utterance to reasoning that claims only what was measured.

A text quotes the transcript, states every cue that was measured, each in a short sentence and in an order drawn by the
seed, weighs the cues that fit the emotion against those that speak against it (`survey`), and ends in its conclusion,
the only place where the label stands. It has `MIN_WORDS` to `MAX_WORDS` words.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from cotgen import wording
from cotgen.errors import GenerationError
from cotgen.quoting import ELLIPSIS, MAX_WORD_CHARACTERS, neutralise, quote, words
from cotgen.readings import Reading, read_cues
from cotgen.survey import Fit, fit
from cotgen.verification import verify
from speech_records import Cue, Emotion, LabelSet, MeasuredUtterance, ReasoningTrace

MIN_WORDS, MAX_WORDS = 50, 200
"""Length of a reasoning text in the published method."""
MAX_WEIGHED = 3
"""Most cues that the weighing names on either side; more makes no clearer sentence."""
MAX_STRESSED = 2

_STATED = (Cue.PITCH, Cue.ENERGY, Cue.RATE, Cue.CONTOUR_SHAPE, Cue.CONTOUR_DYNAMICS)
_WEIGHED = (*_STATED, Cue.PAUSES, Cue.VOICING)


def generate(measured: MeasuredUtterance, *, label_set: LabelSet, seed: int) -> ReasoningTrace:
    """Reasoning of 50 to 200 words that leads from the measured cues to the utterance's label in `label_set`.

    Same utterance, same seed, same text. The trace carries its claims as verified against the same measurements, and
    is synthetic when the utterance is. Raises `GenerationError` when the utterance has no emotion or `label_set`
    leaves its emotion out.
    """
    utterance = measured.utterance
    emotion = _label(measured, label_set)
    rng = random.Random(f"{wording.GENERATOR}:{seed}:{utterance.utterance_id}")
    readings = read_cues(measured.profile, measured.levels)
    body = [
        *_quote(utterance.transcript, rng),
        *_cue_sentences(readings, _stressed(measured), rng),
        *_weighing(readings, emotion, rng),
    ]
    conclusion = rng.choice(wording.CONCLUSIONS).format(label=label_set.text(emotion))
    think = " ".join([*_lengthen(body, conclusion, rng), conclusion])
    return ReasoningTrace(
        utterance_id=utterance.utterance_id,
        think=think,
        answer=emotion,
        claims=tuple(verify(think, measured.profile, measured.levels, utterance.transcript)),
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


def _quote(transcript: str | None, rng: random.Random) -> list[str]:
    text = quote(transcript)
    if text is None:
        return []
    end = "" if text[-1] in ".!?" + ELLIPSIS else "."
    return [rng.choice(wording.QUOTES).format(text=text + end)]


def _stressed(measured: MeasuredUtterance) -> list[str]:
    """The measured stressed words that the transcript really holds, harmless to quote."""
    spoken = set(words(neutralise(measured.utterance.transcript or "")))
    cleaned = (neutralise(w.word) for w in measured.profile.stressed_words or ())
    single = (w for w in cleaned if len(w) <= MAX_WORD_CHARACTERS and len(words(w)) == 1 and words(w)[0] in spoken)
    return list(dict.fromkeys(single))[:MAX_STRESSED]


def _cue_sentences(readings: Mapping[Cue, Reading], stressed: Sequence[str], rng: random.Random) -> list[str]:
    """One sentence for each cue that was measured, in an order drawn from `rng`."""
    sentences = [
        rng.choice(wording.SENTENCES[cue]).format(value=_word(cue, readings[cue].value))
        for cue in _STATED
        if cue in readings
    ]
    if stressed:
        sentences.append(rng.choice(wording.SENTENCES[Cue.STRESS]).format(value="” and “".join(stressed)))
    if _value(readings, Cue.VOICING) == "whispered":
        sentences.append(rng.choice(wording.WHISPERED))
    pauses = _value(readings, Cue.PAUSES)
    if pauses is not None and pauses in wording.PAUSES:
        sentences.append(rng.choice(wording.PAUSES[pauses]))
    rng.shuffle(sentences)
    return sentences


def _weighing(readings: Mapping[Cue, Reading], emotion: Emotion, rng: random.Random) -> list[str]:
    """What the cues add up to: those that fit the emotion, then honestly those that speak against it."""
    sides: dict[Fit, list[str]] = {side: [] for side in Fit}
    for cue in _WEIGHED:
        noun = _noun(cue, readings[cue].value) if cue in readings else None
        if noun is not None:
            sides[fit(emotion, cue, readings[cue].value)].append(noun)
    fitting, opposing = sides[Fit.FITS][:MAX_WEIGHED], sides[Fit.AGAINST][:MAX_WEIGHED]
    portrait = wording.PORTRAITS[emotion]
    if fitting:
        openings, replies = wording.FITTING, (wording.OPPOSING if opposing else wording.NOTHING_OPPOSES)
    else:
        openings, replies = wording.NOTHING_FITS, (wording.OPPOSING_ALONE if opposing else wording.NOTHING_AT_ALL)
    return [
        rng.choice(openings).format(portrait=portrait, **_subject(fitting, "fit")),
        rng.choice(replies).format(**_subject(opposing, "speak")),
    ]


def _subject(nouns: Sequence[str], verb: str) -> dict[str, str]:
    """What a template needs to say that the cues `nouns` do what `verb` says: the list of them, and the verb's form."""
    *head, last = nouns or [""]
    listed = f"{', '.join(head)} and {last}" if head else last
    is_plural = len(nouns) > 1 or last.endswith("pauses")
    return {"cues": listed, "Cues": listed[:1].upper() + listed[1:], verb: verb if is_plural else f"{verb}s"}


def _lengthen(body: list[str], conclusion: str, rng: random.Random) -> list[str]:
    """`body` with as many sentences of caution as the least length asks for."""
    fillers = rng.sample(wording.LITTLE_EVIDENCE, k=len(wording.LITTLE_EVIDENCE))
    sentences = list(body)
    while len(" ".join([*sentences, conclusion]).split()) < MIN_WORDS:
        sentences.append(fillers.pop())
    return sentences


def _value(readings: Mapping[Cue, Reading], cue: Cue) -> str | None:
    return readings[cue].value if cue in readings else None


def _word(cue: Cue, value: str) -> str:
    return wording.RATE_WORDS[value] if cue is Cue.RATE else value


def _noun(cue: Cue, value: str) -> str | None:
    """The cue as the weighing names it; `None` for readings that the text does not state."""
    if cue is Cue.PAUSES:
        return wording.PAUSE_NOUNS.get(value)
    if cue is Cue.VOICING and value != "whispered":
        return None
    return wording.NOUNS[cue].format(value=_word(cue, value))
