"""When memory runs out: what was run, and what to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from policy.errors import MemoryLimitError
from speechlm.weights import is_out_of_memory


@contextmanager
def memory_limit(what: str, *, lower: str) -> Iterator[None]:
    """Raise `MemoryLimitError`, which names `what` was run and what to `lower`, where memory runs out inside.

    `sequence_logprobs` and `Sampler` do so by themselves. The backward pass is the caller's, and so is this:

    >>> import torch
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
        if not is_out_of_memory(error):
            raise
        raise MemoryLimitError(f"out of memory in {what}: lower {lower}") from error
