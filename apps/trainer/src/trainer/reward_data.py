"""The texts that a reward model is fitted to and measured on: about every clip several, some true of it and some not.

- the policy's own sampled answers, about this clip and about others;
- texts of other clips, where there are some with the same words, else with the same emotion;
- graded traces: whole, with facts from altered measurements, and with the other faults of `rewardmodel.corruption`.

The same text goes with several clips and its verdicts with the clip, so that a text alone tells nothing of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random

from torch import Tensor

from cotgen.rules import rewrite
from policy import Sampler
from rewardmodel import CorruptionError, Fault, GradedTrace, build, mismatch
from speech_records import (
    AnswerFormatError,
    MeasuredUtterance,
    ReasoningTrace,
    format_answer,
    parse_response,
)
from speech_records.failures import Report
from speech_records.streams import good_lines
from speechlm import SpeechLM
from trainer.dataset import AnnotatedCorpus
from trainer.features import as_float
from trainer.progress import Meter

SAME_WORDS = 0.7
"""Share of the texts of other clips that quote the clip's own words, where another clip has the same."""
SAMPLED_CLIPS, MAX_NEW_TOKENS = 48, 160


class Source(StrEnum):
    """Where a text comes from."""

    OWN = "own"
    GRADED = "graded"
    SWAPPED = "swapped"


@dataclass(frozen=True, slots=True)
class Text:
    """A text about a clip in the form in which the policy writes, and the scores that it deserves there."""

    text: str
    graded: GradedTrace
    source: Source


@dataclass(frozen=True, slots=True)
class ClipTexts:
    """A clip and the texts that are judged against it."""

    measured: MeasuredUtterance
    texts: tuple[Text, ...]

    @property
    def name(self) -> str:
        """The utterance's id."""
        return self.measured.utterance.utterance_id


def sample_answers(
    policy: SpeechLM,
    clips: Sequence[MeasuredUtterance],
    features: Mapping[str, Tensor],
    corpus: AnnotatedCorpus,
    *,
    k: int,
    seed: int,
) -> dict[str, list[ReasoningTrace]]:
    """`k` answers of the policy to every clip at temperature 1, by utterance id; those without form are left out."""
    sampler, questions = Sampler(policy), corpus.questions(clips)
    by_length = sorted(clips, key=lambda m: features[m.utterance.utterance_id].shape[-1])
    answers: dict[str, list[ReasoningTrace]] = {}
    with Meter("the policy's own answers", total=len(clips)) as meter:
        for start in range(0, len(by_length), SAMPLED_CLIPS):
            names = [m.utterance.utterance_id for m in by_length[start : start + SAMPLED_CLIPS]]
            heard = as_float(features[name] for name in names)
            rollout = sampler.sample(
                heard, [questions[name] for name in names], k=k, max_new_tokens=MAX_NEW_TOKENS, seeds=seed + start
            )
            for name, texts in zip(names, rollout.texts, strict=True):
                answers[name] = [trace for text in texts if (trace := _trace(name, text, corpus)) is not None]
            meter.advance(len(names))
    return answers


def _trace(name: str, text: str, corpus: AnnotatedCorpus) -> ReasoningTrace | None:
    try:
        parsed = parse_response(text, strict=True)
    except AnswerFormatError:
        return None
    label = corpus.label_set.parse(parsed.answer)
    return None if label is None else ReasoningTrace(name, parsed.think, label, synthetic=corpus.synthetic)


