"""nEMO: Christop (2024), LREC-COLING. Nine Polish actors, 4 481 clips, CC BY-NC-SA 4.0.

Layout `samples/SPEAKER_EMOTION_SENTENCE.wav` and `data.tsv` (`file_id`, `emotion`, `raw_text`, `normalized_text`,
`speaker_id` padded with blanks, `gender`, `age`); or `wav/` and `utterances.tsv` (`utterance`, `speaker`, `gender`,
`age`, `emotion`, `text`), as some copies have it. No official split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from speech_corpora.listing import CorpusListing, Entry, below, collect, parse_age
from speech_corpora.search import audio_files
from speech_corpora.tables import Row, read_table
from speech_records import Emotion, Gender, InvalidRecordError, UnknownEmotionError, Utterance

EMOTIONS: Mapping[str, Emotion] = MappingProxyType(
    {label: Emotion.parse(label) for label in ("anger", "fear", "happiness", "neutral", "sadness", "surprised")}
)
TABLES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "data.tsv": {"clip": "file_id", "speaker": "speaker_id", "text": "raw_text"},
        "utterances.tsv": {"clip": "utterance", "speaker": "speaker", "text": "text"},
    }
)
"""The columns of each table that are called differently."""
FOLDERS = ("samples", "wav")
POLISH = "cp1250"
_GENDERS: Mapping[str, Gender] = MappingProxyType({gender.value: gender for gender in Gender})
_NAME = re.compile(r"(?P<speaker>[A-Z]{2}\d)_(?P<emotion>[a-z]+)_(?P<sentence>\d+)")


def load(root: Path) -> CorpusListing:
    """Every clip below `root`. Raises `CorpusError` when `root` is missing or holds no usable clip.

    Gender, age and transcript come from the table; a clip that it does not hold is read without them.
    """
    return collect("nemo", root, _entries(root))


def _entries(root: Path) -> Iterator[Entry]:
    rows: dict[str, Row] = {}
    for name, columns in TABLES.items():
        for row in (yield from read_table(root / name, root, (*columns.values(), "emotion"), POLISH)):
            cells = {**row.cells} | {ours: row.cells[column] for ours, column in columns.items()}
            rows.setdefault(cells["clip"].removesuffix(".wav"), Row(row.where, cells))
    if not rows:
        yield Entry.rejected("data.tsv", "is missing or empty: genders, ages and transcripts are not known")
    for folder in FOLDERS:
        for found in audio_files(root, f"{folder}/*"):
            if isinstance(found, Entry):
                yield found
            else:
                about = rows.pop(found.stem, None)
                yield Entry(below(found, root), partial(_read, root, found, about.cells if about else {}))
    for clip, row in rows.items():
        yield Entry.rejected(row.where, f"clip {clip!r} has no audio file in {' or '.join(FOLDERS)}")


def _read(root: Path, path: Path, about: Mapping[str, str]) -> Utterance:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise InvalidRecordError(f"file name {path.name!r} is not SPEAKER_EMOTION_SENTENCE (SK0_anger_1)")
    speaker, emotion = match["speaker"], match["emotion"]
    if emotion not in EMOTIONS:
        raise UnknownEmotionError(f"file {path.name!r} has emotion {emotion!r}; known are {', '.join(EMOTIONS)}")
    for column, named in (("speaker", speaker), ("emotion", emotion)):
        if about.get(column, named) != named:
            raise InvalidRecordError(f"file {path.name!r} names {column} {named}, the table {about[column]!r}")
    return Utterance(
        utterance_id=path.stem,
        corpus="nemo",
        audio_path=below(path, root),
        speaker_id=speaker,
        emotion=EMOTIONS[emotion],
        transcript=about.get("text"),
        language="pl",
        gender=_GENDERS.get(about.get("gender", "")),
        age_group=parse_age(about.get("age")),
    )
