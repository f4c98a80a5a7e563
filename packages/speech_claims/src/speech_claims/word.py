"""A word or phrase of a text, with its place and its letter of grammar."""

from __future__ import annotations

from dataclasses import dataclass

from speech_claims.lexicon import Kind
from speech_claims.quantities import Quantity
from speech_records import Cue

REPEATED = "repeated"
"""Group of a word that repeats the last value; its head stands to the right."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word or phrase with its place and its letter; of a head, the group that its values are read in.

    `REPEATED` instead of a group marks a word that repeats a value; `sense` is what a word claims here by itself,
    `quantity` the number that it is.
    """

    start: int
    end: int
    phrase: str
    kind: Kind
    group: str | None = None
    sense: tuple[Cue, str] | None = None
    quantity: Quantity | None = None
