"""Examples of the four families from measurements, traces and comparative clips.

`build` takes them in memory, `stream` files of any size; both make the same examples.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cotgen.errors import TaskError
from cotgen.tasks.balancing import Class, Selection, count, quotas
from cotgen.tasks.phrasing import ATTRIBUTES, UNVOICED, Phrasing, questions
from cotgen.tasks.records import ComparativeClip, SFTExample, Task
from speech_claims.cue_values import CueValue, cue_values
from speech_claims.quotes import sanitize, words
from speech_claims.senses import value_word
from speech_records import Cue, LabelSet, MeasuredUtterance, ReasoningTrace, Utterance, format_answer

SINGLE_SHARE = 0.25
"""Share of utterances that are also asked for one attribute alone; asking for all teaches five for the price of one."""
_SENTENCE_PARTS = ("start", "middle", "end")


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked, and how. Reasoning examples all ask `reasoning_question`, the policy's prompt.

    `balance`: of the classes of one question the largest has at most so many times the smallest one's examples;
    `None` takes them as they come. Same input and same asking, same examples.
    """

    label_set: LabelSet
    reasoning_question: str
    seed: int
    phrasing: Phrasing = Phrasing.SHORT
    balance: float | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """An example and the class its answer belongs to; `None` where an answer has no class (all attributes at once)."""

    example: SFTExample
    of: Class | None


def build(
    measured: Iterable[MeasuredUtterance],
    traces: Iterable[ReasoningTrace],
    *,
    label_set: LabelSet,
    reasoning_question: str,
    seed: int,
    comparative: Iterable[ComparativeClip] = (),
    phrasing: Phrasing = Phrasing.SHORT,
    balance: float | None = None,
) -> list[SFTExample]:
    """Every example that the measurements, traces and comparative clips give, by utterance, then comparative clips.

    An utterance gives one question about all attributes, for a quarter of them (drawn by `seed`) one about a single
    attribute, one about stress where stressed words are known, and one reasoning example for each of its traces.
    Reasoning examples all ask `reasoning_question`, the policy's prompt. Same input and seed, same examples.

    With `balance` every attribute is asked for alone, nothing is asked for all at once, and of the classes of each
    question (levels of an attribute, orders, labels, stress at the start, in the middle or at the end of the sentence)
    the largest keeps at most `balance` times the smallest one's examples: 1.0 makes them equal. A model that only knows
    how often each answer occurs then gains nothing by it. A rare class costs the others much: allow a larger ratio.

    Raises `TaskError` when a trace or clip belongs to no measured utterance, an utterance is given twice, or `balance`
    is below 1.
    """
    asking = Asking(label_set, reasoning_question, seed, phrasing, balance)
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
    drawn = [d for name, item in utterances.items() for d in draw(item, by_utterance[name], asking)]
    for clip in comparative:
        if clip.utterance_id not in utterances:
            raise TaskError(f"clip {clip.clip_id!r}: no measured utterance has the id {clip.utterance_id!r}")
        drawn.append(draw_order(clip, asking, synthetic=utterances[clip.utterance_id].utterance.synthetic))
    if balance is None:
        return [d.example for d in drawn]
    counts = count(d.of for d in drawn)
    selection = Selection(counts, quotas(counts, balance), seed=seed)
    return [d.example for d in drawn if d.of is not None and selection.keeps(d.of)]


def draw(item: MeasuredUtterance, traces: Sequence[ReasoningTrace], asking: Asking) -> Iterator[Drawn]:
    """The examples of one utterance and its traces, before any are left out for balance."""
    rng = random.Random(f"tasks:{asking.seed}:{item.utterance.utterance_id}")
    yield from _attribute_examples(item, asking, rng)
    yield from _stress_examples(item.utterance, heard_stress(item), asking.phrasing, rng)
    yield from _reasoning_examples(item, traces, asking)


def draw_stress(utterance: Utterance, *, seed: int, phrasing: Phrasing) -> Iterator[Drawn]:
    """The stress example of an utterance whose corpus marks stressed words; it need not be measured."""
    rng = random.Random(f"tasks:{seed}:{utterance.utterance_id}")
    yield from _stress_examples(utterance, utterance.stressed_words or (), phrasing, rng)


