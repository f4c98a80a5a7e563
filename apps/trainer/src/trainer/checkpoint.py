"""A policy checkpoint: the speech LLM's files, what they were trained for, and the scale its levels refer to."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import torch

from cotgen.dataset.reading import DESCRIPTION
from speech_records import PolicyCard, file_sha256, to_dict
from speechlm import Provenance, SpeechLM, save_checkpoint
from trainer.dataset import TRAIN, AnnotatedCorpus

CARD = "policy.json"
SCALE = "scale.json"
BEST = "best"
"""Folder, in that of a run, of the policy that did best on validation clips."""


def accelerator() -> torch.device:
    """Where models run outside training, which Lightning places: on the GPU, if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def policy_card(corpus: AnnotatedCorpus, *, stage: str, seed: int) -> PolicyCard:
    """The card of a policy that `stage` trained on `corpus`."""
    own = {m.utterance.emotion for m in corpus.split(TRAIN)} if corpus.joined else set()
    labels = tuple(label for label in corpus.label_set.labels if label in own)
    names = ("torch", "transformers", "emotionthinker-speechlm", "emotionthinker-trainer")
    return PolicyCard(
        label_set=corpus.label_set.name,
        corpus=corpus.corpus,
        synthetic=corpus.synthetic,
        stage=stage,
        seed=seed,
        data_sha256=data_identity(corpus)["data_sha256"],
        versions={name: version(name) for name in names},
        labels=labels or None,
    )


def data_identity(corpus: AnnotatedCorpus) -> dict[str, str]:
    """Name and hash of a data set, and the hash of the scale of its levels; the hash of `dataset.json` covers all its
    files, whose hashes that file holds.
    """
    return {"corpus": corpus.corpus, "data_sha256": corpus.sha256, "scale_sha256": file_sha256(corpus.scale)}


def save_policy(model: SpeechLM, card: PolicyCard, scale: Path, out: Path) -> None:
    """Write a policy checkpoint into `out`, as a whole or not at all; other files in it are kept."""
    provenance = Provenance(
        description=f"A policy that takes speech, reasons aloud and names an emotion; trained on {card.corpus}.",
        stage=card.stage,
        label_set=card.label_set,
        data={DESCRIPTION: card.data_sha256 or ""},
        synthetic=card.synthetic,
    )
    files = {SCALE: scale.read_bytes(), CARD: (json.dumps(to_dict(card), indent=2) + "\n").encode()}
    save_checkpoint(model, out, provenance=provenance, files=files)
