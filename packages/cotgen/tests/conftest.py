"""A server on the loopback that answers like an OpenAI-compatible endpoint, and misbehaves on purpose."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

GOOD_TEXT = (
    "The speaker, a man, says “Kids are talking by the door.” The pitch is high for him and the energy is high as "
    "well, so the voice carries. The rate is fast, and the melody has a rising contour with expressive movement. "
    "Nothing in the words is hostile; it is the forceful and quick delivery that decides. Taken together, this "
    "sounds angry."
)
"""True of the clip `loud` in every statement, 58 words, label at the end only."""

Behaviour = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One request; `request_body` is its JSON."""

    server: ModelServer
    request_body: dict[str, Any]
    in_flight: bool

    def do_POST(self) -> None:
        self.request_body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        behaviour = self.server.enter(self)
        self.in_flight = True
        try:
            behaviour(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            self.leave()

    def leave(self) -> None:
        if self.in_flight:
            self.in_flight = False
            self.server.leave()

    def respond(self, status: int, body: bytes, **headers: str) -> None:
        # No longer in flight before the last byte is out: the client may send its next request at once.
        self.leave()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Silent."""


class ModelServer(ThreadingHTTPServer):
    """Keeps the requests it gets; each takes the next behaviour of `script`, or else `otherwise`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: deque[Behaviour] = deque()
        self.otherwise: Behaviour = answer()
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.times: list[float] = []
        self.in_flight = self.most_in_flight = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def enter(self, handler: Handler) -> Behaviour:
        with self._lock:
            self.requests.append(handler.request_body)
            self.keys.append(handler.headers["authorization"])
            self.times.append(time.monotonic())
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            return self.script.popleft() if self.script else self.otherwise

    def leave(self) -> None:
        with self._lock:
            self.in_flight -= 1


def completion(content: str | None, **more: Any) -> bytes:
    """The body of a chat completion: 900 prompt tokens and 100 of answer, unless `usage` says otherwise."""
    usage = more.pop("usage", {"prompt_tokens": 900, "completion_tokens": 100})
    choice = {"index": 0, "finish_reason": more.pop("finish_reason", "stop")}
    message = {"role": "assistant", "content": content, **more}
    return json.dumps({"id": "c", "choices": [{**choice, "message": message}], "usage": usage}).encode()


def answer(text: str = GOOD_TEXT, *, after_s: float = 0.0, **more: Any) -> Behaviour:
    """Reasoning of the right form."""
    return say(json.dumps({"reasoning": text}), after_s=after_s, **more)


def say(content: str | None, *, after_s: float = 0.0, **more: Any) -> Behaviour:
    """A completion of this content."""

    def behave(handler: Handler) -> None:
        time.sleep(after_s)
        handler.respond(200, completion(content, **more))

    return behave


def fail(status: int, message: str = "no", **headers: str) -> Behaviour:
    """An error with this status; keyword arguments are headers (`retry_after="1"`)."""
    body = json.dumps({"error": {"message": message, "code": None}}).encode()
    return lambda handler: handler.respond(status, body, **headers)


def raw(body: bytes) -> Behaviour:
    """A response of status 200 with this body."""
    return lambda handler: handler.respond(200, body)


def hang(seconds: float = 3.0) -> Behaviour:
    """No byte for a while."""
    return lambda handler: time.sleep(seconds)


def trickle(handler: Handler) -> None:
    """A byte every 50 ms, far beyond any deadline of these tests."""
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    for _ in range(60):
        handler.wfile.write(b" ")
        time.sleep(0.05)


def reset(handler: Handler) -> None:
    """The connection is torn down in the middle."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


class Behaviours:
    """What the server can do, and its default text."""

    good_text = GOOD_TEXT
    answer = staticmethod(answer)
    say = staticmethod(say)
    fail = staticmethod(fail)
    raw = staticmethod(raw)
    hang = staticmethod(hang)
    trickle = staticmethod(trickle)
    reset = staticmethod(reset)
    completion = staticmethod(completion)


@pytest.fixture
def does() -> type[Behaviours]:
    return Behaviours


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """Serves until the test ends; the key in the environment is the one that no file may hold."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    serving = ModelServer()
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield serving
    serving.shutdown()
    serving.server_close()
    thread.join()
