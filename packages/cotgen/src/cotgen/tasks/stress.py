"""Examples about word stress from a manifest: a corpus that marks stressed words needs no measurements for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cotgen.errors import TaskError
from cotgen.tasks.balancing import LabelledExample, selection
from cotgen.tasks.examples import draw_stress, stray_stress
from cotgen.tasks.phrasing import Phrasing
from cotgen.tasks.records import SFTExample
from speech_records import Utterance
from speech_records.failures import FailedItem, Report
from speech_records.streams import good_lines


def stress_examples(
    manifest: Path,
    *,
    seed: int,
    report: Report,
    phrasing: Phrasing = Phrasing.SHORT,
    balance: float | None = None,
) -> Iterator[SFTExample]:
    """One example for each utterance of a manifest (JSON Lines of `Utterance`) that has stressed words, in its order.

    The same examples that a data set of these utterances has. With `balance` the largest class (stress at the start, in
    the middle, at the end of the sentence) has at most so many times the smallest one's examples. Broken lines,
    repeated ids and stressed words that are not in the transcript go to `report`. Memory grows with the ids only.
    Raises `TaskError` when `balance` is below 1, `CotgenError` when the file is missing.
    """
    first = [report]

    def drawn() -> Iterator[LabelledExample]:
        return _draw(manifest, seed, phrasing, first.pop() if first else lambda _: None)

    keeps = selection(drawn, balance=balance, seed=seed)
    yield from (found.example for found in drawn() if keeps(found))


def _draw(manifest: Path, seed: int, phrasing: Phrasing, report: Report) -> Iterator[LabelledExample]:
    first: dict[str, str] = {}
    for where, utterance in good_lines(manifest, Utterance, report):
        name = utterance.utterance_id
        stray = stray_stress(utterance.transcript, utterance.stressed_words or ())
        if first.setdefault(name, where) != where:
            message = f"utterance {name!r} is in {first[name]} already"
        elif stray is not None:
            message = f"utterance {name!r}: stressed word {stray!r} is not in its transcript"
        else:
            yield from draw_stress(utterance, seed=seed, phrasing=phrasing)
            continue
        report(FailedItem(where, "tasks", TaskError.__name__, message))
