"""IEMOCAP: Busso et al. (2008), Language Resources and Evaluation 42. Licence agreement.

Layout, in each `Session{1-5}`: `dialog/EmoEvaluation/*.txt` (labels), `dialog/transcriptions/*.txt`,
`sentences/wav/<dialog>/<utt>.wav`.
The name of a dialogue says who wore the markers; who speaks an utterance is the *last* F or M of the utterance's name.
Emotions by majority; `xxx` (no majority) and `oth` are dropped and counted. No official split: five folds by session.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from speech_corpora.listing import CorpusListing, Dropped, Entry, below, collect
from speech_corpora.search import find_audio
from speech_corpora.tables import read_lines
from speech_records import Emotion, Gender, InvalidRecordError, Utterance

EMOTIONS: Mapping[str, Emotion] = MappingProxyType(
    {code: Emotion.parse(code) for code in ("ang", "hap", "exc", "sad", "neu", "fru", "fea", "sur", "dis")}
)
NO_EMOTION = frozenset({"xxx", "oth"})
_LABEL = re.compile(r"\[(?P<start>[\d.]+) - (?P<end>[\d.]+)\]\t(?P<name>\S+)\t(?P<label>\S+)\t\[.*")
_NAME = re.compile(r"(?P<session>Ses0[1-5])[FM]_\w+_(?P<gender>[FM])\w*\d+")
_WORDS = re.compile(r"(?P<name>\S+)\s+\[[\d.]+\s*-\s*[\d.]+\]:\s*(?P<text>.*\S)\s*")


def load(root: Path) -> CorpusListing:
    """Every labelled utterance below `root`. Raises `CorpusError` when `root` is missing or none is usable."""
    return collect("iemocap", root, _entries(root))


def session(utterance: Utterance) -> str:
    """The session of an utterance, by which the five folds are made.

    >>> session(Utterance("Ses02M_impro01_F003", "iemocap", "x.wav", "Ses02F"))
    'Ses02'
    """
    return utterance.speaker_id[:5]


def _entries(root: Path) -> Iterator[Entry]:
    for path in sorted(root.glob("Session[1-5]/dialog/EmoEvaluation/*.txt")):
        if path.name.startswith("."):  # the published archives carry `._` files of another system
            continue
        spoken = yield from read_lines(path.parents[1] / "transcriptions" / path.name, root)
        words = {m["name"]: m["text"] for m in map(_WORDS.fullmatch, spoken) if m is not None}
        lines = yield from read_lines(path, root)
        folder = f"{below(path.parents[2], root)}/sentences/wav/{path.stem}"
        for number, line in enumerate(lines, start=1):
            if line.startswith("["):
                yield Entry(f"{below(path, root)}:{number}", partial(_read, line, words, root, folder))


def _read(line: str, words: Mapping[str, str], root: Path, folder: str) -> Utterance:
    if line.startswith("[START_TIME"):
        raise InvalidRecordError(f"line {line!r} is a heading without its percent sign")
    match = _LABEL.fullmatch(line)
    if match is None:
        raise InvalidRecordError(f"line {line!r} is not [start - end], utterance, label, [v, a, d] between tabs")
    name, label = match["name"], match["label"]
    spoken = _NAME.fullmatch(name)
    if spoken is None:
        raise InvalidRecordError(f"utterance {name!r} is not named like Ses01F_impro05_F019")
    if label in NO_EMOTION:
        raise Dropped(f"label {label}")
    if label not in EMOTIONS:
        raise InvalidRecordError(f"utterance {name!r} has label {label!r}; known are {', '.join(EMOTIONS)}, xxx, oth")
    return Utterance(
        utterance_id=name,
        corpus="iemocap",
        audio_path=find_audio(root, f"{folder}/{name}"),
        speaker_id=f"{spoken['session']}{spoken['gender']}",
        emotion=EMOTIONS[label],
        transcript=words.get(name),
        language="en",
        gender=Gender.FEMALE if spoken["gender"] == "F" else Gender.MALE,
    )
