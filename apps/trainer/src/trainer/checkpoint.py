"""A policy checkpoint: the speech LLM's files, what they were trained for, and the scale its levels refer to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from speechlm import Provenance, SpeechLM, save_checkpoint
from trainer.dataset import DESCRIPTION, AnnotatedCorpus

CARD = "policy.json"
SCALE = "scale.json"


@dataclass(frozen=True, slots=True)
class PolicyCard:
    """What a policy checkpoint was trained for and on."""

    label_set: str
    corpus: str
    synthetic: bool
    stage: str
    seed: int
    data_sha256: str
    versions: dict[str, str]

    @classmethod
    def of(cls, corpus: AnnotatedCorpus, *, stage: str, seed: int) -> PolicyCard:
        """The card of a policy that `stage` trained on `corpus`."""
        names = ("torch", "transformers", "emotionthinker-speechlm", "emotionthinker-trainer")
        return cls(
            label_set=corpus.label_set.name,
            corpus=corpus.corpus,
            synthetic=corpus.synthetic,
            stage=stage,
            seed=seed,
            data_sha256=sha256_of(corpus.folder / DESCRIPTION),
            versions={name: version(name) for name in names},
        )


def save_policy(model: SpeechLM, card: PolicyCard, scale: Path, out: Path) -> None:
    """Write a policy checkpoint into `out`, as a whole or not at all; what else lies there is kept."""
    provenance = Provenance(
        description=f"A policy that hears speech, reasons aloud and names an emotion; trained on {card.corpus}.",
        stage=card.stage,
        label_set=card.label_set,
        data={DESCRIPTION: card.data_sha256},
        synthetic=card.synthetic,
    )
    files = {SCALE: scale.read_bytes(), CARD: (json.dumps(asdict(card), indent=2) + "\n").encode()}
    save_checkpoint(model, out, provenance=provenance, files=files)


def sha256_of(path: Path) -> str:
    """Hash of a file; of `dataset.json` it vouches for the whole data set, whose hashes that file holds."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
