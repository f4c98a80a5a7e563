"""What reasoning may be written about: utterances with a label, a usable transcript and their own profile."""

from __future__ import annotations

import re

from cotgen.errors import GenerationError
from speech_claims.quotes import words
from speech_records import Emotion, LabelSet, MeasuredUtterance

MAX_TRANSCRIPT_WORDS = 1000
"""More is a recording, not an utterance."""
MAX_TRANSCRIPT_CHARACTERS = 10_000
"""The same for writing without spaces between words."""
MAX_DURATION_ERROR_S = 0.1
"""A profile whose clip is longer or shorter than the utterance's range by more than this is not of that range."""
_MARKUP = re.compile(r"<\|[^|<>]{1,40}\|>|</?(?:think|answer)>", re.IGNORECASE)


def label_of(measured: MeasuredUtterance, label_set: LabelSet) -> Emotion:
    """The utterance's label in `label_set`. Raises `GenerationError` when it has none."""
    name, given = measured.utterance.utterance_id, measured.utterance.emotion
    if given is None:
        raise GenerationError(f"utterance {name!r} has no emotion: reasoning is only written for labelled speech")
    emotion = label_set.map(given)
    if emotion is None:
        raise GenerationError(f"utterance {name!r}: label set {label_set.name} leaves out the emotion {given.value!r}")
    return emotion


def check_measured(measured: MeasuredUtterance) -> None:
    """Raise `GenerationError` for measurements that cannot be trusted to be of their utterance, or to be trained on."""
    utterance, profile = measured.utterance, measured.profile
    name, transcript = utterance.utterance_id, utterance.transcript or ""
    spoken = words(transcript)
    if len(spoken) > MAX_TRANSCRIPT_WORDS:
        raise GenerationError(
            f"utterance {name!r}: transcript of {len(spoken)} words, at most {MAX_TRANSCRIPT_WORDS}: split it"
        )
    if len(transcript) > MAX_TRANSCRIPT_CHARACTERS:
        raise GenerationError(
            f"utterance {name!r}: transcript of {len(transcript)} characters, at most {MAX_TRANSCRIPT_CHARACTERS}: "
            "split it"
        )
    if markup := _MARKUP.search(transcript):
        raise GenerationError(f"utterance {name!r}: transcript holds {markup[0]!r}, which a model reads as a command")
    stressed = [w.word for w in profile.stressed_words or ()]
    if spoken and stressed and not {part for word in stressed for part in words(word)} & set(spoken):
        raise GenerationError(f"profile of another utterance: {stressed[0]!r} is stressed and no word of {name!r}")
    if utterance.end_s is not None:
        length = utterance.end_s - (utterance.start_s or 0.0)
        if abs(length - profile.duration_s) > MAX_DURATION_ERROR_S:
            raise GenerationError(
                f"profile of another utterance: it is of {profile.duration_s:.2f} s, {name!r} lasts {length:.2f} s"
            )
