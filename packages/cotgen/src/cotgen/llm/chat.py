"""One client for every language model behind an OpenAI-compatible endpoint: `Chat.complete(messages, schema)`.

The official client makes the requests, retries them and honours `Retry-After`. Added here is what mass annotation
needs: bounded concurrency, a deadline for whole answers, limits on tokens and cost that are never exceeded, and a cache
keyed by content, so that nothing is paid for twice.

The key is read from the environment variable `OPENAI_API_KEY`, is kept nowhere else, and is removed from whatever an
endpoint sends back. Needs the extra `openai`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

from cotgen.errors import ChatError, CotgenError, EndpointError, RequestError
from cotgen.llm.answer_cache import AnswerCache, Answers
from cotgen.llm.budget import Budget, BudgetLimits
from cotgen.llm.replies import Reply, valid_text, value_of

KEY_VARIABLE = "OPENAI_API_KEY"
MAX_UNANSWERED = 10
"""After so many requests in a row without an answer the endpoint is down, or refuses all of them alike."""
_FINAL = frozenset({401, 402, 403, 404, 429})
"""Statuses that further requests would get too: key, payment, permission, model; a rate limit that outlasts retries."""
_MIN_KEY = 8
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Settings:
    """Model, endpoint and sampling. `base_url` is the endpoint's (`None`: OpenAI's own, or `OPENAI_BASE_URL`).

    What decides an answer: model, temperature, `max_tokens` of one answer, seed. What does not: `timeout_s` for one try
    from its first byte to its last, `retries` after the first try, `concurrency`.
    """

    model: str
    base_url: str | None = None
    temperature: float = 1.0
    max_tokens: int = 512
    seed: int | None = None
    timeout_s: float = 120.0
    retries: int = 6
    concurrency: int = 8

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise CotgenError("name the model to ask")
        if not (min(self.max_tokens, self.timeout_s, self.concurrency) > 0 <= self.retries):
            raise CotgenError(f"max_tokens, timeout_s and concurrency must be positive, retries >= 0, got {self}")
        if not 0 <= self.temperature <= 2:
            raise CotgenError(f"temperature must be between 0 and 2, got {self.temperature}")
        if self.base_url is not None and ("@" in self.base_url or not self.base_url.startswith("http")):
            raise CotgenError(f"base_url must begin with http:// or https:// and hold no password: use {KEY_VARIABLE}")

    def sampling(self) -> dict[str, Any]:
        """What decides an answer, beside messages and schema: part of the cache's keys and of a data card."""
        names = ("model", "temperature", "max_tokens", "seed")
        return {name: getattr(self, name) for name in names}


