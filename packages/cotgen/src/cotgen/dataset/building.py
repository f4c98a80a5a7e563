"""From a file of measurements to a data set with its card, in memory that does not grow with it.

Measurements are read line by line, `shard_rows` of them to a shard. A shard's files take their place first, then
everything that was learnt from it (ids, speakers, texts, failures, counts) is committed to one SQLite file at once: a
killed build continues after the last shard that was committed, and ends in the same bytes as one that was not killed.

```
traces.jsonl, emotioncot.jsonl    or numbered shards of them, when there are more lines than `shard_rows`
dataset.parquet                   the same rows as columns, when asked for
errors.jsonl                      what was left out, with its line     duplicates.jsonl   near-duplicates
card.json, CARD.md                the data card, written last
```
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any

from cotgen.admission import check_measured
from cotgen.dataset import card, parquet
from cotgen.dataset.checks import RowChecks
from cotgen.errors import CotgenError
from cotgen.generation import Generator, RuleGenerator
from speech_corpora import emotioncot
from speech_records import LabelSet, MeasuredUtterance, ReasoningTrace, SpeechRecordsError, from_json, write_jsonl
from speech_records.failures import FailedItem
from speech_records.files import atomic_write, check_is_file, file_sha256
from speech_records.shards import drop, shard_name

STEMS = ("traces", "emotioncot", "dataset")
"""Files that are written in shards; the last one as Parquet."""
_WORK = ".work"
_CACHE_KIB = 4096
_ID = re.compile(rb'"utterance_id"\s*:\s*"([^"]{1,200})"')
_TABLES = """
CREATE TABLE IF NOT EXISTS shards (number INTEGER PRIMARY KEY, tally TEXT, files TEXT);
CREATE TABLE IF NOT EXISTS ids (name TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failures (line INTEGER, record TEXT);
"""

Report = Callable[[int, int], None]
"""Called with the number of lines that are done, and how many there are; after every line that was written about."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a build is asked for; equal options over an equal file give equal bytes."""

    label_set: LabelSet
    seed: int = 0
    shard_rows: int = 10_000
    parquet: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """A finished data set: its card, and how many lines were left out."""

    folder: Path
    card: dict[str, Any]
    left_out: int


def silent(done: int, total: int) -> None:
    """A report that goes nowhere."""


def build(
    profiles: Path,
    out: Path,
    options: Options,
    report: Report = silent,
    *,
    generator: Generator | None = None,
) -> Built:
    """Write the data set of `profiles` into `out`, continuing a build of the same input that was stopped.

    `generator` writes the reasoning; without one, the rules do. An error that it raises (a limit is reached, no server
    answers) leaves the shards that are done, and the same call continues. Raises `CotgenError` when the file is missing
    or holds no line at all.
    """
    generator = generator or RuleGenerator(options.label_set, seed=options.seed)
    check_is_file(profiles)
    if options.shard_rows < 1:
        raise CotgenError(f"a shard holds at least 1 row, not {options.shard_rows}")
    with profiles.open("rb") as file:
        total = sum(1 for _ in file)
    if total == 0:
        raise CotgenError(f"{profiles} is empty: measured utterances are expected, one a line")
    source = {"file": profiles.name, "lines": total, "sha256": file_sha256(profiles)}
    asked = {
        "label_set": options.label_set.name, "seed": options.seed, "shard_rows": options.shard_rows,
        "parquet": options.parquet,
    }  # fmt: skip
    versions = {name: _version(f"emotionthinker-{name}") for name in ("cotgen", "speech-records")}
    more = {"input": source, "generator": dict(generator.identity), "options": asked, "versions": versions}
    count = -(-total // options.shard_rows)
    with closing(_open(out, hashlib.sha256(json.dumps(more).encode()).hexdigest())) as db:
        done = {row[0] for row in db.execute("SELECT number FROM shards")}
        with profiles.open("rb") as file:
            for number in range(count):
                lines = enumerate(islice(file, options.shard_rows), start=number * options.shard_rows + 1)
                if number in done:
                    for _ in lines:
                        pass
                else:
                    shard = _Shard(db, out, source=profiles.name, generator=generator, has_columns=options.parquet)
                    shard.write(lines, number, count, lambda line: report(line, total))
                report(min(total, (number + 1) * options.shard_rows), total)
        built = _finish(db, out, more)
    shutil.rmtree(out / _WORK)
    return built


class _Shard:
    """One shard while it is written; everything it learns is one transaction."""

    def __init__(
        self, db: sqlite3.Connection, out: Path, *, source: str, generator: Generator, has_columns: bool
    ) -> None:
        self._db, self._out, self._source, self._generator = db, out, source, generator
        self._has_columns = has_columns
        self._checks = RowChecks(db)

    def write(self, lines: Iterator[tuple[int, bytes]], number: int, count: int, done: Callable[[int], None]) -> None:
        traces, rows, columns = (self._out / shard_name(stem, number, count) for stem in STEMS)
        columns = columns.with_suffix(".parquet")
        self._db.execute("BEGIN")
        with (
            atomic_write(rows) as published,
            parquet.Writer(columns) if self._has_columns else nullcontext() as table,
        ):

            def written() -> Iterator[ReasoningTrace]:
                for measured, trace in self._pairs(lines, done):
                    published.write(emotioncot.to_line(emotioncot.from_trace(measured, trace)))
                    if table is not None:
                        table.add(measured, trace)
                    self._checks.learn(measured, trace)
                    yield trace

            write_jsonl(traces, written())
        made = [traces, rows, columns] if self._has_columns else [traces, rows]
        files = json.dumps({path.name: file_sha256(path) for path in made})
        self._db.execute("INSERT INTO shards VALUES (?, ?, ?)", (number, card.dump(self._checks.tally), files))
        self._db.execute("COMMIT")

    def _pairs(
        self, lines: Iterator[tuple[int, bytes]], done: Callable[[int], None]
    ) -> Iterator[tuple[MeasuredUtterance, ReasoningTrace]]:
        waiting: deque[int] = deque()  # lines that the generator has read and not yet spoken of
        for outcome in self._generator.generate(self._read(lines, waiting)):
            line, measured = waiting.popleft(), outcome.measured
            self._checks.tally.update(card.happened(outcome.counts))
            if isinstance(outcome.result, ReasoningTrace):
                yield measured, outcome.result
            else:
                self._fail(line, measured.utterance.utterance_id, "generate", outcome.result)
            done(line)

    def _read(self, lines: Iterator[tuple[int, bytes]], waiting: deque[int]) -> Iterator[MeasuredUtterance]:
        for line, raw in lines:
            if not raw.strip():
                continue
            try:
                measured = from_json(MeasuredUtterance, raw.decode())
                self._check(measured, line)
            except (CotgenError, SpeechRecordsError, UnicodeDecodeError) as error:
                found = _ID.search(raw)
                self._fail(line, found[1].decode(errors="replace") if found else "", "read", error)
            else:
                waiting.append(line)
                yield measured

    def _check(self, measured: MeasuredUtterance, line: int) -> None:
        name = measured.utterance.utterance_id
        earlier = self._db.execute("SELECT line FROM ids WHERE name = ?", (name,)).fetchone()
        if earlier is not None:
            raise CotgenError(f"utterance {name!r} stands in line {earlier[0]} already")
        self._db.execute("INSERT INTO ids VALUES (?, ?)", (name, line))
        check_measured(measured)

    def _fail(self, line: int, name: str, stage: str, error: Exception) -> None:
        message = str(error)
        if name and name not in message:
            message = f"utterance {name!r}: {message}"
        failure = FailedItem(f"{self._source}:{line}", stage, type(error).__name__, message)
        self._db.execute("INSERT INTO failures VALUES (?, ?)", (line, json.dumps(asdict(failure), ensure_ascii=False)))


def failures(built: Built) -> Iterator[FailedItem]:
    """What was left out, in the order of the input, read as it is asked for."""
    path = built.folder / "errors.jsonl"
    if path.exists():
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield FailedItem(**json.loads(line))


def _open(out: Path, asked: str) -> sqlite3.Connection:
    """The state of the build that was `asked` for; one of another is dropped with its files."""
    (out / _WORK).mkdir(parents=True, exist_ok=True)
    path = out / _WORK / f"{asked[:16]}.sqlite"
    if not path.exists():
        for other in (out / _WORK).iterdir():
            other.unlink()
        for stem in STEMS:
            drop(out, stem)
    half_written = (path for stem in STEMS for path in out.glob(f".{stem}*.tmp"))
    for stale in (out / "card.json", out / "CARD.md", *half_written):
        stale.unlink(missing_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(f"PRAGMA cache_size = -{_CACHE_KIB}; {_TABLES}")
    return db


def _finish(db: sqlite3.Connection, out: Path, more: dict[str, Any]) -> Built:
    tally, files = card.Tally(), dict[str, str]()
    for kept, names in db.execute("SELECT tally, files FROM shards ORDER BY number"):
        tally.update(card.load(kept))
        files |= json.loads(names)
    checks = RowChecks(db)
    records = (record for (record,) in db.execute("SELECT record FROM failures ORDER BY line"))
    left_out = _copy(records, out / "errors.jsonl")
    _copy(checks.duplicates(), out / "duplicates.jsonl")
    for name in ("errors.jsonl", "duplicates.jsonl"):
        if (out / name).exists():
            files[name] = file_sha256(out / name)
    described = card.describe(tally, {**more, "left_out": left_out, **checks.found(), "files": files})
    _write(out / "CARD.md", card.markdown(described))
    _write(out / "card.json", json.dumps(described, indent=1, ensure_ascii=False) + "\n")
    return Built(out, described, left_out)


def _copy(records: Iterable[str], path: Path) -> int:
    """Write one line for each record, all or nothing; no file without records."""
    count = 0
    with atomic_write(path) as file:
        for record in records:
            file.write(record + "\n")
            count += 1
    if not count:
        path.unlink()
    return count


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "uninstalled"
