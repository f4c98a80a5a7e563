"""The command `cotgen build`: from measurements to a data set with its card."""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cotgen.admission import check_measured
from cotgen.cli.options import NAME, LabelSetName, Profiles, Seed, label_set_of
from cotgen.dataset import building
from cotgen.errors import ChatError, CotgenError
from cotgen.generation import Generator, RuleGenerator
from cotgen.llm import prompting
from cotgen.llm.answer_cache import AnswerCache
from cotgen.llm.budget import BudgetLimits
from cotgen.llm.chat import KEY_VARIABLE, Chat, Settings
from cotgen.llm.openai_generator import OpenAIGenerator
from cotgen.rules import Style
from speech_records import LabelSet, MeasuredUtterance, SpeechRecordsError, from_json
from speech_records.failures import FailureLog
from speech_records.files import check_is_file

_RULES = "Rules (--generator rules)"
_MODEL = "A language model (--generator openai)"
_LIMITS = "What it may cost"
_REFRESH_S = 0.1


class GeneratorName(StrEnum):
    """What writes the reasoning."""

    RULES = "rules"
    OPENAI = "openai"


StyleName = Annotated[
    Style,
    typer.Option(
        help="How the rules write: `plain`, one short sentence a cue, which small models can learn; `varied`, many "
        "structures and words.",
        rich_help_panel=_RULES,
    ),
]
Model = Annotated[str, typer.Option(help="Model to ask, as its endpoint calls it.", rich_help_panel=_MODEL)]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        help="Address of an OpenAI-compatible endpoint, such as http://localhost:8000/v1 for vLLM; without it "
        f"OPENAI_BASE_URL, or OpenAI's own. The key is read from {KEY_VARIABLE} only; your own endpoint may need none.",
        rich_help_panel=_MODEL,
    ),
]
Candidates = Annotated[
    int, typer.Option(min=1, help="Texts to ask for; the best verified one is kept.", rich_help_panel=_MODEL)
]
Temperature = Annotated[
    float, typer.Option(min=0.0, max=2.0, help="1.0 is the published method's.", rich_help_panel=_MODEL)
]
MaxTokens = Annotated[
    int, typer.Option(min=1, help="Most tokens of one answer; 512 is the published method's.", rich_help_panel=_MODEL)
]
Concurrency = Annotated[int, typer.Option(min=1, help="Requests at once.", rich_help_panel=_MODEL)]
Timeout = Annotated[
    float, typer.Option(help="Seconds for one request, from its first byte to its last.", rich_help_panel=_MODEL)
]
Retries = Annotated[
    int,
    typer.Option(
        min=0,
        help="Retries after 429, 5xx, a timeout or a broken connection; waits double from half a second to eight, and "
        "Retry-After is honoured up to two minutes.",
        rich_help_panel=_MODEL,
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the answers that were paid for, so that none is paid for twice; several builds may share it. "
        "Without it OUT.answers beside OUT.",
        rich_help_panel=_LIMITS,
    ),
]
MaxTokensTotal = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Stop before prompts and answers for this OUT use more tokens than this, all runs together; the same "
        "command with a higher limit continues.",
        rich_help_panel=_LIMITS,
    ),
]
MaxCost = Annotated[float | None, typer.Option(help="The same as a cost, at these prices:", rich_help_panel=_LIMITS)]
PriceIn = Annotated[float, typer.Option(min=0.0, help="Of a million prompt tokens.", rich_help_panel=_LIMITS)]
PriceOut = Annotated[float, typer.Option(min=0.0, help="Of a million answer tokens.", rich_help_panel=_LIMITS)]
DryRun = Annotated[
    int | None,
    typer.Option(min=1, help="Only print the filled prompts of the first N utterances; sends no request."),
]


