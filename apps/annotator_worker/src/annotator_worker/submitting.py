"""From a corpus that is being read to items whose audio is stored, several files at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from annotator_worker import keys
from annotator_worker.batching import Item
from annotator_worker.errors import ClipError
from annotator_worker.listing import Reading
from annotator_worker.pipeline import audio_file, audio_sha256
from annotator_worker.records import Stage, Submitted
from annotator_worker.store import MAX_CONNECTIONS, ObjectStore
from speech_records import FailedItem, Utterance, to_json

_AHEAD: Final = 32 * MAX_CONNECTIONS
_WORK_PER_CLIP_S: Final = 0.01
_WORK_PER_SECOND: Final = 0.016
"""What measuring takes, with stressed words: 60 ms of a clip of 3.7 s (docs of this application)."""
_BYTES_PER_SECOND: Final = 32_000
"""Of audio whose length is not said: 16-bit mono at 16 kHz."""


@dataclass(frozen=True, slots=True)
class _Sound:
    """The audio of an utterance: its hash, and how long it is at most."""

    sha256: str
    seconds: float


def submitted(
    store: ObjectStore, reading: Reading, reject: Callable[[FailedItem], None], *, in_place: bool
) -> Iterator[Item]:
    """The items of a corpus, once their audio is stored; its files are read and stored several at once."""
    waiting: deque[tuple[Utterance, Future[_Sound]]] = deque()
    sounds = _Sounds(store, reading.asked.audio_root, in_place=in_place)

    def first() -> Iterator[Item]:
        utterance, future = waiting.popleft()
        try:
            sound = future.result()
        except (ClipError, OSError) as error:
            reject(FailedItem.of(utterance.utterance_id, Stage.MEASURE, _own(error, utterance, sounds.root)))
        else:
            line = to_json(Submitted(utterance, sound.sha256))
            yield Item(utterance.utterance_id, line, _WORK_PER_CLIP_S + _WORK_PER_SECOND * _seconds(utterance, sound))

    with sounds:
        for utterance in reading:
            waiting.append((utterance, sounds.of(utterance)))
            if len(waiting) >= _AHEAD:
                yield from first()
        while waiting:
            yield from first()


def _own(error: Exception, utterance: Utterance, root: Path) -> Exception:
    """What is wrong with the audio of this utterance, not of the first one of its file."""
    try:
        audio_file(utterance, root)
    except ClipError as own:
        return own
    return error


def _seconds(utterance: Utterance, sound: _Sound) -> float:
    end = sound.seconds if utterance.end_s is None else utterance.end_s
    return max(0.0, end - (utterance.start_s or 0.0))


class _Sounds:
    """The audio files of a corpus, each hashed and stored once for the many utterances that follow each other in it."""

    def __init__(self, store: ObjectStore, root: Path, *, in_place: bool) -> None:
        self._store = None if in_place else store
        self.root = root
        self._pool = ThreadPoolExecutor(MAX_CONNECTIONS)
        self._kept: dict[str, Future[_Sound]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def of(self, utterance: Utterance) -> Future[_Sound]:
        """The audio of an utterance, when it is stored."""
        path = utterance.audio_path
        if path not in self._kept:
            if len(self._kept) >= _AHEAD:
                del self._kept[next(iter(self._kept))]
            self._kept[path] = self._pool.submit(_push, self._store, self.root, utterance)
        return self._kept[path]


def _push(store: ObjectStore | None, root: Path, utterance: Utterance) -> _Sound:
    """Store the audio of an utterance under its hash; `ClipError` where there is none, or it changes meanwhile."""
    path = audio_file(utterance, root)
    sha256, before = audio_sha256(path), path.stat()
    key = keys.audio(sha256, utterance.audio_path)
    if store is not None and not store.exists(key):
        store.upload(key, path)
        after = path.stat()
        if (before.st_ino, before.st_mtime_ns, before.st_size) != (after.st_ino, after.st_mtime_ns, after.st_size):
            store.delete(key)
            raise ClipError(f"{utterance.audio_path} changed while it was submitted: submit it again")
    return _Sound(sha256, before.st_size / _BYTES_PER_SECOND)
