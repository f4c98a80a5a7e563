"""Examples of the five families from measurements, traces and comparative clips, one utterance at a time."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cotgen.tasks.balancing import Class, LabelledExample
from cotgen.tasks.phrasing import ATTRIBUTES, UNVOICED, Phrasing, questions
from cotgen.tasks.records import ComparativeClip, SFTExample, Task
from speech_claims.cue_values import CueValue, cue_values
from speech_claims.quotes import sanitize, words
from speech_claims.senses import value_word
from speech_records import Cue, LabelSet, MeasuredUtterance, ReasoningTrace, Utterance, format_answer, label_question

SINGLE_SHARE = 0.25
"""Share of utterances that are also asked for one attribute alone; config for all teaches five for the price of one."""
_SENTENCE_PARTS = ("start", "middle", "end")


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """What is asked, and how. Reasoning examples all ask `reasoning_question`, the policy's prompt; label examples
    `speech_records.label_question`.

    With `balance` every attribute is asked for alone, nothing is asked for all at once, and of the classes of each
    question (levels of an attribute, orders, labels, stress at the start, in the middle or at the end of the sentence)
    the largest keeps at most `balance` times the smallest one's examples: 1.0 makes them equal. A model that only knows
    how often each answer occurs then gains nothing by it. A rare class costs the others much: allow a larger ratio.
    `None` takes classes as they come. Same input and same configuration, same examples.
    """

    label_set: LabelSet
    reasoning_question: str
    seed: int
    phrasing: Phrasing = Phrasing.SHORT
    balance: float | None = None


def draw(item: MeasuredUtterance, traces: Sequence[ReasoningTrace], config: TaskConfig) -> Iterator[LabelledExample]:
    """The examples of one utterance and its traces, before any are left out for balance.

    One question about all attributes, for a quarter of the utterances (drawn by the seed) one about a single attribute,
    one about stress where stressed words are known, one reasoning example for each trace, and one of the label alone.
    """
    rng = random.Random(f"tasks:{config.seed}:{item.utterance.utterance_id}")
    yield from _attribute_examples(item, config, rng)
    yield from _stress_examples(item.utterance, known_stress(item), config.phrasing, rng)
    yield from _reasoning_examples(item, traces, config)
    yield from _label_examples(item, traces[:1], config)


def draw_stress(utterance: Utterance, *, seed: int, phrasing: Phrasing) -> Iterator[LabelledExample]:
    """The stress example of an utterance whose corpus marks stressed words; it need not be measured."""
    rng = random.Random(f"tasks:{seed}:{utterance.utterance_id}")
    yield from _stress_examples(utterance, utterance.stressed_words or (), phrasing, rng)


def draw_order(clip: ComparativeClip, config: TaskConfig, *, synthetic: bool) -> LabelledExample:
    """The example of a comparative clip; `synthetic` is what its utterance is."""
    rng = random.Random(f"tasks:{config.seed}:{clip.clip_id}")
    name = clip.attribute.value
    target = ", ".join(value_word(ATTRIBUTES[name], level) for level in clip.order)
    example = SFTExample(
        example_id=f"{clip.clip_id}/comparative",
        task=Task.COMPARATIVE,
        utterance_id=clip.utterance_id,
        audio_path=clip.audio_path,
        question=rng.choice(questions(config.phrasing, name).comparative).format(name=name),
        target=target,
        split=clip.split,
        synthetic=synthetic,
    )
    return LabelledExample(example, Class(f"order of {name}", target))


def known_stress(item: MeasuredUtterance) -> tuple[str, ...]:
    """The stressed words by the corpus's own annotation where it has one, otherwise by what was measured."""
    given = item.utterance.stressed_words
    return given if given is not None else tuple(w.word for w in item.profile.stressed_words or ())


def stray_stress(transcript: str | None, stressed: Iterable[str]) -> str | None:
    """A stressed word that is not in the transcript; `None` when all are, or there is no transcript to look in.

    >>> stray_stress("Kids are talking.", ["kids", "door"])
    'door'
    """
    spoken = set(words(sanitize(transcript or "")))
    return next((word for word in stressed if spoken and not set(words(sanitize(word))) <= spoken), None)


