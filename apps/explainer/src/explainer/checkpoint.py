"""A policy's checkpoint folder: the speech LLM's own files, `policy.json` and `scale.json`.

`policy.json` says what the policy was trained for and on; `scale.json` is the level scale of its training corpus, so
that "high" means to the verifier what it meant when the policy learned the word.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import speechlm
from explainer.errors import CheckpointError, NoCheckpointError
from prosody import LevelScale, ScaleError
from speech_records import LABEL_SETS, LabelSet, PolicyCard, from_json
from speechlm import SpeechLM, load_checkpoint

FILES = ("config.json", "model.safetensors", "policy.json", "scale.json", "tokenizer.json")
"""What a policy's folder must hold; a sharded model has `model.safetensors.index.json` instead of one weights file."""
ENVIRONMENT = "EMOTIONTHINKER_CHECKPOINT"
DEMO = Path("runs/demo/demo/sft")
"""The policy that `make demo` ends with: of its policies the one that answers best."""
HOW_TO_GET_ONE = f"""\
No weights are shipped. Two ways to a policy, both from a checkout:
1. train the demo's, on synthetic speech:
     make demo
   which leaves it in {DEMO}
2. restore compact, trained on acted speech, with 0.6 GB from the hub:
     hf download openai/whisper-base config.json model.safetensors
     hf download HuggingFaceTB/SmolLM2-135M-Instruct config.json model.safetensors tokenizer.json tokenizer_config.json
     speechlm restore models/compact-ravdess --audio openai/whisper-base \\
       --text HuggingFaceTB/SmolLM2-135M-Instruct --any-base -o compact-ravdess
     explainer explain FILE --checkpoint compact-ravdess"""


@dataclass(frozen=True, slots=True, eq=False)
class TrainedPolicy:
    """A policy ready to answer: its model, its card, the labels it chooses from, and the scale of its levels."""

    model: SpeechLM
    card: PolicyCard
    label_set: LabelSet
    scale: LevelScale


def default_checkpoint() -> Path:
    """The folder named by the environment, else the demo's, below the current folder.

    Raises `NoCheckpointError` when there is neither.
    """
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named)
    if DEMO.is_dir():
        return DEMO
    raise NoCheckpointError(f"no checkpoint: give --checkpoint or set {ENVIRONMENT} (no {DEMO} in {Path.cwd()})")


def load_policy(directory: str | os.PathLike[str], *, device: str = "cpu") -> TrainedPolicy:
    """Read a policy's folder.

    Raises `CheckpointError` when files are missing, the architecture is another one, or `policy.json` or `scale.json`
    do not say what they should.
    """
    folder = Path(directory)
    _check_files(folder)
    card = _read_card(folder / "policy.json")
    if card.label_set not in LABEL_SETS:
        known = ", ".join(LABEL_SETS)
        raise CheckpointError(f"{folder}/policy.json: label set {card.label_set!r} is none of {known}")
    try:
        scale = LevelScale.load(folder / "scale.json")
        model = load_checkpoint(folder, device=device)
    except (ScaleError, speechlm.SpeechLMError) as error:
        raise CheckpointError(str(error)) from error
    return TrainedPolicy(model, card, card.asked, scale)


def _check_files(folder: Path) -> None:
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder; expected a policy checkpoint with {', '.join(FILES)}")
    found = sorted(entry.name for entry in folder.iterdir())
    present = {name.removesuffix(".index.json") for name in found}
    missing = [name for name in FILES if name not in present]
    if missing:
        shown = ", ".join(found[:12]) or "nothing"
        raise CheckpointError(f"{folder}: no policy checkpoint, lacks {', '.join(missing)}; found {shown}")


def _read_card(path: Path) -> PolicyCard:
    try:
        return from_json(PolicyCard, path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: {error}") from error
