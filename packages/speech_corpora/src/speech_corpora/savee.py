"""SAVEE: Haq & Jackson (2010), Machine Audition. Four British men, 480 clips, research use.

Layout `DC/a01.wav` or `DC_a01.wav` (or `.flac`): speaker, emotion letters, number of the sentence. No official split.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from speech_corpora.listing import CorpusListing, Entry, audio_files, below, collect, require_directory
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
_NAME = re.compile(r"(?P<speaker>DC|JE|JK|KL)[/_](?P<emotion>sa|su|[adfhn])(?P<number>\d\d)")


def load(root: Path) -> CorpusListing:
    """Every clip below `root`. Raises `CorpusError` when `root` is missing or holds no usable clip."""
    require_directory("savee", root)
    paths = [*audio_files(root, "*"), *audio_files(root, "*/*")]
    return collect("savee", root, (Entry(below(p, root), partial(_read, p, root)) for p in paths))


def _read(path: Path, root: Path) -> Utterance:
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
    )
