"""What the tasks are made of: the families, one example, and a clip of several variants."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from speech_records import InvalidRecordError, Level


class Task(StrEnum):
    """The family of an SFT example."""

    STRESS = "stress"
    ATTRIBUTE = "attribute"
    COMPARATIVE = "comparative"
    REASONING = "reasoning"
    LABEL = "label"
    ASR = "asr"
    TEXT = "text"


class Attribute(StrEnum):
    """What a comparative clip varies."""

    PITCH = "pitch"
    ENERGY = "energy"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class SFTExample:
    """A question about one clip and the answer to learn.

    `example_id` is unique in a data set. `audio_path` is the utterance's own path (relative to its corpus root), for
    comparative examples the path of the clip that was made (relative to the annotated data set). A text example is
    about no utterance and has neither.
    """

    schema_version: ClassVar[str] = "1.0"

    example_id: str
    task: Task
    utterance_id: str
    audio_path: str
    question: str
    target: str
    split: str | None = None
    synthetic: bool = False

    def __post_init__(self) -> None:
        about = () if self.task is Task.TEXT else ("utterance_id", "audio_path")
        for name in ("example_id", *about, "question", "target"):
            if not getattr(self, name).strip():
                raise InvalidRecordError(f"SFTExample {self.example_id!r}: {name} must not be empty")


@dataclass(frozen=True, slots=True)
class ComparativeClip:
    """Variants of one sentence in one clip, whose `attribute` takes the levels `order` one after the other."""

    schema_version: ClassVar[str] = "1.0"

    clip_id: str
    utterance_id: str
    audio_path: str
    attribute: Attribute
    order: tuple[Level, ...]
    split: str | None = None

    def __post_init__(self) -> None:
        if len(self.order) < 2 or len(set(self.order)) != len(self.order):
            raise InvalidRecordError(f"ComparativeClip {self.clip_id!r}: order needs two or more distinct levels")
