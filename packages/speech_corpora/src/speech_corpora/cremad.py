"""CREMA-D: Cao et al. (2014), IEEE Transactions on Affective Computing 5(4). ODbL.

Layout `AudioWAV/1001_DFA_ANG_XX.wav` (or `.flac`): actor, sentence, emotion, intensity (one clip is published with a
single `X`). `VideoDemographics.csv` beside the folder gives the actors' sex, when it is there. No official split.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from speech_corpora.listing import CorpusListing, Entry, audio_files, below, collect, require_directory
from speech_records import Emotion, Gender, InvalidRecordError, Utterance

EMOTIONS: Mapping[str, Emotion] = MappingProxyType(
    {
        "ANG": Emotion.ANGRY,
        "DIS": Emotion.DISGUST,
        "FEA": Emotion.FEAR,
        "HAP": Emotion.HAPPY,
        "NEU": Emotion.NEUTRAL,
        "SAD": Emotion.SAD,
    }
)
SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "IEO": "It's eleven o'clock.",
        "TIE": "That is exactly what happened.",
        "IOM": "I'm on my way to the meeting.",
        "IWW": "I wonder what this is about.",
        "TAI": "The airplane is almost full.",
        "MTI": "Maybe tomorrow it will be cold.",
        "IWL": "I would like a new alarm clock.",
        "ITH": "I think I have a doctor's appointment.",
        "DFA": "Don't forget a jacket.",
        "ITS": "I think I've seen this before.",
        "TSI": "The surface is slick.",
        "WSI": "We'll stop in a couple of minutes.",
    }
)
_NAME = re.compile(r"(?P<actor>1\d\d\d)_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?:LO|MD|HI|XX|X)")


def load(root: Path) -> CorpusListing:
    """Every clip below `root`. Raises `CorpusError` when `root` is missing or holds no usable clip."""
    require_directory("cremad", root)
    genders = _genders(root / "VideoDemographics.csv")
    paths = audio_files(root, "AudioWAV/*")
    return collect("cremad", root, (Entry(below(p, root), partial(_read, p, root, genders)) for p in paths))


def _genders(path: Path) -> dict[str, Gender]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    known = {"Male": Gender.MALE, "Female": Gender.FEMALE}
    return {r["ActorID"]: known[r["Sex"]] for r in rows if r.get("ActorID") and r.get("Sex") in known}


def _read(path: Path, root: Path, genders: Mapping[str, Gender]) -> Utterance:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise InvalidRecordError(f"file name {path.name!r} is not ACTOR_SENTENCE_EMOTION_LEVEL (1001_DFA_ANG_XX)")
    for part, table in (("sentence", SENTENCES), ("emotion", EMOTIONS)):
        if match[part] not in table:
            raise InvalidRecordError(f"file {path.name!r} has {part} {match[part]!r}; known are {', '.join(table)}")
    return Utterance(
        utterance_id=path.stem,
        corpus="cremad",
        audio_path=below(path, root),
        speaker_id=match["actor"],
        emotion=EMOTIONS[match["emotion"]],
        transcript=SENTENCES[match["sentence"]],
        language="en",
        gender=genders.get(match["actor"]),
    )
