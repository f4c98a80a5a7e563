"""Character ranges of a text: which of them are taken, in time linear in the text."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]


class Occupied:
    """The characters of a text of `length` that spans cover; time is linear in a span, however many there are.

    >>> taken = Occupied(10, [(2, 4)])
    >>> taken.is_free((4, 6)), taken.is_free((3, 5))
    (True, False)
    """

    def __init__(self, length: int, spans: Iterable[Span] = ()) -> None:
        self._covered = bytearray(length)
        for span in spans:
            self.add(span)

    def add(self, span: Span) -> None:
        """Cover `span`."""
        self._covered[span[0] : span[1]] = b"\1" * (span[1] - span[0])

    def is_free(self, span: Span) -> bool:
        """Whether no character of `span` is covered."""
        return 1 not in self._covered[span[0] : span[1]]
