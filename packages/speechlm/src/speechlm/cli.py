"""The command `speechlm`: data on stdout, everything else on stderr, status 1 when the input is bad."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from speechlm.errors import SpeechLMError
from speechlm.model import SpeechLM
from speechlm.summary import ModelSummary, TowerSummary, summarize

app = typer.Typer(help="Look at speech LLMs.", no_args_is_help=True, pretty_exceptions_enable=False)


def main() -> None:
    """Entry point: this package's errors become one line on stderr and status 1."""
    try:
        app(prog_name="speechlm")
    except SpeechLMError as error:
        typer.echo(f"speechlm: {error}", err=True)
        raise SystemExit(1) from None


@app.callback()
def _commands() -> None:
    """Keeps `inspect` a command of its own: typer would make a single command the whole program."""


@app.command()
def inspect(
    directory: Annotated[Path, typer.Argument(help="Folder that SpeechLM.save wrote.", metavar="DIR")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Load a checkpoint, which checks it, and say what it is made of."""
    summary = summarize(SpeechLM.load(directory))
    typer.echo(json.dumps(asdict(summary)) if as_json else _lines(summary))


def _lines(summary: ModelSummary) -> str:
    head = "tied to the embeddings" if summary.head_is_tied else "of its own"
    special = ", ".join(f"{token} {index}" for token, index in summary.special_tokens.items())
    rows = {
        "architecture": f"{summary.architecture}, {summary.dtype}",
        "parameters": f"{summary.parameters:,} ({summary.unused_parameters:,} never run)",
        "audio tower": f"{_tower(summary.audio_tower)}, {summary.num_mel_bins} mel bins",
        "text tower": f"{_tower(summary.text_tower)}, at most {summary.max_tokens} tokens",
        "head": head,
        "vocabulary": f"{summary.vocabulary} tokens, {summary.embeddings} embeddings",
        "special tokens": special,
    }
    return "\n".join(f"{name:<16}{value}" for name, value in rows.items())


def _tower(tower: TowerSummary) -> str:
    return f"{tower.layers} layers, width {tower.width}, {tower.attention_heads} heads, {tower.parameters:,} parameters"
