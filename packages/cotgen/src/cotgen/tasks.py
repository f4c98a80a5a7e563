"""The four families of SFT tasks, as examples to train on.

- stress: which word is stressed
- attribute: pitch, energy, rate, contour and melody, all at once and one at a time
- comparative: three variants of one sentence, in which order an attribute varies
- reasoning: think, then answer (cold start)

Targets of the first three are a few words (`pitch high, energy low, rate normal, contour rising, melody flat`), so that
a small model can learn to hear prosody before it learns to write.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar

from cotgen.errors import TaskError
from cotgen.quoting import neutralise
from cotgen.readings import Reading, read_cues
from cotgen.wording import RATE_WORDS
from speech_records import Cue, InvalidRecordError, LabelSet, Level, MeasuredUtterance, ReasoningTrace, format_answer


class Task(StrEnum):
    """The family of an SFT example."""

    STRESS = "stress"
    ATTRIBUTE = "attribute"
    COMPARATIVE = "comparative"
    REASONING = "reasoning"


class Attribute(StrEnum):
    """What a comparative clip varies."""

    PITCH = "pitch"
    ENERGY = "energy"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class SFTExample:
    """A question about one clip and the answer to learn.

    `example_id` is unique in a data set. `audio_path` is the utterance's own path (relative to its corpus root), for
    comparative examples the path of the clip that was made (relative to the annotated data set).
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
        for name in ("example_id", "utterance_id", "audio_path", "question", "target"):
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


STRESS_QUESTIONS = ("Which word is stressed?", "Which word carries the stress?", "What word is emphasised?")
ALL_QUESTIONS = (
    "Describe pitch, energy, rate, contour and melody.",
    "What are the pitch, energy, rate, contour and melody?",
    "Name the pitch, energy, rate, contour and melody.",
)
ATTRIBUTE_QUESTIONS = ("What is the {name}?", "Describe the {name}.", "Name the {name}.")
COMPARATIVE_QUESTIONS = (
    "In which order does the {name} vary?",
    "What is the {name} of each part, in order?",
    "Name the {name} of the parts in their order.",
)
_ATTRIBUTES: Mapping[str, Cue] = MappingProxyType(
    {
        "pitch": Cue.PITCH,
        "energy": Cue.ENERGY,
        "rate": Cue.RATE,
        "contour": Cue.CONTOUR_SHAPE,
        "melody": Cue.CONTOUR_DYNAMICS,
    }
)
SINGLE_SHARE = 0.25
"""Share of utterances that are also asked for one attribute alone; asking for all teaches five for the price of one."""
UNVOICED = "unvoiced"
"""What the pitch of whispered speech is called."""


def build(
    measured: Iterable[MeasuredUtterance],
    traces: Iterable[ReasoningTrace],
    *,
    label_set: LabelSet,
    reasoning_question: str,
    seed: int,
    comparative: Iterable[ComparativeClip] = (),
) -> list[SFTExample]:
    """Every example that the measurements, traces and comparative clips give, by utterance, then comparative clips.

    An utterance gives one question about all attributes, for a quarter of them (drawn by `seed`) one about a single
    attribute, one about stress where stressed words are known, and one reasoning example for each of its traces.
    Reasoning examples all ask `reasoning_question`, the policy's prompt. Same input and seed, same examples.

    Raises `TaskError` when a trace or clip belongs to no measured utterance, or an utterance is given twice.
    """
    utterances: dict[str, MeasuredUtterance] = {}
    for item in measured:
        if item.utterance.utterance_id in utterances:
            raise TaskError(f"utterance {item.utterance.utterance_id!r} is measured twice: its examples would collide")
        utterances[item.utterance.utterance_id] = item
    by_utterance: dict[str, list[ReasoningTrace]] = {name: [] for name in utterances}
    for trace in traces:
        if trace.utterance_id not in by_utterance:
            raise TaskError(f"trace of {trace.utterance_id!r}: no measured utterance has this id")
        by_utterance[trace.utterance_id].append(trace)
    examples: list[SFTExample] = []
    for name, item in utterances.items():
        rng = random.Random(f"tasks:{seed}:{name}")
        examples += _attribute_examples(item, rng)
        examples += _stress_examples(item, rng)
        examples += _reasoning_examples(item, by_utterance[name], label_set, reasoning_question)
    for clip in comparative:
        if clip.utterance_id not in utterances:
            raise TaskError(f"clip {clip.clip_id!r}: no measured utterance has the id {clip.utterance_id!r}")
        rng = random.Random(f"tasks:{seed}:{clip.clip_id}")
        examples.append(_comparative_example(clip, utterances[clip.utterance_id], rng))
    return examples


