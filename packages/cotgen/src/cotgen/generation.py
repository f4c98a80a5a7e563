"""What gives reasoning, seen from a build: `Generator`; the rules, and a file of traces, as two of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cotgen.errors import CotgenError, GenerationError
from cotgen.rules import Style, generate
from cotgen.trace_index import TraceIndex
from speech_records import FailedItem, LabelSet, MeasuredUtterance, ReasoningTrace, SpeechRecordsError, file_sha256


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one utterance: its trace, or the error, as it was raised or noted, that says why there is none.

    `counts` go into the data card: what happened on the way, by name, in whole numbers.
    """

    measured: MeasuredUtterance
    result: ReasoningTrace | FailedItem | CotgenError | SpeechRecordsError
    counts: Mapping[str, int] = field(default_factory=Counter)


class Generator(Protocol):
    """Writes one trace for each utterance, or says why not."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that decides what is written: for the card, and so that no generator continues another one's build."""
        ...

    def generate(self, utterances: Iterable[MeasuredUtterance]) -> Iterator[Outcome]:
        """One outcome for each utterance, in their order.

        May read some utterances ahead, but a number that does not grow with how many there are, and reads them in the
        thread that asks for the outcomes. An error that it raises ends the build, which can be continued later.
        """
        ...


class RuleGenerator:
    """The rules of `cotgen.rules`: offline, and always the same for the same seed and style."""

    def __init__(self, label_set: LabelSet, *, seed: int, style: Style = Style.PLAIN) -> None:
        self._label_set, self._seed, self._style = label_set, seed, style

    @property
    def identity(self) -> Mapping[str, Any]:
        """The style that was asked for; the card counts which rules wrote how many rows."""
        return {"name": "rules", "style": self._style}

    def generate(self, utterances: Iterable[MeasuredUtterance]) -> Iterator[Outcome]:
        """One after the other."""
        for measured in utterances:
            try:
                result: ReasoningTrace | CotgenError | SpeechRecordsError = generate(
                    measured, label_set=self._label_set, seed=self._seed, style=self._style
                )
            except (CotgenError, SpeechRecordsError) as error:
                result = error
            yield Outcome(measured, result)


class StoredTraces:
    """Traces that somebody wrote before, such as those that `cotgen screen` admitted; of several the first."""

    def __init__(self, traces: TraceIndex) -> None:
        self._traces = traces

    @property
    def identity(self) -> Mapping[str, Any]:
        """The content of the files."""
        return {"name": "traces", "sha256": [file_sha256(path) for path in self._traces.paths]}

    def generate(self, utterances: Iterable[MeasuredUtterance]) -> Iterator[Outcome]:
        """The trace of each utterance, in their order."""
        for measured in utterances:
            name = measured.utterance.utterance_id
            found = self._traces.of(name)
            missing = GenerationError(f"utterance {name!r} has no trace in {self._traces.paths[0].name}")
            yield Outcome(measured, found[0] if found else missing)
