"""The client against a real server on the loopback that misbehaves on purpose."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from cotgen.errors import AnswerError, CeilingError, CotgenError, EndpointError, RequestError
from cotgen.llm.answer_cache import FILE_NAME, AnswerCache
from cotgen.llm.chat import MAX_UNANSWERED, Chat, Settings
from cotgen.llm.spending import Ceilings, Tokens

SCHEMA = {"type": "object", "properties": {"reasoning": {"type": "string"}}, "required": ["reasoning"]}
KEY = "sk-test-0123456789abcdef"

Maker = Callable[..., Chat]


def ask(text: str = "hi") -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@pytest.fixture
def chat(server: Any) -> Iterator[Maker]:
    """`chat(retries=0, …)`: a client of the server with short waits."""
    made: list[Chat] = []

    def make(*, cache: AnswerCache | None = None, ceilings: Ceilings | None = None, **changes: Any) -> Chat:
        quick = {"backoff_s": 0.01, "max_backoff_s": 0.05, "timeout_s": 5.0, "retries": 3, "base_url": server.url}
        made.append(Chat(Settings("m", **{**quick, **changes}), cache=cache, ceilings=ceilings, account="test"))
        return made[-1]

    yield make
    for client in made:
        client.halt()


def test_an_answer_comes_as_it_was_asked_for(server: Any, does: Any, chat: Maker) -> None:
    """The request as the protocol wants it: schema enforced, tokens limited, the key in its header."""
    client = chat(seed=7, temperature=0.5, max_tokens=99)
    assert client.complete(ask(), SCHEMA, index=2) == {"reasoning": does.good_text}
    (asked,) = server.asked
    assert (asked["model"], asked["temperature"], asked["seed"], asked["max_completion_tokens"]) == ("m", 0.5, 9, 99)
    assert asked["response_format"]["json_schema"]["schema"] == SCHEMA
    assert server.keys == [f"Bearer {KEY}"]
    assert client.counts() == {"requests": 1, "answers": 1}


@pytest.mark.parametrize("failure", ["500", "503", "429", "reset", "hang", "trickle", "half a body", "no choice"])
def test_what_passes_is_tried_again(failure: str, server: Any, does: Any, chat: Maker) -> None:
    """One failure of each kind, then an answer: two requests. Those cut off while at work are charged in full."""
    kinds = {
        "500": does.fail(500), "503": does.fail(503), "429": does.fail(429), "reset": does.reset,
        "hang": does.hang(), "trickle": does.trickle, "half a body": does.raw(does.completion("x")[:40]),
        "no choice": does.raw(b'{"error": {"message": "upstream"}}'),
    }  # fmt: skip
    server.script.append(kinds[failure])
    client = chat(timeout_s=0.3)
    started = time.monotonic()
    assert client.complete(ask(), SCHEMA) == {"reasoning": does.good_text}
    assert time.monotonic() - started < 2.0
    counts = client.counts()
    assert (counts["requests"], counts["retries"]) == (2, 1)
    assert counts.get("lost", 0) == (failure not in ("500", "503", "429"))


def test_waits_double_and_end_at_their_limit(server: Any, does: Any, chat: Maker) -> None:
    """First wait 0.1 s, at most 0.2 s, each times 0.5 to 1: at least 0.05, 0.1 and 0.1 s."""
    server.script.extend([does.fail(500)] * 3)
    chat(backoff_s=0.1, max_backoff_s=0.2).complete(ask(), SCHEMA)
    gaps = [b - a for a, b in zip(server.times, server.times[1:], strict=False)]
    assert [gap >= least for gap, least in zip(gaps, (0.05, 0.1, 0.1), strict=True)] == [True] * 3


def test_retry_after_in_seconds_is_honoured(server: Any, does: Any, chat: Maker) -> None:
    """Never earlier than the server says."""
    server.script.append(does.fail(429, retry_after="0.4"))
    chat().complete(ask(), SCHEMA)
    assert server.times[1] - server.times[0] >= 0.4


def test_retry_after_as_a_date_is_honoured(server: Any, does: Any, chat: Maker) -> None:
    """A date has whole seconds; before it there is no second request, and so no answer."""
    date_s = int(time.time()) + 2
    server.script.append(does.fail(429, retry_after=formatdate(date_s, usegmt=True)))
    chat().complete(ask(), SCHEMA)
    assert time.time() >= date_s


def test_a_wait_of_hours_ends_the_run_instead(server: Any, does: Any, chat: Maker) -> None:
    """An hour is asked for, five seconds are waited at most."""
    server.script.append(does.fail(429, retry_after="3600"))
    with pytest.raises(EndpointError, match="wait 3600 s, at most 5 s"):
        chat(max_wait_s=5.0).complete(ask(), SCHEMA)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({"content": ""}, "empty"),
        ({"content": None}, "empty"),
        ({"content": '{"reasoning": "The pi'}, "broken_json"),
        ({"content": '{"reasoning": 3}'}, "wrong_schema"),
        ({"content": '["a"]'}, "wrong_schema"),
        ({"content": '{"reasoning": "The pi', "finish_reason": "length"}, "cut_off"),
        ({"content": None, "finish_reason": "content_filter"}, "filtered"),
        ({"content": None, "refusal": "I will not."}, "refused"),
    ],
)
def test_an_answer_that_cannot_be_used_has_a_reason_and_is_not_paid_twice(
    sent: dict[str, Any], reason: str, server: Any, does: Any, chat: Maker
) -> None:
    """Each was paid for, so asking again gives the same answer without a request."""
    server.script.append(does.say(**sent))
    client = chat()
    for _ in range(2):
        with pytest.raises(AnswerError) as caught:
            client.complete(ask(), SCHEMA)
        assert caught.value.reason == reason
    assert len(server.asked) == 1


def test_a_fence_and_a_lone_surrogate_do_no_harm(server: Any, does: Any, chat: Maker) -> None:
    """JSON can spell half a character, UTF-8 cannot write it: it becomes U+FFFD."""
    server.script.append(does.say('```json\n{"reasoning": "a\ud800b"}\n```'))
    assert chat().complete(ask("a\ud800b"), SCHEMA) == {"reasoning": "a\ufffdb"}
    assert server.asked[0]["messages"] == ask("a\ufffdb")


def test_a_body_without_end_is_not_read_to_its_end(server: Any, does: Any, chat: Maker) -> None:
    """6 MB, of which 4 MiB are read; it is an answer, recorded as one."""
    server.script.append(does.raw(b" " * 6_000_000))
    with pytest.raises(AnswerError, match="larger than any answer"):
        chat().complete(ask(), SCHEMA)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_no_request_can_pass_ends_the_run(status: int, server: Any, does: Any, chat: Maker) -> None:
    """Key, permission, model: one request and no retry."""
    server.script.append(does.fail(status))
    with pytest.raises(EndpointError, match=str(status)):
        chat().complete(ask(), SCHEMA)
    assert len(server.asked) == 1


def test_an_empty_account_ends_the_run(server: Any, does: Any, chat: Maker) -> None:
    """OpenAI's 429 with this code; a plain 429 is tried again."""
    body = json.dumps({"error": {"message": "pay", "code": "insufficient_quota"}}).encode()
    server.script.append(lambda handler: handler.respond(429, body))
    with pytest.raises(EndpointError, match="pay"):
        chat().complete(ask(), SCHEMA)


