"""The model card that is written with every checkpoint, made from its record alone."""

from __future__ import annotations

import re
from pathlib import PurePath

from speechlm.metadata import CheckpointRecord

CARD = "README.md"
_HUB_FOLDER = re.compile(r"models--([\w.-]+?)--([\w.-]+)/snapshots/(\w+)$")
"""Where the hub's cache keeps one revision of a model."""
PART_WORDS = {
    "audio_encoder": "audio encoder",
    "adapter": "adapter (the projection from audio to text)",
    "llm": "language model",
}
USE = """## Intended use

Speech and a question in, text out: research on models that explain what they conclude from speech. Load it
with `speechlm.load_checkpoint`.

## Limits

- Its input is mono speech at 16 kHz and text; it takes no images and does not speak.
- What it says about a voice can be wrong, however well it is reasoned, and emotion is not a fact about a person that
  a recording proves. Do not use it to judge people: in hiring, at work, in school, in court, at a border or in care.
- It is as narrow as its training data in language, accent, age, recording and acted or real emotion.
"""


def model_card(record: CheckpointRecord) -> str:
    """A model card in Markdown, with the head that model hubs read."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in _rows(record).items())
    described = record.provenance.description or "A speech language model in the Qwen2.5-Omni Thinker architecture."
    return f"{_head(record)}\n# {_title(record)}\n\n{described}\n\n| | |\n|---|---|\n{rows}\n\n{_data(record)}\n{USE}"


def base_name(place: str) -> str:
    """A name of the folder of a base for readers elsewhere: a hub id with its revision, else the folder's own name.

    >>> base_name("/cache/models--Qwen--Qwen2.5-Omni-3B/snapshots/f75b40e3")
    'Qwen/Qwen2.5-Omni-3B at f75b40e3'
    >>> base_name("/data/runs/base")
    'base'
    """
    on_hub = _HUB_FOLDER.search(place)
    return f"{on_hub[1]}/{on_hub[2]} at {on_hub[3]}" if on_hub else PurePath(place).name


def _head(record: CheckpointRecord) -> str:
    lines = ["---", "library_name: speechlm", "pipeline_tag: audio-text-to-text"]
    on_hub = _HUB_FOLDER.search((record.base and record.base.name) or "")
    if on_hub:
        lines.append(f"base_model: {on_hub[1]}/{on_hub[2]}")
    return "\n".join([*lines, "tags: [speech, emotion]", "---", ""])


def _title(record: CheckpointRecord) -> str:
    return f"Speech language model, {record.provenance.stage}" if record.provenance.stage else "Speech language model"


def _rows(record: CheckpointRecord) -> dict[str, str]:
    base, lora, given = record.base, record.lora, record.provenance
    rows = {
        "base": (base_name(base.name) if base.name else "a model built in memory") if base else "not recorded",
        "trained": ", ".join(PART_WORDS.get(part, part) for part in record.trained) or "not recorded",
        "parameters": ", ".join(f"{count:,} {part}" for part, count in record.parameters.items()),
    }
    if lora is not None:
        targets = ", ".join(lora.targets)
        rows["LoRA"] = f"rank {lora.rank}, alpha {lora.alpha:g}, dropout {lora.dropout:g}, on {targets}, merged"
    rows["vocabulary"] = f"{record.vocabulary} tokens"
    if given.label_set:
        rows["label set"] = given.label_set
    rows["written by"] = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    return {name: _one_line(value) for name, value in rows.items()}


def _data(record: CheckpointRecord) -> str:
    words = {
        None: "Whether its training data is synthetic is not recorded.",
        True: "Its training data is synthetic: no person's voice is in it.",
        False: "Its training data holds recordings of people.",
    }
    hashes = [f"- {_one_line(name)}: SHA-256 `{_one_line(value)}`" for name, value in record.provenance.data.items()]
    return "\n".join(["## Data", "", words[record.provenance.synthetic], *([""] if hashes else []), *hashes, ""])


def _one_line(text: str) -> str:
    """Text of callers cannot break a table or the head."""
    return " ".join(text.split()).replace("|", r"\|").replace('"', "'")
