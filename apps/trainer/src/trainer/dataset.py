"""Reading the data-set folder that `annotator run` writes.

```
dataset.json      corpus, audio_root, label set, whether the speech is synthetic, seeds, versions, hashes
measured.jsonl    MeasuredUtterance per clip        traces.jsonl   ReasoningTrace per clip
sft.jsonl         SFTExample per line               scale.json     the level scale
comparative/      clips of the comparative task
```
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cotgen.tasks import SFTExample, Task
from speech_records import LABEL_SETS, LabelSet, MeasuredUtterance, ReasoningTrace, SpeechRecordsError, read_jsonl
from trainer.errors import DataSetError

TRAIN, TEST = "train", "test"
DESCRIPTION = "dataset.json"


@dataclass(frozen=True, slots=True)
class AudioClip:
    """The part of a file that one clip is: see `speech_records.Utterance`."""

    path: Path
    start_s: float | None = None
    end_s: float | None = None
    channel: int | None = None

    @property
    def part(self) -> str:
        """Which part, as text; empty for a whole file."""
        named = (self.start_s, self.end_s, self.channel)
        return "" if named == (None, None, None) else repr(named)


@dataclass(frozen=True, slots=True)
class AnnotatedCorpus:
    """An annotated data set in memory. `measured` and `traces` are keyed by utterance id."""

    folder: Path
    corpus: str
    audio_root: Path
    label_set: LabelSet
    synthetic: bool
    measured: Mapping[str, MeasuredUtterance]
    traces: Mapping[str, ReasoningTrace]
    examples: tuple[SFTExample, ...]
    file_hashes: Mapping[str, str]

    @classmethod
    def read(cls, folder: Path) -> AnnotatedCorpus:
        """Read a data-set folder. Raises `DataSetError` naming the file that is missing or wrong."""
        folder = Path(folder)
        try:
            description = json.loads((folder / DESCRIPTION).read_text())
            label_set = LABEL_SETS[description["label_set"]]
            measured = {m.utterance.utterance_id: m for m in read_jsonl(folder / "measured.jsonl", MeasuredUtterance)}
            traces = {t.utterance_id: t for t in read_jsonl(folder / "traces.jsonl", ReasoningTrace)}
            examples = tuple(read_jsonl(folder / "sft.jsonl", SFTExample))
            audio_root = Path(description["audio_root"])
        except FileNotFoundError as error:
            raise DataSetError(f"{error.filename} is missing: run `annotator run` into {folder} first") from error
        except (KeyError, json.JSONDecodeError, SpeechRecordsError) as error:
            raise DataSetError(f"{folder} holds no readable data set: {error}") from error
        return cls(
            folder=folder,
            corpus=str(description["corpus"]),
            audio_root=audio_root,
            label_set=label_set,
            synthetic=bool(description["synthetic"]),
            measured=MappingProxyType(measured),
            traces=MappingProxyType(traces),
            examples=examples,
            file_hashes=MappingProxyType(dict(description["files"])),
        )

    def split(self, name: str) -> list[MeasuredUtterance]:
        """The clips of one split that have a trace and a label of the label set, in order of their ids."""
        chosen = [
            m
            for m in self.measured.values()
            if m.utterance.split == name
            and m.utterance.utterance_id in self.traces
            and m.utterance.emotion is not None
            and self.label_set.map(m.utterance.emotion) is not None
        ]
        if not chosen:
            found = sorted({m.utterance.split or "none" for m in self.measured.values()})
            raise DataSetError(
                f"{self.folder}: nothing usable is in split {name!r}; its clips are in {', '.join(found) or 'none'}. "
                f"Make folds with `speech-corpora manifest {self.corpus} ROOT -o ROOT/manifest.jsonl --fold 1/5` and "
                "annotate again with `--corpus manifest`"
            )
        return sorted(chosen, key=lambda m: m.utterance.utterance_id)

    def audio_clip(self, utterance_id: str) -> AudioClip:
        """Where the speech of one measured utterance lies."""
        utterance = self.measured[utterance_id].utterance
        path = self.audio_root / utterance.audio_path
        return AudioClip(path, utterance.start_s, utterance.end_s, utterance.channel)

    def audio_clips(self) -> dict[str, AudioClip]:
        """The speech behind every feature key."""
        clips = {name: self.audio_clip(name) for name in self.measured}
        comparative = (e for e in self.examples if e.task is Task.COMPARATIVE)
        return clips | {feature_key(e): AudioClip(self.folder / e.audio_path) for e in comparative}


def feature_key(example: SFTExample) -> str:
    """What the features of an example's clip are kept under: its utterance id, or a comparative clip's own path."""
    return example.audio_path if example.task is Task.COMPARATIVE else example.utterance_id
