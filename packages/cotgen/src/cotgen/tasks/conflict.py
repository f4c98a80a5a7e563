"""The conflict set: the words say one emotion, the voice another. Which of the two does a model follow?

Three kinds of items:

- `conflict`: loaded words of one emotion (`word_emotions`), and the voice labelled with another
- `neutral_words`: the fixed sentences of RAVDESS and EmoDB, chosen by their makers to say nothing, in an emotional
  voice; there is nothing in the words to follow, so *words* means the answer *neutral*
- `agreeing`: loaded words and the same label; without it nobody could tell a model that follows the words from one that
  knows no emotion at all

The voice's emotion is the corpus's label. Where people who labelled could understand the words (MELD, IEMOCAP), it is
not a label of the voice alone; actors who were told what to play (RAVDESS, EmoDB, the recipes here) are better
evidence. Whispering is a manner, not an emotion, and is left out. Each item names its evidence: the loaded words, the
label, and the measured cues that fit the voice's emotion and not the words' (by `speech_records.emotion_cues`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from cotgen.tasks.balancing import Class, Selection
from cotgen.tasks.joining import measured_lines
from cotgen.tasks.word_emotions import SENTENCES, loaded_words
from speech_claims.cue_values import cue_values
from speech_records import (
    LABEL_SETS,
    AnswerFormatError,
    Emotion,
    InvalidRecordError,
    LabelSet,
    MeasuredUtterance,
    Utterance,
    parse_response,
)
from speech_records.emotion_cues import Evidence, cue_evidence
from speech_records.failures import Report

NEUTRAL_SENTENCES: Mapping[str, str] = MappingProxyType(
    {"ravdess": "RAVDESS's fixed sentences are neutral", "emodb": "EmoDB's fixed sentences are neutral"}
)
"""Corpora whose sentences were chosen by their makers to carry no emotion, and how an item's evidence says so."""


class Kind(StrEnum):
    """What words and voice of an item have to do with each other; see the module."""

    CONFLICT = "conflict"
    NEUTRAL_WORDS = "neutral_words"
    AGREEING = "agreeing"


class Followed(StrEnum):
    """What an answer followed. Where words and voice agree, the voice."""

    VOICE = "voice"
    WORDS = "words"
    NEITHER = "neither"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class ConflictItem:
    """One clip, the emotions of its words and of its voice as labels of `label_set`, and the evidence for both."""

    schema_version: ClassVar[str] = "1.0"

    item_id: str
    kind: Kind
    utterance_id: str
    audio_path: str
    transcript: str
    words_emotion: Emotion
    voice_emotion: Emotion
    words_evidence: tuple[str, ...]
    voice_evidence: tuple[str, ...]
    question: str
    label_set: str
    split: str | None = None
    synthetic: bool = False

    def __post_init__(self) -> None:
        known = LABEL_SETS[self.label_set].labels if self.label_set in LABEL_SETS else ()
        if self.words_emotion not in known or self.voice_emotion not in known:
            both = f"{self.words_emotion} and {self.voice_emotion}"
            raise InvalidRecordError(f"ConflictItem {self.item_id!r}: {both} must be labels of {self.label_set!r}")
        if (self.words_emotion is self.voice_emotion) is not (self.kind is Kind.AGREEING):
            both = f"words {self.words_emotion} and voice {self.voice_emotion}"
            raise InvalidRecordError(f"ConflictItem {self.item_id!r}: {both} make no {self.kind}")
        if not self.words_evidence or not self.voice_evidence:
            raise InvalidRecordError(f"ConflictItem {self.item_id!r}: both sides need evidence")


