"""The memory of a local run: an append-only file of finished measurements, so that a killed run continues."""

from __future__ import annotations

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
    """Measurements by key in the file at `path`, read again when they are asked for.

    A line that a kill cut short is dropped when the file is opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, int] = {}
        self.utterance_ids: set[str] = set()
        """Ids of which some measurement, perhaps of other audio or another release, is here."""

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a+b")
        self._file.seek(0)
        good = 0
        for line in self._file:
            try:
                done = from_json(Done, line.decode())
            except (SpeechRecordsError, UnicodeDecodeError):
                break
            if not line.endswith(b"\n"):
                break
            self._places[done.key] = good
            self.utterance_ids.add(done.measured.utterance.utterance_id)
            good += len(line)
        self._file.truncate(good)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def get(self, key: str) -> MeasuredUtterance:
        """The measurement under `key`, which must be here."""
        self._file.seek(self._places[key])
        return from_json(Done, self._file.readline().decode()).measured

    def add(self, key: str, measured: MeasuredUtterance) -> None:
        """Append a measurement and hand it to the operating system, so that it outlives this process."""
        self._places[key] = self._file.seek(0, 2)
        self._file.write(to_json(Done(key, measured)).encode() + b"\n")
        self._file.flush()
