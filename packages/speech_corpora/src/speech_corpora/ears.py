"""EARS: Richter et al. (2024), Interspeech. 107 speakers, CC BY-NC 4.0.

Layout `p001/emo_anger_sentences.wav`, `transcripts.json` (text by such a name, the same for all speakers)
and `speaker_statistics.json`. Labels are in the names, with the spellings `embarassment` and `extasy`. Freeform
speech has no transcript. `_whisper` readings count as whisper; the other reading styles and non-speech have no emotion
label and are dropped and counted, as are emotions outside our taxonomy. Split as the authors' benchmark has it:
p001 to p099 train, p100 and p101 dev, the others test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from speech_corpora.listing import (
    CorpusListing,
    Dropped,
    Entry,
    below,
    collect,
    parse_age,
    parse_label,
)
from speech_corpora.search import audio_entries
from speech_corpora.tables import read_json
from speech_records import Emotion, Gender, InvalidRecordError, Utterance
from speech_records.files import escape_surrogates

LAST_TRAINING_SPEAKER, LAST_DEV_SPEAKER, SPEAKERS = 99, 101, 107
_SPEAKER = re.compile(r"p(\d{3})")
_EMOTION = re.compile(r"emo_(?P<label>[a-z]+)_(?:sentences|freeform)")


def load(root: Path) -> CorpusListing:
    """Every emotional or whispered clip. Raises `CorpusError` when `root` is missing or holds no usable clip."""
    return collect("ears", root, _entries(root))


def _entries(root: Path) -> Iterator[Entry]:
    words = yield from read_json(root / "transcripts.json", root)
    speakers = yield from read_json(root / "speaker_statistics.json", root)
    yield from audio_entries(root, "p*/*", partial(_read, root, words, speakers))


def _label(name: str) -> Emotion:
    match = _EMOTION.fullmatch(name)
    if match is not None:
        return parse_label(match["label"], f"emotion {match['label']}")
    if name.endswith("_whisper"):
        return Emotion.WHISPER
    raise Dropped("no emotion label")


def _read(root: Path, words: Mapping[str, Any], speakers: Mapping[str, Any], path: Path) -> Utterance:
    speaker = path.parent.name
    match = _SPEAKER.fullmatch(speaker)
    if match is None or not 1 <= int(match[1]) <= SPEAKERS:
        raise InvalidRecordError(f"folder {speaker!r} is not a speaker; known are p001 to p{SPEAKERS}")
    number = int(match[1])
    text, about = words.get(path.stem), speakers.get(speaker)
    about = about if isinstance(about, dict) else {}
    gender = about.get("gender")
    return Utterance(
        utterance_id=f"{speaker}_{escape_surrogates(path.stem)}",
        corpus="ears",
        audio_path=below(path, root),
        speaker_id=speaker,
        emotion=_label(path.stem),
        transcript=text if isinstance(text, str) else None,
        language="en",
        split="train" if number <= LAST_TRAINING_SPEAKER else "dev" if number <= LAST_DEV_SPEAKER else "test",
        gender=Gender(gender) if gender in tuple(Gender) else None,
        age_group=parse_age(about.get("age")),
    )
