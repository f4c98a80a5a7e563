"""EARS: Richter et al. (2024), Interspeech. 107 speakers, CC BY-NC 4.0.

Layout `p001/emo_anger_sentences.wav` (or `.flac`), `transcripts.json` (text by such a name, the same for all speakers)
and `speaker_statistics.json`. Labels stand in the names, with the spellings `embarassment` and `extasy`. Freeform
speech has no transcript. `_whisper` readings count as whisper; the other reading styles and non-speech have no emotion
label and are dropped and counted, as are emotions outside our taxonomy. Split as the authors' benchmark has it:
p001 to p099 train, p100 and p101 dev, the others test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from speech_corpora.errors import CorpusError
from speech_corpora.listing import (
    CorpusListing,
    Dropped,
    Entry,
    audio_files,
    below,
    collect,
    parse_label,
    require_directory,
)
from speech_records import Emotion, Gender, InvalidRecordError, Utterance

LAST_TRAINING_SPEAKER, LAST_DEV_SPEAKER, SPEAKERS = 99, 101, 107
_SPEAKER = re.compile(r"p(\d{3})")
_EMOTION = re.compile(r"emo_(?P<label>[a-z]+)_(?:sentences|freeform)")


def load(root: Path) -> CorpusListing:
    """Every emotional or whispered clip. Raises `CorpusError` when `root` is missing or holds no usable clip."""
    require_directory("ears", root)
    words, speakers = _table(root / "transcripts.json"), _table(root / "speaker_statistics.json")
    paths = audio_files(root, "p*/*")
    return collect("ears", root, (Entry(below(p, root), partial(_read, p, root, words, speakers)) for p in paths))


def _table(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"corpus 'ears': {path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise CorpusError(f"corpus 'ears': {path} must hold a JSON object, got {type(data).__name__}")
    return data


def _label(name: str) -> Emotion:
    match = _EMOTION.fullmatch(name)
    if match is not None:
        return parse_label(match["label"], f"emotion {match['label']}")
    if name.endswith("_whisper"):
        return Emotion.WHISPER
    raise Dropped("no emotion label")


def _read(path: Path, root: Path, words: Mapping[str, Any], speakers: Mapping[str, Any]) -> Utterance:
    speaker = path.parent.name
    match = _SPEAKER.fullmatch(speaker)
    if match is None or not 1 <= int(match[1]) <= SPEAKERS:
        raise InvalidRecordError(f"folder {speaker!r} is no speaker; known are p001 to p{SPEAKERS}")
    number = int(match[1])
    text, about = words.get(path.stem), speakers.get(speaker)
    gender = about.get("gender") if isinstance(about, dict) else None
    return Utterance(
        utterance_id=f"{speaker}_{path.stem}",
        corpus="ears",
        audio_path=below(path, root),
        speaker_id=speaker,
        emotion=_label(path.stem),
        transcript=text if isinstance(text, str) else None,
        language="en",
        split="train" if number <= LAST_TRAINING_SPEAKER else "dev" if number <= LAST_DEV_SPEAKER else "test",
        gender=Gender(gender) if gender in tuple(Gender) else None,
    )
