"""URDU: Latif et al. (2018), *Cross Lingual Speech Emotion Recognition: Urdu vs. Western Languages*. Research use.

Layout `{Angry,Happy,Neutral,Sad}/SM1_F10_A010.wav`: speaker (SM a man, SF a woman), file, emotion and number. 400 clips of
38 speakers in television talk shows. No official split, no transcripts.
"""  # noqa: E501  (a layout)

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType

from speech_corpora.listing import CorpusListing, below, collect
from speech_corpora.search import audio_entries
from speech_records import Emotion, Gender, InvalidRecordError, Utterance
from speech_records.files import escape_surrogates

EMOTIONS: Mapping[str, Emotion] = MappingProxyType(
    {label: Emotion.parse(label) for label in ("Angry", "Happy", "Neutral", "Sad")}
)
_GENDERS: Mapping[str, Gender] = MappingProxyType({"SM": Gender.MALE, "SF": Gender.FEMALE})
_NAME = re.compile(r"(?P<speaker>[^_]+)_.+")


def load(root: Path) -> CorpusListing:
    """Every clip below `root`. Raises `CorpusError` when `root` is missing or holds no usable clip."""
    read = partial(_read, root)
    return collect("urdu", root, chain.from_iterable(audio_entries(root, f"{label}/*", read) for label in EMOTIONS))


def _read(root: Path, path: Path) -> Utterance:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise InvalidRecordError(f"file name {path.name!r} is not SPEAKER_FILE_EMOTION (SM1_F10_A010)")
    speaker = match["speaker"]
    return Utterance(
        utterance_id=escape_surrogates(path.stem),
        corpus="urdu",
        audio_path=below(path, root),
        speaker_id=speaker,
        emotion=EMOTIONS[path.parent.name],
        language="ur",
        gender=_GENDERS.get(speaker[:2]),
    )