def build(
    *,
    profiles: Profiles,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder to write.", file_okay=False)] = None,
    label_set: LabelSetName = "PAPER_9",
    generator: Annotated[GeneratorName, typer.Option(help="What writes the reasoning.")] = GeneratorName.RULES,
    style: StyleName = Style.VARIED,
    seed: Seed = 0,
    shard_rows: Annotated[
        int, typer.Option(min=1, help="Lines of the input to a shard; no more is one file.")
    ] = 10_000,
    disjoint_speakers: Annotated[
        bool, typer.Option("--disjoint-speakers", help="Status 1 when a speaker stands in several splits.")
    ] = False,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write the rows as Parquet too (dataset.parquet); needs pyarrow.")
    ] = False,
    dry_run: DryRun = None,
    model: Model = "",
    base_url: BaseUrl = None,
    candidates: Candidates = 1,
    temperature: Temperature = 1.0,
    max_tokens: MaxTokens = 512,
    concurrency: Concurrency = 8,
    timeout: Timeout = 120.0,
    retries: Retries = 6,
    cache: Cache = None,
    max_tokens_total: MaxTokensTotal = None,
    max_cost: MaxCost = None,
    price_in: PriceIn = 0.0,
    price_out: PriceOut = 0.0,
) -> None:
    """Write a data set from measured utterances: traces.jsonl, emotioncot.jsonl, and its card (card.json, CARD.md).

    The reasoning is written by rules, offline, or by a language model. The model's texts are checked against the
    measurements: false sentences are dropped, and a text that is false elsewhere, not of 50 to 200 words or gives the
    label away is left out, with the reason.

    Near-duplicates go to duplicates.jsonl; what was left out, with its line, to errors.jsonl (status 1). A build that
    was stopped, by a kill or by a limit, continues with the same command.

    Example: cotgen build --profiles measured.jsonl --label-set RAVDESS_8 -o annotated

    Example: cotgen build --profiles measured.jsonl -o written --generator openai --model gpt-4o --candidates 3
    --max-cost 20 --price-in 2.5 --price-out 10
    """
    labels = label_set_of(label_set)
    if dry_run is not None:
        print_prompts(profiles, labels, dry_run)
        return
    if out is None:
        raise CotgenError("name the folder to write: --out DIR (or look at prompts with --dry-run N)")
    options = building.Options(labels, seed=seed, shard_rows=shard_rows, parquet=parquet)
    if generator is GeneratorName.RULES:
        rules = RuleGenerator(labels, seed=seed, style=style)
        built = _build_with_progress(profiles, out, options, rules)
    else:
        settings = Settings(
            model, base_url, temperature, max_tokens, seed, timeout_s=timeout, retries=retries, concurrency=concurrency
        )
        chat = Chat(
            settings,
            cache=AnswerCache(cache or out.resolve().with_name(f"{out.resolve().name}.answers")),
            limits=BudgetLimits(max_tokens_total, max_cost, price_in, price_out),
            account=str(out.resolve()),
        )
        try:
            built = _build_with_progress(profiles, out, options, OpenAIGenerator(chat, labels, candidates=candidates))
        except ChatError:
            typer.echo("cotgen: stopped; nothing that was paid for is lost, and the same command continues", err=True)
            raise
        finally:
            typer.echo(f"cotgen: {chat.summary()}", err=True)
    _say(built, out, generator, disjoint_speakers=disjoint_speakers)


def print_prompts(profiles: Path, label_set: LabelSet, count: int) -> None:
    """Print the filled prompts of the first `count` utterances that can be written about; name the others on stderr."""
    check_is_file(profiles)
    printed = 0
    with profiles.open("rb") as file:
        for line, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            try:
                measured = from_json(MeasuredUtterance, raw.decode())
                check_measured(measured)
                messages = prompting.messages(measured, label_set)
            except (CotgenError, SpeechRecordsError, UnicodeDecodeError) as error:
                typer.echo(f"cotgen: {profiles.name}:{line}: {error}", err=True)
                continue
            for message in messages:
                typer.echo(f"--- {measured.utterance.utterance_id}, {message['role']}\n{message['content']}\n")
            printed += 1
            if printed == count:
                break
    typer.echo(f"cotgen: {printed} prompts of {prompting.PROMPT_VERSION}", err=True)


def _say(built: building.Built, out: Path, generator: GeneratorName, *, disjoint_speakers: bool) -> None:
    """What was built and what was left out; status 1 for the latter, and for shared speakers if that is asked for."""
    with FailureLog(NAME, None) as log:
        for failure in building.failures(built):
            log(failure)
    speakers = built.card["speakers"]
    if not speakers["disjoint"]:
        named = "; ".join(speakers["first_of_them"])
        typer.echo(f"cotgen: {speakers['in_several_splits']} speakers stand in several splits: {named}", err=True)
    kept = f", {built.left_out} left out, see {out / 'errors.jsonl'}" if built.left_out else ""
    typer.echo(f"cotgen: {built.card['rows']} traces by {generator.value}{kept}", err=True)
    if built.left_out or (disjoint_speakers and not speakers["disjoint"]):
        raise typer.Exit(1)


def _build_with_progress(profiles: Path, out: Path, options: building.Options, generator: Generator) -> building.Built:
    """A bar where somebody watches; nothing in a log."""
    if not sys.stderr.isatty():
        return building.build(profiles, out, options, generator=generator)
    with typer.progressbar(length=1, label="cotgen build", file=sys.stderr) as bar:
        shown_s = 0.0

        def report(done: int, total: int) -> None:
            nonlocal shown_s
            now_s = time.monotonic()
            if done == total or now_s - shown_s > _REFRESH_S:
                shown_s, bar.length = now_s, total
                bar.update(done - bar.pos)

        return building.build(profiles, out, options, report, generator=generator)
