"""Whether a value word that claims something by itself is said of speech: not of a fast fan, a quiet room."""

from __future__ import annotations

import re
from collections.abc import Sequence

from speech_claims import scope, topics
from speech_claims.generalities import says_of_an_emotion
from speech_claims.lexicon import Kind
from speech_claims.senses import ALONE, SENSES, word_set
from speech_claims.word import Word
from speech_records import Cue

_NOUN = re.compile(r"A[OV][BM][DN]*$")
_SHORT_PLURAL = 4
_AGE_REACH = 12
_PARTS = frozenset(("word", "syllable", "part"))
"""*The loudest word* is no loud voice."""
_OF_CONTOUR = (Cue.CONTOUR_SHAPE, Cue.CONTOUR_DYNAMICS)
_SPEECH = word_set("speech")
_SPEAKERS = word_set("persons") | {"speaker", "voice"}


def speaks_of_speech(words: Sequence[Word], letters: str, i: int, cue: Cue) -> bool:
    """Not of a fast fan or a quiet room, of how a pitch rises, or of an emotion's name."""
    if topics.is_of_else(words, letters, i, cue) or says_of_an_emotion(words, i) or _is_cause(words, i):
        return False
    if words[i].phrase.endswith("ly") and cue in (Cue.ENERGY, Cue.RATE, Cue.CONTOUR_DYNAMICS):
        return not _is_adverb_of_else(words, letters, i, cue)
    if words[i].phrase.endswith("est") and [w.phrase for w in words[i + 1 : i + 3]] in (["of", "the"], ["in", "the"]):
        return False  # the loudest of the sentence
    is_adjective = cue in (Cue.ENERGY, Cue.RATE) and " " not in words[i].phrase
    is_movement = cue is Cue.CONTOUR_SHAPE and not words[i].phrase.endswith(("up", "down"))
    if is_movement and words[i].phrase in ("rising", "falling") and letters[i + 1 : i + 2] == "O":
        return False
    if (is_adjective or is_movement) and _has_other_subject(words, letters, i):
        return False
    return not is_adjective or not _is_of_other_noun(words, letters, i)


def _is_cause(words: Sequence[Word], i: int) -> bool:
    """*Hoarse from screaming*; not *from screaming to whispering*."""
    is_cause = i > 0 and words[i - 1].phrase == "from" and words[i].phrase.endswith("ing")
    return is_cause and not any(w.phrase in ("to", "into") for w in words[i + 1 : i + 5])


def _is_adverb_of_else(words: Sequence[Word], letters: str, i: int, cue: Cue) -> bool:
    """*Melodically, the phrase …*, *quickly rising*."""
    if cue is Cue.CONTOUR_DYNAMICS:
        return letters[max(0, i - 1) : i] in ("", "X") and letters[i + 1 : i + 2] in ("A", "K")
    beside = [words[k] for k in (i - 1, i + 1) if 0 <= k < len(words)]
    return any(SENSES["contour"].get(w.phrase, ("",))[0] in _OF_CONTOUR for w in beside)


def _has_other_subject(words: Sequence[Word], letters: str, i: int) -> bool:
    """*The room is quiet*."""
    noun = _NOUN.search(letters[max(0, i - scope.REACH) : i])
    return noun is not None and words[i - len(noun.group()) + 1].phrase not in _SPEECH | _SPEAKERS


def _is_of_other_noun(words: Sequence[Word], letters: str, i: int) -> bool:
    """*A fast fan*; not *a fast talker*, but *the loudest word*."""
    if letters[i + 1 : i + 2] != "O":
        return False
    noun = words[i + 1].phrase
    in_phrase = letters[i - 1 : i] == "A" or (i > 0 and words[i - 1].phrase.endswith((" a", " an")))
    is_heading = letters[max(0, i - 1) : i] in ("", "X") and letters[i + 2 : i + 3] in ("X", "K", "")
    is_listed = noun.endswith("s") and len(noun) > _SHORT_PLURAL
    is_part = noun in _PARTS and words[i].phrase.endswith("est")
    return (in_phrase or is_heading or is_listed) and (noun not in _SPEECH or is_part)


def is_symbol(word: Word) -> bool:
    """Whether `word` was written as an arrow, which is said of the word before it only."""
    return word.end - word.start == 1 and len(word.phrase) > 1


def is_particle(words: Sequence[Word], i: int) -> bool:
    """*Up* of *a fired-up manner*; not of *the volume is up*."""
    is_said = words[i - 1].kind in (Kind.HEAD, Kind.COPULA, Kind.DEGREE, Kind.AND, Kind.COMMA, Kind.NEGATION)
    return words[i].phrase in ("up", "down") and i > 0 and not is_said


def is_of_person(words: Sequence[Word], i: int, cue: Cue) -> bool:
    """Whether word `i` only says who is spoken of, which no denial takes back: *they say that the woman shouts*."""
    return cue in (Cue.GENDER, Cue.AGE) and any(w.phrase == "the" for w in words[max(0, i - 3) : i])


def has_other_age(words: Sequence[Word], i: int) -> bool:
    """Whether the age of the person `i` is given beside: *a teenage boy*, *the girl, eight years old*."""
    near = words[max(0, i - _AGE_REACH) : i + _AGE_REACH]
    senses = (w.sense or SENSES[ALONE].get(w.phrase) for w in near)
    return any(sense is not None and sense[0] is Cue.AGE for sense in senses)
