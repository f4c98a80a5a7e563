"""The client against a real server on the loopback that misbehaves on purpose."""

from __future__ import annotations

import gzip
import logging
import sqlite3
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cotgen.errors import AnswerError, BudgetError, CotgenError, EndpointError, RequestError
from cotgen.llm.answer_cache import FILE_NAME, AnswerCache
from cotgen.llm.budget import BudgetLimits, Tokens
from cotgen.llm.chat import MAX_UNANSWERED, Chat, Settings
from cotgen.llm.client import open_client
from cotgen.llm.replies import Reply

SCHEMA = {"type": "object", "properties": {"reasoning": {"type": "string"}}, "required": ["reasoning"]}
KEY = "sk-test-0123456789abcdef"

Maker = Callable[..., Chat]


def ask(text: str = "hi") -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@pytest.fixture
def chat(server: Any) -> Iterator[Maker]:
    """`chat(retries=0, …)`: a client of the server. The official client waits about half a second before a retry."""
    made: list[Chat] = []

    def make(*, cache: AnswerCache | None = None, limits: BudgetLimits | None = None, **changes: Any) -> Chat:
        quick = {"timeout_s": 5.0, "retries": 1, "base_url": server.url}
        budget = (cache or AnswerCache(None)).budget("test", limits or BudgetLimits())
        made.append(Chat(Settings("m", **{**quick, **changes}), cache=cache, budget=budget))
        return made[-1]

    yield make
    for client in made:
        client.halt()


def test_an_answer_comes_as_it_was_requested(server: Any, does: Any, chat: Maker) -> None:
    """The request as the protocol requires it: schema enforced, tokens limited, the key in its header."""
    client = chat(seed=7, temperature=0.5, max_tokens=99)
    assert client.complete(ask(), SCHEMA, index=2) == {"reasoning": does.good_text}
    (sent,) = server.requests
    assert (sent["model"], sent["temperature"], sent["seed"], sent["max_completion_tokens"]) == ("m", 0.5, 9, 99)
    assert sent["response_format"]["json_schema"]["schema"] == SCHEMA
    assert server.keys == [f"Bearer {KEY}"]
    assert client.counts == {"requests": 1}


@pytest.mark.parametrize("failure", ["500", "503", "429", "reset", "hang", "trickle", "half a body", "no choice"])
def test_what_passes_is_retried(failure: str, server: Any, does: Any, chat: Maker) -> None:
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
    assert time.monotonic() - started < 3.0
    counts = client.counts
    assert (counts["requests"], counts["retries"]) == (2, 1)
    assert counts.get("lost", 0) == (failure not in ("500", "503", "429"))


def test_retry_after_is_honoured(server: Any, does: Any, chat: Maker) -> None:
    """Never earlier than the server says; without the header the official client would wait half a second."""
    server.script.append(does.fail(429, retry_after="0.8"))
    chat().complete(ask(), SCHEMA)
    assert server.times[1] - server.times[0] >= 0.8


@pytest.mark.parametrize(("wait", "requests"), [("3600", 1), ("0.01", 3)])
def test_a_rate_limit_that_lasts_ends_the_run(wait: str, requests: int, server: Any, does: Any, chat: Maker) -> None:
    """An hour, which is not waited; and one that outlasts two retries. Neither is the fault of one request."""
    server.otherwise = does.fail(429, "quota", retry_after=wait)
    with pytest.raises(EndpointError, match="429: quota"):
        chat(retries=2).complete(ask(), SCHEMA)
    assert len(server.requests) == requests


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
    """Each was paid for, so the same question gives the same answer without a request."""
    server.script.append(does.say(**sent))
    client = chat()
    for _ in range(2):
        with pytest.raises(AnswerError) as caught:
            client.complete(ask(), SCHEMA)
        assert caught.value.reason == reason
    assert len(server.requests) == 1


def test_a_fence_and_a_lone_surrogate_do_no_harm(server: Any, does: Any, chat: Maker) -> None:
    """JSON can spell half a character, UTF-8 cannot write it: it becomes U+FFFD."""
    server.script.append(does.say('```json\n{"reasoning": "a\ud800b"}\n```'))
    assert chat().complete(ask("a\ud800b"), SCHEMA) == {"reasoning": "a\ufffdb"}
    assert server.requests[0]["messages"] == ask("a\ufffdb")


