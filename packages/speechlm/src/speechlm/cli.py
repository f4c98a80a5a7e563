"""The command `speechlm`: data on stdout, everything else on stderr, status 1 when the input is bad."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from speechlm.errors import GraftError, SpeechLMError
from speechlm.graft import GraftReport, graft, load_donors
from speechlm.model import SpeechLM
from speechlm.proof import Proof, prove
from speechlm.summary import ModelSummary, TowerSummary, summarize

app = typer.Typer(
    help="Make speech LLMs out of pretrained halves, and look at them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point: this package's errors become one line on stderr and status 1."""
    try:
        app(prog_name="speechlm")
    except SpeechLMError as error:
        typer.echo(f"speechlm: {error}", err=True)
        raise SystemExit(1) from None


@app.command("graft")
def graft_models(
    *,
    audio: Annotated[str, typer.Option(help="A Whisper, whole or encoder alone: a folder or a hub id.")],
    text: Annotated[str, typer.Option(help="A Llama or Qwen2 with its tokenizer: a folder or a hub id.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the new checkpoint; must not exist yet.")],
    seed: Annotated[int, typer.Option(help="Seed of the weights that neither half has.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report as one JSON object.")] = False,
) -> None:
    """Join a Whisper encoder and a language model into one speech LLM, and prove that both compute what they did.

    Nothing is written when they do not. What is new is random: the model hears only after it was trained.

    Example: speechlm graft --audio openai/whisper-base --text HuggingFaceTB/SmolLM2-135M-Instruct -o compact
    """
    if out.exists():
        raise GraftError(f"{out} exists already; name another folder or remove it")
    donors = load_donors(audio, text)
    model, report = graft(donors, seed=seed)
    proof = prove(model, donors)
    model.save(out)
    typer.echo(json.dumps(asdict(report) | {"proof": asdict(proof)}) if as_json else _graft_lines(report, proof))
    typer.echo(f"speechlm: wrote {out}", err=True)


@app.command()
def inspect(
    directory: Annotated[Path, typer.Argument(help="Folder that SpeechLM.save wrote.", metavar="DIR")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Load a checkpoint, which checks it, and say what it is made of."""
    summary = summarize(SpeechLM.load(directory))
    typer.echo(json.dumps(asdict(summary)) if as_json else _lines(summary))


def _graft_lines(report: GraftReport, proof: Proof) -> str:
    rows = {
        "copied": f"{len(report.copied)} weights",
        "zeroed": f"{len(report.zeroed)} biases",
        "new": ", ".join(report.new),
        "never run": f"{len(report.idle)} weights of the vision tower",
        "unused": ", ".join(report.unused),
        "added tokens": ", ".join(report.added_tokens) or "none",
        "logits": f"within {proof.logits:.1e} of the language model's",
        "audio": f"within {proof.audio:.1e} of the encoder's pair averages",
    }
    return "\n".join(f"{name:<16}{value}" for name, value in rows.items())


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
