"""The command `rewardmodel`: build graded traces, judge texts, the quality of a trained model, and the rubric."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from rewardmodel.agreement import ratings_by
from rewardmodel.build import PER_TRACE, GradedSet
from rewardmodel.build import build as grade_part
from rewardmodel.building import admitted, build_file, fault_writer, pairs, regraded
from rewardmodel.completion import Asking, Complete, named
from rewardmodel.errors import RewardModelError
from rewardmodel.graded import ScoredTrace, severity_markdown
from rewardmodel.llm_judge import LLMJudge
from rewardmodel.report import quality
from rewardmodel.rubric import rubric_markdown
from rewardmodel.rules import RuleJudge
from speech_claims.texts import measured_texts
from speech_records import (
    LABEL_SETS,
    LabelSet,
    MeasuredUtterance,
    ReasoningTrace,
    atomic_write,
    file_sha256,
    to_json,
)
from speech_records.failures import FailureLog, errors_beside
from speech_records.shards import shard_paths
from speech_records.streams import measured_index, records

NAME = "rewardmodel"
AT_ONCE = 64
"""Texts that a judge is given at once."""
Text = tuple[ReasoningTrace, MeasuredUtterance]
app = typer.Typer(add_completion=False, no_args_is_help=True, help="Judge reasoning about speech on four criteria.")


class By(StrEnum):
    """Who judges, or who writes faults."""

    RULES = "rules"
    LLM = "llm"


@dataclass(frozen=True, slots=True)
class Client:
    """How a language model is reached: the options of `--client`."""

    client: str
    model: str
    base_url: str | None
    max_tokens_total: int | None
    max_cost: float | None
    price_in: float
    price_out: float

    def open(self, out: Path, *, temperature: float, seed: int) -> Complete:
        """What completes; answers that were paid for are kept beside `out`."""
        if not self.model:
            raise RewardModelError("a language model needs --model NAME")
        options = {name: value for name, value in asdict(self).items() if name != "client"}
        cache = out.with_name(f"{out.name}.answers")
        made: Complete = named(self.client)(**options, cache=cache, temperature=temperature, seed=seed)
        return made


Profiles = Annotated[Path, typer.Option(help="Measured utterances (JSON Lines of MeasuredUtterance).")]
LabelSetName = Annotated[str, typer.Option("--label-set", help=f"One of {', '.join(LABEL_SETS)}.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="File to write; OUT.errors.jsonl says what was left out.")]
Seed = Annotated[int, typer.Option(min=0, help="Same input and seed, same result.")]
ClientName = Annotated[
    str, typer.Option("--client", help="MODULE:NAME of what opens a client `complete(messages, schema)`.")
]
Model = Annotated[str, typer.Option(help="Language model to ask, as its endpoint calls it.")]
BaseURL = Annotated[str | None, typer.Option(help="Address of an OpenAI-compatible endpoint.")]
MaxTokens = Annotated[int | None, typer.Option(min=1, help="Stop before more tokens than this are used for OUT.")]
MaxCost = Annotated[float | None, typer.Option(help="The same as a cost, at these prices:")]
PriceIn = Annotated[float, typer.Option(min=0.0, help="Of a million prompt tokens.")]
PriceOut = Annotated[float, typer.Option(min=0.0, help="Of a million answer tokens.")]
CLIENT = "cotgen.llm.client:open_client"


@app.command()
def build(
    *,
    profiles: Profiles,
    traces: Annotated[Path, typer.Option(help="Verified reasoning (JSON Lines of ReasoningTrace).")],
    out: Out,
    label_set: LabelSetName = "PAPER_9",
    seed: Seed = 0,
    per_trace: Annotated[int, typer.Option(min=1, max=7, help="Graded versions of a trace.")] = PER_TRACE,
    writer: Annotated[
        str, typer.Option(help="MODULE:NAME of what writes about altered measurements, as the traces are written.")
    ] = "cotgen.rules:rewrite",
    faults: Annotated[By, typer.Option(help="Who puts faults into traces.")] = By.RULES,
    scores: Annotated[By, typer.Option(help="Who grades: the table of `rewardmodel rubric`, or a judge.")] = By.RULES,
    client: ClientName = CLIENT,
    model: Model = "",
    base_url: BaseURL = None,
    max_tokens_total: MaxTokens = None,
    max_cost: MaxCost = None,
    price_in: PriceIn = 0.0,
    price_out: PriceOut = 0.0,
) -> None:
    """Write graded traces (`GradedTrace`): every verified trace whole, and with faults of known severity.

    Clips are read as a stream; what is finished is kept, and the same command goes on after a stop.

    Example: rewardmodel build --profiles annotated/measured.jsonl --traces annotated/traces.jsonl -o graded.jsonl
    """
    with _clear_errors(), FailureLog(NAME, errors_beside(out)) as failed:
        labels, rewrite = _label_set(label_set), named(writer)
        reached = Client(client, model, base_url, max_tokens_total, max_cost, price_in, price_out)
        complete = reached.open(out, temperature=1.0, seed=seed) if By.LLM in (faults, scores) else None
        ask = None if complete is None or faults is By.RULES else Asking(complete)
        judge = None if complete is None or scores is By.RULES else LLMJudge(complete)

        def grade(clips: list[MeasuredUtterance], own: Mapping[str, ReasoningTrace]) -> GradedSet:
            made = grade_part(
                clips,
                own,
                write=lambda m: rewrite(m, like=own[m.utterance.utterance_id], label_set=labels),
                label_set=labels,
                seed=seed,
                per_trace=per_trace,
                write_fault=None if ask is None else fault_writer(ask, labels, failed),
            )
            return made if judge is None else regraded(made, clips, judge, labels, failed)

        settings = {
            "inputs": [file_sha256(path) for given in (profiles, traces) for path in shard_paths(given)],
            "label_set": label_set, "seed": seed, "per_trace": per_trace, "writer": writer, "faults": faults,
            "scores": scores, "model": model,
        }  # fmt: skip
        stream = admitted(pairs(profiles, traces, failed), labels, failed)
        for done in build_file(stream, out, grade, settings=settings):
            told = (
                f"{done.clips} clips, {done.graded} graded traces, {done.skipped} faults that found nothing to damage"
            )
            sys.stderr.write(f"{NAME}: {told}\n")
        status = failed.finish(f"graded traces in {out}")
    raise typer.Exit(status)


@app.command("judge")
def judge_texts(
    texts: Annotated[Path, typer.Argument(help="Texts of any writer: traces, or rows with text and utterance_id.")],
    *,
    profiles: Profiles,
    out: Out,
    by: Annotated[By, typer.Option(help="The measurements by rule, or a language model that reads them.")] = By.RULES,
    label_set: LabelSetName = "PAPER_9",
    client: ClientName = CLIENT,
    model: Model = "",
    base_url: BaseURL = None,
    max_tokens_total: MaxTokens = None,
    max_cost: MaxCost = None,
    price_in: PriceIn = 0.0,
    price_out: PriceOut = 0.0,
) -> None:
    """Rate texts on the four criteria (`Rating`); `trainer stage=reward ratings=OUT` compares its model with them.

    Example: rewardmodel judge answers.jsonl --profiles annotated/measured.jsonl -o rated.jsonl --by llm --model gpt-4o
    """
    with _clear_errors(), FailureLog(NAME, errors_beside(out)) as failed:
        labels, count = _label_set(label_set), 0
        reached = Client(client, model, base_url, max_tokens_total, max_cost, price_in, price_out)
        rules = by is By.RULES
        judge = RuleJudge(labels) if rules else LLMJudge(reached.open(out, temperature=0.0, seed=0))
        with measured_index(profiles, failed) as measured, atomic_write(out) as file:
            for part in _parts(measured_texts(texts, measured, failed)):
                for rating in ratings_by(part, judge, labels, "rules" if rules else model, failed):
                    file.write(to_json(rating) + "\n")
                    count += 1
        status = failed.finish(f"{count} ratings in {out}")
    raise typer.Exit(status)


@app.command()
def report(
    scored: Annotated[Path, typer.Argument(help="Graded traces with predicted scores (`ScoredTrace`), JSON Lines.")],
) -> None:
    """Print the quality of a reward model's scores as JSON; lines that cannot be used are named and left out."""
    with _clear_errors(), FailureLog(NAME, None) as failed:
        read = list(records(scored, ScoredTrace, failed))
        result = quality([s.predicted.as_tuple() for s in read], [s.graded.scores.as_tuple() for s in read])
        typer.echo(json.dumps({key: asdict(value) for key, value in result.items()}, indent=2))
        status = failed.finish(f"{len(read)} scored traces")
    raise typer.Exit(status)


@app.command()
def rubric() -> None:
    """Print the four criteria, what their scores stand for, and what faults of severity 1 to 4 are meant to cost."""
    typer.echo(f"{rubric_markdown()}\n## Faults\n{severity_markdown()}")


def _label_set(name: str) -> LabelSet:
    if name not in LABEL_SETS:
        raise RewardModelError(f"unknown label set {name!r}; known are {', '.join(LABEL_SETS)}")
    return LABEL_SETS[name]


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Errors as one line on stderr and status 1."""
    try:
        yield
    except (OSError, ValueError) as error:
        typer.echo(f"{NAME}: {error}", err=True)
        raise typer.Exit(1) from error


def _parts(stream: Iterator[Text]) -> Iterator[list[Text]]:
    while part := list(islice(stream, AT_ONCE)):
        yield part


if __name__ == "__main__":
    app()
