"""One try at one request through the official client: a reply, or what failed and what can be done about it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any

from cotgen.errors import CotgenError
from cotgen.llm.replies import Reply, oversized, read_body
from cotgen.llm.spending import Tokens

MAX_BODY_BYTES = 4 << 20
"""More than any answer; the rest of a larger body is not read."""
MESSAGE_TOKENS = 16
"""More than any chat template adds around one message."""
FINAL = frozenset({401, 402, 403, 404})
"""Statuses that every further request would get too: key, payment, permission, model."""
AGAIN = frozenset({408, 409, 425, 429})
"""Statuses, beside all from 500, after which the same request may succeed."""
_NO_KEY = "none"
_MIN_KEY = 8
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Failed:
    """A try without a reply.

    `is_final`: every other request would fail too. `may_be_charged`: it was cut off when the endpoint was already at
    work. `is_unreachable`: nothing could be sent. `retry_after_s`: how long the endpoint asks to wait.
    """

    message: str
    is_final: bool = False
    can_be_retried: bool = False
    may_be_charged: bool = False
    is_unreachable: bool = False
    retry_after_s: float | None = None


def most_tokens(body: Mapping[str, Any], max_tokens: int) -> Tokens:
    """The most that a request can use. No tokenizer is known here, but no token of a byte-level one is empty.

    >>> most_tokens({"messages": [{"role": "user", "content": "hi"}]}, 512)
    Tokens(prompt=51, answer=512)
    """
    prompt = len(json.dumps(body["messages"], ensure_ascii=False).encode("utf-8", "replace"))
    schema = len(json.dumps(body.get("response_format", ""))) if "response_format" in body else 0
    return Tokens(prompt + schema + MESSAGE_TOKENS * len(body["messages"]), max_tokens)


def wait_asked(header: str | None, *, now_s: float) -> float | None:
    """The seconds that a `Retry-After` header asks for, given as a number or as a date; `None` for anything else.

    `now_s` is the present in seconds since 1970.

    >>> wait_asked("7", now_s=0.0), wait_asked("Thu, 01 Jan 1970 00:01:00 GMT", now_s=50.0), wait_asked("soon", now_s=0)
    (7.0, 10.0, None)
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - now_s
        except (ValueError, OverflowError):
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)


class Endpoint:
    """The endpoint at `base_url`, asked with `key`. Raises `CotgenError` when the extra `openai` is not installed."""

    def __init__(self, key: str, *, base_url: str | None, timeout_s: float) -> None:
        try:
            import openai
        except ImportError as error:
            raise CotgenError("asking a model needs the extra: pip install 'emotionthinker-cotgen[openai]'") from error
        self._key, self._timeout_s = key, timeout_s
        # Retries are ours: the client's own know neither ceilings nor how to be stopped.
        self._client = openai.OpenAI(api_key=key or _NO_KEY, base_url=base_url, timeout=timeout_s, max_retries=0)

    def send(self, body: Mapping[str, Any], *, most: Tokens) -> Reply | Failed:
        """Make the request once. `most` is what it can use, and what a reply counts as that does not say."""
        import httpx2
        import openai

        try:
            answered = self._read(body)
        except openai.APIStatusError as error:
            return self._refused(error)
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            return self._cut_off(error)
        if answered is None:
            return Failed(f"no whole answer within {self._timeout_s:g} s", can_be_retried=True, may_be_charged=True)
        counts = (most.prompt, most.answer)
        if len(answered) > MAX_BODY_BYTES:
            return oversized(counts)
        reply = read_body(answered, most=counts)
        if reply is None:
            return Failed("the response is no chat completion", can_be_retried=True, may_be_charged=True)
        return replace(reply, text=self._without_key(reply.text), refusal=self._without_key(reply.refusal))

    def _read(self, body: Mapping[str, Any]) -> bytes | None:
        """The body of the response, cut a little above the limit; `None` when its last byte is not there in time.

        The client's own timeout is for each read, so that a trickle would never end.
        """
        end = time.monotonic() + self._timeout_s
        received = bytearray()
        create = self._client.chat.completions.with_streaming_response.create
        with create(**body) as response:
            for chunk in response.iter_bytes():
                received += chunk
                if len(received) > MAX_BODY_BYTES:
                    break
                if time.monotonic() > end:
                    return None
        return bytes(received)

    def _refused(self, error: Any) -> Failed:
        status = error.status_code
        message = f"the endpoint answers {status}: {self._without_key(_described(error))}"
        # OpenAI says with a 429 of this code that the account is empty, which no waiting changes.
        is_final = status in FINAL or (status == 429 and error.code == "insufficient_quota")
        can_be_retried = not is_final and (status in AGAIN or status >= 500)
        header = error.response.headers.get("retry-after") if can_be_retried else None
        return Failed(message, is_final, can_be_retried, retry_after_s=wait_asked(header, now_s=time.time()))

    def _cut_off(self, error: Exception) -> Failed:
        import httpx2
        import openai

        cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
        never_sent = isinstance(cause, (httpx2.ConnectError, httpx2.ConnectTimeout))
        if isinstance(cause, httpx2.TimeoutException):
            message = f"no answer within {self._timeout_s:g} s"
        else:
            message = f"the connection failed: {self._without_key(str(cause) or type(cause).__name__)}"
        return Failed(message, can_be_retried=True, may_be_charged=not never_sent, is_unreachable=never_sent)

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "[key]") if len(self._key) >= _MIN_KEY else text


def _described(error: Any) -> str:
    """An error's own words, on one line."""
    body = error.body
    said = body.get("message") if isinstance(body, dict) else body
    text = " ".join(str(said or error.message).split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
