"""One client for every language model behind an OpenAI-compatible endpoint: `Chat.complete(messages, schema)`.

It asks through the official client and adds what mass annotation needs: no more requests at once than allowed, retries
with exponential backoff and jitter, a deadline for each request, ceilings on tokens and cost that are never exceeded,
and a cache keyed by content, so that nothing is paid for twice. Hand on the bound method:

    chat = Chat(Settings(model="gpt-4o"), cache=AnswerCache(Path("answers")), ceilings=Ceilings(tokens=2_000_000))
    judge = Judge(chat.complete)

The key is read from the environment variable `OPENAI_API_KEY`, is kept nowhere else, and is cut out of whatever an
endpoint sends back. Needs the extra `openai`.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore, Condition, Event, Lock
from typing import Any

from cotgen.errors import ChatError, CotgenError, EndpointError, RequestError
from cotgen.llm.answer_cache import AnswerCache, key_of
from cotgen.llm.endpoint import Endpoint, Failed, most_tokens
from cotgen.llm.replies import Reply, restored, stored, value_of, whole
from cotgen.llm.spending import Ceilings, Purse, Tokens

KEY_VARIABLE = "OPENAI_API_KEY"
MAX_UNANSWERED = 10
"""So many requests in a row without an answer are no accident: the endpoint is down or refuses all of them alike."""

Message = Mapping[str, str]
"""`role` (`system`, `user` or `assistant`) and `content`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Which model is asked and how. `base_url` is the endpoint's (`None`: OpenAI's own, or `OPENAI_BASE_URL`).

    What decides an answer: model, temperature, `max_tokens` of one answer, seed. What does not: `timeout_s` for one
    request from its first byte to its last; `retries` after a try that failed; the first wait `backoff_s`, which
    doubles up to `max_backoff_s`; `max_wait_s`, the longest that an endpoint may ask to wait; `concurrency`.
    """

    model: str
    base_url: str | None = None
    temperature: float = 1.0
    max_tokens: int = 512
    seed: int | None = None
    timeout_s: float = 120.0
    retries: int = 6
    backoff_s: float = 1.0
    max_backoff_s: float = 60.0
    max_wait_s: float = 300.0
    concurrency: int = 8

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise CotgenError("name the model to ask")
        for name in ("max_tokens", "timeout_s", "concurrency", "backoff_s", "max_backoff_s"):
            if not getattr(self, name) > 0:
                raise CotgenError(f"{name} must be positive, got {getattr(self, name)}")
        if self.retries < 0 or not 0 <= self.temperature <= 2:
            raise CotgenError(f"need retries >= 0 and 0 <= temperature <= 2, got {self.retries} and {self.temperature}")
        if self.base_url is not None and not self.base_url.startswith(("http://", "https://")):
            raise CotgenError(f"the endpoint's address must begin with http:// or https://, got {self.base_url!r}")
        if self.base_url is not None and "@" in self.base_url:
            raise CotgenError(f"the endpoint's address must hold no password: set {KEY_VARIABLE} instead")

    def deciding(self) -> dict[str, Any]:
        """What decides an answer, beside messages and schema: part of the cache's keys and of a data card."""
        return {
            "model": self.model, "temperature": self.temperature, "max_tokens": self.max_tokens, "seed": self.seed,
        }  # fmt: skip


