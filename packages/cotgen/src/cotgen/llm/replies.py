"""What an endpoint sends back: a reply read from the body of a response, and the value that was asked for in it.

Nothing is trusted: a body may be cut off, a reply may be refused, filtered, cut off at its limit, empty, no JSON, or
not of the schema. Each of these has a one-word reason, so that it can be counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from cotgen.errors import AnswerError

_FENCE = re.compile(r"\s*```(?:json)?\s*\n(?P<inner>.*)\n\s*```\s*", re.DOTALL)
_SHOWN = 80


class Reason(StrEnum):
    """Why an answer cannot be used."""

    REFUSED = "refused"
    FILTERED = "filtered"
    CUT_OFF = "cut_off"
    OVERSIZED = "oversized"
    EMPTY = "empty"
    BROKEN_JSON = "broken_json"
    WRONG_SCHEMA = "wrong_schema"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: its text, why it ended (`stop`, `length`, `content_filter`, `oversized`), its refusal if it is one.

    Token counts are those that the endpoint reports, or the most that the request could use where it reports none.
    """

    text: str
    finish: str
    refusal: str
    prompt_tokens: int
    answer_tokens: int


def read_body(body: bytes, *, most: tuple[int, int]) -> Reply | None:
    """The reply in the body of a chat completion; `None` when it is none: cut off, no JSON, or without a choice.

    `most` are the token counts that stand in where none are reported.

    >>> body = b'{"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}'
    >>> read_body(body, most=(9, 5))
    Reply(text='hello', finish='stop', refusal='', prompt_tokens=9, answer_tokens=5)
    >>> read_body(body[:40], most=(9, 5)) is None
    True
    """
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        message = choice["message"]
        content, refusal = message.get("content") or "", message.get("refusal") or ""
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    usage = data.get("usage")
    counted = [_count(usage, "prompt_tokens"), _count(usage, "completion_tokens")]
    prompt, answer = (limit if n is None else n for n, limit in zip(counted, most, strict=True))
    return Reply(whole(content), str(choice.get("finish_reason") or "stop"), whole(refusal), prompt, answer)


def oversized(most: tuple[int, int]) -> Reply:
    """What stands for a body that is too large to be read to its end."""
    return Reply("", "oversized", "", *most)


def stored(reply: Reply) -> dict[str, Any]:
    """The reply as it is kept in a cache; `restored` reads it."""
    return asdict(reply)


def restored(entry: Mapping[str, Any]) -> Reply | None:
    """What `stored` wrote; `None` for anything else."""
    try:
        reply = Reply(**entry)
    except TypeError:
        return None
    texts, counts = (reply.text, reply.finish, reply.refusal), (reply.prompt_tokens, reply.answer_tokens)
    return reply if all(isinstance(t, str) for t in texts) and all(isinstance(n, int) for n in counts) else None


def value_of(reply: Reply, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object that `reply` holds, which fits `schema`. Raises `AnswerError` that names the reason.

    A fence of backticks around the JSON is allowed: endpoints that enforce no schema get it from many models.

    >>> value_of(Reply('{"score": 3}', "stop", "", 9, 5), {"type": "object", "required": ["score"]})
    {'score': 3}
    """
    if reply.refusal:
        raise AnswerError(Reason.REFUSED, f"the model refuses: {_shown(reply.refusal)}")
    if reply.finish == "content_filter":
        raise AnswerError(Reason.FILTERED, "the endpoint's filter withheld the answer")
    if reply.finish == "length":
        raise AnswerError(Reason.CUT_OFF, f"the answer is cut off at {reply.answer_tokens} tokens: raise their limit")
    if reply.finish == "oversized":
        raise AnswerError(Reason.OVERSIZED, "the response is larger than any answer")
    if not reply.text.strip():
        raise AnswerError(Reason.EMPTY, "the answer is empty")
    fenced = _FENCE.fullmatch(reply.text)
    try:
        value = json.loads(fenced["inner"] if fenced else reply.text)
    except (ValueError, RecursionError):
        raise AnswerError(Reason.BROKEN_JSON, f"the answer is no JSON: {_shown(reply.text)}") from None
    misfit = _misfit(value, schema)
    if misfit is not None or not isinstance(value, dict):
        raise AnswerError(Reason.WRONG_SCHEMA, f"the answer does not fit its schema: {misfit or 'no object'}")
    return value


def _misfit(value: object, schema: Mapping[str, Any]) -> str | None:
    from jsonschema import Draft202012Validator

    error = next(iter(Draft202012Validator(dict(schema)).iter_errors(value)), None)
    return None if error is None else _shown(error.message)


def _count(usage: object, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def whole(content: object) -> str:
    r"""A text without lone surrogates, which JSON can spell and UTF-8 cannot write; nothing for what is no text.

    >>> whole("half a \ud800 pair") == "half a \ufffd pair"
    True
    """
    if not isinstance(content, str):
        return ""
    return content.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