def test_a_body_without_end_is_not_read_to_its_end(server: Any, does: Any, chat: Maker) -> None:
    """6 MB, of which 4 MiB are read; it is an answer, recorded as one."""
    server.script.append(does.raw(b" " * 6_000_000))
    with pytest.raises(AnswerError, match="oversized"):
        chat().complete(ask(), SCHEMA)


def test_a_compressed_answer_is_read_and_a_compressed_flood_is_not(server: Any, does: Any, chat: Maker) -> None:
    """The limit is on what is unpacked: 64 MB of white space are 63 kB in gzip."""
    for body in (does.completion('{"reasoning": "yes"}'), b" " * 64_000_000):
        packed = gzip.compress(body)
        server.script.append(lambda handler, packed=packed: handler.respond(200, packed, content_encoding="gzip"))
    client = chat()
    assert client.complete(ask("a"), SCHEMA) == {"reasoning": "yes"}
    with pytest.raises(AnswerError, match="oversized"):
        client.complete(ask("b"), SCHEMA)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_every_request_would_get_ends_the_run(status: int, server: Any, does: Any, chat: Maker) -> None:
    """Key, permission, model: one request and no retry."""
    server.script.append(does.fail(status))
    with pytest.raises(EndpointError, match=str(status)):
        chat().complete(ask(), SCHEMA)
    assert len(server.requests) == 1


def test_a_refused_request_fails_alone_but_ten_in_a_row_end_the_run(server: Any, does: Any, chat: Maker) -> None:
    """Nine times `RequestError`, then the run ends; an answer in between starts the count again."""
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
    assert len(server.requests) == 2
    assert client.counts["from_cache"] == 7


def test_a_second_run_makes_no_request_and_another_model_does(server: Any, chat: Maker, tmp_path: Path) -> None:
    """Everything that decides an answer is in the key; address, timeouts and concurrency are not."""
    first = chat(cache=AnswerCache(tmp_path)).complete(ask(), SCHEMA)
    assert chat(cache=AnswerCache(tmp_path), timeout_s=9.0, concurrency=1).complete(ask(), SCHEMA) == first
    assert len(server.requests) == 1
    changes: list[dict[str, Any]] = [{"temperature": 0.0}, {"max_tokens": 5}, {"seed": 1}]
    for i, change in enumerate(changes, start=2):
        chat(cache=AnswerCache(tmp_path), **change).complete(ask(), SCHEMA)
        assert len(server.requests) == i
    chat(cache=AnswerCache(tmp_path)).complete(ask(), SCHEMA | {"title": "other"})
    assert len(server.requests) == 5


def test_the_keys_of_the_cache_stay_as_they_are(server: Any, chat: Maker, tmp_path: Path) -> None:
    """The SHA-256 that the first version of the client wrote for this request: other keys would pay again."""
    chat(cache=AnswerCache(tmp_path)).complete(ask("hé"), SCHEMA)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        (row,) = db.execute("SELECT key FROM answers")
    assert row == ("caef267f1fed74690f173334dee422611a111d2a1512354e5bbf82c9cc86267d",)


@pytest.mark.parametrize("damage", ["answer = 'x'", "answer = NULL", "answer = '{}'"])
def test_a_damaged_entry_is_a_miss(damage: str, server: Any, chat: Maker, tmp_path: Path) -> None:
    """Requested again, kept again, and then whole."""
    good = chat(cache=AnswerCache(tmp_path)).complete(ask(), SCHEMA)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute(f"UPDATE answers SET {damage}")
    db.close()
    for _ in range(2):
        assert chat(cache=AnswerCache(tmp_path)).complete(ask(), SCHEMA) == good
    assert len(server.requests) == 2


def test_a_file_that_is_not_a_cache_is_not_replaced(tmp_path: Path) -> None:
    """It may hold answers that were paid for."""
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 100)
    with pytest.raises(CotgenError, match="move it away"):
        AnswerCache(tmp_path)


def reply(text: str) -> Reply:
    return Reply(text, "stop", "", 1, 1)


