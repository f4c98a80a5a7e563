"""The emotion taxonomy: the union of what corpora label, their aliases, and the label sets of benchmarks.

An `Emotion` is what a corpus says of an utterance. A `LabelSet` is what one benchmark asks for; it says how every
other emotion maps into it, or that an utterance of that emotion is left out (`None`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from speech_records.errors import InvalidRecordError, UnknownEmotionError


class Emotion(StrEnum):
    """Union of the emotions that the supported corpora label."""

    NEUTRAL = "neutral"
    CALM = "calm"
    HAPPY = "happy"
    EXCITED = "excited"
    SAD = "sad"
    ANGRY = "angry"
    FEAR = "fear"
    DISGUST = "disgust"
    CONTEMPT = "contempt"
    SURPRISE = "surprise"
    CONFUSED = "confused"
    WHISPER = "whisper"
    BORED = "bored"
    FRUSTRATED = "frustrated"

    @classmethod
    def parse(cls, label: str) -> Emotion:
        """The emotion that a corpus calls `label`: its own name or an alias, whatever the case.

        Underscores and hyphens count as spaces.
        Raises `UnknownEmotionError` naming the label.

        >>> Emotion.parse("Fearful"), Emotion.parse("hap")
        (<Emotion.FEAR: 'fear'>, <Emotion.HAPPY: 'happy'>)
        """
        key = " ".join(label.strip().lower().replace("_", " ").replace("-", " ").split())
        if key in _BY_NAME:
            return _BY_NAME[key]
        known = ", ".join(e.value for e in cls)
        raise UnknownEmotionError(f"unknown emotion label {label!r}; known are {known} and their aliases")


ALIASES: Mapping[Emotion, tuple[str, ...]] = MappingProxyType(
    {
        Emotion.NEUTRAL: ("neu", "neutrality", "default"),
        Emotion.CALM: ("calmness",),
        Emotion.HAPPY: ("hap", "happiness", "joy", "joyful", "amusement", "amused", "laughing"),
        Emotion.EXCITED: ("exc", "excitement", "ecstasy", "extasy"),
        Emotion.SAD: ("sadness",),
        Emotion.ANGRY: ("ang", "anger"),
        Emotion.FEAR: ("fea", "fearful", "afraid", "anxiety", "anxious"),
        Emotion.DISGUST: ("dis", "disgusted"),
        Emotion.CONTEMPT: ("contemptuous", "contempt or disgust"),
        Emotion.SURPRISE: ("sur", "surprised"),
        Emotion.CONFUSED: ("confusion",),
        Emotion.WHISPER: ("whispering", "whispered"),
        Emotion.BORED: ("bor", "boredom"),
        Emotion.FRUSTRATED: ("fru", "frustration"),
    }
)
"""Spellings of IEMOCAP, MELD, Expresso, MEAD, EARS, RAVDESS, CREMA-D, nEMO, URDU and the EmotionCoT release.

Only words that mean one emotion wherever they occur. Codes that mean different things in different corpora are read by
the corpus loaders, never here: single letters (`A` is anger in SAVEE and MSP-Podcast but fear in EmoDB), RAVDESS's
numbers, EMOVO's Italian codes. Labels that name no emotion of the union (IEMOCAP's `xxx` and `oth`, EARS's `pride`) are
unknown here.
"""

_BY_NAME: Mapping[str, Emotion] = MappingProxyType(
    {e.value: e for e in Emotion} | {alias: e for e, aliases in ALIASES.items() for alias in aliases}
)


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The labels that one benchmark asks for, and how other emotions map into them.

    `labels` keeps the order in which answers are offered. `mapping` holds only emotions outside `labels`;
    what it does not name is not part of the benchmark. `display` says how a label is written where its own name is not
    what the benchmark calls it. Raises `InvalidRecordError` when they contradict one another.
    """

    name: str
    labels: tuple[Emotion, ...]
    mapping: Mapping[Emotion, Emotion] = field(default_factory=dict, hash=False)
    display: Mapping[Emotion, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels) or not self.labels:
            raise InvalidRecordError(f"label set {self.name!r}: labels must be distinct and at least one")
        for source, target in self.mapping.items():
            if source in self.labels or target not in self.labels:
                raise InvalidRecordError(
                    f"label set {self.name!r}: {source.value} -> {target.value} must lead from outside into its labels"
                )
        for emotion in self.display:
            if emotion not in self.labels:
                raise InvalidRecordError(f"label set {self.name!r}: {emotion.value} is displayed but is no label")
        object.__setattr__(self, "mapping", MappingProxyType(dict(self.mapping)))
        object.__setattr__(self, "display", MappingProxyType(dict(self.display)))

    def __reduce__(self) -> tuple[object, ...]:
        # A mapping proxy can be neither pickled nor copied; workers and deep copies rebuild the set from plain dicts.
        return LabelSet, (self.name, self.labels, dict(self.mapping), dict(self.display))

    def map(self, emotion: Emotion) -> Emotion | None:
        """The label that `emotion` counts as here, or `None` when the benchmark leaves it out.

        >>> IEMOCAP_4.map(Emotion.EXCITED), IEMOCAP_4.map(Emotion.WHISPER)
        (<Emotion.HAPPY: 'happy'>, None)
        """
        return emotion if emotion in self.labels else self.mapping.get(emotion)

    def text(self, emotion: Emotion) -> str:
        """How a label of this set is written in prompts and answers.

        >>> PAPER_9.text(Emotion.CONTEMPT)
        'contempt or disgust'
        """
        if emotion not in self.labels:
            raise UnknownEmotionError(f"{emotion.value!r} is no label of {self.name}")
        return self.display.get(emotion, emotion.value)

    def parse(self, answer: str) -> Emotion | None:
        """The label that a model's answer means, mapped into this set; `None` when it means none.

        >>> RAVDESS_8.parse(" Fearful. "), RAVDESS_8.parse("purple")
        (<Emotion.FEAR: 'fear'>, None)
        """
        try:
            return self.map(Emotion.parse(answer.strip().rstrip(".!")))
        except UnknownEmotionError:
            return None


