"""Answers that were paid for, under the hash of everything that decides them, and the tokens that each account used.

One SQLite file, safe for threads and processes; every write is on disk when its method returns.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from cotgen.errors import CotgenError
from cotgen.llm.budget import BudgetLimits, TokenBudget, Tokens
from cotgen.llm.replies import Reply

FILE_NAME = "answers.sqlite"
_BUSY_S = 60.0
"""How long a writer waits for another process."""
_ANSWERS = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT) WITHOUT ROWID"
_ACCOUNTS = "CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, prompt INTEGER, answer INTEGER) WITHOUT ROWID"
_CHARGE = (
    "INSERT INTO accounts VALUES (?, ?, ?) ON CONFLICT (name) "
    "DO UPDATE SET prompt = prompt + excluded.prompt, answer = answer + excluded.answer"
)


class Answers(Protocol):
    """Where answers that were paid for are kept."""

    def get(self, key: str) -> Reply | None:
        """The answer under `key`; `None` where there is none."""
        ...

    def put(self, key: str, answer: Reply) -> None:
        """Keep an answer."""
        ...


class AnswerCache:
    """Answers in the folder `folder`, which is made; `None` keeps them in memory only.

    Every method raises `CotgenError` when the file cannot be used, also when it is not a cache: it may hold answers
    that were paid for, so it is never replaced.
    """

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._path = ":memory:" if folder is None else str(folder / FILE_NAME)
        self._lock = Lock()
        self._run(_ANSWERS)
        self._run(_ACCOUNTS)

    def get(self, key: str) -> Reply | None:
        """The answer under `key`; `None` when there is none, or its entry is damaged."""
        rows = self._run("SELECT answer FROM answers WHERE key = ?", key)
        with suppress(ValueError, TypeError):
            return Reply(**json.loads(rows[0][0])) if rows else None
        return None

    def put(self, key: str, answer: Reply) -> None:
        """Keep an answer."""
        self._run("INSERT OR REPLACE INTO answers (key, answer) VALUES (?, ?)", key, json.dumps(asdict(answer)))

    def charge(self, account: str, tokens: Tokens) -> None:
        """Add `tokens` to what `account` used."""
        self._run(_CHARGE, account, tokens["prompt"], tokens["answer"])

    def used(self, account: str) -> Tokens:
        """All that `account` was charged, in this run and in earlier ones."""
        rows = self._run("SELECT prompt, answer FROM accounts WHERE name = ?", account)
        return Tokens(prompt=rows[0][0], answer=rows[0][1]) if rows else Tokens()

    def budget(self, account: str, limits: BudgetLimits) -> TokenBudget:
        """What `account` may still use, earlier runs included."""
        return TokenBudget(limits, used=self.used(account), record=partial(self.charge, account))

    @cached_property
    def _db(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)

    def _run(self, statement: str, *values: object) -> list[Any]:
        try:
            with self._lock:  # threads share the connection: answers are rare beside what the disk can do
                return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise CotgenError(
                f"the cache of answers {self._path} cannot be used ({error}): if the file is damaged, move it away, "
                "and its answers are paid for again"
            ) from error
