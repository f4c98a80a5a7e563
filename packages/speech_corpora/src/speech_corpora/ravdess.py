"""RAVDESS speech: Livingstone & Russo (2018), PLoS ONE 13(5): e0196391. CC BY-NC-SA 4.0.

Layout `Actor_##/MM-VV-EE-II-SS-RR-AA.wav`: modality, vocal channel (01 speech, 02 song), emotion,
intensity, sentence, repetition, actor. Odd actors are men. Actors 1 to 16 train, 17 to 24 test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from speech_corpora.listing import CorpusListing, below, collect
from speech_corpora.search import audio_entries
from speech_records import Emotion, Gender, InvalidRecordError, UnknownEmotionError, Utterance

EMOTIONS: Mapping[str, Emotion] = MappingProxyType(
    {
        "01": Emotion.NEUTRAL,
        "02": Emotion.CALM,
        "03": Emotion.HAPPY,
        "04": Emotion.SAD,
        "05": Emotion.ANGRY,
        "06": Emotion.FEAR,
        "07": Emotion.DISGUST,
        "08": Emotion.SURPRISE,
    }
)
SENTENCES: Mapping[str, str] = MappingProxyType(
    {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
)
AGE_GROUP = "Young Adult"
"""The actors were 21 to 33 years old."""
LAST_TRAINING_ACTOR = 16
ACTORS = 24
_SPEECH = "01"
_NAME = re.compile(
    r"(?P<modality>\d\d)-(?P<channel>\d\d)-(?P<emotion>\d\d)-\d\d-(?P<sentence>\d\d)-\d\d-(?P<actor>\d\d)"
)


def load(root: Path) -> CorpusListing:
    """Every speech clip below `root`. Raises `CorpusError` when `root` is missing or holds no usable clip."""
    return collect("ravdess", root, audio_entries(root, "Actor_*/*", partial(_read, root)))


def _read(root: Path, path: Path) -> Utterance:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise InvalidRecordError(f"file name {path.name!r} is not MM-VV-EE-II-SS-RR-AA")
    if match["channel"] != _SPEECH:
        raise InvalidRecordError(f"file {path.name!r} has vocal channel {match['channel']}; only speech (01) is read")
    if match["emotion"] not in EMOTIONS:
        raise UnknownEmotionError(f"file {path.name!r} has emotion code {match['emotion']!r}; known are 01 to 08")
    if match["sentence"] not in SENTENCES:
        raise InvalidRecordError(f"file {path.name!r} has sentence code {match['sentence']!r}; known are 01 and 02")
    actor = int(match["actor"])
    if not 1 <= actor <= ACTORS or path.parent.name != f"Actor_{actor:02d}":
        raise InvalidRecordError(f"file {path.name!r} names actor {actor:02d} but is in {path.parent.name!r}")
    return Utterance(
        utterance_id=path.stem,
        corpus="ravdess",
        audio_path=below(path, root),
        speaker_id=f"Actor_{actor:02d}",
        emotion=EMOTIONS[match["emotion"]],
        transcript=SENTENCES[match["sentence"]],
        language="en",
        split="train" if actor <= LAST_TRAINING_ACTOR else "test",
        gender=Gender.MALE if actor % 2 else Gender.FEMALE,
        age_group=AGE_GROUP,
    )
