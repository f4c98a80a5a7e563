"""Limits on the tokens and cost of all requests together, and a budget that no request can exceed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from threading import Condition
from typing import Protocol

from cotgen.errors import BudgetError, CotgenError

Tokens = Counter[str]
"""Counts of `prompt` and `answer` tokens."""


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """The most that may be used in all: tokens, and cost at the caller's prices for a million tokens.

    `None` is no limit. Raises `CotgenError` for limits that are not positive, negative prices, a cost without prices.
    """

    tokens: int | None = None
    cost: float | None = None
    price_in: float = 0.0
    price_out: float = 0.0

    def __post_init__(self) -> None:
        positive = all(limit is None or limit > 0 for limit in (self.tokens, self.cost))
        if not (positive and self.price_in >= 0 and self.price_out >= 0):
            raise CotgenError(f"limits must be positive and prices must not be negative, got {self}")
        if self.cost is not None and not self.price_in + self.price_out > 0:
            raise CotgenError(
                f"a limit on cost (--max-cost {self.cost:g}) needs the prices of a million tokens: add --price-in and"
                " --price-out"
            )

    def price(self, tokens: Tokens) -> float:
        """What tokens cost, in the currency of the prices.

        >>> BudgetLimits(price_in=2.5, price_out=10.0).price(Tokens(prompt=400_000, answer=100_000))
        2.0
        """
        return (tokens["prompt"] * self.price_in + tokens["answer"] * self.price_out) / 1_000_000

    def exceeded_by(self, tokens: Tokens) -> str:
        """Which limit so many tokens exceed, in words; `""` if none.

        >>> BudgetLimits(tokens=1000).exceeded_by(Tokens(prompt=900, answer=150))
        '1000 tokens'
        """
        if self.tokens is not None and tokens.total() > self.tokens:
            return f"{self.tokens} tokens"
        return f"a cost of {self.cost:g}" if self.cost is not None and self.price(tokens) > self.cost else ""


class Budget(Protocol):
    """What requests must not exceed, asked in any thread."""

    def reserve(self, most: Tokens) -> AbstractContextManager[None]:
        """Reserve the most that a request can use while it is made; may wait. Raises `BudgetError` where it is used."""
        ...

    def charge(self, tokens: Tokens) -> None:
        """Count `tokens` as used."""
        ...

    def described(self) -> str:
        """What was used, in words."""
        ...


class TokenBudget:
    """What was used, `used` by earlier runs included, and what is reserved for requests in flight, in any thread.

    `record` is called with everything that is charged, so that a later run can count it as used.
    """

    def __init__(self, limits: BudgetLimits, *, used: Tokens, record: Callable[[Tokens], None]) -> None:
        self._limits, self._used, self._record, self._reserved = limits, used, record, Tokens()
        self._changed = Condition()

    @contextmanager
    def reserve(self, most: Tokens) -> Iterator[None]:
        """Reserve the most that a request can use while it is made.

        Where it does not fit beside others in flight, which seldom use all that is reserved, it waits for them. Raises
        `BudgetError` when there are none.
        """
        with self._changed:
            while exceeded := self._limits.exceeded_by(self._used + self._reserved + most):
                if not self._reserved:
                    raise BudgetError(
                        f"the limit of {exceeded} is reached: {self.described()} used, and one more request "
                        f"could use {most['prompt']} + {most['answer']} tokens; raise the limit to continue"
                    )
                self._changed.wait()
            self._reserved += most
        try:
            yield
        finally:
            with self._changed:
                self._reserved -= most
                self._changed.notify_all()

    def charge(self, tokens: Tokens) -> None:
        """Count `tokens` as used."""
        with self._changed:
            self._used = self._used + tokens
        self._record(tokens)

    def described(self) -> str:
        """What was used, in words."""
        cost = self._limits.price(self._used)
        priced = f", at a cost of {cost:.4f}" if self._limits.price_in + self._limits.price_out > 0 else ""
        return f"{self._used['prompt']} prompt + {self._used['answer']} answer tokens{priced}"
