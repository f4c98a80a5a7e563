"""Answers that were paid for, kept on disk under the hash of everything that decides them.

One SQLite file, safe for threads and processes. With each answer the same transaction notes, under an account's name,
what it used, so that a ceiling also counts what a killed run spent. An entry whose bytes are not those that were
written is a miss.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from cotgen.errors import CotgenError
from cotgen.llm.spending import Tokens

FILE_NAME = "answers.sqlite"
_BUSY_S = 60.0
"""How long a writer waits for another process."""
_TABLES = """
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT, sha256 TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, prompt INTEGER, answer INTEGER) WITHOUT ROWID;
"""
_CHARGE = """
INSERT INTO accounts VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET prompt = prompt + excluded.prompt, answer = answer + excluded.answer
"""


def key_of(request: Mapping[str, Any]) -> str:
    """The key of a request: SHA-256 of its canonical JSON, so that the order of its keys is of no account.

    >>> key_of({"model": "m", "index": 0}) == key_of({"index": 0, "model": "m"})
    True
    """
    text = json.dumps(request, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class AnswerCache:
    """Answers in the folder `folder`, which is made; `None` keeps them in memory only.

    Raises `CotgenError` when the folder holds a file of that name that is no cache: paying again for what it may hold
    is the caller's decision. Every method raises it when the disk fails.
    """

    def __init__(self, folder: Path | None) -> None:
        self._lock = Lock()
        self._path = ":memory:"
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._path = str(folder / FILE_NAME)
        # Threads share the connection under the lock: answers are rare beside what the disk can do.
        with self._named_errors():
            self._db = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            self._db.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise CotgenError(
                f"{self._path} cannot be used as a cache of answers ({error}): if it is damaged, move it away, and its "
                "answers are paid for anew"
            ) from error

    def get(self, key: str) -> dict[str, Any] | None:
        """The answer under `key`; `None` when there is none, or none that is whole."""
        with self._lock:
            try:
                row = self._db.execute("SELECT answer, sha256 FROM answers WHERE key = ?", (key,)).fetchone()
            except sqlite3.DatabaseError:
                return None  # a damaged page: the answer is lost, as if it had never been there
        if row is None or not isinstance(row[0], str) or hashlib.sha256(row[0].encode()).hexdigest() != row[1]:
            return None
        with suppress(json.JSONDecodeError):
            answer = json.loads(row[0])
            if isinstance(answer, dict):
                return answer
        return None

    def put(self, key: str, answer: Mapping[str, Any], *, account: str, tokens: Tokens) -> None:
        """Keep an answer, and note for `account` what it used: both or neither."""
        text = json.dumps(answer)
        row = (key, text, hashlib.sha256(text.encode()).hexdigest())
        with self._named_errors(), self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", row)
            self._db.execute(_CHARGE, (account, tokens.prompt, tokens.answer))

    def charge(self, tokens: Tokens, *, account: str) -> None:
        """Note for `account` what a request may have used that brought no answer."""
        with self._named_errors(), self._lock:
            self._db.execute(_CHARGE, (account, tokens.prompt, tokens.answer))

    def used(self, account: str) -> Tokens:
        """All that was noted for `account`, in this run and in earlier ones."""
        with self._named_errors(), self._lock:
            row = self._db.execute("SELECT prompt, answer FROM accounts WHERE name = ?", (account,)).fetchone()
        return Tokens(*row) if row else Tokens()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise CotgenError(f"the cache of answers {self._path} fails: {error}") from error
