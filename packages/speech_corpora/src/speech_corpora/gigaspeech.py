"""GigaSpeech: Chen et al. (2021), Interspeech. English speech of audiobooks, podcasts and videos; no emotions.

Layout `GigaSpeech.json` (`audios`, each with `aid`, `path`, `speaker` and `segments` of `sid`, `begin_time`,
`end_time`, `text_tn`, `subsets`) and the audio at `path`. Each segment of a file is an utterance. Segments that are no
speech are dropped; those of {DEV} and {TEST} are the splits dev and test. Where no speaker is known, a file is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from speech_corpora.listing import CorpusListing, Dropped, Entry, collect
from speech_corpora.search import MissingAudioError
from speech_corpora.tables import read_json
from speech_records import InvalidRecordError, Utterance

NAME, FILE = "gigaspeech", "GigaSpeech.json"
PUNCTUATION: Mapping[str, str] = {
    " <COMMA>": ",",
    " <PERIOD>": ".",
    " <QUESTIONMARK>": "?",
    " <EXCLAMATIONPOINT>": "!",
}
_NO_SPEECH = frozenset({"<SIL>", "<MUSIC>", "<NOISE>", "<OTHER>"})
_UNKNOWN = ("", "N/A")
_SPLITS = {"{DEV}": "dev", "{TEST}": "test"}


def load(root: Path) -> CorpusListing:
    """Every segment of the audio below `root`. Raises `CorpusError` when `root` is missing or holds none."""
    return collect(NAME, root, _entries(root), linked_folders=False)


def text_of(text: str) -> str:
    """A transcript with its punctuation, in small letters but for the first; words alone are in capitals there.

    >>> text_of("DOUBLE IT <COMMA> AS I SAID <PERIOD>")
    'Double it, as i said.'
    """
    for tag, mark in PUNCTUATION.items():
        text = text.replace(tag, mark)
    text = " ".join(re.sub("<[A-Z]+>", " ", text).split())
    return text[:1].upper() + text[1:].lower()


def _entries(root: Path) -> Iterator[Entry]:
    table = yield from read_json(root / FILE, root)
    audios = table.get("audios", [])
    for audio in audios if isinstance(audios, list) else []:
        segments = audio.get("segments") if isinstance(audio, dict) else None
        if not isinstance(segments, list):
            yield Entry.rejected(FILE, f"audio {str(audio)[:40]!r} has no list of segments")
            continue
        for number, segment in enumerate(segments):
            yield Entry(f"{FILE}:{audio.get('aid')}:{number}", partial(_read, root, audio, segment))


def _read(root: Path, audio: Mapping[str, Any], segment: Any) -> Utterance:
    try:
        text, subsets, path = str(segment["text_tn"]).strip(), list(segment["subsets"]), str(audio["path"])
        name, start, end = str(segment["sid"]), float(segment["begin_time"]), float(segment["end_time"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRecordError(
            f"a segment needs sid, begin_time, end_time, text_tn and subsets: {error!r}"
        ) from error
    if text in _NO_SPEECH:
        raise Dropped(f"no speech: {text}")
    if not (root / path).is_file():
        raise MissingAudioError(f"segment {name!r}: audio {path} is missing")
    speakers = [str(given.get("speaker", "")).strip() for given in (segment, audio)]
    speaker = next((s for s in speakers if s not in _UNKNOWN), str(audio.get("aid") or path))
    return Utterance(
        utterance_id=name,
        corpus=NAME,
        audio_path=path,
        speaker_id=speaker,
        transcript=text_of(text),
        language="en",
        split=next((split for tag, split in _SPLITS.items() if tag in subsets), "train"),
        start_s=start,
        end_s=end,
    )