class Chat:
    """A model that any number of threads can ask, within a `budget`, whose answers are kept.

    Raises `EndpointError` when neither a key nor an address is given, and `CotgenError` when the extra is missing.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        cache: Answers | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._key = os.environ.get(KEY_VARIABLE, "").strip()
        if not self._key.isascii() or not self._key.isprintable():
            raise EndpointError(f"{KEY_VARIABLE} holds characters that no key has")
        if not self._key and settings.base_url is None and not os.environ.get("OPENAI_BASE_URL"):
            raise EndpointError(f"set {KEY_VARIABLE}, or name the address of an endpoint that needs no key")
        try:
            import openai

            from cotgen.llm.metered_client import MeteredClient
        except ImportError as error:
            raise CotgenError("asking a model needs the extra: pip install 'emotionthinker-cotgen[openai]'") from error
        self.settings, s = settings, settings
        self._cache = cache or AnswerCache(None)
        self._budget = budget or AnswerCache(None).budget("", BudgetLimits())
        self._lock, self._unanswered = Lock(), 0
        self.counts = Counter[str]()
        """What was done in this run: `requests` sent, of these `retries` and `lost`, and answers `from_cache`.

        Lost are those that were cut off; what they may have cost is charged in full.
        """
        self._turns: WeakValueDictionary[str, Any] = WeakValueDictionary()
        self._metered = MeteredClient(
            self._budget, max_tokens=s.max_tokens, timeout_s=s.timeout_s, concurrency=s.concurrency, count=self._count
        )
        self._client = openai.OpenAI(
            api_key=self._key or "none", base_url=s.base_url, timeout=s.timeout_s, max_retries=s.retries,
            http_client=self._metered,
        )  # fmt: skip

    def complete(
        self,
        messages: Sequence[Mapping[str, str]],
        schema: Mapping[str, Any],
        *,
        index: int = 0,
        usage: Counter[str] | None = None,
    ) -> dict[str, Any]:
        """The model's answer to `messages` (each with `role` and `content`): a JSON object that fits `schema`.

        `index` distinguishes several answers to one question; `answers`, `prompt_tokens` and `answer_tokens` are added
        to `usage`, from the cache or not. Raises `AnswerError` for an answer that cannot be used, `RequestError` for
        none, `BudgetError` before a limit is exceeded, `EndpointError` when further requests cannot succeed.
        """
        request = {"messages": [dict(m) for m in messages], "schema": dict(schema), "index": index}
        canonical = json.dumps(request | self.settings.sampling(), sort_keys=True, separators=(",", ":"))
        key = hashlib.sha256(canonical.encode()).hexdigest()
        with self._lock:
            turn = self._turns.setdefault(key, Lock())
        with turn:  # a second thread with the same question waits for the first one's answer
            reply = self._cache.get(key)
            if reply is not None:
                self._count("from_cache")
            else:
                reply = self._ask(messages, schema, index)
                self._cache.put(key, reply)
        if usage is not None:
            usage.update(answers=1, prompt_tokens=reply.prompt_tokens, answer_tokens=reply.answer_tokens)
        return value_of(reply, schema)

    def halt(self, reason: str = "stopped before this request was sent") -> None:
        """Let no further try begin: threads that are about to make one get an `EndpointError` of the first reason."""
        self._metered.halt(reason)

    def summary(self) -> str:
        """Counts and all that was used, in words."""
        counts = self.counts
        done = f"{counts['requests']} requests, {counts['from_cache']} from cache, {counts['retries']} retries"
        lost = f", {counts['lost']} lost and charged in full" if counts["lost"] else ""
        return f"{done}{lost}; in all {self._budget.described()}"

    def _ask(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any], index: int) -> Reply:
        import openai

        s = self.settings
        form = {"name": str(schema.get("title", "answer")), "strict": True, "schema": dict(schema)}
        body: dict[str, Any] = {
            "model": s.model,
            "messages": [{name: valid_text(text) for name, text in m.items()} for m in messages],
            "temperature": s.temperature,
            "max_completion_tokens": s.max_tokens,
            "response_format": {"type": "json_schema", "json_schema": form},
        } | ({} if s.seed is None else {"seed": s.seed + index})
        try:
            raw = self._client.chat.completions.with_raw_response.create(**body)
        except openai.APIError as error:
            failure = self._failure(error)
        else:
            with self._lock:
                self._unanswered = 0
            reply: Reply = raw.http_response.extensions["reply"]
            return replace(reply, text=self._without_key(reply.text), refusal=self._without_key(reply.refusal))
        raise failure  # here, so that no traceback shows the official client's error, which may hold the key

    def _failure(self, error: Any) -> ChatError:
        """What an error of the official client, raised after all its retries, means for this request and for others."""
        status, cause = getattr(error, "status_code", None), error.__cause__
        if status is not None:
            said = error.body.get("message") if isinstance(error.body, dict) else error.body
            message = f"the endpoint answers {status}: {said or error.message}"
        elif "Timeout" in type(cause).__name__:
            message = f"no whole answer within {self.settings.timeout_s:g} s"
        else:
            message = f"the connection failed: {cause or type(cause).__name__}"
        message = self._without_key(" ".join(message.split()))[:_SHOWN]
        if status in _FINAL or type(cause).__name__ in ("ConnectError", "ConnectTimeout"):
            return EndpointError(message)
        with self._lock:
            self._unanswered += 1
            if self._unanswered < MAX_UNANSWERED:
                return RequestError(message)
            return EndpointError(f"{self._unanswered} requests in a row got no answer, the last one because {message}")

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "[key]") if len(self._key) >= _MIN_KEY else text

    def _count(self, name: str) -> None:
        with self._lock:
            self.counts[name] += 1