def draw_order(clip: ComparativeClip, asking: Asking, *, synthetic: bool) -> Drawn:
    """The example of a comparative clip; `synthetic` is what its utterance is."""
    rng = random.Random(f"tasks:{asking.seed}:{clip.clip_id}")
    name = clip.attribute.value
    target = ", ".join(value_word(ATTRIBUTES[name], level) for level in clip.order)
    example = SFTExample(
        example_id=f"{clip.clip_id}/comparative",
        task=Task.COMPARATIVE,
        utterance_id=clip.utterance_id,
        audio_path=clip.audio_path,
        question=rng.choice(questions(asking.phrasing, name).comparative).format(name=name),
        target=target,
        split=clip.split,
        synthetic=synthetic,
    )
    return Drawn(example, Class(f"order of {name}", target))


def attribute_target(readings: Mapping[Cue, CueValue]) -> str:
    """All attributes that were measured, in one line; empty when none was.

    >>> from speech_records import ProsodyLevels, ProsodyProfile
    >>> attribute_target(cue_values(ProsodyProfile(duration_s=1.0, sample_rate=16000, voiced_share=0.02), None))
    'pitch unvoiced'
    """
    return ", ".join(_attributes(readings).values())


def heard_stress(item: MeasuredUtterance) -> tuple[str, ...]:
    """The stressed words by the corpus's own annotation where it has one, otherwise by what was measured."""
    given = item.utterance.stressed_words
    return given if given is not None else tuple(w.word for w in item.profile.stressed_words or ())


def stray_stress(transcript: str | None, heard: Iterable[str]) -> str | None:
    """A stressed word that is not in the transcript; `None` when all are, or there is no transcript to look in.

    >>> stray_stress("Kids are talking.", ["kids", "door"])
    'door'
    """
    spoken = set(words(sanitize(transcript or "")))
    return next((word for word in heard if spoken and not set(words(sanitize(word))) <= spoken), None)


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


def _attribute_examples(item: MeasuredUtterance, asking: Asking, rng: random.Random) -> Iterator[Drawn]:
    found = _attributes(cue_values(item.profile, item.levels))
    if not found:
        return
    if asking.balance is not None:
        for name in found:
            yield _single(item, name, found[name], asking, rng)
        return
    question = rng.choice(questions(asking.phrasing).every)
    yield Drawn(_example(item.utterance, Task.ATTRIBUTE, "attributes", question, ", ".join(found.values())), None)
    if rng.random() < SINGLE_SHARE:
        name = rng.choice(list(found))
        yield _single(item, name, found[name], asking, rng)


def _single(item: MeasuredUtterance, name: str, target: str, asking: Asking, rng: random.Random) -> Drawn:
    question = rng.choice(questions(asking.phrasing, name).attribute).format(name=name)
    example = _example(item.utterance, Task.ATTRIBUTE, f"attribute-{name}", question, target)
    # Whispering is rare, and no level: it neither limits the levels of pitch nor is limited by them.
    group = "voicing" if target.endswith(UNVOICED) else f"attribute {name}"
    return Drawn(example, Class(group, target))


def _stress_examples(
    utterance: Utterance, heard: Iterable[str], phrasing: Phrasing, rng: random.Random
) -> Iterator[Drawn]:
    listed = [word for word in (sanitize(word).strip(".,;:!?…").lower() for word in heard) if word]
    if listed:
        question = rng.choice(questions(phrasing).stress)
        example = _example(utterance, Task.STRESS, "stress", question, ", ".join(listed))
        yield Drawn(example, _place_of(listed[0], utterance.transcript))


def _place_of(word: str, transcript: str | None) -> Class:
    """In which third of the sentence a word first stands, by the order of words."""
    spoken, wanted = words(sanitize(transcript or "")), words(word)
    if not wanted or wanted[0] not in spoken:
        return Class("stress in an unknown sentence", "unknown")
    return Class("stress", _SENTENCE_PARTS[len(_SENTENCE_PARTS) * spoken.index(wanted[0]) // len(spoken)])


def _reasoning_examples(item: MeasuredUtterance, traces: Sequence[ReasoningTrace], asking: Asking) -> Iterator[Drawn]:
    for number, trace in enumerate(traces):
        label = asking.label_set.text(trace.answer)
        target = format_answer(trace.think, label)
        example = _example(item.utterance, Task.REASONING, f"reasoning-{number}", asking.reasoning_question, target)
        yield Drawn(example, Class("label", label))


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
