"""What workers tell one another through Redis: attempts, claims, counters. Losing it loses no result.

An attempt is counted when it begins and taken back when it ends, however it ends: what is still counted when a range
comes again are attempts that ended their worker. Results are never counted twice, and are told by the store alone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from annotator_worker import settings
from annotator_worker.errors import BrokerError

_PREFIX: Final = "annotator"
_KEPT_S: Final = 7 * 86_400
_TIMEOUT_S: Final = 5.0
RATE_MINUTES: Final = 5
"""The rate is that of so many minutes."""
_COUNT: Final = """
if redis.call('SADD', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('HINCRBY', KEYS[2], ARGV[4], ARGV[3])
redis.call('HINCRBY', KEYS[3], ARGV[2] .. ' ' .. ARGV[4], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('EXPIRE', KEYS[3], ARGV[6])
redis.call('HINCRBY', KEYS[4], 'items', ARGV[3])
redis.call('HINCRBY', KEYS[4], 'dead_letters', ARGV[7])
redis.call('HINCRBY', KEYS[5], ARGV[4], ARGV[3])
return 1
"""
"""Counts a range once, in one step: a worker that dies in between has counted all of it or nothing."""
_TURN: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local at = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
redis.call('SET', KEYS[1], string.format('%.0f', at + ARGV[1]), 'PX', string.format('%.0f', at - now + ARGV[1] + 1000))
return string.format('%.0f', at - now)
"""
"""Takes the next turn, in milliseconds of the server's clock."""


_END: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1], KEYS[2]) end"
"""Gives a claim back in one step, so that never the claim of a successor is."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt at a range that begins: its number from 1; which item ended the worker before, and how."""

    number: int
    item: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """What a job's workers did: items by stage and worker in the last `seconds`, and by worker since the start."""

    recent: Mapping[tuple[str, str], int]
    seconds: float
    workers: Mapping[str, int]
    is_cancelled: bool

    def rate_of(self, *, stage: str | None = None, worker: str | None = None) -> float:
        """Items a second lately, at one stage or of one worker, or of all."""
        counted = (n for (s, w), n in self.recent.items() if stage in (None, s) and worker in (None, w))
        return sum(counted) / self.seconds