def test_a_refused_request_is_no_ones_fault_but_ten_in_a_row_are(server: Any, does: Any, chat: Maker) -> None:
    """Nine times `RequestError`, then the run ends; an answer in between starts the count anew."""
    client = chat()
    server.otherwise = does.fail(400, "bad parameter")
    for i in range(MAX_UNANSWERED - 1):
        with pytest.raises(RequestError, match="bad parameter"):
            client.complete(ask(str(i)), SCHEMA)
    server.script.append(does.answer())
    client.complete(ask("good"), SCHEMA)
    for i in range(MAX_UNANSWERED - 1):
        with pytest.raises(RequestError):
            client.complete(ask(str(i)), SCHEMA)
    with pytest.raises(EndpointError, match="10 requests in a row"):
        client.complete(ask("last"), SCHEMA)


def test_no_more_requests_at_once_than_allowed(server: Any, does: Any, chat: Maker) -> None:
    """Twelve threads, three slots; three are really used at once."""
    server.otherwise = does.answer(after_s=0.05)
    client = chat(concurrency=3)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda i: client.complete(ask(str(i)), SCHEMA), range(12)))
    assert server.most_in_flight == 3


def test_the_same_question_at_the_same_time_is_paid_once(server: Any, does: Any, chat: Maker) -> None:
    """Eight threads ask one question; `index` makes another question of it."""
    server.otherwise = does.answer(after_s=0.1)
    client = chat()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.complete(ask(), SCHEMA), range(8)))
    client.complete(ask(), SCHEMA, index=1)
    assert len(server.asked) == 2
    assert client.counts()["from_cache"] == 7