def test_threads_and_caches_of_one_folder_lose_nothing(tmp_path: Path) -> None:
    """Four caches, as four processes have them, and four threads each write and read five answers of their own."""

    def work(cache: AnswerCache, name: str) -> int:
        for i in range(5):
            cache.put(f"{name} {i}", reply(str(i)))
            cache.charge("all", Tokens(prompt=1, answer=1))
        return sum(cache.get(f"{name} {i}") == reply(str(i)) for i in range(5))

    caches = [AnswerCache(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(16) as pool:
        whole = sum(pool.map(lambda i: work(caches[i % 4], str(i)), range(16)))
    assert whole == 16 * 5
    assert AnswerCache(tmp_path).used("all") == Tokens(prompt=80, answer=80)


def test_a_disk_that_fails_is_named(tmp_path: Path) -> None:
    """A folder where the file should be; and a table that another program removed."""
    (tmp_path / "a" / FILE_NAME).mkdir(parents=True)
    with pytest.raises(CotgenError, match=FILE_NAME):
        AnswerCache(tmp_path / "a")
    cache = AnswerCache(tmp_path / "b")
    with sqlite3.connect(tmp_path / "b" / FILE_NAME) as db:
        db.execute("DROP TABLE answers")
    with pytest.raises(CotgenError, match="no such table"):
        cache.put("k", reply("x"))


def test_limits_stop_before_they_are_exceeded_and_wait_for_requests_in_flight(
    server: Any, does: Any, chat: Maker, tmp_path: Path
) -> None:
    """1000 tokens an answer, which could be 1285 at most (bytes of the request, and 100), and a limit of 6000: five
    answers are sure to fit, although eight threads reserve 10 280. What an earlier run used counts, and a higher limit
    continues."""
    server.otherwise = does.answer(after_s=0.02)
    client = chat(cache=AnswerCache(tmp_path), limits=BudgetLimits(tokens=6000), max_tokens=100)

    def one(i: int) -> str:
        try:
            client.complete(ask(f"{i:900}"), SCHEMA)
        except BudgetError as error:
            return str(error)
        return "answered"

    with ThreadPoolExecutor(8) as pool:
        outcomes = Counter(pool.map(one, range(20)))
    refused = "the limit of 6000 tokens is reached: 4500 prompt + 500 answer tokens used"
    assert outcomes.pop("answered") == len(server.requests) == 5
    assert [message.startswith(refused) for message in outcomes] == [True]
    with pytest.raises(BudgetError):
        chat(cache=AnswerCache(tmp_path), limits=BudgetLimits(tokens=6000)).complete(ask(" " * 900), SCHEMA)
    chat(cache=AnswerCache(tmp_path), limits=BudgetLimits(tokens=9000)).complete(ask(" " * 900), SCHEMA)


def test_retries_stay_within_the_limit(server: Any, does: Any, chat: Maker) -> None:
    """A try that hangs may have cost all that it could, here 787 tokens: a second one does not fit."""
    server.otherwise = does.hang(1.0)
    client = chat(cache=(cache := AnswerCache(None)), limits=BudgetLimits(tokens=1000), timeout_s=0.2, max_tokens=500)
    with pytest.raises(BudgetError, match="the limit of 1000 tokens"):
        client.complete(ask(), SCHEMA)
    assert client.counts == {"requests": 1, "lost": 1}
    assert 500 < cache.used("test").total() <= 1000


def test_cost_is_counted_at_the_callers_prices(server: Any, chat: Maker) -> None:
    """900 prompt tokens at 1000 a million and 100 of answer at 10 000 a million: 0.9 + 1.0 a request."""
    client = chat(limits=BudgetLimits(cost=4.5, price_in=1000.0, price_out=10_000.0), max_tokens=100)
    client.complete(ask("a" * 900), SCHEMA)
    assert "cost of 1.9000" in client.summary()
    client.complete(ask("b" * 900), SCHEMA)
    with pytest.raises(BudgetError, match=r"cost of 4\.5"):
        client.complete(ask("c" * 900), SCHEMA)


@pytest.mark.parametrize("usage", [None, [], {"prompt_tokens": -1, "completion_tokens": 10**30}])
def test_an_endpoint_that_reports_no_usage_is_charged_in_full(
    usage: object, server: Any, does: Any, chat: Maker
) -> None:
    """Otherwise a limit would hold nothing back. Counts that cannot be are none."""
    server.script.append(does.answer(usage=usage))
    client = chat(cache=(cache := AnswerCache(None)), max_tokens=100)
    client.complete(ask(), SCHEMA)
    used = cache.used("test")
    assert used["answer"] == 100
    assert used["prompt"] > len("hi")


def test_the_key_is_nowhere(server: Any, does: Any, chat: Maker, tmp_path: Path, caplog: Any) -> None:
    """Endpoints that send the key back, in an error and in an answer; everything is logged and cached."""
    caplog.set_level(logging.DEBUG)
    server.script.extend([does.fail(400, f"wrong key {KEY}"), does.answer(f"key {KEY}")])
    client = chat(cache=AnswerCache(tmp_path), retries=0)
    with pytest.raises(RequestError) as caught:
        client.complete(ask(), SCHEMA)
    assert client.complete(ask(), SCHEMA) == {"reasoning": "key [key]"}
    written = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__)
    assert KEY not in caplog.text + shown + repr(client) + client.summary()
    assert KEY.encode() not in written


def test_a_halted_client_makes_no_further_try(server: Any, does: Any, chat: Maker) -> None:
    """Halted in the half second before the first of six retries."""
    server.otherwise = does.fail(500)
    client = chat(retries=6)
    threading.Timer(0.2, client.halt).start()
    with pytest.raises(EndpointError, match="stopped"):
        client.complete(ask(), SCHEMA)
    assert len(server.requests) == 1


def test_an_address_without_a_server_costs_nothing_and_ends_the_run(chat: Maker) -> None:
    """A port on which nothing listens: nothing was sent, so nothing is charged."""
    client = chat(base_url="http://127.0.0.1:9/v1")
    with pytest.raises(EndpointError, match=r"connection failed: .*refused"):
        client.complete(ask(), SCHEMA)
    assert client.counts == {"requests": 2, "retries": 1}


@pytest.mark.parametrize(
    "change",
    [{"model": " "}, {"concurrency": 0}, {"timeout_s": 0}, {"temperature": 3.0}, {"retries": -1},
     {"base_url": "ftp://h"}, {"base_url": "http://me:pass@h"}, {"max_tokens": 0}],
)  # fmt: skip
def test_invalid_settings_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(CotgenError):
        Settings(**{"model": "m", **change})


@pytest.mark.parametrize("change", [{"tokens": 0}, {"cost": -1.0}, {"price_in": -1.0}, {"cost": 1.0}])
def test_invalid_limits_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(CotgenError):
        BudgetLimits(**change)


def test_without_key_and_address_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's own endpoint needs a key; another one may not."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(EndpointError, match="OPENAI_API_KEY"):
        Chat(Settings("m"))
    Chat(Settings("m", base_url="http://127.0.0.1:9/v1")).halt()


def test_accounts_add_up_over_runs(tmp_path: Path) -> None:
    """10 + 1 and 20 + 2 tokens in two runs."""
    for n in (1, 2):
        AnswerCache(tmp_path).charge("a", Tokens(prompt=10 * n, answer=n))
    assert AnswerCache(tmp_path).used("a") == Tokens(prompt=30, answer=3)
    assert AnswerCache(tmp_path).used("b") == Tokens()


def test_a_client_of_plain_options_pays_for_no_answer_twice(server: Any, does: Any, tmp_path: Path) -> None:
    """Two clients of one folder: the second has the first one's answer, and one that may use nothing is refused."""
    plain: dict[str, Any] = {
        "model": "m", "base_url": server.url, "cache": tmp_path, "max_cost": None, "price_in": 0.0, "price_out": 0.0,
        "temperature": 0.0, "seed": 0,
    }  # fmt: skip
    for _ in range(2):
        complete = open_client(max_tokens_total=50_000, **plain)
        assert complete(ask(), SCHEMA) == {"reasoning": does.good_text}
    assert len(server.requests) == 1
    with pytest.raises(BudgetError):
        open_client(max_tokens_total=1, **plain)(ask("something else"), SCHEMA)
