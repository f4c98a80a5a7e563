"""The plain style, `rules/3`: every measured cue in a short sentence of its own.

A text quotes the transcript, states every cue that was measured in an order drawn by the seed, decides (*it sounds like
a hostile and combative delivery*, the verdict), and only then weighs the cues that fit and those that speak against it
(by `speech_records.emotion_cues`). It ends in its conclusion, the only place where the label stands. The order matters:
a list of fitting cues before the verdict would decide piece by piece, by what is listed. Few phrasings on purpose: a
small model can learn to write them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from cotgen.rules import plain_wording as wording
from cotgen.rules.draft import MAX_STRESSED, Draft, finish, sides_of, stressed_words
from cotgen.rules.marking import CLOSING, mark, opening
from speech_claims.cue_values import CueValue
from speech_claims.quotes import ELLIPSIS, quote, words
from speech_claims.senses import value_word
from speech_records import Cue, Emotion, MeasuredUtterance
from speech_records.emotion_cues import Evidence

MAX_WEIGHED = 3
"""Most cues that the weighing names on either side; more makes no clearer sentence."""

_STATED = (Cue.PITCH, Cue.ENERGY, Cue.RATE, Cue.CONTOUR_SHAPE, Cue.CONTOUR_DYNAMICS)
_WEIGHED = (*_STATED, Cue.PAUSES, Cue.VOICING)


def write(
    measured: MeasuredUtterance, readings: Mapping[Cue, CueValue], *, emotion: Emotion, label: str, rng: random.Random
) -> Draft:
    """A text of 50 to 200 words that leads to `label`, the name of `emotion`."""
    body = [
        *quoted_sentence(measured.utterance.transcript, rng),
        *_cue_sentences(readings, list(stressed_words(measured))[:MAX_STRESSED], rng),
        *_weighing(readings, emotion, rng),
    ]
    conclusion = rng.choice(wording.CONCLUSIONS).format(label=label)
    return finish(body, conclusion, fillers=wording.LITTLE_EVIDENCE, rng=rng)


def quoted_sentence(transcript: str | None, rng: random.Random) -> list[str]:
    """The sentence that quotes the transcript; none where there are no words."""
    text = quote(transcript)
    if text is None:
        return []
    said = text if text[-1] in ".!?" + ELLIPSIS else f"{text}."
    return [mark(rng.choice(wording.QUOTES), Cue.QUOTE, said, text=said)]


def _cue_sentences(readings: Mapping[Cue, CueValue], stressed: Sequence[str], rng: random.Random) -> list[str]:
    """One sentence for each cue that was measured, in an order drawn from `rng`."""
    sentences = [_sentence(cue, readings[cue].value, rng) for cue in _STATED if cue in readings]
    if stressed:
        template = rng.choice(wording.SENTENCES[Cue.STRESS])
        sentences.append(mark(template, Cue.STRESS, plain_word(stressed[0]), value=_listed(stressed)))
    if _value(readings, Cue.VOICING) == "whispered":
        sentences.append(mark(rng.choice(wording.WHISPERED), Cue.VOICING, "whispered"))
    pauses = _value(readings, Cue.PAUSES)
    if pauses is not None and pauses in wording.PAUSES:
        sentences.append(mark(rng.choice(wording.PAUSES[pauses]), Cue.PAUSES, pauses))
    rng.shuffle(sentences)
    return sentences


def _sentence(cue: Cue, value: str, rng: random.Random) -> str:
    return mark(rng.choice(wording.SENTENCES[cue]), cue, value, value=value_word(cue, value))


def _listed(stressed: Sequence[str]) -> str:
    """What stands between the outer quotes of a stress sentence: each word is a claim of its own."""
    head, *tail = stressed
    return head + "".join(f"”{CLOSING} and {opening(Cue.STRESS, plain_word(word))}“{word}" for word in tail)


def plain_word(word: str) -> str:
    """A stressed word as claims name it: without capitals and punctuation."""
    return " ".join(words(word))


def _weighing(readings: Mapping[Cue, CueValue], emotion: Emotion, rng: random.Random) -> list[str]:
    named = {cue: noun for cue in _WEIGHED if cue in readings and (noun := _noun(cue, readings[cue].value)) is not None}
    nouns = {cue: mark(noun, cue, readings[cue].value) for cue, noun in named.items()}
    return weighing(emotion, sides_of(emotion, readings, list(nouns)), nouns, rng)


def weighing(
    emotion: Emotion, sides: Mapping[Evidence, Sequence[Cue]], nouns: Mapping[Cue, str], rng: random.Random
) -> list[str]:
    """The verdict, the cues that fit it by their `nouns`, then honestly those that speak against it."""
    fitting, opposing = sides[Evidence.FITS][:MAX_WEIGHED], sides[Evidence.AGAINST][:MAX_WEIGHED]
    portrait = wording.PORTRAITS[emotion]
    if fitting:
        openings, replies = wording.FITTING, (wording.OPPOSING if opposing else wording.NOTHING_OPPOSES)
    else:
        openings, replies = wording.NOTHING_FITS, (wording.OPPOSING_ALONE if opposing else wording.NOTHING_AT_ALL)
    return [
        rng.choice(openings).format(portrait=portrait, **_subject(fitting, nouns, "fit")),
        rng.choice(replies).format(**_subject(opposing, nouns, "speak")),
    ]


def _subject(cues: Sequence[Cue], nouns: Mapping[Cue, str], verb: str) -> dict[str, str]:
    """What a template needs to say that `cues` do what `verb` says: the list of them, and the verb's form."""
    *head, last = [nouns[cue] for cue in cues] or [""]
    listed = f"{', '.join(head)} and {last}" if head else last
    is_plural = len(cues) > 1 or tuple(cues) == (Cue.PAUSES,)
    return {"cues": listed, verb: verb if is_plural else f"{verb}s"}


def _value(readings: Mapping[Cue, CueValue], cue: Cue) -> str | None:
    return readings[cue].value if cue in readings else None


def _noun(cue: Cue, value: str) -> str | None:
    """The cue as the weighing names it; `None` for readings that the text does not state."""
    if cue is Cue.PAUSES:
        return wording.PAUSE_NOUNS.get(value)
    if cue is Cue.VOICING and value != "whispered":
        return None
    return wording.NOUNS[cue].format(value=value_word(cue, value))
