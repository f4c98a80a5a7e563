"""Measurements and traces of any two files joined, in any order and of any size, through an index on disk.

What cannot be used is reported with its line, and the rest is done; memory does not grow with the files. A data set of
`cotgen.dataset` needs no join: its rows correspond line by line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cotgen.errors import TaskError
from cotgen.tasks.balancing import LabelledExample
from cotgen.tasks.examples import TaskConfig, draw, draw_order, without_stray_stress
from cotgen.tasks.records import ComparativeClip
from cotgen.trace_index import outside, trace_index
from speech_records import MeasuredUtterance, ReasoningTrace
from speech_records.failures import FailedItem, Report
from speech_records.streams import MeasuredIndex, good_lines, measured_index


def measured_lines(profiles: Path, report: Report, *, check_stress: bool) -> Iterator[MeasuredUtterance]:
    """The measured utterances of a file, one at a time: broken lines and repeated ids are reported and left out.

    An utterance with a stressed word that is not in its transcript comes without stressed words, which is reported
    where the caller wants to use them (`check_stress`).
    """
    with measured_index(profiles, report) as measured:
        for item in measured:
            yield _checked(item, report if check_stress else _silent)


@contextmanager
def joined(
    profiles: Path, traces: Path, config: TaskConfig, *, comparative: Path | None = None, report: Report
) -> Iterator[Callable[[], Iterator[LabelledExample]]]:
    """What draws the examples of these files, by utterance and then the comparative clips, as often as it is called.

    `report` is called once for every line that is broken, repeats an id, belongs to no measured utterance, or is a
    trace whose answer is outside the label set; and for a stressed word that is not in the transcript, whose utterance
    then gives no stress example. Raises `RecordFileError` when a file is missing.
    """
    with ExitStack() as stack:
        measured = stack.enter_context(measured_index(profiles, report))

        def problem(trace: ReasoningTrace) -> str | None:
            known = measured.by_id(trace.utterance_id) is not None
            return outside(config.label_set, trace) if known else "no measured utterance has this id"

        written = stack.enter_context(trace_index(traces, report, problem=problem))
        first = [report]

        def drawn() -> Iterator[LabelledExample]:
            tell = first.pop() if first else _silent
            for item in measured:
                yield from draw(_checked(item, tell), written.of(item.utterance.utterance_id), config)
            if comparative is not None:
                yield from _orders(comparative, measured, config, tell)

        yield drawn


def _orders(clips: Path, measured: MeasuredIndex, config: TaskConfig, report: Report) -> Iterator[LabelledExample]:
    seen: set[str] = set()
    for where, clip in good_lines(clips, ComparativeClip, report):
        item = measured.by_id(clip.utterance_id)
        if item is None:
            _fail(report, where, f"clip {clip.clip_id!r}: no measured utterance has the id {clip.utterance_id!r}")
        elif clip.clip_id in seen:
            _fail(report, where, f"clip {clip.clip_id!r} is in the file twice")
        else:
            seen.add(clip.clip_id)
            yield draw_order(clip, config, synthetic=item.utterance.synthetic)


def _checked(item: MeasuredUtterance, report: Report) -> MeasuredUtterance:
    checked, problem = without_stray_stress(item)
    if problem is not None:
        report(FailedItem(item.utterance.utterance_id, "tasks", TaskError.__name__, problem))
    return checked


def _fail(report: Report, where: str, message: str) -> None:
    report(FailedItem(where, "tasks", TaskError.__name__, message))


def _silent(_: FailedItem) -> None:
    """A report that goes nowhere."""
