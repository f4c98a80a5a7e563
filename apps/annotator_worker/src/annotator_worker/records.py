"""The records that only annotation needs: what was asked for, what was submitted.

They travel as strict JSON through `speech_records.to_json` and `from_json`, like the shared ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from annotator_worker.errors import UnusableInputError
from cotgen.dataset.describing import installed_version
from cotgen.reasoning import GeneratorName, ReasoningConfig
from cotgen.tasks import Attribute, ComparativeClip
from speech_records import FailedItem, Level, MeasuredUtterance, ReasoningTrace, Utterance, to_json


class Stage(StrEnum):
    """The steps of annotation before `cotgen.dataset.build` puts the data set together."""

    LIST = "list"
    MEASURE = "measure"
    COMPARE = "compare"
    REASON = "reason"


class Stress(StrEnum):
    """How stressed words are found.

    `auto`: by acoustic prominence over words that pocketsphinx aligns, where the transcript is English and the corpus
    does not mark stressed words itself; `measured`: the same wherever the transcript is English; `none`: not at all.
    """

    AUTO = "auto"
    MEASURED = "measured"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MeasureConfig:
    """What is measured beyond the profile. `stress_model` and `speaker_model` are folders of weights.

    `stress_model` is one of `prosody.WhiStress`, which then judges the words instead of acoustic prominence;
    `speaker_model` one of `prosody.AgeGender`, which says gender and age group. Of a job, they are folders of the
    workers' machines.
    """

    stress: Stress = Stress.AUTO
    stress_model: str | None = None
    speaker_model: str | None = None


PLAIN, RULES = MeasureConfig(), ReasoningConfig()
"""What is asked for unless specified."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Releases of ours whose code decides what is measured and written."""

    speech_records: str
    prosody: str
    cotgen: str
    annotator_worker: str

    @classmethod
    def installed(cls) -> Versions:
        """What runs here."""
        names = ("speech-records", "prosody", "cotgen", "annotator-worker")
        return cls(*(installed_version(f"emotionthinker-{name}") for name in names))


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many records of a corpus were left out on purpose, and why: a label that names none of our emotions, say."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What one annotation was asked for; equal specs over equal audio give equal data sets.

    `question` is what reasoning examples ask, `comparative` the number of comparative clips per split, `limit` how many
    utterances of the listing were taken, `language` that of utterances that do not say, `dropped` what the loader left
    out on purpose. `in_place`: workers read the audio below a root of their own, nothing is uploaded.
    """

    schema_version: ClassVar[str] = "2.1"

    corpus: str
    audio_root: str
    label_set: str
    question: str
    seed: int
    comparative: int
    limit: int | None
    versions: Versions
    language: str | None = None
    dropped: tuple[Dropped, ...] = ()
    measuring: MeasureConfig = PLAIN
    reasoning: ReasoningConfig = RULES
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Submitted:
    """An utterance that workers are to measure, and the bytes that it is about."""

    utterance: Utterance
    audio_sha256: str

    @property
    def name(self) -> str:
        """What the item is called: its utterance."""
        return self.utterance.utterance_id


@dataclass(frozen=True, slots=True)
class ComparativePlan:
    """Everything that decides the samples of one comparative clip; see `annotator_worker.comparative`.

    Times are those of the speech in the source clip, the offset is in hundredths of the attribute's unit, `step` the
    share of `comparative.VARIATIONS` by which neighbouring levels are apart.
    """

    clip_id: str
    utterance: Utterance
    audio_sha256: str
    attribute: Attribute
    order: tuple[Level, ...]
    offset_centi: int
    speech_start_s: float
    speech_end_s: float
    step: float = 1.0

    @property
    def name(self) -> str:
        """What the item is called: its clip."""
        return self.clip_id

    @property
    def clip(self) -> ComparativeClip:
        """The clip as the data set lists it; its path is relative to the data set's folder."""
        return ComparativeClip(
            clip_id=self.clip_id,
            utterance_id=self.utterance.utterance_id,
            audio_path=f"comparative/{self.clip_id}.flac",
            attribute=self.attribute,
            order=self.order,
            split=self.utterance.split,
        )


@dataclass(frozen=True, slots=True)
class Levelled:
    """A measured utterance with its levels, about which reasoning is to be written."""

    measured: MeasuredUtterance

    @property
    def name(self) -> str:
        """What the item is called: its utterance."""
        return self.utterance.utterance_id

    @property
    def utterance(self) -> Utterance:
        """What is reasoned about."""
        return self.measured.utterance


