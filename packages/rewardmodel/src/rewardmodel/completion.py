"""A language model as this package sees it: `complete(messages, schema)`, whoever provides it.

This package knows no client. One is passed in, or named as MODULE:NAME on the command line, by default `cotgen`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from rewardmodel.errors import CompletionError, RewardModelError
from speech_records import RewardScores

Complete = Callable[[Sequence[Mapping[str, str]], Mapping[str, Any]], Mapping[str, Any]]
"""Answers messages (each with `role` and `content`) by a JSON object that should fit a schema.

It raises a `ValueError` where there is no answer that can be used.
"""
MAX_UNANSWERED = 10
"""After so many requests in a row without an answer that can be used, no other one will help."""


class Asking:
    """Counts requests without an answer: one is a failure of its text, many in a row end the work."""

    def __init__(self, complete: Complete) -> None:
        self._complete, self._unanswered = complete, 0

    def __call__(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer. Raises `CompletionError` where there is none, and what the client raised after `MAX_UNANSWERED`
        of these in a row.
        """
        try:
            answer = self._complete(messages, schema)
        except ValueError as error:
            self._unanswered += 1
            if self._unanswered >= MAX_UNANSWERED:
                raise
            raise CompletionError(f"no answer: {error}") from error
        self._unanswered = 0
        if not isinstance(answer, Mapping):
            raise CompletionError(f"the answer is {type(answer).__name__}, expected a JSON object")
        return answer


def scores_of(answer: Mapping[str, Any]) -> RewardScores:
    """The four scores in an answer. Raises `CompletionError` naming the criterion that is missing or off the scale."""
    found = []
    for criterion in RewardScores.CRITERIA:
        if criterion not in answer:
            raise CompletionError(f"{criterion} is missing")
        value = answer[criterion]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 5:  # NaN is not
            raise CompletionError(f"{criterion} is {value!r}, expected a number from 1 to 5")
        found.append(float(value))
    return RewardScores(*found)


def named(reference: str) -> Any:
    """What MODULE:NAME names. Raises `RewardModelError` where there is no such module or name."""
    module, _, name = reference.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise RewardModelError(
            f"{reference!r} is not MODULE:NAME of something that can be imported: {error}"
        ) from error
