"""What an endpoint sends back: a reply read from the body of a response, and the JSON object in its text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cotgen.errors import AnswerError
from cotgen.llm.budget import Tokens

_FENCE = re.compile(r"\s*```(?:json)?\s*\n(?P<inner>.*)\n\s*```\s*", re.DOTALL)
_UNUSABLE = {"content_filter": "filtered", "length": "cut_off", "oversized": "oversized"}
_MAX_COUNT = 1 << 40


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


def read_reply(body: bytes, *, most: Tokens) -> Reply | None:
    """The reply in the body of a chat completion, or `None` if it is cut off, not JSON, or without a choice.

    >>> body = b'{"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}'
    >>> read_reply(body, most=Tokens(prompt=9, answer=5))
    Reply(text='hello', finish='stop', refusal='', prompt_tokens=9, answer_tokens=5)
    """
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        content, refusal = (valid_text(choice["message"].get(name)) for name in ("content", "refusal"))
        finish = str(choice.get("finish_reason") or "stop")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    usage = data["usage"] if isinstance(data.get("usage"), dict) else {}
    prompt, answer = (
        n if type(n) is int and 0 <= n <= _MAX_COUNT else limit
        for n, limit in ((usage.get("prompt_tokens"), most["prompt"]), (usage.get("completion_tokens"), most["answer"]))
    )
    return Reply(content, finish, refusal, prompt, answer)


def value_of(reply: Reply, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object in `reply`, which fits `schema`. Raises `AnswerError` with a reason of one word otherwise.

    A fence of backticks around the JSON is allowed: many models write one where the endpoint enforces no schema.

    >>> value_of(Reply('{"score": 3}', "stop", "", 9, 5), {"type": "object", "required": ["score"]})
    {'score': 3}
    """
    from jsonschema import Draft202012Validator

    shown = repr((reply.refusal or reply.text)[:80])
    empty = "" if reply.text.strip() else "empty"
    if reason := "refused" if reply.refusal else _UNUSABLE.get(reply.finish, empty):
        raise AnswerError(reason, f"the answer is {reason.replace('_', ' ')}: {shown}")
    fenced = _FENCE.fullmatch(reply.text)
    try:
        value = json.loads(fenced["inner"] if fenced else reply.text)
    except (ValueError, RecursionError):
        raise AnswerError("broken_json", f"the answer is not valid JSON: {shown}") from None
    if not isinstance(value, dict) or not Draft202012Validator(dict(schema)).is_valid(value):
        raise AnswerError("wrong_schema", f"the answer does not fit its schema: {shown}")
    return value


def valid_text(content: object) -> str:
    r"""A text without lone surrogates, which JSON can spell and UTF-8 cannot encode; `""` for anything but a text.

    >>> valid_text("half a \ud800 pair") == "half a \ufffd pair"
    True
    """
    if not isinstance(content, str):
        return ""
    return content.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
