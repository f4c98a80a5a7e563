"""What a policy checkpoint was trained for and on: `policy.json`, which trainer writes and explainer reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from speech_records.emotions import LABEL_SETS, Emotion, LabelSet


@dataclass(frozen=True, slots=True)
class PolicyCard:
    """What a policy was trained for and on. `synthetic`: no person's voice was in its training data.

    `data_sha256` is the hash of the data set's description, which holds those of all its files. `labels` are those of
    `label_set` that its clips have, where it joins several corpora.
    """

    label_set: str
    corpus: str
    synthetic: bool
    stage: str
    seed: int | None = None
    data_sha256: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[Emotion, ...] | None = None

    @property
    def asked(self) -> LabelSet:
        """What to ask of speech of no known corpus: the label set, with its `labels` alone where they are known.

        Raises `KeyError` for an unknown label set.
        """
        whole = LABEL_SETS[self.label_set]
        return whole if self.labels is None else replace(whole, labels=self.labels, mapping={}, display={})
