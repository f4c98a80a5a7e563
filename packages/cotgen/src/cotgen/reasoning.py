"""How reasoning is written, and the generator that gives it: rules, a language model, a file of traces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotgen.errors import ChatError, CotgenError, GenerationError
from cotgen.generation import Generator, RuleGenerator, StoredTraces
from cotgen.rules import Style
from cotgen.trace_index import outside, trace_index
from speech_records import FailedItem, LabelSet

if TYPE_CHECKING:
    from cotgen.llm.budget import BudgetLimits
    from cotgen.llm.chat import Settings


class GeneratorName(StrEnum):
    """What writes the reasoning."""

    RULES = "rules"
    OPENAI = "openai"
    TRACES = "traces"


@dataclass(frozen=True, slots=True)
class ReasoningConfig:
    """How reasoning is written: `style` is that of the rules, `traces` a file of them; all below is about a model.

    `cache` is the folder of answers that were paid for; by default it lies beside the data set, as `OUT.answers`.
    `max_tokens_total` and `max_cost`, at prices for a million tokens, are limits for all runs of one data set.
    """

    generator: GeneratorName = GeneratorName.RULES
    style: Style = Style.VARIED
    traces: str | None = None
    model: str = ""
    base_url: str | None = None
    candidates: int = 1
    temperature: float = 1.0
    max_tokens: int = 512
    concurrency: int = 8
    timeout_s: float = 120.0
    retries: int = 6
    cache: str | None = None
    max_tokens_total: int | None = None
    max_cost: float | None = None
    price_in: float = 0.0
    price_out: float = 0.0


@contextmanager
def open_generator(
    config: ReasoningConfig, label_set: LabelSet, *, seed: int, out: Path, say: Callable[[str], None]
) -> Iterator[Generator]:
    """The generator of `config` for a data set in `out`; what was requested of a model is logged at the end.

    Raises `EndpointError` when the model cannot be reached, `CotgenError` where a file of traces is needed.
    """
    if config.generator is GeneratorName.RULES:
        yield RuleGenerator(label_set, seed=seed, style=config.style)
        return
    if config.generator is GeneratorName.TRACES:
        if config.traces is None:
            raise CotgenError("--generator traces needs a file of them: --traces FILE")
        with trace_index(Path(config.traces), _refuse, problem=partial(outside, label_set)) as traces:
            yield StoredTraces(traces)
        return
    from cotgen.llm.answer_cache import AnswerCache
    from cotgen.llm.chat import Chat
    from cotgen.llm.openai_generator import OpenAIGenerator

    folder = out.resolve()
    cache = AnswerCache(Path(config.cache) if config.cache else folder.with_name(f"{folder.name}.answers"))
    budget = cache.budget(str(folder), budget_limits(config))
    chat = Chat(chat_settings(config, seed=seed), cache=cache, budget=budget)
    try:
        yield OpenAIGenerator(chat, label_set, candidates=config.candidates)
    except ChatError:
        say("stopped; nothing that was paid for is lost, and the same command continues")
        raise
    finally:
        say(chat.summary())


def identity(config: ReasoningConfig, label_set: LabelSet, *, seed: int) -> Mapping[str, Any]:
    """All that decides what rules or a model write, without asking the model: as `Generator.identity` has it."""
    if config.generator is GeneratorName.RULES:
        return RuleGenerator(label_set, seed=seed, style=config.style).identity
    if config.generator is GeneratorName.TRACES:
        raise CotgenError("traces of a file are known by the file: open_generator reads it")
    from cotgen.llm.openai_generator import model_identity

    return model_identity(chat_settings(config, seed=seed), config.candidates)


def chat_settings(config: ReasoningConfig, *, seed: int) -> Settings:
    """Model, endpoint and sampling of `config`. Raises `CotgenError` where they are not valid."""
    from cotgen.llm.chat import Settings

    return Settings(
        config.model, config.base_url, config.temperature, config.max_tokens, seed,
        timeout_s=config.timeout_s, retries=config.retries, concurrency=config.concurrency,
    )  # fmt: skip


def budget_limits(config: ReasoningConfig) -> BudgetLimits:
    """What `config` may cost. Raises `CotgenError` where that is not valid."""
    from cotgen.llm.budget import BudgetLimits

    return BudgetLimits(config.max_tokens_total, config.max_cost, config.price_in, config.price_out)


def _refuse(failed: FailedItem) -> None:
    raise GenerationError(f"{failed.id}: {failed.message}")
