"""The function that writes data sets: from measured utterances to a folder, in memory that does not grow.

`shard_rows` utterances make a shard. A shard's files take their place first, then everything that was learnt from it
(ids, speakers, texts, failures, counts) is committed to one SQLite file at once: a killed build continues after the
last shard that was committed, and ends in the same bytes as one that was not killed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cotgen.admission import check_measured
from cotgen.dataset import card, parquet
from cotgen.dataset.checks import RowChecks
from cotgen.dataset.describing import describe, failed_line, installed_versions
from cotgen.dataset.examples import write_examples
from cotgen.dataset.reading import DESCRIPTION, SCALE, UNLABELLED, DataSet
from cotgen.dataset.source import Source
from cotgen.errors import ContradictedError, CotgenError, TaskError
from cotgen.generation import Generator, Outcome
from cotgen.tasks.examples import TaskConfig, without_stray_stress
from cotgen.tasks.records import ComparativeClip
from speech_claims import verify_trace
from speech_corpora import emotioncot
from speech_records import (
    FailedItem,
    MeasuredUtterance,
    ReasoningTrace,
    SpeechRecordsError,
    Verdict,
    atomic_path,
    atomic_write,
    file_sha256,
    from_json,
    to_json,
)
from speech_records.shards import drop, shard_name

STEMS = ("measured", "traces", "emotioncot", UNLABELLED, "sft", "dataset")
"""Files that are written in shards; the last one as Parquet."""
_STATE = ".build"
_CACHE_KIB = 4096
_TABLES = """
CREATE TABLE IF NOT EXISTS shards (number INTEGER PRIMARY KEY, tally TEXT, files TEXT);
CREATE TABLE IF NOT EXISTS ids (name TEXT PRIMARY KEY, place TEXT, synthetic INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failures (line INTEGER, error TEXT, record TEXT);
"""

Report = Callable[[int, int], None]
"""Called with the number of utterances that are done, and how many there are."""
Written = tuple[MeasuredUtterance, ReasoningTrace | None]
Verify = Callable[[Written], ReasoningTrace | None]
Each = Callable[[Verify, Iterable[Written]], Iterator[tuple[Written, ReasoningTrace | Exception | None]]]
"""Pairs of an item and what a function made of it, or the exception it raised: here, or in other processes."""


@dataclass(frozen=True, slots=True)
class BuildConfig:
    """What a data set is asked for; equal configurations over equal sources give equal bytes."""

    tasks: TaskConfig
    shard_rows: int = 10_000
    parquet: bool = False

    def described(self) -> dict[str, Any]:
        """The configuration as `dataset.json` has it."""
        asked = self.tasks
        return {
            "label_set": asked.label_set.name, "question": asked.reasoning_question, "seed": asked.seed,
            "phrasing": asked.phrasing, "balance": asked.balance, "shard_rows": self.shard_rows,
            "parquet": self.parquet,
        }  # fmt: skip


def silent(done: int, total: int) -> None:
    """A report that goes nowhere."""


def one_by_one(
    function: Verify, written: Iterable[Written]
) -> Iterator[tuple[Written, ReasoningTrace | Exception | None]]:
    """`Each` in this process."""
    for item in written:
        try:
            yield item, function(item)
        except ContradictedError as error:
            yield item, error


def build(
    source: Source,
    out: Path,
    config: BuildConfig,
    *,
    generator: Generator,
    report: Report = silent,
    each: Each = one_by_one,
) -> DataSet:
    """Write the data set of `source` into `out`, continuing one of the same input that was stopped.

    `generator` writes the reasoning; a trace whose claims contradict the measurements is left out whoever wrote it. An
    error that the generator raises (a limit is reached, no server answers) leaves the shards that are done. A complete
    data set of the same input is not touched. `each` verifies the traces, such as `prosody.parallel.map_isolated` with
    its `workers`. Raises `CotgenError` when the input is missing or empty.
    """
    if config.shard_rows < 1:
        raise CotgenError(f"a shard holds at least 1 row, not {config.shard_rows}")
    if source.measured.resolve().parent == out.resolve():
        raise CotgenError(f"{out} holds {source.measured.name}, which would be overwritten: name another folder")
    total, sha256 = source.identity()
    asked = {
        "corpus": source.corpus, "audio_root": source.audio_root, **config.described(),
        "generator": dict(generator.identity), "measuring": dict(source.measuring),
        "versions": installed_versions(),
        "input": {"utterances": total, "sha256": sha256},
    }  # fmt: skip
    inputs = _digest(asked, source)
    earlier = DataSet.finished(out, inputs)
    if earlier is not None:
        return earlier
    count = -(-total // config.shard_rows)
    with closing(_open(out, inputs)) as db:
        done = {row[0] for row in db.execute("SELECT number FROM shards")}
        for number, lines in enumerate(source.shards(config.shard_rows)):
            first = number * config.shard_rows + 1
            if number not in done:
                shard = _Shard(db, out, generator=generator, each=each, has_columns=config.parquet, first=first)
                shard.write(lines, number, count, lambda line: report(line, total))
            report(min(total, first - 1 + config.shard_rows), total)
        _finish(db, out, source, config, {**asked, "inputs": inputs}, shards=count)
    shutil.rmtree(out / _STATE)
    return DataSet.open(out, check_files=False)


class _Shard:
    """One shard while it is written; everything it learns is one transaction."""

    def __init__(
        self, db: sqlite3.Connection, out: Path, *, generator: Generator, each: Each, has_columns: bool, first: int
    ) -> None:
        self._db, self._out, self._has_columns, self._first = db, out, has_columns, first
        self._generator, self._each = generator, each
        self._checks = RowChecks(db)

    def write(self, lines: Iterable[tuple[str, bytes]], number: int, count: int, done: Callable[[int], None]) -> None:
        *texts, columns = (self._out / shard_name(stem, number, count) for stem in STEMS if stem != "sft")
        columns = columns.with_suffix(".parquet")
        self._db.execute("BEGIN")
        with ExitStack() as stack:
            measured_file, traces, published, unlabelled = (stack.enter_context(atomic_write(path)) for path in texts)
            add_row = stack.enter_context(parquet.writer(columns)) if self._has_columns else None
            for line, measured, trace in self._rows(lines, done):
                self._learn(line, measured, trace)
                if trace is None:
                    unlabelled.write(to_json(measured) + "\n")
                    continue
                measured_file.write(to_json(measured) + "\n")
                traces.write(to_json(trace) + "\n")
                published.write(emotioncot.to_line(emotioncot.from_trace(measured, trace)))
                if add_row is not None:
                    add_row(measured, trace)
        made = [*texts, columns] if self._has_columns else texts
        files = json.dumps({path.name: file_sha256(path) for path in made})
        self._db.execute("INSERT INTO shards VALUES (?, ?, ?)", (number, card.dump(self._checks.tally), files))
        self._db.execute("COMMIT")

    def _rows(
        self, lines: Iterable[tuple[str, bytes]], done: Callable[[int], None]
    ) -> Iterator[tuple[int, MeasuredUtterance, ReasoningTrace | None]]:
        """The rows of the shard: what could be read, was written about, and is not contradicted; each with its line.

        What has no label has no trace.
        """
        read: deque[int] = deque()  # lines that the generator has read and not yet spoken of
        outcomes: deque[Outcome] = deque()  # that are not verified yet

        def written() -> Iterator[Written]:
            for outcome in self._generator.generate(self._read(lines, read)):
                outcomes.append(outcome)
                yield outcome.measured, outcome.result if isinstance(outcome.result, ReasoningTrace) else None

        for (measured, _), checked in self._each(_checked, written()):
            line, outcome = read.popleft(), outcomes.popleft()
            name, result = measured.utterance.utterance_id, outcome.result
            self._checks.tally.update(card.happened(outcome.counts))
            if not isinstance(result, ReasoningTrace) and measured.utterance.emotion is not None:
                self._fail(line, name, "reason", result)
            elif isinstance(checked, Exception):
                self._fail(line, name, "verify", checked)
            else:
                yield line, measured, checked
            done(line)

    def _read(self, lines: Iterable[tuple[str, bytes]], read: deque[int]) -> Iterator[MeasuredUtterance]:
        for line, (where, raw) in enumerate(lines, start=self._first):
            try:
                measured = from_json(MeasuredUtterance, raw.decode())
                self._check_id(measured.utterance.utterance_id, where)
            except (CotgenError, SpeechRecordsError, UnicodeDecodeError) as error:
                self._fail(line, where, "read", error)
                continue
            try:
                check_measured(measured)
            except CotgenError as error:
                self._fail(line, measured.utterance.utterance_id, "read", error)
            else:
                read.append(line)
                yield measured

    def _check_id(self, name: str, where: str) -> None:
        earlier = self._db.execute("SELECT place FROM ids WHERE name = ?", (name,)).fetchone()
        if earlier is not None:
            raise CotgenError(f"utterance {name!r} is in {earlier[0]} already")
        self._db.execute("INSERT INTO ids VALUES (?, ?, NULL)", (name, where))

    def _learn(self, line: int, measured: MeasuredUtterance, trace: ReasoningTrace | None) -> None:
        name = measured.utterance.utterance_id
        if trace is None:
            self._checks.learn_unlabelled(measured)
        else:
            self._checks.learn(measured, trace)
        self._db.execute("UPDATE ids SET synthetic = ? WHERE name = ?", (measured.utterance.synthetic, name))
        _, problem = without_stray_stress(measured)
        if problem is not None:
            self._fail(line, name, "tasks", TaskError(problem))

    def _fail(self, line: int, name: str, stage: str, error: Exception | FailedItem) -> None:
        failed = error if isinstance(error, FailedItem) else FailedItem.of(name, stage, error)
        self._db.execute("INSERT INTO failures VALUES (?, ?, ?)", (line, failed.error, failed_line(failed)))


def _checked(written: Written) -> ReasoningTrace | None:
    measured, trace = written
    return None if trace is None else verified(measured, trace)


def verified(measured: MeasuredUtterance, trace: ReasoningTrace) -> ReasoningTrace:
    """The trace with its claims checked against the measurements. Raises `ContradictedError` where one is false."""
    checked = verify_trace(trace, measured)
    wrong = [c for c in checked.claims if c.verdict is Verdict.CONTRADICTED]
    if wrong:
        raise ContradictedError(
            f"utterance {trace.utterance_id!r}: {len(wrong)} of {len(checked.claims)} claims contradict the"
            f" measurements, first {wrong[0].text!r} (measured: {wrong[0].measured})"
        )
    return checked


def _digest(asked: dict[str, Any], source: Source) -> str:
    """What decides every byte of the data set: what was asked for, the input, the scale, clips and earlier failures."""
    scale = None if source.scale is None else file_sha256(source.scale)
    others = [to_json(clip) for clip in source.clips], [failed_line(failed) for failed in _sorted(source.failed)]
    return hashlib.sha256(json.dumps([asked, scale, *others], sort_keys=True).encode()).hexdigest()


def _open(out: Path, inputs: str) -> sqlite3.Connection:
    """The state of the build with these inputs; one with others is dropped with its files."""
    path = out / _STATE / f"{inputs[:16]}.sqlite"
    for name in (DESCRIPTION, "card.json", "CARD.md"):
        (out / name).unlink(missing_ok=True)
    if not path.exists():
        shutil.rmtree(out / _STATE, ignore_errors=True)
        path.parent.mkdir(parents=True)
        for stem in STEMS:
            drop(out, stem)
    for stem in STEMS:
        for half_written in out.glob(f".{stem}*.tmp"):
            half_written.unlink()
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(f"PRAGMA cache_size = -{_CACHE_KIB}; {_TABLES}")
    return db


def _finish(
    db: sqlite3.Connection, out: Path, source: Source, config: BuildConfig, asked: dict[str, Any], *, shards: int
) -> None:
    """Write what speaks of all shards: failures, duplicates, clips, examples, scale, card; `dataset.json` last."""
    tally, files = card.Tally(), dict[str, str]()
    for kept, names in db.execute("SELECT tally, files FROM shards ORDER BY number"):
        tally.update(card.load(kept))
        files |= json.loads(names)
    checks = RowChecks(db)
    earlier = _sorted(source.failed)
    failures = (record for (record,) in db.execute("SELECT record FROM failures ORDER BY line, rowid"))
    _write_lines(out / "errors.jsonl", [*map(failed_line, earlier)], failures)
    _write_lines(out / "duplicates.jsonl", checks.duplicates())
    clips = _take_clips(db, source, out)
    names, examples = write_examples(out, config.tasks, clips, shards=shards)
    if not card.values(tally, UNLABELLED):
        drop(out, UNLABELLED)
        files = {name: sha256 for name, sha256 in files.items() if not name.startswith(UNLABELLED)}
    if source.scale is not None:
        _copy(source.scale, out / SCALE)
        names.append(SCALE)
    errors = Counter(f.error for f in earlier)
    errors.update(error for (error,) in db.execute("SELECT error FROM failures"))
    names += ["errors.jsonl", "duplicates.jsonl", "card.json", "CARD.md", *(clip.audio_path for clip, _ in clips)]
    describe(out, asked, checks, tally=tally, errors=errors, examples=examples, files=files, names=names)


def _take_clips(db: sqlite3.Connection, source: Source, out: Path) -> list[tuple[ComparativeClip, bool]]:
    """The comparative clips of utterances that are in the data set, each with whether it is synthetic, put in place."""
    known = dict(db.execute("SELECT name, synthetic FROM ids WHERE synthetic IS NOT NULL")) if source.clips else {}
    kept = [(clip, bool(known[clip.utterance_id])) for clip in source.clips if clip.utterance_id in known]
    wanted = {(out / clip.audio_path).resolve() for clip, _ in kept}
    if strays := [path for path in wanted if not path.is_relative_to(out.resolve())]:
        raise CotgenError(f"a comparative clip lies at {strays[0]}, outside of its folder: its path is not used")
    for path in (out / "comparative").glob("*.flac"):
        if path.resolve() not in wanted:
            path.unlink()
    for clip, _ in kept:
        folder = source.clips_folder or out
        if folder.resolve() != out.resolve():
            _copy(folder / clip.audio_path, out / clip.audio_path)
    return kept


def _copy(path: Path, target: Path) -> None:
    if path.resolve() != target.resolve():
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(target) as temporary:
            shutil.copyfile(path, temporary)


def _sorted(failed: Iterable[FailedItem]) -> list[FailedItem]:
    return sorted(failed, key=lambda item: (item.id, item.stage, item.message))


def _write_lines(path: Path, *groups: Iterable[str]) -> None:
    with atomic_write(path) as file:
        for group in groups:
            file.writelines(f"{line}\n" for line in group)
