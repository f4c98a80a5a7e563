"""Expresso, the read part: Nguyen et al. (2023), Interspeech. Four speakers, CC BY-NC 4.0.

Layout `audio_48khz/read/{speaker}/{style}/{base,longform}/{id}.wav`, `read_transcriptions.txt` (id, tab, text) and
`splits/{train,dev,test}.txt`, whose lines are an id and, where a file is shared by several splits, `(start,end)` in
seconds: such a file gives one utterance for each range, without transcript. Styles that name no emotion of ours are
dropped and counted, and so are the conversations: they are stereo with one speaker a channel, and an utterance cannot
name a channel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cotgen.corpora.listing import (
    CorpusListing,
    Dropped,
    Entry,
    audio_files,
    below,
    collect,
    parse_label,
    require_directory,
)
from speech_records import InvalidRecordError, Utterance

SPLITS = ("train", "dev", "test")
_LINE = re.compile(r"(?P<name>\S+?)(?:\.wav)?(?:\s+\(\s*(?P<start>[\d.]+)\s*,\s*(?P<end>[\d.]+)\s*\))?")


@dataclass(frozen=True, slots=True)
class _Part:
    """One line of a split: all of a file, or a range of it."""

    split: str
    start_s: float | None = None
    end_s: float | None = None


def load(root: Path) -> CorpusListing:
    """Every read clip below `root`. Raises `CorpusError` when `root` is missing or holds no usable clip."""
    require_directory("expresso", root)
    return collect("expresso", root, _entries(root))


def _entries(root: Path) -> Iterator[Entry]:
    words = _transcripts(root / "read_transcriptions.txt")
    parts: dict[str, list[_Part]] = {}
    for split in SPLITS:
        path = root / "splits" / f"{split}.txt"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        for number, line in enumerate(lines, start=1):
            match = _LINE.fullmatch(line.strip())
            if match is not None:
                start, end = ((float(match[g]) if match[g] else None) for g in ("start", "end"))
                parts.setdefault(match["name"].rsplit("/", 1)[-1], []).append(_Part(split, start, end))
            elif line.strip():
                yield Entry(f"splits/{path.name}:{number}", partial(_reject, line))
    for path in audio_files(root, "audio_48khz/read/*/*/*/*"):
        for part in parts.get(path.stem, [None]):
            yield Entry(below(path, root), partial(_read, path, root, words.get(path.stem), part))
    for path in audio_files(root, "audio_48khz/conversational/*/*/*"):
        yield Entry(below(path, root), _drop_conversation)


def _transcripts(path: Path) -> Mapping[str, str]:
    if not path.is_file():
        return {}
    lines = (line.partition("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: text.strip() for name, _, text in lines if text.strip()}


def _reject(line: str) -> Utterance:
    raise InvalidRecordError(f"line {line!r} is not an id, or an id and (start,end)")


def _drop_conversation() -> Utterance:
    raise Dropped("conversation of two speakers in one stereo file")


def _read(path: Path, root: Path, text: str | None, part: _Part | None) -> Utterance:
    speaker, style, kind = path.relative_to(root).parts[2:5]
    if kind not in ("base", "longform") or not path.stem.startswith(f"{speaker}_"):
        raise InvalidRecordError(f"{below(path, root)!r} is not SPEAKER/STYLE/base or longform/SPEAKER_….wav")
    start, end = (part.start_s, part.end_s) if part else (None, None)
    return Utterance(
        utterance_id=path.stem if start is None else f"{path.stem}_{start:.2f}_{end:.2f}",
        corpus="expresso",
        audio_path=below(path, root),
        speaker_id=speaker,
        emotion=parse_label(style, f"style {style}"),
        transcript=text if start is None else None,
        language="en",
        split=part.split if part else None,
        start_s=start,
        end_s=end,
    )