def attribute_target(readings: Mapping[Cue, Reading]) -> str:
    """All attributes that were measured, in one line; empty when none was.

    >>> from speech_records import ProsodyLevels, ProsodyProfile
    >>> attribute_target(read_cues(ProsodyProfile(duration_s=1.0, sample_rate=16000, voiced_share=0.02), None))
    'pitch unvoiced'
    """
    return ", ".join(_attributes(readings).values())


def _attributes(readings: Mapping[Cue, Reading]) -> dict[str, str]:
    """`pitch high` and so on for each attribute that was measured."""
    found: dict[str, str] = {}
    for name, cue in _ATTRIBUTES.items():
        if cue in readings:
            value = readings[cue].value
            found[name] = f"{name} {RATE_WORDS[value] if cue is Cue.RATE else value}"
        elif cue is Cue.PITCH and Cue.VOICING in readings and readings[Cue.VOICING].value == "whispered":
            found[name] = f"{name} {UNVOICED}"
    return found


def _attribute_examples(item: MeasuredUtterance, rng: random.Random) -> Iterator[SFTExample]:
    found = _attributes(read_cues(item.profile, item.levels))
    if not found:
        return
    yield _example(item, Task.ATTRIBUTE, "attributes", rng.choice(ALL_QUESTIONS), ", ".join(found.values()))
    if rng.random() >= SINGLE_SHARE:
        return
    name = rng.choice(list(found))
    question = rng.choice(ATTRIBUTE_QUESTIONS).format(name=name)
    yield _example(item, Task.ATTRIBUTE, f"attribute-{name}", question, found[name])


def _stress_examples(item: MeasuredUtterance, rng: random.Random) -> Iterator[SFTExample]:
    """From the corpus's own annotation where it has one, otherwise from what was measured."""
    given = item.utterance.stressed_words
    heard = given if given is not None else tuple(w.word for w in item.profile.stressed_words or ())
    target = ", ".join(filter(None, (neutralise(word).strip(".,;:!?…").lower() for word in heard)))
    if target:
        yield _example(item, Task.STRESS, "stress", rng.choice(STRESS_QUESTIONS), target)


def _reasoning_examples(
    item: MeasuredUtterance, traces: Sequence[ReasoningTrace], label_set: LabelSet, question: str
) -> Iterator[SFTExample]:
    for number, trace in enumerate(traces):
        target = format_answer(trace.think, label_set.text(trace.answer))
        yield _example(item, Task.REASONING, f"reasoning-{number}", question, target)


def _comparative_example(clip: ComparativeClip, item: MeasuredUtterance, rng: random.Random) -> SFTExample:
    is_rate = clip.attribute is Attribute.RATE
    target = ", ".join(RATE_WORDS[level] if is_rate else level.value for level in clip.order)
    return SFTExample(
        example_id=f"{clip.clip_id}/comparative",
        task=Task.COMPARATIVE,
        utterance_id=clip.utterance_id,
        audio_path=clip.audio_path,
        question=rng.choice(COMPARATIVE_QUESTIONS).format(name=clip.attribute.value),
        target=target,
        split=clip.split,
        synthetic=item.utterance.synthetic,
    )


def _example(item: MeasuredUtterance, task: Task, suffix: str, question: str, target: str) -> SFTExample:
    utterance = item.utterance
    return SFTExample(
        example_id=f"{utterance.utterance_id}/{suffix}",
        task=task,
        utterance_id=utterance.utterance_id,
        audio_path=utterance.audio_path,
        question=question,
        target=target,
        split=utterance.split,
        synthetic=utterance.synthetic,
    )
