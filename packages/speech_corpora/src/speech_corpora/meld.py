"""MELD: Poria et al. (2019), ACL. Multi-speaker dialogues from a television series.

Layout `{train,dev,test}_sent_emo.csv` with `dia{D}_utt{U}.mp4` in `train_splits`, `dev_splits_complete` and
`output_repeated_splits_test` (converted `.wav` or `.flac` in the same place are preferred). The mp4 files are
multichannel and need ffmpeg to be decoded. Two published clips are broken; they are dropped and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from speech_corpora.listing import CorpusListing, Dropped, Entry, collect
from speech_corpora.search import find_audio
from speech_corpora.tables import read_table
from speech_records import Emotion, InvalidRecordError, Utterance

FOLDERS: Mapping[str, str] = MappingProxyType(
    {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
)
BROKEN = frozenset({"train_dia125_utt3", "dev_dia110_utt7"})
COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
_C1 = re.compile("[\x80-\x9f]")


def load(root: Path) -> CorpusListing:
    """The three official splits below `root`. Raises `CorpusError` when `root` is missing or nothing is usable."""
    return collect("meld", root, _entries(root))


def _entries(root: Path) -> Iterator[Entry]:
    for split in FOLDERS:
        for row in (yield from read_table(root / f"{split}_sent_emo.csv", root, COLUMNS)):
            yield Entry(row.where, partial(_read, row.cells, split, root))


def _read(row: Mapping[str, str], split: str, root: Path) -> Utterance:
    text, speaker, label, dialogue, number = (row[column] for column in COLUMNS)
    if not (dialogue.isdecimal() and number.isdecimal()):
        raise InvalidRecordError(f"Dialogue_ID {dialogue!r} and Utterance_ID {number!r} must be whole numbers")
    clip = f"dia{dialogue}_utt{number}"
    if f"{split}_{clip}" in BROKEN:
        raise Dropped("clip is broken as published")
    return Utterance(
        utterance_id=f"{split}_{clip}",
        corpus="meld",
        audio_path=find_audio(root, f"{FOLDERS[split]}/{clip}"),
        speaker_id=speaker,
        emotion=Emotion.parse(label),
        transcript=_C1.sub(_from_windows, text),
        language="en",
        split=split,
    )


def _from_windows(match: re.Match[str]) -> str:
    """The tables hold Windows apostrophes and dashes that were read as Latin-1 on their way."""
    return match.group().encode("latin-1").decode("cp1252", errors="replace")
