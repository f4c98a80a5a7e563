"""The generator `openai`: several candidates from a language model for each utterance, the best verified one kept.

Every candidate is verified and screened like anybody's text. Those that are kept or repaired are compared by `score`;
of equal ones the earliest counts. Why the others fell out is counted by one word each: the reasons of `replies.Reason`
(refused, cut_off, …), `no_answer`, and the problems that screening finds (contradicted, too_long, label_leak, …).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from cotgen.admission import label_of
from cotgen.errors import AnswerError, CotgenError, GenerationError, RequestError
from cotgen.generation import Outcome
from cotgen.llm import prompting
from cotgen.llm.chat import Chat
from cotgen.llm.replies import value_of
from cotgen.screening import Decision, Screened, screen
from speech_records import Cue, LabelSet, MeasuredUtterance, ReasoningTrace, SpeechRecordsError, Verdict

NO_ANSWER = "no_answer"
AHEAD = 4
"""Utterances in hand for each that can be asked about at once: one that must wait does not hold up the others."""


class OpenAIGenerator:
    """Asks `chat` for `candidates` texts about each utterance. Raises `CotgenError` for fewer than one."""

    def __init__(self, chat: Chat, label_set: LabelSet, *, candidates: int = 1) -> None:
        if candidates < 1:
            raise CotgenError(f"at least 1 candidate is needed, not {candidates}")
        self._chat, self._label_set, self._candidates = chat, label_set, candidates

    @property
    def identity(self) -> Mapping[str, Any]:
        """Model, prompt and sampling: all that decides what is asked for."""
        return {
            "name": "openai",
            "prompt_version": prompting.PROMPT_VERSION,
            "prompt_sha256": prompting.prompt_hash(),
            "candidates": self._candidates,
            **self._chat.settings.deciding(),
        }

    def generate(self, utterances: Iterable[MeasuredUtterance]) -> Iterator[Outcome]:
        """Outcomes in the order of `utterances`, several of which are asked about at once.

        Raises `CeilingError` or `EndpointError` when no further one can be asked about. Requests in flight are then
        still waited for, so that their answers are in the cache.
        """
        workers = self._chat.settings.concurrency
        waiting: deque[Future[Outcome]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="cotgen")
        try:
            for measured in utterances:
                waiting.append(pool.submit(self.outcome, measured))
                if len(waiting) >= AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            self._chat.halt()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def outcome(self, measured: MeasuredUtterance) -> Outcome:
        """The best verified candidate for one utterance, or the error that counts why there is none."""
        counts: Counter[str] = Counter()
        try:
            return Outcome(measured, self._best(measured, counts), counts)
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
                last = f"; at last, {error}"
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
        return best.trace

    def _text(self, messages: list[dict[str, str]], index: int, counts: Counter[str]) -> str:
        reply = self._chat.reply(messages, prompting.SCHEMA, index=index)
        counts["answers"] += 1
        counts["prompt_tokens"] += reply.prompt_tokens
        counts["answer_tokens"] += reply.answer_tokens
        text = value_of(reply, prompting.SCHEMA)["reasoning"]
        if not text.strip():
            raise AnswerError("empty", "the reasoning is empty")
        return " ".join(str(text).split())


def score(screened: Screened) -> tuple[int, int, float]:
    """How good a kept or repaired text is; greater is better.

    First, a text that needed no repair before one that lost sentences. Then how many different cues it states truly, a
    faithful quote being one. Then the share of its claims that could be proven: a text should not say much that nobody
    can check.
    """
    claims = screened.trace.claims
    supported = [c for c in claims if c.verdict is Verdict.SUPPORTED]
    cues: set[Cue] = {c.cue for c in supported}
    return (
        int(screened.decision is Decision.KEPT),
        len(cues),
        len(supported) / len(claims) if claims else 0.0,
    )
