"""One data set of several finished ones, so that one policy can be trained on several corpora at once.

Records are read and written one at a time. Every example keeps its question and its target, so each corpus is still
asked for its own labels; the label set of the whole is `ALL_14`. Levels stay those of each corpus's own scale.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from cotgen.dataset import card
from cotgen.dataset.building import Report, silent
from cotgen.dataset.checks import RowChecks
from cotgen.dataset.describing import describe, failed_line, installed_versions
from cotgen.dataset.reading import CLIPS, DESCRIPTION, SCALE, UNLABELLED, DataSet
from cotgen.errors import DataSetError
from cotgen.tasks.records import SFTExample, Task
from speech_corpora import emotioncot
from speech_records import (
    ALL_14,
    MeasuredUtterance,
    ReasoningTrace,
    atomic_write,
    emotion_question,
    file_sha256,
    to_json,
)
from speech_records.shards import shard_name
from speech_records.streams import temporary_database

_STEMS = ("measured", "traces", "emotioncot", "sft")
_OF_A_PART = (
    "corpus", "label_set", "question", "seed", "phrasing", "balance", "generator", "versions", "input", "parts",
)  # fmt: skip
_MAX_NAMED = 5

_Row = tuple[MeasuredUtterance, ReasoningTrace, list[SFTExample]]


@dataclass(frozen=True, slots=True)
class _Part:
    """A data set that is joined: where its audio is below the common folder, and its clips in the joint data set."""

    data: DataSet
    audio: str
    clips: str

    def described(self) -> dict[str, Any]:
        """What `dataset.json` says of it."""
        about, sha256 = self.data.description, file_sha256(self.data.folder / DESCRIPTION)
        return {"sha256": sha256, "audio": self.audio, **{name: about[name] for name in _OF_A_PART if name in about}}

    def rows(self) -> Iterator[_Row]:
        """Each row with its examples, but for those about comparative clips."""
        silent = {m.utterance.utterance_id for m in self.data.unlabelled()}
        examples = (e for e in self._about_utterances() if e.utterance_id not in silent)
        waiting = next(examples, None)
        for measured, trace in self.data.rows():
            own = []
            while waiting is not None and waiting.utterance_id == measured.utterance.utterance_id:
                own.append(waiting)
                waiting = next(examples, None)
            yield self._placed(measured), trace, own
        if waiting is not None:
            raise DataSetError(f"{self.data.folder}: example {waiting.example_id!r} is not in the order of the rows")

    def unlabelled(self) -> Iterator[MeasuredUtterance]:
        """Each utterance without a label."""
        return map(self._placed, self.data.unlabelled())

    def about_unlabelled(self) -> Iterator[SFTExample]:
        """The examples about those."""
        names = {m.utterance.utterance_id for m in self.data.unlabelled()}
        return (e for e in self._about_utterances() if e.utterance_id in names)

    def _about_utterances(self) -> Iterator[SFTExample]:
        for example in self.data.examples():
            if example.task is not Task.COMPARATIVE:
                yield replace(example, audio_path=self._audio_path(example.audio_path))

    def _placed(self, measured: MeasuredUtterance) -> MeasuredUtterance:
        path = self._audio_path(measured.utterance.audio_path)
        return replace(measured, utterance=replace(measured.utterance, audio_path=path))

    def clip_path(self, path: str) -> str:
        """Where one of its clips lies in the joint data set. Raises `DataSetError` for one that is not in its files."""
        folder = self.data.folder.resolve()
        if path not in self.data.files or not (folder / path).resolve().is_relative_to(folder):
            raise DataSetError(f"{folder}: the comparative clip {path!r} is not one of its files")
        return f"{self.clips}/{path}"

    def _audio_path(self, path: str) -> str:
        return f"{self.audio}/{path}" if self.audio else path


def join(folders: Sequence[Path], out: Path, *, scale: Path | None = None, report: Report = silent) -> DataSet:
    """Write the data set of all records of the data sets in `folders` into `out`, whole or not at all.

    `scale` is the file of the level scale that a policy trained on it ships with, unless given the first one's. A joint
    data set of the same inputs in `out` is not touched, one of others is replaced. Raises `DataSetError` when a data
    set is not complete, has no audio folder or is named twice, when ids occur twice, and where `out` would lose files.
    """
    out = out.resolve()
    opened = _opened(folders, out)
    scale = opened[0].scale if scale is None else scale
    root, parts = _parts(opened)
    asked = {
        "corpus": None, "audio_root": root, "label_set": ALL_14.name, "question": emotion_question(ALL_14),
        "shard_rows": max(data.description["shard_rows"] for data in opened), "parquet": False,
        "measuring": {"parts": [data.description["measuring"] for data in opened]},
        "versions": installed_versions(),
        "input": {"utterances": sum(data.description["counts"]["utterances"] for data in opened)},
        "parts": [part.described() for part in parts],
    }  # fmt: skip
    inputs = hashlib.sha256(json.dumps([asked, file_sha256(scale)], sort_keys=True).encode()).hexdigest()
    earlier = DataSet.finished(out, inputs)
    if earlier is not None:
        return earlier
    _check_replaceable(out)
    with _new_folder(out) as folder, temporary_database() as db:
        db.execute("BEGIN")
        shutil.copyfile(scale, folder / SCALE)
        _Joint(db, folder, parts).write({**asked, "inputs": inputs}, report)
    return DataSet.open(out, check_files=False)


def _opened(folders: Sequence[Path], out: Path) -> list[DataSet]:
    """The data sets, which must be two or more, all different, and neither around `out` nor inside it."""
    if len(folders) < 2:
        raise DataSetError(f"{len(folders)} data set to join: name two or more")
    seen: dict[str, Path] = {}
    for folder in folders:
        place = folder.resolve()
        if out.is_relative_to(place) or place.is_relative_to(out):
            where = "is" if out == place else "is inside" if out.is_relative_to(place) else "holds"
            raise DataSetError(f"{out} {where} {folder}, which is joined: name another folder to write")
    opened = [DataSet.open(folder) for folder in folders]
    for data in opened:
        first = seen.setdefault(file_sha256(data.folder / DESCRIPTION), data.folder)
        if first is not data.folder:
            raise DataSetError(f"{data.folder} is the same data set as {first}: name each once")
    return opened


def _parts(opened: Sequence[DataSet]) -> tuple[str, list[_Part]]:
    """The common folder of all audio, and the parts with where in it theirs is."""
    roots = []
    for data in opened:
        if data.audio_root is None:
            raise DataSetError(f"{data.folder} does not say where its audio is: build it with `--audio-root DIR`")
        if not data.audio_root.is_dir():
            raise DataSetError(f"{data.folder}: its audio folder {data.audio_root} does not exist here")
        roots.append(data.audio_root.resolve())
    common = Path(os.path.commonpath(roots))
    below = ["" if root == common else root.relative_to(common).as_posix() for root in roots]
    numbered = enumerate(zip(opened, below, strict=True), start=1)
    return common.as_posix(), [_Part(data, path, f"part-{number}") for number, (data, path) in numbered]


class _Joint:
    """A joint data set while it is written into `folder`."""

    def __init__(self, db: sqlite3.Connection, folder: Path, parts: Sequence[_Part]) -> None:
        self._folder, self._parts, self._ids, self._checks = folder, parts, _Ids(db), RowChecks(db)
        self._examples, self._languages = Counter[str](), set[str]()

    def write(self, asked: Mapping[str, Any], report: Report) -> None:
        """Write every file but the scale."""
        total, size = asked["input"]["utterances"], asked["shard_rows"]
        count, rows, names = max(1, -(-total // size)), self._rows(), list[str]()
        for number in range(count):
            shard = [shard_name(stem, number, count) for stem in _STEMS]
            self._write_shard(islice(rows, size), shard, is_last=number == count - 1)
            names += shard
            report(min(total, (number + 1) * size), total)
        for _ in rows:
            raise DataSetError(f"there are more rows than the {total} that {DESCRIPTION} of the parts count")
        names += self._write_unlabelled()
        clips = self._copy_clips()
        self._ids.check()
        errors = self._write_errors()
        with atomic_write(self._folder / "duplicates.jsonl") as file:
            file.writelines(f"{line}\n" for line in self._checks.duplicates())
        tally = self._checks.tally
        for part in self._parts:
            tally.update(card.happened(part.data.card().get("generation", {})))
        names += [*([CLIPS] if clips else []), SCALE, "errors.jsonl", "duplicates.jsonl", "card.json", "CARD.md"]
        asked = {**asked, "languages": sorted(self._languages)}
        describe(
            self._folder, asked, self._checks, tally=tally, errors=errors, examples=self._examples, files=clips,
            names=names,
        )  # fmt: skip

    def _rows(self) -> Iterator[_Row]:
        for part in self._parts:
            for measured, trace, examples in part.rows():
                self._ids.add("utterance", measured.utterance.utterance_id, part)
                yield measured, trace, examples

    def _write_shard(self, rows: Iterator[_Row], names: Sequence[str], *, is_last: bool) -> None:
        with ExitStack() as stack:
            measured_file, traces, published, sft = (
                stack.enter_context(atomic_write(self._folder / name)) for name in names
            )
            for measured, trace, examples in rows:
                measured_file.write(to_json(measured) + "\n")
                traces.write(to_json(trace) + "\n")
                published.write(emotioncot.to_line(emotioncot.from_trace(measured, trace)))
                self._write_examples(examples, sft)
                self._checks.learn(measured, trace)
                self._languages.update(filter(None, [measured.utterance.language]))
            if is_last:
                for part in self._parts:
                    self._write_examples(part.about_unlabelled(), sft)
                self._write_examples(self._about_clips(), sft)

    def _write_unlabelled(self) -> list[str]:
        """Write the utterances without a label, all into one file, and name it where there are any."""
        path = self._folder / f"{UNLABELLED}.jsonl"
        with atomic_write(path) as file:
            for part in self._parts:
                for measured in part.unlabelled():
                    self._ids.add("utterance", measured.utterance.utterance_id, part)
                    self._checks.learn_unlabelled(measured)
                    file.write(to_json(measured) + "\n")
        if path.stat().st_size:
            return [path.name]
        path.unlink()
        return []

    def _write_examples(self, examples: Iterable[SFTExample], file: TextIO) -> None:
        for example in examples:
            file.write(to_json(example) + "\n")
            self._examples[example.task.value] += 1

    def _about_clips(self) -> Iterator[SFTExample]:
        for part in self._parts:
            for example in part.data.examples(task=Task.COMPARATIVE):
                yield replace(example, audio_path=part.clip_path(example.audio_path))

    def _copy_clips(self) -> dict[str, str]:
        """Copy the comparative clips and list them: the hash of each by its path."""
        hashes: dict[str, str] = {}
        with atomic_write(self._folder / CLIPS) as file:
            for part in self._parts:
                for clip in part.data.clips():
                    self._ids.add("comparative clip", clip.clip_id, part)
                    path = part.clip_path(clip.audio_path)
                    (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(part.data.folder / clip.audio_path, self._folder / path)
                    hashes[path] = part.data.files[clip.audio_path]
                    file.write(to_json(replace(clip, audio_path=path)) + "\n")
        if not hashes:
            (self._folder / CLIPS).unlink()
        return hashes

    def _write_errors(self) -> Counter[str]:
        """List what is left out of the parts: how often each error occurred."""
        errors = Counter[str]()
        with atomic_write(self._folder / "errors.jsonl") as file:
            for part in self._parts:
                for failed in part.data.failed():
                    file.write(failed_line(failed) + "\n")
                    errors[failed.error] += 1
        return errors


class _Ids:
    """Which part each id comes from, so that those that occur twice can be named."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db, self._repeated, self._more = db, list[str](), 0
        db.execute("CREATE TABLE ids (kind, name, folder, PRIMARY KEY (kind, name)) WITHOUT ROWID")

    def add(self, kind: str, name: str, part: _Part) -> None:
        """Remember an id."""
        folder = str(part.data.folder)
        if self._db.execute("INSERT OR IGNORE INTO ids VALUES (?, ?, ?)", (kind, name, folder)).rowcount:
            return
        if len(self._repeated) == _MAX_NAMED:
            self._more += 1
            return
        query = "SELECT folder FROM ids WHERE kind = ? AND name = ?"
        (first,) = self._db.execute(query, (kind, name)).fetchone()
        self._repeated.append(f"{kind} {name!r} of {folder} is in {first}")

    def check(self) -> None:
        """Raise `DataSetError` when an id occurred twice."""
        if self._repeated:
            more = f"; and {self._more} more" if self._more else ""
            raise DataSetError(f"ids that occur twice cannot be joined: {'; '.join(self._repeated)}{more}")


def _check_replaceable(out: Path) -> None:
    """Raise `DataSetError` unless `out` is new or empty, or holds an earlier joint data set and nothing else."""
    if out.exists() and not out.is_dir():
        raise DataSetError(f"{out} is a file: name a folder")
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()}
    try:
        earlier = DataSet.open(out, check_files=False)
    except DataSetError:
        own = set[str]()
    else:
        own = {DESCRIPTION, *earlier.files} if "parts" in earlier.description else set[str]()
    if strays := sorted(found - own):
        raise DataSetError(f"{out} holds {strays[0]}, which would be lost: remove it or name another folder")


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """An empty folder beside `out`, which takes its place at the end; after an error `out` is as it was."""
    partial, previous = (out.with_name(f".{out.name}.{state}") for state in ("partial", "previous"))
    for left_behind in (partial, previous):
        shutil.rmtree(left_behind, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if out.exists():
            out.rename(previous)
        partial.rename(out)
        shutil.rmtree(previous, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