def texts_about(
    clips: Sequence[MeasuredUtterance],
    corpus: AnnotatedCorpus,
    answers: Mapping[str, Sequence[ReasoningTrace]],
    *,
    swapped: int,
    seed: int,
    versions: Sequence[GradedTrace] | None = None,
) -> list[ClipTexts]:
    """For every clip, all of one split, all its `answers`, `swapped` texts of other clips, half of these answers too,
    and its trace, whole and with every fault, or what `versions` (of `rewardmodel build`) has of it. Clips without
    reasoning are left out.
    """
    chosen = {m.utterance.utterance_id for m in clips}
    splits = {m.utterance.split for m in clips}
    traces = {t.utterance_id: t for split in splits for t in corpus.traces(split or "") if t.utterance_id in chosen}
    clips = [m for m in clips if m.utterance.utterance_id in traces]
    graded: dict[str, list[GradedTrace]] = defaultdict(list)
    for version in _graded(clips, traces, corpus, seed=seed) if versions is None else versions:
        if version.utterance_id in traces:
            graded[version.utterance_id].append(version)
    rng = Random(seed)
    others = _Others(clips, rng)
    made = []
    for m in clips:
        name = m.utterance.utterance_id
        offered = [(trace, Source.OWN) for trace in answers.get(name, ())]
        for i in range(swapped):
            donor = others.of(m)
            pool = answers.get(donor) if i % 2 == 0 else None
            offered.append((rng.choice(pool) if pool else traces[donor], Source.SWAPPED))
        judged = [(g, s) for trace, s in offered if (g := _judged(trace, traces[name], m, corpus)) is not None]
        judged += [(version, Source.GRADED) for version in graded[name]]
        made.append(ClipTexts(m, tuple(Text(_written(g, corpus), g, source) for g, source in judged)))
    return made


def read_graded(file: Path, clips: Iterable[MeasuredUtterance], failed: Report) -> list[GradedTrace]:
    """What a file of graded traces has of `clips`; lines that cannot be used go to `failed`."""
    names = {m.utterance.utterance_id for m in clips}
    return [g for _, g in good_lines(file, GradedTrace, failed) if g.utterance_id in names]


def _judged(
    text: ReasoningTrace, trace: ReasoningTrace, clip: MeasuredUtterance, corpus: AnnotatedCorpus
) -> GradedTrace | None:
    """`text` with the scores that it deserves as reasoning about `clip`, of which `trace` is true.

    `None` where the clip's measurements can decide nothing of it.
    """
    try:
        return mismatch(trace, clip, text, label_set=corpus.label_set)
    except CorruptionError:
        return None


class _Others:
    """Other clips, by preference of the same words, then of the same emotion."""

    def __init__(self, clips: Sequence[MeasuredUtterance], rng: Random) -> None:
        self._rng = rng
        self._all = [m.utterance.utterance_id for m in clips]
        self._by_words: dict[str | None, list[str]] = defaultdict(list)
        self._by_emotion: dict[object, list[str]] = defaultdict(list)
        for m in clips:
            self._by_words[m.utterance.transcript].append(m.utterance.utterance_id)
            self._by_emotion[m.utterance.emotion].append(m.utterance.utterance_id)

    def of(self, m: MeasuredUtterance) -> str:
        """The id of another clip, or of this one where there is no other."""
        is_same = self._rng.random() < SAME_WORDS
        preferred = self._by_words[m.utterance.transcript] if is_same else self._by_emotion[m.utterance.emotion]
        for pool in (preferred, self._all):
            candidates = [name for name in pool if name != m.utterance.utterance_id]
            if candidates:
                return self._rng.choice(candidates)
        return m.utterance.utterance_id


def _graded(
    clips: Sequence[MeasuredUtterance],
    traces: Mapping[str, ReasoningTrace],
    corpus: AnnotatedCorpus,
    *,
    seed: int,
) -> tuple[GradedTrace, ...]:
    def write(clip: MeasuredUtterance) -> ReasoningTrace:
        return rewrite(clip, like=traces[clip.utterance.utterance_id], label_set=corpus.label_set)

    return build(clips, traces, write=write, label_set=corpus.label_set, seed=seed, per_trace=len(Fault)).graded


def _written(graded: GradedTrace, corpus: AnnotatedCorpus) -> str:
    return format_answer(graded.think, corpus.label_set.text(graded.answer))
