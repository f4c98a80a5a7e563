"""A client for other programs: `complete(messages, schema)` with a cache and limits, made from plain options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cotgen.llm.answer_cache import AnswerCache
from cotgen.llm.budget import BudgetLimits
from cotgen.llm.chat import Chat, Settings


def open_client(
    *,
    model: str,
    base_url: str | None,
    cache: Path,
    max_tokens_total: int | None,
    max_cost: float | None,
    price_in: float,
    price_out: float,
    temperature: float,
    seed: int,
) -> Any:
    """`Chat.complete` of a model that pays for no answer twice: `cache` is the folder of all that were paid for, and
    what counts against the limits. Raises what `Chat` does.
    """
    settings = Settings(model, base_url, temperature, seed=seed)
    limits = BudgetLimits(max_tokens_total, max_cost, price_in, price_out)
    answers = AnswerCache(cache)
    chat = Chat(settings, cache=answers, budget=answers.budget(str(cache.resolve()), limits))

    def complete(messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]) -> dict[str, Any]:
        return chat.complete(messages, schema)

    return complete
