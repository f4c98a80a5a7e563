"""A plain JSON Lines manifest: one `Utterance` a line, audio paths relative to the manifest's folder.

Written by hand or by a script, so it is read less strictly than stored records: `schema_version` and `corpus`
may be left out, and `emotion` may be any spelling that `Emotion.parse` knows. Everything else is strict.

```
{"utterance_id": "a1", "audio_path": "clips/a1.wav", "speaker_id": "ann", "emotion": "joy", "transcript": "At last!"}
```
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from speech_corpora.errors import CorpusError
from speech_corpora.listing import CorpusListing, Dropped, Entry, FirstSeen, collect, read
from speech_corpora.tables import decode
from speech_records import Emotion, FailedItem, RecordFormatError, SpeechRecordsError, Utterance, from_dict

FILE_NAME = "manifest.jsonl"


def load(root: Path, *, corpus: str = "manifest") -> CorpusListing:
    """The utterances of `root/manifest.jsonl`, or of `root` itself when it is a file.

    Raises `CorpusError` when there is no such file or no line of it is usable.
    """
    path = _path(root, corpus)
    return collect(corpus, path.parent, _entries(path, corpus), linked_folders=False)


def stream(
    root: Path, first_seen: FirstSeen, *, corpus: str = "manifest"
) -> Iterator[Utterance | FailedItem | Dropped]:
    """What `load` reads, one line after the other as they are asked for, for a manifest of any size.

    Raises `CorpusError` when there is no such file.
    """
    path = _path(root, corpus)
    return read(path.parent, _entries(path, corpus), first_seen, linked_folders=False, are_json=True)


def _path(root: Path, corpus: str) -> Path:
    path = root if root.is_file() else root / FILE_NAME
    if not path.is_file():
        raise CorpusError(f"corpus {corpus!r}: {path} does not exist")
    return path


def _entries(path: Path, corpus: str) -> Iterator[Entry]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if raw.strip():
                yield Entry(f"{path.name}:{number}", partial(_read, raw, number, corpus))


def _read(raw: bytes, number: int, corpus: str) -> Utterance:
    where = f"line {number}"
    data = parse_object(raw, where)
    label = data.get("emotion")
    if isinstance(label, str):
        try:
            data["emotion"] = Emotion.parse(label).value
        except SpeechRecordsError as error:
            raise type(error)(f"{where}: emotion: {error}") from error
    defaults = {"schema_version": Utterance.schema_version, "corpus": corpus}
    return from_dict(Utterance, defaults | data, where=where)


def parse_object(raw: bytes, where: str) -> dict[str, Any]:
    """The JSON object that one line holds; `RecordFormatError` naming `where` when it holds none.

    >>> parse_object(b'{"emotion": "joy"}', "line 3")
    {'emotion': 'joy'}
    >>> parse_object(b"[1]", "line 4")
    Traceback (most recent call last):
        ...
    speech_records.errors.RecordFormatError: line 4: a JSON object is needed, got list
    """
    try:
        data = json.loads(decode(raw.removeprefix(codecs.BOM_UTF8)))
    except (ValueError, RecursionError) as error:
        raise RecordFormatError(f"{where}: not JSON in UTF-8 or Windows-1252: {error}") from error
    if not isinstance(data, dict):
        raise RecordFormatError(f"{where}: a JSON object is needed, got {type(data).__name__}")
    return data
