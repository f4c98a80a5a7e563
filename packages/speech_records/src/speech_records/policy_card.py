"""What a policy checkpoint was trained for and on: `policy.json`, which trainer writes and explainer reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PolicyCard:
    """What a policy was trained for and on. `synthetic`: no person's voice was in its training data.

    `data_sha256` is the hash of the data set's description, which holds those of all its files.
    """

    label_set: str
    corpus: str
    synthetic: bool
    stage: str
    seed: int | None = None
    data_sha256: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