@dataclass(frozen=True, slots=True)
class Writing:
    """How the reasoning of a job is written, and by which releases.

    A message holds neither the address of a model's endpoint nor a file: those are the worker's own.
    """

    label_set: str
    seed: int
    reasoning: ReasoningConfig
    cotgen: str
    speech_claims: str

    @classmethod
    def of(cls, spec: JobSpec, reasoning: ReasoningConfig) -> Writing:
        """By what runs here. Raises `UnusableInputError` for what only a single machine has."""
        if reasoning.generator is GeneratorName.TRACES or reasoning.base_url or reasoning.cache:
            raise UnusableInputError(
                "through workers, reasoning is written by rules or a model whose address is in the workers' own"
                " OPENAI_BASE_URL: leave out --traces, --base-url and --cache"
            )
        return cls(spec.label_set, spec.seed, reasoning, *_writers())

    def is_ours(self) -> bool:
        """Whether what runs here writes it."""
        return (self.cotgen, self.speech_claims) == _writers()

    @property
    def is_paid(self) -> bool:
        """Whether a model is asked, through a queue of its own."""
        return self.reasoning.generator is GeneratorName.OPENAI


def _writers() -> tuple[str, str]:
    return installed_version("emotionthinker-cotgen"), installed_version("emotionthinker-speech-claims")


@dataclass(frozen=True, slots=True)
class Batch:
    """Items of one stage that a worker does in one task: lines `offset` to `offset + length` of the object `part`.

    `key` is a digest of the items and of everything that decides their results.
    """

    key: str
    part: str
    offset: int
    length: int
    items: int


@dataclass(frozen=True, slots=True)
class BatchTask:
    """What a message asks for: items `start` to `stop` of a batch, for a job.

    A worker refuses a message of another major schema version, one with fields that it does not know, and one whose
    `versions` are not its own, since its results would not belong under the batch's key. `in_place`: the audio is read
    below the worker's own audio root, not from the store. `writing` is what the stage `reason` is asked for.
    """

    schema_version: ClassVar[str] = "1.1"

    job: str
    stage: Stage
    batch: Batch
    start: int
    stop: int
    versions: Versions
    measuring: MeasureConfig = PLAIN
    in_place: bool = False
    writing: Writing | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop <= self.batch.items:
            raise ValueError(f"items {self.start} to {self.stop} are not a part of {self.batch.items}")
        if (self.stage is Stage.REASON) != (self.writing is not None):
            raise ValueError(f"{self.stage} does not go with {self.writing}")

    @property
    def name(self) -> str:
        """The range as keys and counters have it."""
        return f"{self.batch.key}/{self.start}-{self.stop}"

    @property
    def is_paid(self) -> bool:
        """Whether a model is asked, through a queue of its own."""
        return self.writing is not None and self.writing.is_paid


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An item that failed for its own sake: why, at which stage, on which worker, in which attempt.

    `id` is its utterance, `item` what it is called in its stage (also the utterance, or a comparative clip), `batch`
    and `index` say where it was sent. `retries` counts the rounds of `annotator retry` that it has been through.
    """

    id: str
    item: str
    stage: Stage
    error: str
    message: str
    worker: str
    attempt: int
    batch: str
    index: int
    retries: int = 0

    @classmethod
    def rejected(cls, failed: FailedItem) -> DeadLetter:
        """Of what `submit` did not send; submitting the corpus again tries it again."""
        return cls(
            failed.id, failed.id, Stage(failed.stage), failed.error, failed.message, worker="submit", attempt=1,
            batch="", index=0,
        )  # fmt: skip

    @property
    def failed(self) -> FailedItem:
        """What the data set says of it; where and how often it was tried is left out, so that equal runs stay equal."""
        return FailedItem(self.id, self.stage, self.error, self.message)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A line of a shard, what became of one item: its measurements, the id of the comparative clip that was made, the
    reasoning about it, or why there is none of them. `counts` is what happened while reasoning was written.
    """

    measured: MeasuredUtterance | None = None
    made: str | None = None
    dead: DeadLetter | None = None
    trace: ReasoningTrace | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


def digest(parts: Iterable[str | int | None]) -> str:
    """A key for `parts`: 128 bits of SHA-256 in hexadecimal, the same in every process and on every machine.

    >>> digest(["a", 1]) == digest(["a", 1]), digest(["a", 1]) == digest(["a1"]), len(digest([]))
    (True, False, 32)
    """
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()[:32]


def work_key(utterance: Utterance, audio_sha256: str, spec: JobSpec) -> str:
    """The key of a measurement: it changes with the utterance, its audio, the code that measures and what it is asked.

    A model is known by the path of its folder: name another folder when its weights change.
    """
    versions = spec.versions
    return digest([
        versions.prosody, versions.speech_records, to_json(utterance), audio_sha256, to_json(spec.measuring)
    ])  # fmt: skip