class Chat:
    """A model that can be asked from any number of threads. `account` is under whose name the cache notes what is used.

    Raises `EndpointError` when neither a key nor an address is given, and `CotgenError` when the extra is missing.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        cache: AnswerCache | None = None,
        ceilings: Ceilings | None = None,
        account: str = "",
    ) -> None:
        key = os.environ.get(KEY_VARIABLE, "").strip()
        if not key.isascii() or not key.isprintable():
            raise EndpointError(f"{KEY_VARIABLE} holds characters that no key has")
        if not key and settings.base_url is None and not os.environ.get("OPENAI_BASE_URL"):
            raise EndpointError(f"set {KEY_VARIABLE}, or name the address of an endpoint that needs no key")
        self.settings = settings
        self._endpoint = Endpoint(key, base_url=settings.base_url, timeout_s=settings.timeout_s)
        self._cache, self._account = cache or AnswerCache(None), account
        self._purse = Purse(ceilings or Ceilings(), used=self._cache.used(account))
        self._slots = BoundedSemaphore(settings.concurrency)
        self._turns = _Turns()
        self._halted = Event()
        self._lock, self._counts, self._unanswered = Lock(), Counter[str](), 0

    def complete(self, messages: Sequence[Message], schema: Mapping[str, Any], *, index: int = 0) -> dict[str, Any]:
        """The model's answer to `messages`: a JSON object that fits `schema`.

        `index` tells several answers to one question apart. Raises `AnswerError` for an answer that cannot be used,
        `RequestError` for none, `CeilingError` before a ceiling is exceeded, `EndpointError` when none can succeed.
        """
        return value_of(self.reply(messages, schema, index=index), schema)

    def reply(self, messages: Sequence[Message], schema: Mapping[str, Any], *, index: int = 0) -> Reply:
        """As `complete`, but the reply as it came, with what it used, whether it can be used or not."""
        request = {
            "messages": [dict(m) for m in messages], "schema": dict(schema), "index": index, **self.settings.deciding(),
        }  # fmt: skip
        key = key_of(request)
        with self._turns.take(key):  # who asks the same at the same time waits for the first one's answer
            entry = self._cache.get(key)
            known = restored(entry) if entry is not None else None
            if known is not None:
                self._count("from_cache")
                return known
            reply = self._ask(messages, schema, index)
            tokens = Tokens(reply.prompt_tokens, reply.answer_tokens)
            self._cache.put(key, stored(reply), account=self._account, tokens=tokens)
            return reply

    def halt(self) -> None:
        """Let no further request begin, nor any wait go on: those who ask get an `EndpointError`."""
        self._halted.set()

    def counts(self) -> dict[str, int]:
        """What was done in this run: `requests` sent, `answers`, answers `from_cache`, `retries`, `lost` requests.

        Lost are those that were cut off; what they may have cost is charged in full.
        """
        with self._lock:
            return dict(self._counts)

    def summary(self) -> str:
        """Counts and all that was used, in words."""
        counts = self.counts()
        named = ", ".join(f"{counts.get(n, 0)} {n.replace('_', ' ')}" for n in ("requests", "from_cache", "retries"))
        lost = f", {counts['lost']} lost and charged in full" if counts.get("lost") else ""
        return f"{named}{lost}; in all {self._purse.described()}"

    def _ask(self, messages: Sequence[Message], schema: Mapping[str, Any], index: int) -> Reply:
        body = self._body(messages, schema, index)
        most = most_tokens(body, self.settings.max_tokens)
        attempt = 0
        while True:
            result = self._send(body, most)
            if isinstance(result, Reply):
                return result
            if result.is_final:
                raise EndpointError(result.message)
            if not result.can_be_retried or attempt == self.settings.retries:
                raise self._given_up(result)
            self._count("retries")
            self._wait(attempt, result)
            attempt += 1

    def _send(self, body: Mapping[str, Any], most: Tokens) -> Reply | Failed:
        with self._slots, self._purse.set_aside(most):
            self._check_running()
            self._count("requests")
            result = self._endpoint.send(body, most=most)
            if isinstance(result, Reply):
                self._purse.charge(Tokens(result.prompt_tokens, result.answer_tokens))
                self._count("answers")
                with self._lock:
                    self._unanswered = 0
            elif result.may_be_charged:
                self._purse.charge(most)
                self._cache.charge(most, account=self._account)
                self._count("lost")
        return result

    def _body(self, messages: Sequence[Message], schema: Mapping[str, Any], index: int) -> dict[str, Any]:
        s = self.settings
        name = str(schema.get("title", "answer"))
        body = {
            "model": s.model,
            "messages": [{name: whole(text) for name, text in m.items()} for m in messages],
            "temperature": s.temperature,
            "max_completion_tokens": s.max_tokens,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": name, "strict": True, "schema": dict(schema)},
            },
        }
        return body if s.seed is None else body | {"seed": s.seed + index}

    def _wait(self, attempt: int, failed: Failed) -> None:
        s = self.settings
        delay = min(s.max_backoff_s, s.backoff_s * 2.0**attempt) * random.uniform(0.5, 1.0)
        if failed.retry_after_s is not None:
            if failed.retry_after_s > s.max_wait_s:
                raise EndpointError(
                    f"{failed.message}; it asks to wait {failed.retry_after_s:.0f} s, at most {s.max_wait_s:.0f} s are "
                    "waited: go on later"
                )
            # Jitter on top, never below: whoever was told the same time must not come back all at once.
            delay = failed.retry_after_s + random.uniform(0.0, s.backoff_s)
        if self._halted.wait(delay):
            self._check_running()

    def _given_up(self, failed: Failed) -> ChatError:
        with self._lock:
            self._unanswered += 1
            in_a_row, has_answered = self._unanswered, self._counts["answers"] > 0
        if failed.is_unreachable and not has_answered:
            return EndpointError(f"{failed.message}: nobody has answered at this address yet")
        if in_a_row < MAX_UNANSWERED:
            return RequestError(failed.message)
        return EndpointError(f"{in_a_row} requests in a row got no answer, the last one because {failed.message}")

    def _check_running(self) -> None:
        if self._halted.is_set():
            raise EndpointError("stopped before this request was sent")

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1


class _Turns:
    """One caller at a time for each key."""

    def __init__(self) -> None:
        self._busy: set[str] = set()
        self._changed = Condition()

    @contextmanager
    def take(self, key: str) -> Iterator[None]:
        with self._changed:
            while key in self._busy:
                self._changed.wait()
            self._busy.add(key)
        try:
            yield
        finally:
            with self._changed:
                self._busy.discard(key)
                self._changed.notify_all()
