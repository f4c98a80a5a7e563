"""MELD: Poria et al. (2019), ACL. Multi-speaker dialogues from a television series.

Layout `{train,dev,test}_sent_emo.csv` with `dia{D}_utt{U}.mp4` in `train_splits`, `dev_splits_complete` and
`output_repeated_splits_test` (converted `.wav` or `.flac` in the same place are preferred). The mp4 files are
multichannel and need ffmpeg to be decoded. Two published clips are broken; they are dropped and counted.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from speech_corpora.listing import CorpusListing, Dropped, Entry, collect, find_audio, require_directory
from speech_records import Emotion, InvalidRecordError, Utterance

FOLDERS: Mapping[str, str] = MappingProxyType(
    {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
)
BROKEN = frozenset({"train_dia125_utt3", "dev_dia110_utt7"})
COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
_C1 = re.compile("[\x80-\x9f]")


def load(root: Path) -> CorpusListing:
    """The three official splits below `root`. Raises `CorpusError` when `root` is missing or nothing is usable."""
    require_directory("meld", root)
    return collect("meld", root, _entries(root))


def _entries(root: Path) -> Iterator[Entry]:
    for split in FOLDERS:
        path = root / f"{split}_sent_emo.csv"
        if path.is_file():
            with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
                reader = csv.DictReader(file)
                for row in reader:
                    yield Entry(f"{path.name}:{reader.line_num}", partial(_read, row, split, root))


def _read(row: Mapping[str, str | None], split: str, root: Path) -> Utterance:
    missing = [c for c in COLUMNS if not (row.get(c) or "").strip()]
    if missing:
        raise InvalidRecordError(f"column {missing[0]!r} is missing or empty; needed are {', '.join(COLUMNS)}")
    text, speaker, label, dialogue, number = ((row[c] or "").strip() for c in COLUMNS)
    if not (dialogue.isdecimal() and number.isdecimal()):
        raise InvalidRecordError(f"Dialogue_ID {dialogue!r} and Utterance_ID {number!r} must be whole numbers")
    clip = f"dia{dialogue}_utt{number}"
    if f"{split}_{clip}" in BROKEN:
        raise Dropped("clip is broken as published")
    return Utterance(
        utterance_id=f"{split}_{clip}",
        corpus="meld",
        audio_path=find_audio(root, f"{FOLDERS[split]}/{clip}", (".wav", ".flac", ".mp4")),
        speaker_id=speaker,
        emotion=Emotion.parse(label),
        transcript=_C1.sub(_from_windows, text),
        language="en",
        split=split,
    )


def _from_windows(match: re.Match[str]) -> str:
    """The tables hold Windows apostrophes and dashes that were read as Latin-1 on their way."""
    return match.group().encode("latin-1").decode("cp1252", errors="replace")