def test_a_second_run_makes_no_request_and_another_model_does(server: Any, chat: Maker, tmp_path: Path) -> None:
    """Everything that decides an answer is in the key; address, timeouts and concurrency are not."""
    first = chat(cache=AnswerCache(tmp_path)).complete(ask(), SCHEMA)
    assert chat(cache=AnswerCache(tmp_path), timeout_s=9.0, concurrency=1).complete(ask(), SCHEMA) == first
    assert len(server.asked) == 1
    for i, change in enumerate(({"temperature": 0.0}, {"max_tokens": 5}, {"seed": 1}), start=2):
        chat(cache=AnswerCache(tmp_path), **change).complete(ask(), SCHEMA)
        assert len(server.asked) == i
    chat(cache=AnswerCache(tmp_path)).complete(ask(), SCHEMA | {"title": "other"})
    assert len(server.asked) == 5


@pytest.mark.parametrize("damage", ["answer = 'x'", "answer = NULL", "answer = '{}'", "sha256 = ''"])
def test_a_damaged_entry_is_a_miss(damage: str, server: Any, chat: Maker, tmp_path: Path) -> None:
    """Asked again, kept again, and then whole."""
    good = chat(cache=AnswerCache(tmp_path)).complete(ask(), SCHEMA)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute(f"UPDATE answers SET {damage}")
    db.close()
    for _ in range(2):
        assert chat(cache=AnswerCache(tmp_path)).complete(ask(), SCHEMA) == good
    assert len(server.asked) == 2


def test_a_file_that_is_no_cache_is_not_paid_over(tmp_path: Path) -> None:
    """It may hold answers that were paid for."""
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 100)
    with pytest.raises(CotgenError, match="move it away"):
        AnswerCache(tmp_path)


