"""The stage `reason`: a worker has rules or a language model write, and what was written goes into the data set.

What a model is asked by all workers together keeps to one rate and one budget, in Redis. An answer that was paid for is
kept there until the shard that it goes into is stored, so that a worker that dies costs none of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from annotator_worker import settings
from annotator_worker.errors import JobError
from annotator_worker.ledger import Ledger
from annotator_worker.records import BatchTask, Levelled, Outcome, Writing
from annotator_worker.results import Gathered
from annotator_worker.work import Mark, dead_letter, time_limit
from cotgen.errors import BudgetError
from cotgen.generation import Generator, RuleGenerator
from cotgen.generation import Outcome as Written
from cotgen.reasoning import budget_limits, chat_settings
from cotgen.reasoning import identity as identity_of
from speech_records import LABEL_SETS, FailedItem, MeasuredUtterance, ReasoningTrace

if TYPE_CHECKING:
    from cotgen.llm.budget import BudgetLimits, Tokens
    from cotgen.llm.replies import Reply

_BUDGET_WAIT_S: Final = 30.0
"""How long requests in flight, of any worker, are waited for: they seldom use all that is reserved for them."""


@contextmanager
def open_writer(writing: Writing, job: str, ledger: Ledger) -> Iterator[Generator]:
    """What writes for a worker. Raises `EndpointError` where it knows neither a key nor an address."""
    label_set = LABEL_SETS[writing.label_set]
    if not writing.is_paid:
        yield RuleGenerator(label_set, seed=writing.seed, style=writing.reasoning.style)
        return
    from cotgen.llm.chat import Chat
    from cotgen.llm.openai_generator import OpenAIGenerator

    answers = SharedAnswers(ledger)
    chat = Chat(
        chat_settings(writing.reasoning, seed=writing.seed),
        cache=answers,
        budget=SharedBudget(ledger, job, budget_limits(writing.reasoning)),
    )
    yield OpenAIGenerator(chat, label_set, candidates=writing.reasoning.candidates)
    answers.forget()


def identity(writing: Writing) -> Mapping[str, Any]:
    """What the data set says of what wrote it, the same as where it is written by a local run."""
    return identity_of(writing.reasoning, LABEL_SETS[writing.label_set], seed=writing.seed)


def written(
    task: BatchTask,
    items: Sequence[Levelled],
    writer: Generator,
    *,
    mark: Mark,
    attempts: int,
    until: float,
    limit_s: float | None,
) -> Iterator[Outcome]:
    """The outcomes of a range; of its first items only where it takes longer than to the time `until`.

    A single text that takes longer than `limit_s` ends this process.
    """

    def asked() -> Iterator[MeasuredUtterance]:
        for item in items:
            if time.monotonic() > until:
                return
            yield item.measured

    made = iter(writer.generate(asked()))
    for index, item in enumerate(items, start=task.start):
        mark.put(index)
        with time_limit(limit_s):
            outcome = next(made, None)
        if outcome is None:
            return
        result, counts = outcome.result, dict(outcome.counts)
        if isinstance(result, ReasoningTrace):
            yield Outcome(trace=result, counts=counts)
            continue
        failed = result if isinstance(result, FailedItem) else FailedItem.of(item.name, task.stage, result)
        yield Outcome(dead=dead_letter(task, index, item, failed, attempts), counts=counts)


@dataclass(frozen=True)
class WrittenByWorkers:
    """What workers wrote, as the generator of a build; `identity` is that of what they had write it."""

    identity: Mapping[str, Any]
    gathered: Gathered

    def generate(self, utterances: Iterable[MeasuredUtterance]) -> Iterator[Written]:
        """One after the other. Raises `JobError` where one was measured anew since."""
        for measured in utterances:
            name = measured.utterance.utterance_id
            outcome = self.gathered.written(name)
            if outcome is None:
                raise JobError(f"no reasoning was asked for about {name!r}: run reason again")
            if outcome.trace is not None:
                yield Written(measured, outcome.trace, outcome.counts)
            elif outcome.dead is not None:
                yield Written(measured, outcome.dead.failed, outcome.counts)


class SharedAnswers:
    """Answers of a model, until `forget`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._names: set[str] = set()

    def get(self, key: str) -> Reply | None:
        """See `cotgen.llm.answer_cache.Answers`."""
        from cotgen.llm.replies import Reply

        self._names.add(key)
        found = self._ledger.answer(key)
        return None if found is None else Reply(**json.loads(found))

    def put(self, key: str, answer: Reply) -> None:
        """See `cotgen.llm.answer_cache.Answers`."""
        self._ledger.keep_answer(key, json.dumps(asdict(answer)))

    def forget(self) -> None:
        """They are stored elsewhere."""
        self._ledger.forget_answers(sorted(self._names))


class SharedBudget:
    """The rate of `ANNOTATOR_LLM_PER_MINUTE` requests by all workers, and the limits of a job over all of them.

    What a request may use at most is counted before it is made, and what it did not use is taken back. So no limit is
    exceeded whatever dies; what a dead worker's last requests reserved stays counted.
    """

    def __init__(self, ledger: Ledger, job: str, limits: BudgetLimits) -> None:
        self._ledger, self._job, self._limits = ledger, job, limits
        self._per_minute = settings.number(settings.LLM_PER_MINUTE, 1e6)

    @contextmanager
    def reserve(self, most: Tokens) -> Iterator[None]:
        """See `cotgen.llm.budget.Budget`."""
        time.sleep(self._ledger.turn(self._per_minute))
        end = time.monotonic() + _BUDGET_WAIT_S
        while exceeded := self._limits.exceeded_by(self._add(most)):
            used = self._add(most, sign=-1)
            if self._limits.exceeded_by(used + most) and time.monotonic() > end:
                raise BudgetError(f"job {self._job}: the limit of {exceeded} is reached: raise it to continue")
            time.sleep(1.0)
        try:
            yield
        finally:
            self._add(most, sign=-1)

    def charge(self, tokens: Tokens) -> None:
        """See `cotgen.llm.budget.Budget`."""
        self._add(tokens)

    def described(self) -> str:
        """See `cotgen.llm.budget.Budget`."""
        prompt, answer = self._ledger.spend(self._job, prompt=0, answer=0)
        return f"{prompt} prompt + {answer} answer tokens"

    def _add(self, tokens: Tokens, *, sign: int = 1) -> Tokens:
        from cotgen.llm.budget import Tokens as Counted

        prompt, answer = self._ledger.spend(
            self._job, prompt=sign * tokens["prompt"], answer=sign * tokens["answer"]
        )  # fmt: skip
        return Counted(prompt=prompt, answer=answer)
