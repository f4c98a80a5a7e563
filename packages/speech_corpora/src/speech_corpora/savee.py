"""SAVEE: Haq & Jackson (2010), Machine Audition. Four British men, 480 clips, research use.

Layout `DC/a01.wav` or `DC_a01.wav`: speaker, emotion letters, number of the sentence. No official split.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from speech_corpora.listing import CorpusListing, below, collect
from speech_corpora.search import audio_entries
from speech_records import Emotion, Gender, InvalidRecordError, Utterance

EMOTIONS: Mapping[str, Emotion] = MappingProxyType(
    {
        "a": Emotion.ANGRY,
        "d": Emotion.DISGUST,
        "f": Emotion.FEAR,
        "h": Emotion.HAPPY,
        "n": Emotion.NEUTRAL,
        "sa": Emotion.SAD,
        "su": Emotion.SURPRISE,
    }
)
AGE_GROUP = "Young Adult"
"""The speakers were 27 to 31 years old."""
_NAME = re.compile(r"(?P<speaker>DC|JE|JK|KL)[/_](?P<emotion>sa|su|[adfhn])(?P<number>\d\d)")


def load(root: Path) -> CorpusListing:
    """Every clip below `root`. Raises `CorpusError` when `root` is missing or holds no usable clip."""
    read = partial(_read, root)
    return collect("savee", root, [*audio_entries(root, "*", read), *audio_entries(root, "*/*", read)])


def _read(root: Path, path: Path) -> Utterance:
    where = below(path, root)
    name = where if path.parent == root else f"{path.parent.name}/{path.name}"
    match = _NAME.fullmatch(name.rsplit(".", 1)[0])
    if match is None:
        raise InvalidRecordError(f"{where!r} is not SPEAKER/EMOTION## (DC/sa01): speakers DC JE JK KL, a d f h n sa su")
    return Utterance(
        utterance_id=f"{match['speaker']}_{match['emotion']}{match['number']}",
        corpus="savee",
        audio_path=where,
        speaker_id=match["speaker"],
        emotion=EMOTIONS[match["emotion"]],
        language="en",
        gender=Gender.MALE,
        age_group=AGE_GROUP,
    )
