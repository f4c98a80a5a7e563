"""Measurements and traces of any two files joined, in any order and of any size, through an index on disk.

What cannot be used is reported with its line, and the rest is done; memory does not grow with the files. A data set of
`cotgen.dataset` needs no join: its rows correspond line by line.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cotgen.errors import TaskError
from cotgen.tasks.balancing import LabelledExample
from cotgen.tasks.examples import TaskConfig, draw, draw_order, without_stray_stress
from cotgen.tasks.records import ComparativeClip
from speech_records import LabelSet, MeasuredUtterance, ReasoningTrace
from speech_records.failures import FailedItem, Report
from speech_records.shards import ShardReader
from speech_records.streams import MeasuredIndex, good, good_lines, measured_index, record_at, temporary_database


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
        lines, db = stack.enter_context(ShardReader(traces)), stack.enter_context(temporary_database())
        db.execute("CREATE TABLE traces (name, place, PRIMARY KEY (name, place)) WITHOUT ROWID")
        _index_traces(db, lines, measured, config.label_set, report)
        first = [report]

        def drawn() -> Iterator[LabelledExample]:
            tell = first.pop() if first else _silent
            for item in measured:
                places = db.execute(
                    "SELECT place FROM traces WHERE name = ? ORDER BY place", (item.utterance.utterance_id,)
                )
                found = [record_at(lines, place, ReasoningTrace) for (place,) in places.fetchall()]
                yield from draw(_checked(item, tell), found, config)
            if comparative is not None:
                yield from _orders(comparative, measured, config, tell)

        yield drawn


def _index_traces(
    db: sqlite3.Connection, lines: ShardReader, measured: MeasuredIndex, label_set: LabelSet, report: Report
) -> None:
    for where, place, trace in good(lines, ReasoningTrace, report):
        if measured.by_id(trace.utterance_id) is None:
            _fail(report, where, f"trace of {trace.utterance_id!r}: no measured utterance has this id")
        elif trace.answer not in label_set.labels:
            label = f"{trace.answer.value!r} is not a label of {label_set.name}: name the label set it was written for"
            _fail(report, where, f"trace of {trace.utterance_id!r}: {label}")
        else:
            db.execute("INSERT INTO traces VALUES (?, ?)", (trace.utterance_id, place))


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
