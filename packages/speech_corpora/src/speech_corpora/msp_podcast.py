"""MSP-Podcast: Lotfian & Busso (2019), IEEE Transactions on Affective Computing 10(4). Licence agreement.

Layout `Labels/labels_consensus.csv`, `Audios/MSP-PODCAST_0001_0001.wav`, and, when it is there,
`Transcripts/MSP-PODCAST_0001_0001.txt`. Labels by letter; `O` (other) and `X` (no agreement) are dropped and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from speech_corpora.listing import CorpusListing, Dropped, Entry, collect
from speech_corpora.search import find_audio
from speech_corpora.tables import content, decode, read_table
from speech_records import Emotion, Gender, InvalidRecordError, Utterance

EMOTIONS: Mapping[str, Emotion] = MappingProxyType(
    {
        "A": Emotion.ANGRY,
        "S": Emotion.SAD,
        "H": Emotion.HAPPY,
        "U": Emotion.SURPRISE,
        "F": Emotion.FEAR,
        "D": Emotion.DISGUST,
        "C": Emotion.CONTEMPT,
        "N": Emotion.NEUTRAL,
    }
)
NO_EMOTION = frozenset({"O", "X"})
SPLITS: Mapping[str, str] = MappingProxyType(
    {"Train": "train", "Development": "dev", "Test1": "test", "Test2": "test2", "Test3": "test3"}
)
COLUMNS = ("FileName", "EmoClass", "SpkrID", "Split_Set")
_GENDERS: Mapping[str, Gender] = MappingProxyType({"Male": Gender.MALE, "Female": Gender.FEMALE})


def load(root: Path) -> CorpusListing:
    """Every labelled clip below `root`. Raises `CorpusError` when `root` is missing or none is usable."""
    return collect("msp_podcast", root, _entries(root))


def _entries(root: Path) -> Iterator[Entry]:
    for row in (yield from read_table(root / "Labels" / "labels_consensus.csv", root, COLUMNS)):
        yield Entry(row.where, partial(_read, row.cells, root))


def _read(row: Mapping[str, str], root: Path) -> Utterance:
    file_name, label, speaker, split = (row[column] for column in COLUMNS)
    if "/" in file_name or "\\" in file_name:
        raise InvalidRecordError(f"FileName {file_name!r} must be a bare file name")
    if label in NO_EMOTION:
        raise Dropped(f"label {label}")
    for value, table in ((label, EMOTIONS), (split, SPLITS)):
        if value not in table:
            raise InvalidRecordError(f"file {file_name!r} has {value!r}; known are {', '.join(table)}")
    stem = file_name.rsplit(".", 1)[0]
    words = root / "Transcripts" / f"{stem}.txt"
    return Utterance(
        utterance_id=stem,
        corpus="msp_podcast",
        audio_path=find_audio(root, f"Audios/{stem}"),
        speaker_id=speaker,
        emotion=EMOTIONS[label],
        transcript=decode(content(words)).strip() if words.is_file() else None,
        language="en",
        split=SPLITS[split],
        gender=_GENDERS.get(row.get("Gender", "")),
    )
