"""The generator `openai`: several candidates from a language model for each utterance, the best verified one kept.

Every candidate is verified and screened like any other text. Those that are kept or repaired are compared by `score`;
of equal ones the earliest is kept. Why the others were rejected is counted by one word each: the reasons of
`AnswerError` (refused, cut_off, …), `no_answer`, and the problems that screening finds (contradicted, too_long, …).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from cotgen.admission import label_of
from cotgen.errors import AnswerError, CotgenError, EndpointError, GenerationError, RequestError
from cotgen.generation import Outcome
from cotgen.llm import prompting
from cotgen.llm.chat import Chat, Settings
from cotgen.screening import Decision, Screened, screen
from cotgen.verdict import verdict_span
from speech_records import Cue, LabelSet, MeasuredUtterance, ReasoningTrace, SpeechRecordsError, Verdict

NO_ANSWER = "no_answer"
NO_VERDICT = "no_verdict"
"""Counts texts that were kept although they state no verdict that `cotgen.verdict` finds."""
LOOKAHEAD = 4
"""Utterances read ahead for each worker, so that one that must wait does not hold up the others."""


def model_identity(settings: Settings, candidates: int) -> Mapping[str, Any]:
    """`OpenAIGenerator.identity`, known before any model is asked."""
    return {
        "name": "openai",
        "prompt_version": prompting.PROMPT_VERSION,
        "prompt_sha256": prompting.prompt_hash(),
        "candidates": candidates,
        **settings.sampling(),
    }


class OpenAIGenerator:
    """Requests `candidates` texts about each utterance from `chat`. Raises `CotgenError` for fewer than one."""

    def __init__(self, chat: Chat, label_set: LabelSet, *, candidates: int = 1) -> None:
        if candidates < 1:
            raise CotgenError(f"at least 1 candidate is needed, not {candidates}")
        self._chat, self._label_set, self._candidates = chat, label_set, candidates

    @property
    def identity(self) -> Mapping[str, Any]:
        """Model, prompt and sampling: all that decides the requests."""
        return model_identity(self._chat.settings, self._candidates)

    def generate(self, utterances: Iterable[MeasuredUtterance]) -> Iterator[Outcome]:
        """Outcomes in the order of `utterances`, several of which are worked on at once.

        Raises `BudgetError` or `EndpointError` when no further request can succeed. Requests in flight are then still
        waited for, so that their answers are in the cache; after an `EndpointError` no other is sent, however late the
        outcomes are read.
        """
        workers = self._chat.settings.concurrency
        waiting: deque[Future[Outcome]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="cotgen")
        try:
            for measured in utterances:
                waiting.append(pool.submit(self.outcome, measured))
                if len(waiting) >= LOOKAHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            self._chat.halt()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def outcome(self, measured: MeasuredUtterance) -> Outcome:
        """The best verified candidate for one utterance, or the error that counts why there is none.

        An `EndpointError` halts all requests at once: utterances that were not asked about get the same error.
        """
        counts: Counter[str] = Counter()
        try:
            return Outcome(measured, self._best(measured, counts), counts)
        except EndpointError as error:
            self._chat.halt(str(error))  # here: the thread that reads the outcomes may come to this one much later
            raise
        except (GenerationError, SpeechRecordsError) as error:
            return Outcome(measured, error, counts)

    def _best(self, measured: MeasuredUtterance, counts: Counter[str]) -> ReasoningTrace:
        emotion = label_of(measured, self._label_set)
        messages = prompting.messages(measured, self._label_set)
        best: Screened | None = None
        reasons: Counter[str] = Counter()
        last = ""
        for index in range(self._candidates):
            try:
                text = self._text(messages, index, counts)
            except AnswerError as error:
                reasons[error.reason] += 1
                continue
            except RequestError as error:
                reasons[NO_ANSWER] += 1
                last = f"; the last one because {error}"
                continue
            trace = ReasoningTrace(
                utterance_id=measured.utterance.utterance_id,
                think=text,
                answer=emotion,
                generator=f"openai:{self._chat.settings.model}:{prompting.PROMPT_VERSION}",
                seed=self._chat.settings.seed,
                synthetic=measured.utterance.synthetic,
            )
            screened = screen(trace, measured)
            reasons.update(problem.value for problem in screened.remaining)
            if screened.decision is not Decision.REJECTED and (best is None or score(screened) > score(best)):
                best = screened
        counts.update(reasons)
        if best is None:
            named = ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items()))
            raise GenerationError(f"none of {self._candidates} candidates can be kept: {named}{last}")
        counts[best.decision.value] += 1
        if verdict_span(best.trace.think) is None:
            counts[NO_VERDICT] += 1
        return best.trace

    def _text(self, messages: list[dict[str, str]], index: int, counts: Counter[str]) -> str:
        value = self._chat.complete(messages, prompting.SCHEMA, index=index, usage=counts)
        text = " ".join(value["reasoning"].split())
        if not text:
            raise AnswerError("empty", "the reasoning is empty")
        return text


def score(screened: Screened) -> tuple[int, int, float]:
    """How good a kept or repaired text is; greater is better.

    First, a text that needed no repair before one that lost sentences. Then how many different cues it states
    correctly, a faithful quote being one. Then the share of its claims that are supported: a text should not say much
    that cannot be checked.
    """
    claims = screened.trace.claims
    supported = [c for c in claims if c.verdict is Verdict.SUPPORTED]
    cues: set[Cue] = {c.cue for c in supported}
    return (
        int(screened.decision is Decision.KEPT),
        len(cues),
        len(supported) / len(claims) if claims else 0.0,
    )
