"""What requests may use and what they used: ceilings, and a purse that never lets a request exceed them.

Before a request the most that it can use is set aside, and afterwards what it did use is charged. A request whose
most does not fit waits for others in flight, which seldom use all that was set aside for them, and is refused only
when there are none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition

from cotgen.errors import CeilingError, CotgenError

PRICED_TOKENS = 1_000_000
"""Prices are for this many tokens, as endpoints publish them."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of prompts and of answers."""

    prompt: int = 0
    answer: int = 0

    @property
    def total(self) -> int:
        """Both together.

        >>> Tokens(prompt=900, answer=150).total
        1050
        """
        return self.prompt + self.answer

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.prompt + other.prompt, self.answer + other.answer)

    def __sub__(self, other: Tokens) -> Tokens:
        return Tokens(self.prompt - other.prompt, self.answer - other.answer)


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The most that may be used in all: tokens, and cost at the caller's prices for a million tokens.

    `None` is no ceiling. Raises `CotgenError` for a ceiling that is not positive, a negative price, or a ceiling on
    cost without a price.
    """

    tokens: int | None = None
    cost: float | None = None
    price_in: float = 0.0
    price_out: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("tokens", self.tokens), ("cost", self.cost)):
            if value is not None and not value > 0:
                raise CotgenError(f"a ceiling on {name} must be positive, got {value}")
        if not (self.price_in >= 0 and self.price_out >= 0):
            raise CotgenError(f"prices must not be negative, got {self.price_in} and {self.price_out}")
        if self.cost is not None and not self.price_in + self.price_out > 0:
            raise CotgenError("a ceiling on cost needs the prices of a million prompt and answer tokens")

    def price(self, tokens: Tokens) -> float:
        """What tokens cost, in the currency of the prices.

        >>> Ceilings(price_in=2.5, price_out=10.0).price(Tokens(prompt=400_000, answer=100_000))
        2.0
        """
        return (tokens.prompt * self.price_in + tokens.answer * self.price_out) / PRICED_TOKENS

    def exceeded_by(self, tokens: Tokens) -> str | None:
        """Which ceiling so many tokens exceed, in words; `None` if none.

        >>> Ceilings(tokens=1000).exceeded_by(Tokens(prompt=900, answer=150))
        '1000 tokens'
        """
        if self.tokens is not None and tokens.total > self.tokens:
            return f"{self.tokens} tokens"
        if self.cost is not None and self.price(tokens) > self.cost:
            return f"a cost of {self.cost:g}"
        return None


class Purse:
    """What was used so far and what is set aside for requests in flight; for any number of threads."""

    def __init__(self, ceilings: Ceilings, *, used: Tokens) -> None:
        self.ceilings = ceilings
        self._used, self._aside, self._in_flight = used, Tokens(), 0
        self._changed = Condition()

    @property
    def used(self) -> Tokens:
        """All tokens that were charged, those of earlier runs included."""
        with self._changed:
            return self._used

    @contextmanager
    def set_aside(self, most: Tokens) -> Iterator[None]:
        """Hold `most` back while a request is made. Raises `CeilingError` when it cannot fit."""
        with self._changed:
            while exceeded := self.ceilings.exceeded_by(self._used + self._aside + most):
                if not self._in_flight:
                    raise CeilingError(
                        f"the ceiling of {exceeded} is reached: {self.described()} used, and one more request "
                        f"could use {most.prompt} + {most.answer} tokens; raise the ceiling to go on"
                    )
                self._changed.wait()
            self._aside += most
            self._in_flight += 1
        try:
            yield
        finally:
            with self._changed:
                self._aside -= most
                self._in_flight -= 1
                self._changed.notify_all()

    def charge(self, tokens: Tokens) -> None:
        """Count `tokens` as used."""
        with self._changed:
            self._used += tokens

    def described(self) -> str:
        """What was used, in words."""
        used = self._used
        priced = self.ceilings.price_in + self.ceilings.price_out > 0
        cost = f", at a cost of {self.ceilings.price(used):.4f}" if priced else ""
        return f"{used.prompt} prompt + {used.answer} answer tokens{cost}"
