"""When memory runs out: what was run, and what to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from policy.errors import MemoryLimitError

HOST_REFUSALS = (
    "can't allocate memory",
    "not enough memory",
)  # of torch's CPU allocator, which has no error of its own


@contextmanager
def memory_limit(what: str, *, lower: str) -> Iterator[None]:
    """Raise `MemoryLimitError`, which names `what` was run and what to `lower`, where memory runs out inside.

    `sequence_logprobs` and `Sampler` do so by themselves. The backward pass is the caller's, and so is this:

    >>> with memory_limit("the backward pass of 4 × 8 answers", lower="the prompts of a step"):
    ...     torch.empty(1 << 50)
    Traceback (most recent call last):
    policy.errors.MemoryLimitError: out of memory in the backward pass of 4 × 8 answers: lower the prompts of a step
    """
    try:
        yield
    except MemoryLimitError:
        raise
    except (RuntimeError, MemoryError) as error:
        refused = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not (refused or any(words in str(error) for words in HOST_REFUSALS)):
            raise
        raise MemoryLimitError(f"out of memory in {what}: lower {lower}") from error
