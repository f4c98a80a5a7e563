"""The HTTP client under the official one, which sends each try of a request, the first and every retry, through `send`.

Here they are counted, no more of them go out at once than allowed, their tokens are reserved and charged, and answers
that never end are cut.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Any

import httpx2
import openai

from cotgen.errors import EndpointError
from cotgen.llm.budget import Budget, Tokens
from cotgen.llm.replies import Reply, read_reply

MAX_BODY_BYTES = 4 << 20
"""More than any answer; the rest of a larger body is not read."""
_RETRY_COUNT = "x-stainless-retry-count"
"""The header by which the official client numbers the tries of a request, from 0."""


class MeteredClient(openai.DefaultHttpxClient):
    """Attaches its `Reply` to each successful response, as the extension `reply`.

    `timeout_s` is for one try from its first byte to its last. `count` is called with `requests`, `retries`, `lost`.
    """

    def __init__(
        self, budget: Budget, *, max_tokens: int, timeout_s: float, concurrency: int, count: Callable[[str], None]
    ) -> None:
        super().__init__(timeout=timeout_s, limits=httpx2.Limits(max_connections=None))
        self._budget, self._max_tokens, self._timeout_s, self._count = budget, max_tokens, timeout_s, count
        self._slots = BoundedSemaphore(concurrency)
        self._halted: str | None = None

    def halt(self, reason: str) -> None:
        """Let no further try begin; of several reasons the first is given."""
        if self._halted is None:
            self._halted = reason

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Make one try. Raises `BudgetError` before the budget is exceeded, and `EndpointError` once halted."""
        # No tokenizer is known here, but no token of a byte-level one is shorter than a byte.
        most = Tokens(prompt=len(request.content), answer=self._max_tokens)
        with self._slots, self._budget.reserve(most):
            if self._halted is not None:
                raise EndpointError(self._halted)
            self._count("requests")
            if request.headers.get(_RETRY_COUNT, "0") != "0":
                self._count("retries")
            try:
                response = self._received(request, options, most)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                raise  # nothing was sent
            except BaseException:  # cut off while the endpoint was at work: it may charge for all of it
                self._budget.charge(most)
                self._count("lost")
                raise
            if reply := response.extensions.get("reply"):
                self._budget.charge(Tokens(prompt=reply.prompt_tokens, answer=reply.answer_tokens))
        return response

    def _received(self, request: httpx2.Request, options: dict[str, Any], most: Tokens) -> httpx2.Response:
        """The response, read up to the limit, by the deadline: the official timeout is for each read, not for all."""
        end = time.monotonic() + self._timeout_s
        response = super().send(request, **(options | {"stream": True}))
        received = bytearray()
        try:
            for chunk in response.iter_bytes():
                received += chunk
                if len(received) > MAX_BODY_BYTES:
                    break
                if time.monotonic() > end:
                    raise httpx2.ReadTimeout("no whole answer", request=request)
        finally:
            response.close()
        body, extensions = bytes(received), {}
        if response.is_success:
            too_large = Reply("", "oversized", "", most["prompt"], most["answer"])
            reply = too_large if len(body) > MAX_BODY_BYTES else read_reply(body, most=most)
            if reply is None:
                raise httpx2.RemoteProtocolError("the response is not a chat completion", request=request)
            extensions["reply"] = reply
        headers = {name: value for name, value in response.headers.items() if name != "content-encoding"}
        return httpx2.Response(
            response.status_code, headers=headers, content=body, request=request, extensions=extensions
        )
