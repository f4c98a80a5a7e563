"""MEAD, the audio part: Wang et al. (2020), ECCV.

Layout `{M###,W###}/audio/{emotion}/level_{1-3}/###.m4a` (neutral has level 1 only). M is a man, W a woman. No official
split, no transcripts.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from speech_corpora.listing import CorpusListing, below, collect
from speech_corpora.search import audio_entries
from speech_records import Emotion, Gender, InvalidRecordError, Utterance

EMOTIONS = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
_PATH = re.compile(r"(?P<speaker>[MW]\d{3})/audio/(?P<emotion>\w+)/level_(?P<level>[1-3])/(?P<take>\d{3})\.\w+")


def load(root: Path) -> CorpusListing:
    """Every clip below `root`. Raises `CorpusError` when `root` is missing or holds no usable clip."""
    return collect("mead", root, audio_entries(root, "*/audio/*/*/*", partial(_read, root)))


def _read(root: Path, path: Path) -> Utterance:
    where = below(path, root)
    match = _PATH.fullmatch(where)
    if match is None:
        raise InvalidRecordError(f"{where!r} is not SPEAKER/audio/EMOTION/level_#/###.m4a (M003/audio/sad/level_2/001)")
    speaker, emotion, level = match["speaker"], match["emotion"], match["level"]
    if emotion not in EMOTIONS:
        raise InvalidRecordError(f"{where!r} has emotion {emotion!r}; known are {', '.join(EMOTIONS)}")
    if emotion == "neutral" and level != "1":
        raise InvalidRecordError(f"{where!r}: neutral has level 1 only")
    return Utterance(
        utterance_id=f"{speaker}_{emotion}_{level}_{match['take']}",
        corpus="mead",
        audio_path=where,
        speaker_id=speaker,
        emotion=Emotion.parse(emotion),
        language="en",
        gender=Gender.MALE if speaker.startswith("M") else Gender.FEMALE,
    )
