"""The memory of a local run: an append-only file of finished measurements, so that a killed run continues."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from speech_records import MeasuredUtterance, SpeechRecordsError, from_json, to_json


@dataclass(frozen=True, slots=True)
class Done:
    """One finished measurement under its `records.work_key`."""

    key: str
    measured: MeasuredUtterance


class WorkFile:
    """Measurements by key, kept in the file at `path`. A line that a kill cut short is dropped when it is opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done: dict[str, MeasuredUtterance] = {}

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        raw = self._path.read_bytes() if self._path.exists() else b""
        good = 0
        for line in raw.splitlines(keepends=True):
            try:
                done = from_json(Done, line.decode())
            except (SpeechRecordsError, UnicodeDecodeError):
                break
            if not line.endswith(b"\n"):
                break
            self._done[done.key] = done.measured
            good += len(line)
        self._file = self._path.open("ab")
        self._file.truncate(good)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def get(self, key: str) -> MeasuredUtterance | None:
        """The measurement under `key`, if it was finished."""
        return self._done.get(key)

    @property
    def utterance_ids(self) -> frozenset[str]:
        """Ids of which some measurement, perhaps of other audio or another release, is here."""
        return frozenset(m.utterance.utterance_id for m in self._done.values())

    def add(self, finished: Iterable[Done]) -> None:
        """Append measurements and hand them to the operating system, so that they outlive this process."""
        for done in finished:
            self._done[done.key] = done.measured
            self._file.write(to_json(done).encode() + b"\n")
        self._file.flush()