@dataclass(frozen=True, slots=True)
class ConflictRecipe:
    """A sentence that says one emotion, to be spoken in another: for an actor, or a voice that can be directed."""

    schema_version: ClassVar[str] = "1.0"

    recipe_id: str
    sentence: str
    words_emotion: Emotion
    voice_emotion: Emotion
    direction: str

    def utterance(self, *, corpus: str, speaker_id: str, audio_path: str, synthetic: bool) -> Utterance:
        """The clip that was made by this recipe, as a line of a manifest; measured, it becomes an item of the set."""
        return Utterance(
            f"{self.recipe_id}-{speaker_id}", corpus, audio_path, speaker_id, self.voice_emotion, self.sentence, "en",
            split="test", synthetic=synthetic,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ConflictScore:
    """Answers to items of one kind: the share in [0, 1] that followed what, and `chance` to hit the voice's label."""

    answers: int
    voice: float
    words: float
    neither: float
    invalid: float
    chance: float


class _SkippedError(ValueError):
    """An utterance that gives no item; its text is the reason that is counted."""


class ConflictSet:
    """The items of a file of measurements, read twice: judged and counted when made, drawn by `items`.

    `split` keeps one split only. Of each kind and voice emotion at most `most` items are drawn, by `seed`. `question`
    is what every item asks. Bad lines go to `report`; `skipped` counts why utterances give no item.
    """

    def __init__(
        self,
        profiles: Path,
        *,
        label_set: LabelSet,
        question: str,
        seed: int,
        report: Report,
        split: str | None = None,
        most: int = 100,
    ) -> None:
        self._profiles, self._label_set, self._question, self._split = profiles, label_set, question, split
        self._seed, self._most = seed, most
        self.skipped: Counter[str] = Counter()
        self.found: Counter[Class] = Counter()
        for item in self._read(report):
            try:
                self.found[_class(_judge(item, self._label_set, self._question))] += 1
            except _SkippedError as reason:
                self.skipped[str(reason)] += 1

    def items(self) -> Iterator[ConflictItem]:
        """The items in the order of the file; the same for the same file and seed."""
        kept = {key: min(self._most, n) for key, n in self.found.items()}
        selection = Selection(self.found, kept, seed=self._seed)
        for item in self._read(lambda _: None):
            with suppress(_SkippedError):
                made = _judge(item, self._label_set, self._question)
                if selection.keeps(_class(made)):
                    yield made

    def _read(self, report: Report) -> Iterator[MeasuredUtterance]:
        for item in measured_lines(self._profiles, report, check_stress=False):
            if self._split is None or item.utterance.split == self._split:
                yield item


def conflict_item(measured: MeasuredUtterance, *, label_set: LabelSet, question: str) -> ConflictItem | None:
    """The item that one measured utterance gives, where it gives one."""
    try:
        return _judge(measured, label_set, question)
    except _SkippedError:
        return None


def _judge(item: MeasuredUtterance, label_set: LabelSet, question: str) -> ConflictItem:
    """The item that an utterance gives; `_SkippedError` says why it gives none."""
    utterance = item.utterance
    voice = label_set.map(utterance.emotion) if utterance.emotion is not None else None
    if voice is None or utterance.emotion is Emotion.WHISPER:
        raise _SkippedError("no label of the voice in the label set")
    words, evidence = _words(utterance, label_set)
    kind = Kind.AGREEING if words is voice else Kind.CONFLICT
    if utterance.corpus in NEUTRAL_SENTENCES:
        kind = Kind.NEUTRAL_WORDS
        if words is voice:
            raise _SkippedError("neutral words in a neutral voice")
    return ConflictItem(
        item_id=f"{utterance.utterance_id}/conflict",
        kind=kind,
        utterance_id=utterance.utterance_id,
        audio_path=utterance.audio_path,
        transcript=utterance.transcript or "",
        words_emotion=words,
        voice_emotion=voice,
        words_evidence=evidence,
        voice_evidence=(f"label of {utterance.corpus}: {utterance.emotion}", *_telling(item, voice, words)),
        question=question,
        label_set=label_set.name,
        split=utterance.split,
        synthetic=utterance.synthetic,
    )


def _words(utterance: Utterance, label_set: LabelSet) -> tuple[Emotion, tuple[str, ...]]:
    """What the words say, with the evidence."""
    if utterance.corpus in NEUTRAL_SENTENCES:
        if Emotion.NEUTRAL not in label_set.labels:
            raise _SkippedError("neutral is not a label of the label set")
        return Emotion.NEUTRAL, (NEUTRAL_SENTENCES[utterance.corpus],)
    if not (utterance.transcript or "").strip():
        raise _SkippedError("no transcript")
    if not (utterance.language or "en").lower().startswith("en"):
        raise _SkippedError(f"no lexicon for the language {utterance.language}")
    found = loaded_words(utterance.transcript or "")
    if not found:
        raise _SkippedError("no loaded word")
    emotion, *more = {label_set.map(one.emotion) for one in found}
    if more:
        raise _SkippedError("loaded words of several emotions")
    if emotion is None:
        raise _SkippedError("the words' emotion is not in the label set")
    return emotion, tuple(one.text for one in found)


def recipes(label_set: LabelSet) -> list[ConflictRecipe]:
    """Every sentence of ours in every emotion of the label set that it does not say.

    Sentences whose own emotion the label set leaves out are left out.

    >>> from speech_records import IEMOCAP_4
    >>> recipes(IEMOCAP_4)[0].direction
    'Say “This is the best day of my life” word for word. Whatever it means, the voice says: neutral.'
    """
    made = []
    for said, sentences in SENTENCES.items():
        words = label_set.map(said)
        for number, sentence in enumerate(sentences, start=1):
            for voice in label_set.labels:
                if words is not None and voice not in (words, Emotion.WHISPER):
                    told = (
                        f"Say “{sentence}” word for word. Whatever it means, the voice says: {label_set.text(voice)}."
                    )
                    made.append(ConflictRecipe(f"{said}{number}-{voice}", sentence, words, voice, told))
    return made


def followed(item: ConflictItem, answer: str) -> Followed:
    """What an answer followed: a label alone, or the think/answer form; anything else is invalid."""
    try:
        text = parse_response(answer, strict=True).answer if "<" in answer else answer
    except AnswerFormatError:
        return Followed.INVALID
    label = LABEL_SETS[item.label_set].parse(text)
    if label is None:
        return Followed.INVALID
    if label is item.voice_emotion:
        return Followed.VOICE
    return Followed.WORDS if label is item.words_emotion else Followed.NEITHER


def score_conflict(answers: Iterable[tuple[ConflictItem, str]]) -> dict[Kind, ConflictScore]:
    """What answers followed, by kind, in the order of `Kind`; kinds without answers are left out."""
    counts: dict[Kind, Counter[Followed]] = {kind: Counter() for kind in Kind}
    chances = dict.fromkeys(Kind, 0.0)
    for item, answer in answers:
        counts[item.kind][followed(item, answer)] += 1
        chances[item.kind] += 1 / len(LABEL_SETS[item.label_set].labels)
    return {
        kind: ConflictScore(
            answers=found.total(),
            **{f.value: found[f] / found.total() for f in Followed},
            chance=chances[kind] / found.total(),
        )
        for kind, found in counts.items()
        if found
    }


def _telling(item: MeasuredUtterance, voice: Emotion, words: Emotion) -> tuple[str, ...]:
    """The measured cues that fit the voice's emotion and not the words'; where both agree, those that fit it."""
    readings = cue_values(item.profile, item.levels)
    return tuple(
        f"{cue}: {reading.measured}"
        for cue, reading in readings.items()
        if cue_evidence(voice, cue, reading.value) is Evidence.FITS
        and (voice is words or cue_evidence(words, cue, reading.value) is not Evidence.FITS)
    )


def _class(item: ConflictItem) -> Class:
    return Class(item.kind, item.voice_emotion)
