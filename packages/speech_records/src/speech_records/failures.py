"""What could not be used: the failed item, and the log in which a command keeps failed items while the rest is done."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from speech_records.files import escape_surrogates

MAX_SHOWN = 50
"""Failed items that are named on stderr; a file of errors holds them all."""


@dataclass(frozen=True, slots=True)
class FailedItem:
    """One item that was left out: its id (an utterance id, a path, `file:line`), stage, error name and message."""

    id: str
    stage: str
    error: str
    message: str

    @classmethod
    def of(cls, name: str, stage: str, error: Exception) -> Self:
        """The failed item of an exception.

        >>> FailedItem.of("a1", "measure", ValueError("the clip is empty"))
        FailedItem(id='a1', stage='measure', error='ValueError', message='the clip is empty')
        """
        return cls(name, stage, type(error).__name__, str(error))


Report = Callable[[FailedItem], None]
"""Called with each item that is left out."""


def errors_beside(out: Path) -> Path:
    """Where a command that writes the file `out` lists what it left out.

    >>> errors_beside(Path("verified.jsonl")).name
    'verified.jsonl.errors.jsonl'
    """
    return out.with_name(f"{out.name}.errors.jsonl")


class FailureLog:
    """Failed items as they occur: the first ones on stderr, all of them in the file `errors` if there is one.

    Without any, what an earlier run left in that file is removed. `command` is the name that starts each line.
    """

    def __init__(self, command: str, errors: Path | None) -> None:
        self.count = 0
        self._command = command
        self._path = errors
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def __call__(self, item: FailedItem) -> None:
        """Note that an item was left out."""
        self.count += 1
        if self.count <= MAX_SHOWN:
            self._say(f"{item.id}: {item.message}")
        elif self.count == MAX_SHOWN + 1:
            self._say("further ones are not shown")
        if self._path is not None:
            if self._file is None:
                self._file = self._path.open("w", encoding="utf-8")
            self._file.write(escape_surrogates(json.dumps(asdict(item), ensure_ascii=False)) + "\n")

    def finish(self, done: str) -> int:
        """Say what was done; the exit status of the command: 1 when something was left out, else 0."""
        kept = f", see {self._path}" if self.count and self._path is not None else ""
        self._say(f"{done}, {self.count} left out{kept}" if self.count else done)
        return int(self.count > 0)

    def _say(self, text: str) -> None:
        sys.stderr.write(f"{self._command}: {escape_surrogates(text)}\n")
