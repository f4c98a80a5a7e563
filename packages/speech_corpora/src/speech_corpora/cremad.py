"""CREMA-D: Cao et al. (2014), IEEE Transactions on Affective Computing 5(4). ODbL.

Layout `AudioWAV/1001_DFA_ANG_XX.wav`: actor, sentence, emotion, intensity (one clip is published with a
single `X`). `VideoDemographics.csv` beside the folder gives the actors' sex and age, when it is there. No official
split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from speech_corpora.listing import CorpusListing, Entry, below, collect, parse_age
from speech_corpora.search import audio_entries
from speech_corpora.tables import read_table
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
_GENDERS: Mapping[str, Gender] = MappingProxyType({"Male": Gender.MALE, "Female": Gender.FEMALE})
_NAME = re.compile(r"(?P<actor>1\d\d\d)_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?:LO|MD|HI|XX|X)")


def load(root: Path) -> CorpusListing:
    """Every clip below `root`. Raises `CorpusError` when `root` is missing or holds no usable clip."""
    return collect("cremad", root, _entries(root))


def _entries(root: Path) -> Iterator[Entry]:
    rows = yield from read_table(root / "VideoDemographics.csv", root, ("ActorID",))
    actors = {row.cells["ActorID"]: row.cells for row in rows}
    yield from audio_entries(root, "AudioWAV/*", partial(_read, root, actors))


def _read(root: Path, actors: Mapping[str, Mapping[str, str]], path: Path) -> Utterance:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise InvalidRecordError(f"file name {path.name!r} is not ACTOR_SENTENCE_EMOTION_LEVEL (1001_DFA_ANG_XX)")
    for part, table in (("sentence", SENTENCES), ("emotion", EMOTIONS)):
        if match[part] not in table:
            raise InvalidRecordError(f"file {path.name!r} has {part} {match[part]!r}; known are {', '.join(table)}")
    about = actors.get(match["actor"], {})
    return Utterance(
        utterance_id=path.stem,
        corpus="cremad",
        audio_path=below(path, root),
        speaker_id=match["actor"],
        emotion=EMOTIONS[match["emotion"]],
        transcript=SENTENCES[match["sentence"]],
        language="en",
        gender=_GENDERS.get(about.get("Sex", "")),
        age_group=parse_age(about.get("Age")),
    )
