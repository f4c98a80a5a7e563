"""Expresso: Nguyen et al. (2023), Interspeech. Four speakers, read and in conversation, CC BY-NC 4.0.

- `audio_48khz/read/{speaker}/{style}/{base,longform}/{id}.wav`, and `read_transcriptions.txt`: id, tab, text.
- `audio_48khz/conversational/{left}-{right}/{style}[-{style}]/{id}.wav`: stereo, one speaker a channel; of two styles
  the first is the left speaker's. No transcripts.
- `splits/{train,dev,test}.txt`: an id a line and, where a file is shared by splits, tab and `(60.0s,120.0s)`; either
  end may be missing. Both channels of a conversation fall into the same split.
- `VAD_segments.txt`: an id, for conversations with `/channel1` (left) or `/channel2`, tab, and where there is speech:
  `(0.49, 1.09) (2.16, 7.13)`. Lines that begin with `#` say something about the file.

So the publishers' own scripts read them (facebookresearch/textlesslib, `examples/expresso/dataset/processing`). As
there, a long file (conversation or longform) gives an utterance for each stretch of speech within each split, in pieces
of at most `MAX_S` seconds, and what is shorter than `MIN_S` is dropped. Styles that name no emotion of ours are dropped
and counted; so is singing, of one speaker alone, wherever it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from speech_corpora.listing import CorpusListing, Dropped, Entry, below, collect, parse_label
from speech_corpora.search import audio_files
from speech_corpora.tables import read_lines
from speech_records import InvalidRecordError, Utterance
from speech_records.files import escape_surrogates

T = TypeVar("T")

SPLITS = ("train", "dev", "test")
FOLDER = "audio_48khz"
VAD = "VAD_segments.txt"
MAX_S, MIN_S = 15.0, 0.5
_CENTI = 100
"""Times are whole hundredths of a second here, as they are written: pieces meet exactly, ids are equal anywhere."""
_NUMBER = r"\d+(?:\.\d+)?"
_SPLIT_LINE = re.compile(
    rf"(?P<name>\S+?)(?:\.wav)?(?:\s+\(\s*(?P<start>{_NUMBER})?s?\s*,\s*(?P<end>{_NUMBER})?s?\s*\))?"
)
_SEGMENT = rf"\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)"
_SEGMENTS = re.compile(_SEGMENT)
_VAD_LINE = re.compile(rf"(?P<name>\S+)(?:\s+{_SEGMENT})*")


@dataclass(frozen=True, slots=True)
class _Part:
    """What a split has of a file: all of it, or a range in hundredths of a second."""

    split: str | None = None
    start: int = 0
    end: int | None = None

    @property
    def whole(self) -> bool:
        return self.start == 0 and self.end is None


@dataclass(frozen=True, slots=True)
class _Voice:
    """One speaker of a file: where it is below the root, whose voice, how, in which channel (`None`: alone)."""

    audio_path: str
    speaker: str
    style: str
    channel: int | None = None


def load(root: Path) -> CorpusListing:
    """Every clip below `root`, read or in conversation.

    Raises `CorpusError` when `root` is missing or holds no usable clip. A conversation without a line in
    `VAD_segments.txt` is rejected: nobody would know when its speakers speak.
    """
    return collect("expresso", root, _entries(root))


def _entries(root: Path) -> Iterator[Entry]:
    texts = yield from read_lines(root / "read_transcriptions.txt", root)
    words = {name: text.strip() for name, _, text in (line.partition("\t") for line in texts) if text.strip()}
    parts: dict[str, list[_Part]] = {}
    for split in SPLITS:
        for name, part in (yield from _lines(root, f"splits/{split}.txt", partial(_split_line, split))):
            parts.setdefault(name, []).append(part)
    speech: dict[str, list[tuple[int, int]]] = {}
    for name, segments in (yield from _lines(root, VAD, _vad_line)):
        speech.setdefault(name, []).extend(segments)
    read, conversations = f"{FOLDER}/read/*/*/*/*", f"{FOLDER}/conversational/*/*/*"
    for path in (*audio_files(root, read), *audio_files(root, conversations)):
        if isinstance(path, Entry):
            yield path
            continue
        for part in parts.get(path.stem, [_Part()]):
            if below(path, root).startswith(f"{FOLDER}/read/"):
                yield from _read(path, root, part, words.get(path.stem), speech.get(path.stem))
            else:
                yield from _conversation(path, root, part, speech)


def _lines(root: Path, name: str, read: Callable[[str], T]) -> Generator[Entry, None, list[T]]:
    """Yield an entry for every bad line; return what the good ones say."""
    found = []
    lines = yield from read_lines(root / name, root)
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            try:
                found.append(read(line.strip()))
            except InvalidRecordError as error:
                yield Entry.rejected(f"{name}:{number}", str(error))
    return found


def _centi(seconds: str) -> int:
    return round(float(seconds) * _CENTI)


def _split_line(split: str, line: str) -> tuple[str, _Part]:
    match = _SPLIT_LINE.fullmatch(line)
    if match is None:
        raise InvalidRecordError(f"line {line!r} is not an id, or an id and (start,end)")
    part = _Part(split, _centi(match["start"] or "0"), _centi(match["end"]) if match["end"] else None)
    if part.end is not None and part.start >= part.end:
        raise InvalidRecordError(f"line {line!r} ends before it starts")
    return match["name"].rsplit("/", 1)[-1], part


def _vad_line(line: str) -> tuple[str, list[tuple[int, int]]]:
    match = _VAD_LINE.fullmatch(line)
    if match is None:
        raise InvalidRecordError(f"line {line[:80]!r} is not an id and (start, end) …")
    segments = [(_centi(start), _centi(end)) for start, end in _SEGMENTS.findall(line, match.end("name"))]
    if any(start > end for start, end in segments):
        raise InvalidRecordError(f"line of {match['name']!r}: a segment ends before it starts")
    return match["name"], segments


def _read(
    path: Path, root: Path, part: _Part, text: str | None, speech: list[tuple[int, int]] | None
) -> Iterator[Entry]:
    speaker, style, kind = path.relative_to(root).parts[2:5]
    where = below(path, root)
    voice = _Voice(where, speaker, style)
    if kind not in ("base", "longform") or not path.stem.startswith(f"{speaker}_"):
        yield Entry.rejected(where, f"{where!r} is not SPEAKER/STYLE/base or longform/SPEAKER_….wav")
    elif speech is not None:
        yield from _pieces(voice, part, speech)
    elif part.whole:
        yield Entry(where, partial(_utterance, voice, part.split, transcript=text))
    else:
        yield Entry(where, partial(_utterance, voice, part.split, (part.start, part.end)))


def _conversation(path: Path, root: Path, part: _Part, speech: Mapping[str, list[tuple[int, int]]]) -> Iterator[Entry]:
    pair, style = path.relative_to(root).parts[2:4]
    where = below(path, root)
    speakers, styles = pair.split("-"), style.split("-")
    if len(speakers) != 2 or len(styles) > 2 or not path.stem.startswith(f"{pair}_{style}_"):
        why = f"{where!r} is not SPEAKER-SPEAKER/STYLE or STYLE-STYLE/SPEAKER-SPEAKER_STYLE_….wav"
        yield Entry(where, partial(_reject, why, style))
        return
    for channel, speaker in enumerate(speakers):
        voice = _Voice(where, speaker, styles[min(channel, len(styles) - 1)], channel)
        key = f"{path.stem}/channel{channel + 1}"
        if key in speech:
            yield from _pieces(voice, part, speech[key])
        else:
            yield Entry(where, partial(_reject, f"{VAD} has no line of {key!r}: when {speaker} speaks", voice.style))


def _reject(reason: str, style: str) -> Utterance:
    """`InvalidRecordError`, unless the style is one that is left out anyway."""
    parse_label(style, f"style {style}")
    raise InvalidRecordError(reason)


def _pieces(voice: _Voice, part: _Part, speech: list[tuple[int, int]]) -> Iterator[Entry]:
    """The stretches of speech inside a part, none longer than `MAX_S`."""
    longest = round(MAX_S * _CENTI)
    for first, last in speech:
        start, end = max(first, part.start), last if part.end is None else min(last, part.end)
        while start < end:
            piece = (start, min(start + longest, end))
            yield Entry(voice.audio_path, partial(_utterance, voice, part.split, piece))
            start = piece[1]


def _utterance(
    voice: _Voice, split: str | None, piece: tuple[int, int | None] | None = None, *, transcript: str | None = None
) -> Utterance:
    emotion = parse_label(voice.style, f"style {voice.style}")
    start, end = piece or (0, None)
    if end is not None and end - start < MIN_S * _CENTI:
        raise Dropped(f"speech shorter than {MIN_S} s")
    name = escape_surrogates(PurePosixPath(voice.audio_path).stem)
    if voice.channel is not None:
        name += f"_channel{voice.channel + 1}"
    if piece is not None:
        name += f"_{start / _CENTI:.2f}_{'end' if end is None else f'{end / _CENTI:.2f}'}"
    return Utterance(
        utterance_id=name,
        corpus="expresso",
        audio_path=voice.audio_path,
        speaker_id=voice.speaker,
        emotion=emotion,
        transcript=transcript,
        language="en",
        split=split,
        start_s=None if piece is None else start / _CENTI,
        end_s=None if end is None else end / _CENTI,
        channel=voice.channel,
    )
