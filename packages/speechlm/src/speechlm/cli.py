"""The command `speechlm`: data on stdout, everything else on stderr, status 1 when the input is bad."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from transformers.utils import logging as transformers_logging

from speechlm.checkpoint import load_checkpoint, save_checkpoint
from speechlm.delta import DELTA, apply_delta, save_delta
from speechlm.errors import GraftError, SpeechLMError
from speechlm.folders import resolve_dir
from speechlm.graft import GraftReport, graft, load_pretrained_parts
from speechlm.metadata import CheckpointRecord, Provenance, read_record
from speechlm.parity import Parity, check_parity
from speechlm.summary import ModelSummary, TowerSummary, summarize

POLICY_FILES = ("policy.json", "scale.json")
"""What a policy's checkpoint holds beside the model: its card and the scale of its levels."""

app = typer.Typer(
    help="Make a speech LLM from two pretrained parts, publish what training changed, inspect checkpoints.",
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
    seed: Annotated[int, typer.Option(help="Seed of the weights that neither part has.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report as one JSON object.")] = False,
) -> None:
    """Join a Whisper encoder and a language model into one speech LLM, and check that both compute what they did.

    Nothing is written when they do not. The projection between them is random: the model must be trained before it can
    use audio.

    Example: speechlm graft --audio openai/whisper-base --text HuggingFaceTB/SmolLM2-135M-Instruct -o compact
    """
    if out.exists():
        raise GraftError(f"{out} exists already; name another folder or remove it")
    parts = load_pretrained_parts(audio, text)
    model, report = graft(parts, seed=seed)
    parity = check_parity(model, parts)
    described = f"Grafted from {audio} and {text}. The projection between them is random and must be trained."
    save_checkpoint(model, out, provenance=Provenance(description=described, stage="graft"))
    typer.echo(json.dumps(asdict(report) | {"parity": asdict(parity)}) if as_json else _graft_lines(report, parity))
    typer.echo(f"speechlm: wrote {out}", err=True)


@app.command()
def delta(
    base: Annotated[Path, typer.Argument(help="Checkpoint that training started from.", metavar="BASE")],
    tuned: Annotated[Path, typer.Argument(help="Checkpoint that it made.", metavar="TUNED")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the delta.")],
    rank: Annotated[int, typer.Option(min=1, help="Largest rank of a matrix's change.")] = 32,
) -> None:
    """Write what training changed as one small file, with the policy's own files, to publish without its bases.

    Example: speechlm delta compact runs/sft -o models/compact-mine
    """
    out.mkdir(parents=True, exist_ok=True)
    report = save_delta(load_checkpoint(base), load_checkpoint(tuned), out / DELTA, rank=rank)
    for name in POLICY_FILES:
        if (tuned / name).is_file():
            (out / name).write_bytes((tuned / name).read_bytes())
    rows = {
        "low rank": f"{report.low_rank} changes, the worst without {report.residual:.0%} of its norm",
        "whole": f"{report.whole} weights",
        "size": f"{report.size / 2**20:.1f} MiB",
    }
    typer.echo(_table(rows))
    typer.echo(f"speechlm: wrote {out / DELTA}", err=True)


@app.command()
def restore(
    directory: Annotated[Path, typer.Argument(help="Folder of a delta.", metavar="DIR")],
    *,
    audio: Annotated[str, typer.Option(help="The Whisper that it was made for: a folder or a hub id.")],
    text: Annotated[str, typer.Option(help="The language model that it was made for: a folder or a hub id.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the checkpoint; must not exist yet.")],
    any_base: Annotated[
        bool, typer.Option("--any-base", help="Also onto bases whose values differ, such as another precision.")
    ] = False,
) -> None:
    """Graft the bases of a published delta and apply it: the checkpoint that it was made from.

    Example: speechlm restore models/compact-ravdess --audio openai/whisper-base
    --text HuggingFaceTB/SmolLM2-135M-Instruct --any-base -o compact-ravdess
    """
    if out.exists():
        raise GraftError(f"{out} exists already; name another folder or remove it")
    parts = load_pretrained_parts(audio, text)
    model, _ = graft(parts)
    check_parity(model, parts)
    apply_delta(model, directory / DELTA, any_base=any_base)
    files = {name: (directory / name).read_bytes() for name in POLICY_FILES if (directory / name).is_file()}
    described = f"Restored from the delta {directory.name} on {audio} and {text}."
    save_checkpoint(model, out, provenance=Provenance(description=described, stage="restore"), files=files)
    typer.echo(f"speechlm: wrote {out}", err=True)


@app.command()
def inspect(
    directory: Annotated[Path, typer.Argument(help="Folder of a checkpoint.", metavar="DIR")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Load a checkpoint, which checks it, and say what it is made of, what was trained and where it comes from."""
    summary, record = summarize(load_checkpoint(directory)), read_record(resolve_dir(directory))
    if as_json:
        typer.echo(json.dumps(asdict(summary) | {"checkpoint": None if record is None else asdict(record)}))
    else:
        typer.echo(_table(_model_rows(summary) | (_record_rows(record) if record else {})))


def _graft_lines(report: GraftReport, parity: Parity) -> str:
    rows = {
        "copied": f"{len(report.copied)} weights",
        "zeroed": f"{len(report.zeroed)} biases",
        "new": ", ".join(report.new),
        "never run": f"{len(report.never_run)} weights of the vision tower",
        "unused": ", ".join(report.unused),
        "added tokens": ", ".join(report.added_tokens) or "none",
        "logits": f"within {parity.logits:.1e} of the language model's",
        "audio": f"within {parity.audio:.1e} of the encoder's pair averages",
    }
    return _table(rows)


def _table(rows: dict[str, str]) -> str:
    return "\n".join(f"{name:<16}{value}" for name, value in rows.items())


def _record_rows(record: CheckpointRecord) -> dict[str, str]:
    lora, given = record.lora, record.provenance
    synthetic = {None: "unknown", True: "synthetic", False: "recordings of people"}[given.synthetic]
    return {
        "base": (record.base.name or "built in memory") if record.base else "none recorded",
        "trained parts": ", ".join(record.trained) or "not recorded",
        "LoRA": f"rank {lora.rank}, alpha {lora.alpha:g}, on {', '.join(lora.targets)}, merged" if lora else "none",
        "stage": given.stage or "not recorded",
        "label set": given.label_set or "not recorded",
        "data": "; ".join([synthetic, *(f"{name} {value[:12]}" for name, value in given.data.items())]),
        "written by": ", ".join(f"{name} {version}" for name, version in record.versions.items()),
    }


def _model_rows(summary: ModelSummary) -> dict[str, str]:
    return {
        "architecture": f"{summary.architecture}, {summary.dtype}",
        "parameters": f"{summary.parameters:,} ({summary.unused_parameters:,} never run)",
        "parts": ", ".join(f"{count:,} {part}" for part, count in summary.parts.items()),
        "audio tower": f"{_tower(summary.audio_tower)}, {summary.num_mel_bins} mel bins",
        "text tower": f"{_tower(summary.text_tower)}, at most {summary.max_tokens} tokens",
        "head": "tied to the embeddings" if summary.head_is_tied else "not tied to the embeddings",
        "vocabulary": f"{summary.vocabulary} tokens, {summary.embeddings} embeddings",
        "special tokens": ", ".join(f"{token} {index}" for token, index in summary.special_tokens.items()),
    }


def _tower(tower: TowerSummary) -> str:
    return f"{tower.layers} layers, width {tower.width}, {tower.attention_heads} heads, {tower.parameters:,} parameters"
