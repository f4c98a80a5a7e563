"""A graded data set of any size: clips and traces as a stream, in parts that are kept while it is made.

A part holds the graded traces of up to `PART_CLIPS` clips of one split, which lend one another their cues and texts; no
more than one part of each split is held. A build that was stopped goes on behind the last part it finished.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rewardmodel.build import GradedSet, WriteFault
from rewardmodel.completion import Asking
from rewardmodel.errors import CompletionError, RewardModelError
from rewardmodel.graded import Fault, GradedTrace
from rewardmodel.judging import Clip, Judge
from rewardmodel.llm_variants import written_fault
from speech_records import (
    FailedItem,
    LabelSet,
    MeasuredUtterance,
    ReasoningTrace,
    RewardScores,
    atomic_write,
    emotion_question,
    format_answer,
    write_jsonl,
)
from speech_records.failures import Report
from speech_records.streams import measured_index, records

PART_CLIPS = 1000
"""Clips that lend one another cues and texts (our choice: 5 000 graded traces, some ten megabytes)."""
SETTINGS = "settings.json"

Pair = tuple[MeasuredUtterance, ReasoningTrace]
Grade = Callable[[list[MeasuredUtterance], Mapping[str, ReasoningTrace]], GradedSet]
"""Makes the graded traces of one part; see `build.build`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """So far: clips, graded traces, and faults that found nothing to damage."""

    clips: int
    graded: int
    skipped: int


def pairs(profiles: Path, traces: Path, failed: Report) -> Iterator[Pair]:
    """Every trace with the measurements of its clip; one without is reported to `failed`, as is a bad line."""
    with measured_index(profiles, failed) as measured:
        for trace in records(traces, ReasoningTrace, failed):
            clip = measured.by_id(trace.utterance_id)
            if clip is None:
                message = "no measured utterance has this id"
                failed(FailedItem(trace.utterance_id, "build", "RewardModelError", message))
            else:
                yield clip, trace


def build_file(
    stream: Iterable[Pair], out: Path, grade: Grade, *, settings: Mapping[str, Any], part_clips: int = PART_CLIPS
) -> Iterator[Progress]:
    """Write the graded traces of `stream` into the JSON Lines file `out`, part by part, saying how far it is.

    `settings` are all that the result depends on. Raises `RewardModelError` where parts of other settings are there.
    """
    folder = out.with_name(f"{out.name}.parts")
    _claim(folder, settings)
    clips = graded = skipped = 0
    names = []
    for number, part in enumerate(_parts(stream, part_clips)):
        path = folder / f"{number:05}.jsonl"
        names.append(path)
        if not path.is_file():
            made = grade([clip for clip, _ in part], {trace.utterance_id: trace for _, trace in part})
            counts = {"graded": len(made.graded), "skipped": made.skipped.total()}
            with atomic_write(path.with_suffix(".json")) as file:
                json.dump(counts, file)
            write_jsonl(path, made.graded)
        counts = json.loads(path.with_suffix(".json").read_text())
        clips, graded, skipped = clips + len(part), graded + counts["graded"], skipped + counts["skipped"]
        yield Progress(clips, graded, skipped)
    with atomic_write(out) as file:
        for path in names:
            with path.open(encoding="utf-8") as lines:
                shutil.copyfileobj(lines, file)
    shutil.rmtree(folder)


def _claim(folder: Path, settings: Mapping[str, Any]) -> None:
    text, receipt = json.dumps(dict(settings), sort_keys=True), folder / SETTINGS
    folder.mkdir(parents=True, exist_ok=True)
    if receipt.is_file() and receipt.read_text(encoding="utf-8") != text:
        raise RewardModelError(f"{folder} holds a build of other settings or inputs that was not finished: remove it")
    with atomic_write(receipt) as file:
        file.write(text)


def _parts(stream: Iterable[Pair], size: int) -> Iterator[list[Pair]]:
    """Pairs of one split, `size` of them at a time, in their order."""
    waiting: dict[str | None, list[Pair]] = {}
    for clip, trace in stream:
        part = waiting.setdefault(clip.utterance.split, [])
        part.append((clip, trace))
        if len(part) == size:
            yield waiting.pop(clip.utterance.split)
    yield from waiting.values()


def admitted(stream: Iterator[Pair], label_set: LabelSet, failed: Report) -> Iterator[Pair]:
    """Pairs whose answer and label are in the label set; the others are reported."""
    for clip, trace in stream:
        label = clip.utterance.emotion
        if trace.answer in label_set.labels and label is not None and label_set.map(label) is not None:
            yield clip, trace
        else:
            message = f"the label {label!r} or the answer {trace.answer.value!r} is not in {label_set.name}"
            failed(FailedItem(trace.utterance_id, "build", "CorruptionError", message))


def fault_writer(ask: Asking, label_set: LabelSet, failed: Report) -> WriteFault:
    """Has a language model put faults into traces; those that it does not are reported to `failed`."""

    def write(trace: ReasoningTrace, clip: MeasuredUtterance, fault: Fault, severity: int) -> GradedTrace:
        try:
            return written_fault(ask, trace, clip, fault=fault, severity=severity, label_set=label_set)
        except CompletionError as error:
            failed(FailedItem.of(f"{trace.utterance_id} {fault.value}", "write", error))
            raise

    return write


def regraded(
    made: GradedSet, clips: list[MeasuredUtterance], judge: Judge, label_set: LabelSet, failed: Report
) -> GradedSet:
    """The same texts with the scores of `judge`; those that it could not judge are left out and reported."""
    numbers = {clip.utterance.utterance_id: i for i, clip in enumerate(clips)}
    texts = [format_answer(g.think, label_set.text(g.answer)) for g in made.graded]
    index = [numbers[g.utterance_id] for g in made.graded]
    questions = [emotion_question(label_set)] * len(texts)
    found = judge.judge([Clip(measured=clip) for clip in clips], questions, texts, audio_index=index)
    for i, problem in found.problems.items():
        failed(FailedItem(f"{made.graded[i].utterance_id} {made.graded[i].fault.value}", "grade", "Judgement", problem))
    kept = [
        replace(g, scores=RewardScores(*found.scores[i].tolist()))
        for i, g in enumerate(made.graded)
        if i not in found.problems
    ]
    return GradedSet(tuple(kept), made.skipped)
