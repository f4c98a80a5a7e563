"""Options that several commands share, and how a command takes a group of them as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from cotgen.errors import CotgenError
from cotgen.reasoning import GeneratorName, ReasoningConfig
from cotgen.rules import Style
from speech_records import LABEL_SETS, LabelSet

NAME = "cotgen"
"""Starts every line that the command writes on stderr."""
_RULES = "Rules (--generator rules)"
_TRACES = "A file (--generator traces)"
_MODEL = "A language model (--generator openai)"
_LIMITS = "What it may cost"


def in_a_folder(path: Path | None) -> Path | None:
    """The file to write, if its folder exists: said before the work, not after it."""
    if path is not None and not path.resolve().parent.is_dir():
        raise typer.BadParameter(f"the folder {str(path.parent)!r} does not exist: make it first")
    return path


def file_to_write(*names: str, text: str) -> Any:
    """An option that names a file to write, refused where it is a folder or lies in none."""
    return typer.Option(*names, help=text, dir_okay=False, callback=in_a_folder)


Profiles = Annotated[Path, typer.Option(help="Measured utterances (JSON Lines of MeasuredUtterance).")]
Traces = Annotated[Path, typer.Option(help="Reasoning traces (JSON Lines of ReasoningTrace).")]
LabelSetName = Annotated[str, typer.Option("--label-set", help=f"One of {', '.join(LABEL_SETS)}.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the wording: same input and seed, same text.")]
Out = Annotated[Path, file_to_write("--out", "-o", text="File to write; OUT.errors.jsonl says what was left out.")]


def label_set_of(name: str) -> LabelSet:
    """The label set of this name. Raises `CotgenError` that lists the known ones."""
    if name not in LABEL_SETS:
        raise CotgenError(f"unknown label set {name!r}; known are {', '.join(LABEL_SETS)}")
    return LABEL_SETS[name]


def grouped(**makers: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: the command takes the options of each maker, and gets as one value what the maker returns."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = [p for p in _parameters(command) if p.name not in makers]
        of_makers = {name: _parameters(maker) for name, maker in makers.items()}

        @wraps(command)
        def run(**values: Any) -> Any:
            made = {
                name: maker(**{p.name: values.pop(p.name) for p in of_makers[name]}) for name, maker in makers.items()
            }
            return command(**values, **made)

        every = [*own, *(p for parameters in of_makers.values() for p in parameters)]
        run.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in every}
        return run

    return decorate


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    found = inspect.signature(function, eval_str=True).parameters.values()
    return [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in found]


def reasoning_options(
    *,
    generator: Annotated[GeneratorName, typer.Option(help="What writes the reasoning.")] = GeneratorName.RULES,
    style: Annotated[
        Style,
        typer.Option(
            help="`plain`: a short sentence for each cue, which small models can learn; `salient`: only for what is"
            " clear; `varied`: many structures, words.",
            rich_help_panel=_RULES,
        ),
    ] = Style.VARIED,
    traces: Annotated[
        Path | None,
        typer.Option(help="Traces that were written before, as `cotgen screen` admits them.", rich_help_panel=_TRACES),
    ] = None,
    model: Annotated[str, typer.Option(help="Model to ask, as its endpoint calls it.", rich_help_panel=_MODEL)] = "",
    base_url: Annotated[
        str | None,
        typer.Option(
            help="Address of an OpenAI-compatible endpoint, such as http://localhost:8000/v1 for vLLM; without it "
            "OPENAI_BASE_URL, or OpenAI's own. The key is read from OPENAI_API_KEY only; your own may need none.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    candidates: Annotated[
        int, typer.Option(min=1, help="Texts to ask for; the best verified one is kept.", rich_help_panel=_MODEL)
    ] = 1,
    temperature: Annotated[
        float, typer.Option(min=0.0, max=2.0, help="1.0 is the published method's.", rich_help_panel=_MODEL)
    ] = 1.0,
    max_tokens: Annotated[
        int,
        typer.Option(min=1, help="Most tokens of an answer; 512 is the published method's.", rich_help_panel=_MODEL),
    ] = 512,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests at once.", rich_help_panel=_MODEL)] = 8,
    timeout: Annotated[
        float, typer.Option(help="Seconds for one request, from its first byte to its last.", rich_help_panel=_MODEL)
    ] = 120.0,
    retries: Annotated[
        int,
        typer.Option(
            min=0,
            help="Tries after the first where a request meets 429, 5xx, a timeout or a broken connection; waits double "
            "from one second to sixty, and Retry-After is honoured.",
            rich_help_panel=_MODEL,
        ),
    ] = 6,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the answers that were paid for, so that none is paid for twice; several builds may share "
            "it. Without it OUT.answers beside OUT.",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    max_tokens_total: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Stop before prompts and answers for this OUT use more tokens than this, all runs together; the same "
            "command with a higher one goes on.",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(help="The same as a cost, at these prices:", rich_help_panel=_LIMITS)
    ] = None,
    price_in: Annotated[
        float, typer.Option(min=0.0, help="Of a million prompt tokens.", rich_help_panel=_LIMITS)
    ] = 0.0,
    price_out: Annotated[
        float, typer.Option(min=0.0, help="Of a million answer tokens.", rich_help_panel=_LIMITS)
    ] = 0.0,
) -> ReasoningConfig:
    """The options of every command that has reasoning written."""
    return ReasoningConfig(
        generator=generator,
        style=style,
        traces=None if traces is None else str(traces),
        model=model,
        base_url=base_url,
        candidates=candidates,
        temperature=temperature,
        max_tokens=max_tokens,
        concurrency=concurrency,
        timeout_s=timeout,
        retries=retries,
        cache=None if cache is None else str(cache),
        max_tokens_total=max_tokens_total,
        max_cost=max_cost,
        price_in=price_in,
        price_out=price_out,
    )
