"""The training examples of a data set, written from its own rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from cotgen.dataset.reading import CLIPS, UNLABELLED
from cotgen.tasks.balancing import LabelledExample, selection
from cotgen.tasks.examples import TaskConfig, draw, draw_order, without_stray_stress
from cotgen.tasks.records import ComparativeClip, SFTExample
from speech_records import MeasuredUtterance, ReasoningTrace, read_jsonl, write_jsonl
from speech_records.shards import shard_name


def write_examples(
    out: Path, config: TaskConfig, clips: Sequence[tuple[ComparativeClip, bool]], *, shards: int
) -> tuple[list[str], Counter[str]]:
    """Write `sft` in as many shards as the rows of `out` have, and the list of clips.

    Those of utterances without a label follow the rows of their shard. `clips` say of each clip whether it is
    synthetic; their examples come last. The names of the files, and how many examples there are of each task.
    """
    names, written = list[str](), Counter[str]()

    def drawn(number: int) -> Iterator[LabelledExample]:
        measured = read_jsonl(out / shard_name("measured", number, shards), MeasuredUtterance)
        traces = read_jsonl(out / shard_name("traces", number, shards), ReasoningTrace)
        for item, trace in zip(measured, traces, strict=True):
            yield from draw(without_stray_stress(item)[0], [trace], config)
        for item in read_jsonl(out / shard_name(UNLABELLED, number, shards), MeasuredUtterance):
            yield from draw(without_stray_stress(item)[0], [], config)
        if number == shards - 1:
            yield from (draw_order(clip, config, synthetic=synthetic) for clip, synthetic in clips)

    keeps = selection(lambda: chain.from_iterable(map(drawn, range(shards))), balance=config.balance, seed=config.seed)

    def kept(number: int) -> Iterator[SFTExample]:
        for found in drawn(number):
            if keeps(found):
                written[found.example.task.value] += 1
                yield found.example

    for number in range(shards):
        names.append(shard_name("sft", number, shards))
        write_jsonl(out / names[-1], kept(number))
    if clips:
        write_jsonl(out / CLIPS, (clip for clip, _ in clips))
        names.append(CLIPS)
    else:
        (out / CLIPS).unlink(missing_ok=True)
    return names, written