class Ledger:
    """The counters behind the broker's address."""

    def __init__(self, url: str | None = None) -> None:
        url = url or settings.setting(settings.BROKER)
        if not url:
            raise BrokerError(f"{settings.BROKER} does not name the broker")
        try:
            self._redis: Any = redis.Redis.from_url(
                url,
                decode_responses=True,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                retry=Retry(ExponentialBackoff(cap=1.0, base=0.05), 3),
                **(settings.redis_tls(url) or {}),
            )
        except ValueError as error:
            raise BrokerError(f"{settings.BROKER} is not the address of a Redis or Valkey server") from error

    def begin(self, name: str, worker: str) -> Attempt:
        """Count an attempt at the range `name`."""
        key = self._key("range", name)
        before = self._redis.hgetall(key)
        count = self._redis.hincrby(key, "attempts", 1)
        self._redis.hdel(key, "item", "reason")
        self._redis.hset(key, "worker", worker)
        self._redis.expire(key, _KEPT_S)
        item = before.get("item")
        return Attempt(int(count), None if item is None else int(item), before.get("reason"))

    def note_death(self, name: str, reason: str, item: int | None) -> None:
        """Say how the process that worked on a range ended, and at which item."""
        known = {"reason": reason} | ({} if item is None else {"item": item})
        self._redis.hset(self._key("range", name), mapping=known)
        self._redis.hincrby(self._key("totals"), "deaths", 1)

    def note_trouble(self) -> None:
        """Count a transient failure, which is retried."""
        self._redis.hincrby(self._key("totals"), "tries_again", 1)

    def end(self, name: str, task_id: str) -> None:
        """The attempt of the message `task_id` ended without ending its worker."""
        self._redis.eval(_END, 2, self._key("claim", name), self._key("range", name), task_id)

    def claim(self, name: str, task_id: str, seconds: float) -> bool:
        """Whether the message `task_id` may do this range: no other message is at it.

        A message that comes again, since its worker died, may go on.
        """
        key = self._key("claim", name)
        if self._redis.set(key, task_id, nx=True, ex=int(seconds) + 1):
            return True
        return bool(self._redis.get(key) == task_id)

    def count(self, name: str, *, job: str, stage: str, worker: str, items: int, dead: int) -> None:
        """Count a range that is done, once."""
        minute = self._minute(job, int(time.time()) // 60)
        names = [self._key("counted", job), self._key("workers", job), minute]
        arguments = (name, stage, items, worker, _KEPT_S, 60 * (RATE_MINUTES + 2), dead)
        self._redis.eval(_COUNT, 5, *names, self._key("totals"), self._key("by_worker"), *arguments)

    def cancel(self, job: str, *, cancelled: bool = True) -> None:
        """Have workers drop what was sent of a job, or take it up again."""
        key = self._key("cancelled", job)
        if cancelled:
            self._redis.set(key, 1)
        else:
            self._redis.delete(key)

    def is_cancelled(self, job: str) -> bool:
        """Whether the job was cancelled."""
        return bool(self._redis.exists(self._key("cancelled", job)))

    def activity(self, job: str) -> Activity:
        """What the workers of a job are doing."""
        now = time.time()
        first, recent = now, Counter[tuple[str, str]]()
        for minute in range(int(now) // 60 - RATE_MINUTES, int(now) // 60 + 1):
            for name, n in self._redis.hgetall(self._minute(job, minute)).items():
                stage, _, worker = name.partition(" ")
                recent[stage, worker] += int(n)
                first = min(first, 60.0 * minute)
        workers = {worker: int(n) for worker, n in self._redis.hgetall(self._key("workers", job)).items()}
        return Activity(recent, max(1.0, now - first), dict(sorted(workers.items())), self.is_cancelled(job))

    def turn(self, per_minute: float) -> float:
        """In how many seconds a request to a model may be made, so that all workers make so many a minute at most."""
        return float(self._redis.eval(_TURN, 1, self._key("turn"), round(60_000 / per_minute))) / 1000

    def spend(self, account: str, *, prompt: int, answer: int) -> tuple[int, int]:
        """Add to the tokens that an account used, or take back from them; all that it used."""
        key = self._key("account", account)
        pipeline = self._redis.pipeline()
        pipeline.hincrby(key, "prompt", prompt)
        pipeline.hincrby(key, "answer", answer)
        used, answered = pipeline.execute()
        return int(used), int(answered)

    def answer(self, key: str) -> str | None:
        """What a model answered under `key`."""
        found: str | None = self._redis.get(self._key("answer", key))
        return found

    def keep_answer(self, key: str, text: str) -> None:
        """Keep what was paid for, until it is in a shard."""
        self._redis.set(self._key("answer", key), text, ex=_KEPT_S)

    def forget_answers(self, names: Iterable[str]) -> None:
        """They are in a shard."""
        if found := [self._key("answer", name) for name in names]:
            self._redis.delete(*found)

    def queued(self, queue: str) -> int:
        """How many messages wait in a queue."""
        return int(self._redis.llen(queue))

    def totals(self) -> dict[str, int]:
        """What was counted over all jobs, by name."""
        return {name: int(n) for name, n in self._redis.hgetall(self._key("totals")).items()}

    def by_worker(self) -> dict[str, int]:
        """Items of all jobs by the worker that did them."""
        return {name: int(n) for name, n in self._redis.hgetall(self._key("by_worker")).items()}

    def _minute(self, job: str, minute: int) -> str:
        return self._key("minute", job, str(minute))

    @staticmethod
    def _key(*parts: str) -> str:
        return ":".join((_PREFIX, *parts))
