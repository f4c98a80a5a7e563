"""The command `speechlm`: data on stdout, everything else on stderr, status 1 when the input is bad."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from transformers.utils import logging as transformers_logging

from speechlm.errors import CheckpointError, GraftError, SpeechLMError
from speechlm.folders import standing
from speechlm.graft import GraftReport, graft, load_donors
from speechlm.model import SpeechLM
from speechlm.parts import Part, PartCounts, count_parts
from speechlm.proof import Proof, prove
from speechlm.record import CheckpointRecord, Provenance, read_record
from speechlm.summary import ModelSummary, TowerSummary, summarize
from speechlm.weights import SHARD_SIZE

app = typer.Typer(
    help="Make speech LLMs out of pretrained halves, and look at them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point: this package's errors become one line on stderr and status 1."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
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
    told = f"Grafted from {audio} and {text}. The projection between them is random: it hears only after training."
    model.save(out, provenance=Provenance(description=told, stage="graft"))
    typer.echo(json.dumps(asdict(report) | {"proof": asdict(proof)}) if as_json else _graft_lines(report, proof))
    typer.echo(f"speechlm: wrote {out}", err=True)


@app.command()
def inspect(
    directory: Annotated[Path, typer.Argument(help="Folder that SpeechLM.save wrote.", metavar="DIR")],
    *,
    base: Annotated[Path | None, typer.Option(help="Base of adapters, where it is not found.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Load a checkpoint, which checks it, and say what it is made of, what was trained and where it comes from."""
    model = SpeechLM.load(directory, base=base)
    summary, counts, record = summarize(model), count_parts(model), read_record(standing(directory))
    if as_json:
        parts = {part: counts.trainable.get(part, 0) + counts.frozen.get(part, 0) for part in _parts(counts)}
        told = {"parts": parts, "checkpoint": None if record is None else asdict(record)}
        typer.echo(json.dumps(asdict(summary) | told))
    else:
        typer.echo(_table(_rows(summary) | _part_rows(counts) | (_record_rows(record) if record else {})))


@app.command()
def merge(
    adapters: Annotated[Path, typer.Argument(help="Folder of adapters.", metavar="ADAPTERS")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the whole model; must not exist yet.")],
    base: Annotated[Path | None, typer.Option(help="Their base, where it is not found.")] = None,
    max_shard_size: Annotated[str, typer.Option(help="Cut weights into files of at most this size.")] = SHARD_SIZE,
) -> None:
    """Lay adapters over their base, add them to its weights, and write the whole model.

    Example: speechlm merge runs/sft/adapters -o policy
    """
    if out.exists():
        raise CheckpointError(f"{out} exists already; name another folder or remove it")
    record = read_record(standing(adapters))
    if record is None or record.kind != "adapter":
        raise CheckpointError(f"{adapters} holds no adapters: a whole model needs no merging")
    written = SpeechLM.load(adapters, base=base).save(out, max_shard_size=max_shard_size, provenance=record.provenance)
    typer.echo(f"speechlm: wrote {out}, {sum(written.parameters.values()):,} weights", err=True)


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
    return _table(rows)


def _table(rows: dict[str, str]) -> str:
    return "\n".join(f"{name:<16}{value}" for name, value in rows.items())


def _parts(counts: PartCounts) -> list[Part]:
    return sorted({*counts.trainable, *counts.frozen})


def _part_rows(counts: PartCounts) -> dict[str, str]:
    """Parts that a training of this checkpoint would go on with are named first."""
    moving = ", ".join(f"{count:,} {part}" for part, count in sorted(counts.trainable.items()))
    resting = ", ".join(f"{count:,} {part}" for part, count in sorted(counts.frozen.items()))
    return {"trainable": moving or "nothing", "frozen": resting or "nothing"}


def _record_rows(record: CheckpointRecord) -> dict[str, str]:
    lora, given = record.lora, record.provenance
    synthetic = {None: "unknown", True: "synthetic", False: "recordings of people"}[given.synthetic]
    rows = {
        "checkpoint": "adapters over a base" if record.kind == "adapter" else "whole model",
        "base": (record.base.name or "built in memory") if record.base else "none recorded",
        "trained parts": ", ".join(record.trained) or "not recorded",
        "LoRA": "none",
        "stage": given.stage or "not recorded",
        "label set": given.label_set or "not recorded",
        "data": "; ".join([synthetic, *(f"{name} {value[:12]}" for name, value in given.data.items())]),
        "written by": ", ".join(f"{name} {version}" for name, version in record.versions.items()),
    }
    if lora is not None:
        state = "" if record.kind == "adapter" else ", merged"
        rows["LoRA"] = f"rank {lora.rank}, alpha {lora.alpha:g}, on {', '.join(lora.targets)}{state}"
    return rows


def _rows(summary: ModelSummary) -> dict[str, str]:
    head = "tied to the embeddings" if summary.head_is_tied else "of its own"
    special = ", ".join(f"{token} {index}" for token, index in summary.special_tokens.items())
    return {
        "architecture": f"{summary.architecture}, {summary.dtype}",
        "parameters": f"{summary.parameters:,} ({summary.unused_parameters:,} never run)",
        "audio tower": f"{_tower(summary.audio_tower)}, {summary.num_mel_bins} mel bins",
        "text tower": f"{_tower(summary.text_tower)}, at most {summary.max_tokens} tokens",
        "head": head,
        "vocabulary": f"{summary.vocabulary} tokens, {summary.embeddings} embeddings",
        "special tokens": special,
    }


def _tower(tower: TowerSummary) -> str:
    return f"{tower.layers} layers, width {tower.width}, {tower.attention_heads} heads, {tower.parameters:,} parameters"