def test_threads_and_caches_of_one_folder_lose_nothing(tmp_path: Path) -> None:
    """Four caches, as four processes have them, and four threads each write and read five answers of their own."""

    def work(cache: AnswerCache, name: str) -> int:
        for i in range(5):
            cache.put(f"{name} {i}", {"i": i}, account="all", tokens=Tokens(1, 1))
        return sum(cache.get(f"{name} {i}") == {"i": i} for i in range(5))

    caches = [AnswerCache(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(16) as pool:
        whole = sum(pool.map(lambda i: work(caches[i % 4], str(i)), range(16)))
    assert whole == 16 * 5
    assert AnswerCache(tmp_path).used("all") == Tokens(80, 80)


def test_a_disk_that_fails_is_named(tmp_path: Path) -> None:
    """A folder where the file should be; and a cache that was closed."""
    (tmp_path / "a" / FILE_NAME).mkdir(parents=True)
    with pytest.raises(CotgenError, match=FILE_NAME):
        AnswerCache(tmp_path / "a")
    cache = AnswerCache(tmp_path / "b")
    cache.close()
    with pytest.raises(CotgenError, match="the cache of answers"):
        cache.put("k", {}, account="a", tokens=Tokens())


def test_ceilings_stop_before_they_are_exceeded_and_wait_for_those_in_flight(
    server: Any, does: Any, chat: Maker, tmp_path: Path
) -> None:
    """1000 tokens an answer, which could be 1300 at most, and a ceiling of 6000: five answers are sure to fit, although
    eight ask at once and set 10 000 aside. What an earlier run used counts, and a higher ceiling goes on."""
    server.otherwise = does.answer(after_s=0.02)
    client = chat(cache=AnswerCache(tmp_path), ceilings=Ceilings(tokens=6000), max_tokens=100)

    def one(i: int) -> str:
        try:
            client.complete(ask(f"{i:900}"), SCHEMA)
        except CeilingError as error:
            return str(error)
        return "answered"

    with ThreadPoolExecutor(8) as pool:
        outcomes = Counter(pool.map(one, range(20)))
    refused = "the ceiling of 6000 tokens is reached: 4500 prompt + 500 answer tokens used"
    assert outcomes.pop("answered") == len(server.asked) == 5
    assert [message.startswith(refused) for message in outcomes] == [True]
    with pytest.raises(CeilingError):
        chat(cache=AnswerCache(tmp_path), ceilings=Ceilings(tokens=6000)).complete(ask(" " * 900), SCHEMA)
    chat(cache=AnswerCache(tmp_path), ceilings=Ceilings(tokens=9000)).complete(ask(" " * 900), SCHEMA)


def test_cost_is_counted_at_the_callers_prices(server: Any, chat: Maker) -> None:
    """900 prompt tokens at 1000 a million and 100 of answer at 10 000 a million: 0.9 + 1.0 a request."""
    client = chat(ceilings=Ceilings(cost=4.5, price_in=1000.0, price_out=10_000.0), max_tokens=100)
    client.complete(ask("a" * 900), SCHEMA)
    assert "cost of 1.9000" in client.summary()
    client.complete(ask("b" * 900), SCHEMA)
    with pytest.raises(CeilingError, match=r"cost of 4\.5"):
        client.complete(ask("c" * 900), SCHEMA)


def test_an_endpoint_that_reports_no_usage_is_charged_in_full(server: Any, does: Any, chat: Maker) -> None:
    """Otherwise a ceiling would hold nothing back."""
    server.script.append(does.answer(usage=None))
    client = chat(cache=(cache := AnswerCache(None)), max_tokens=100)
    client.complete(ask(), SCHEMA)
    used = cache.used("test")
    assert used.answer == 100
    assert used.prompt > len("hi")


def test_the_key_is_nowhere(server: Any, does: Any, chat: Maker, tmp_path: Path, caplog: Any) -> None:
    """Endpoints that send the key back, in an error and in an answer; everything is logged and cached."""
    caplog.set_level(logging.DEBUG)
    server.script.extend([does.fail(400, f"wrong key {KEY}"), does.answer(f"key {KEY}")])
    client = chat(cache=AnswerCache(tmp_path), retries=0)
    with pytest.raises(RequestError) as caught:
        client.complete(ask(), SCHEMA)
    assert client.complete(ask(), SCHEMA) == {"reasoning": "key [key]"}
    written = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert KEY not in caplog.text + str(caught.value) + repr(client) + client.summary()
    assert KEY.encode() not in written


def test_a_halted_client_ends_its_waits(server: Any, does: Any, chat: Maker) -> None:
    """A wait of 30 s ends at once."""
    server.otherwise = does.fail(500)
    client = chat(backoff_s=30.0, max_backoff_s=60.0)
    threading.Timer(0.2, client.halt).start()
    started = time.monotonic()
    with pytest.raises(EndpointError, match="stopped"):
        client.complete(ask(), SCHEMA)
    assert time.monotonic() - started < 5


def test_nobody_there_costs_nothing_and_says_so(chat: Maker) -> None:
    """A port on which nobody listens: nothing was sent, so nothing is charged, and others need not be tried."""
    client = chat(base_url="http://127.0.0.1:9/v1", retries=1)
    with pytest.raises(EndpointError, match=r"connection failed: .* nobody has answered"):
        client.complete(ask(), SCHEMA)
    assert client.counts() == {"requests": 2, "retries": 1}


@pytest.mark.parametrize(
    "change",
    [{"model": " "}, {"concurrency": 0}, {"timeout_s": 0}, {"temperature": 3.0}, {"retries": -1},
     {"base_url": "ftp://h"}, {"base_url": "http://me:pass@h"}, {"max_tokens": 0}],
)  # fmt: skip
def test_settings_that_cannot_be_meant_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(CotgenError):
        Settings(**{"model": "m", **change})


@pytest.mark.parametrize("change", [{"tokens": 0}, {"cost": -1.0}, {"price_in": -1.0}, {"cost": 1.0}])
def test_ceilings_that_cannot_be_meant_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(CotgenError):
        Ceilings(**change)


def test_without_key_and_address_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's own endpoint needs a key; another one may not."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(EndpointError, match="OPENAI_API_KEY"):
        Chat(Settings("m"))
    Chat(Settings("m", base_url="http://127.0.0.1:9/v1")).halt()


def test_accounts_add_up_over_runs(tmp_path: Path) -> None:
    """10 + 1 and 20 + 2 tokens in two runs."""
    for n in (1, 2):
        cache = AnswerCache(tmp_path)
        cache.put(str(n), {"n": n}, account="a", tokens=Tokens(10 * n, n))
        cache.close()
    assert AnswerCache(tmp_path).used("a") == Tokens(30, 3)
    assert AnswerCache(tmp_path).used("b") == Tokens()