# The paper publishes neither its label maps nor those of its benchmarks: which emotion counts as which is our choice,
# except IEMOCAP's "excited" as "happy", which the four-class benchmark itself prescribes.
E = Emotion
PAPER_9 = LabelSet(
    "PAPER_9",
    (E.NEUTRAL, E.HAPPY, E.SAD, E.ANGRY, E.CONTEMPT, E.CONFUSED, E.WHISPER, E.SURPRISE, E.FEAR),
    {E.CALM: E.NEUTRAL, E.EXCITED: E.HAPPY, E.DISGUST: E.CONTEMPT, E.FRUSTRATED: E.ANGRY},
    {E.CONTEMPT: "contempt or disgust"},
)
IEMOCAP_4 = LabelSet("IEMOCAP_4", (E.NEUTRAL, E.HAPPY, E.SAD, E.ANGRY), {E.EXCITED: E.HAPPY})
MELD_7 = LabelSet(
    "MELD_7",
    (E.NEUTRAL, E.HAPPY, E.SAD, E.ANGRY, E.FEAR, E.DISGUST, E.SURPRISE),
    {E.CALM: E.NEUTRAL, E.EXCITED: E.HAPPY, E.CONTEMPT: E.DISGUST},
)
RAVDESS_8 = LabelSet(
    "RAVDESS_8",
    (E.NEUTRAL, E.CALM, E.HAPPY, E.SAD, E.ANGRY, E.FEAR, E.DISGUST, E.SURPRISE),
    {E.EXCITED: E.HAPPY, E.CONTEMPT: E.DISGUST},
)
SAVEE_7 = LabelSet(
    "SAVEE_7",
    (E.NEUTRAL, E.HAPPY, E.SAD, E.ANGRY, E.FEAR, E.DISGUST, E.SURPRISE),
    {E.CALM: E.NEUTRAL, E.EXCITED: E.HAPPY, E.CONTEMPT: E.DISGUST},
)
EMODB_7 = LabelSet(
    "EMODB_7",
    (E.NEUTRAL, E.HAPPY, E.SAD, E.ANGRY, E.FEAR, E.DISGUST, E.BORED),
    {E.CALM: E.NEUTRAL, E.EXCITED: E.HAPPY, E.CONTEMPT: E.DISGUST},
)
CREMAD_6 = LabelSet(
    "CREMAD_6",
    (E.NEUTRAL, E.HAPPY, E.SAD, E.ANGRY, E.FEAR, E.DISGUST),
    {E.CALM: E.NEUTRAL, E.EXCITED: E.HAPPY, E.CONTEMPT: E.DISGUST},
)
NEMO_6 = LabelSet(
    "NEMO_6",
    (E.NEUTRAL, E.HAPPY, E.SAD, E.ANGRY, E.FEAR, E.SURPRISE),
    {E.CALM: E.NEUTRAL, E.EXCITED: E.HAPPY},
)
EMOVO_7 = LabelSet(
    "EMOVO_7",
    (E.NEUTRAL, E.HAPPY, E.SAD, E.ANGRY, E.FEAR, E.DISGUST, E.SURPRISE),
    {E.CALM: E.NEUTRAL, E.EXCITED: E.HAPPY, E.CONTEMPT: E.DISGUST},
)
URDU_4 = LabelSet("URDU_4", (E.NEUTRAL, E.HAPPY, E.SAD, E.ANGRY), {E.CALM: E.NEUTRAL, E.EXCITED: E.HAPPY})
ALL_14 = LabelSet("ALL_14", tuple(Emotion))
"""Every emotion as itself: of data sets that join corpora, whose examples each ask for their own corpus's labels."""
del E

LABEL_SETS: Mapping[str, LabelSet] = MappingProxyType(
    {
        s.name: s
        for s in (PAPER_9, IEMOCAP_4, MELD_7, RAVDESS_8, SAVEE_7, EMODB_7, CREMAD_6, NEMO_6, EMOVO_7, URDU_4, ALL_14)
    }
)
"""Every label set by its name, as configurations spell it."""