def without_stray_stress(item: MeasuredUtterance) -> tuple[MeasuredUtterance, str | None]:
    """The utterance without its stressed words where one of them is not in the transcript, and what to say of it."""
    stray = stray_stress(item.utterance.transcript, known_stress(item))
    if stray is None:
        return item, None
    utterance, profile = item.utterance, item.profile
    bare = replace(
        item, utterance=replace(utterance, stressed_words=None), profile=replace(profile, stressed_words=None)
    )
    why = f"stressed word {stray!r} is not in its transcript; it gives no example about stress"
    return bare, f"utterance {utterance.utterance_id!r}: {why}"


def _attributes(readings: Mapping[Cue, CueValue]) -> dict[str, str]:
    """`pitch high` and so on for each attribute that was measured."""
    found: dict[str, str] = {}
    for name, cue in ATTRIBUTES.items():
        if cue in readings:
            value = readings[cue].value
            found[name] = f"{name} {value_word(cue, value)}"
        elif cue is Cue.PITCH and Cue.VOICING in readings and readings[Cue.VOICING].value == "whispered":
            found[name] = f"{name} {UNVOICED}"
    return found


def _attribute_examples(item: MeasuredUtterance, config: TaskConfig, rng: random.Random) -> Iterator[LabelledExample]:
    found = _attributes(cue_values(item.profile, item.levels))
    if not found:
        return
    if config.balance is not None:
        for name in found:
            yield _single(item, name, found[name], config, rng)
        return
    question = rng.choice(questions(config.phrasing).every)
    yield LabelledExample(
        _example(item.utterance, Task.ATTRIBUTE, "attributes", question, ", ".join(found.values())), None
    )
    if rng.random() < SINGLE_SHARE:
        name = rng.choice(list(found))
        yield _single(item, name, found[name], config, rng)


def _single(item: MeasuredUtterance, name: str, target: str, config: TaskConfig, rng: random.Random) -> LabelledExample:
    question = rng.choice(questions(config.phrasing, name).attribute).format(name=name)
    example = _example(item.utterance, Task.ATTRIBUTE, f"attribute-{name}", question, target)
    # Whispering is rare, and no level: it neither limits the levels of pitch nor is limited by them.
    group = "voicing" if target.endswith(UNVOICED) else f"attribute {name}"
    return LabelledExample(example, Class(group, target))


def _stress_examples(
    utterance: Utterance, stressed: Iterable[str], phrasing: Phrasing, rng: random.Random
) -> Iterator[LabelledExample]:
    listed = [word for word in (sanitize(word).strip(".,;:!?…").lower() for word in stressed) if word]
    if listed:
        question = rng.choice(questions(phrasing).stress)
        example = _example(utterance, Task.STRESS, "stress", question, ", ".join(listed))
        yield LabelledExample(example, _place_of(listed[0], utterance.transcript))


def _place_of(word: str, transcript: str | None) -> Class:
    """In which third of the sentence a word first stands, by the order of words."""
    spoken, wanted = words(sanitize(transcript or "")), words(word)
    if not wanted or wanted[0] not in spoken:
        return Class("stress in an unknown sentence", "unknown")
    return Class("stress", _SENTENCE_PARTS[len(_SENTENCE_PARTS) * spoken.index(wanted[0]) // len(spoken)])


def _reasoning_examples(
    item: MeasuredUtterance, traces: Sequence[ReasoningTrace], config: TaskConfig
) -> Iterator[LabelledExample]:
    for number, trace in enumerate(traces):
        label = config.label_set.text(trace.answer)
        target = format_answer(trace.think, label)
        example = _example(item.utterance, Task.REASONING, f"reasoning-{number}", config.reasoning_question, target)
        yield LabelledExample(example, Class("label", label))


def _label_examples(
    item: MeasuredUtterance, traces: Sequence[ReasoningTrace], config: TaskConfig
) -> Iterator[LabelledExample]:
    for trace in traces:
        label = config.label_set.text(trace.answer)
        example = _example(item.utterance, Task.LABEL, "label", label_question(config.label_set), label)
        yield LabelledExample(example, Class("label alone", label))


def _example(utterance: Utterance, task: Task, suffix: str, question: str, target: str) -> SFTExample:
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
