"""What `prosody analyze` writes: rows, tables, tiers, errors; and which options go together."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

import typer

from prosody.batch import Extras, Measured
from prosody.errors import ProsodyError
from speech_records import FailedItem, file_sha256, write_jsonl
from speech_records.files import escape_surrogates


class Align(StrEnum):
    """How the words of a transcript are placed in the clip."""

    EVEN = "even"
    POCKETSPHINX = "pocketsphinx"


class Format(StrEnum):
    """Output of `prosody analyze`."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    TEXTGRID = "textgrid"


def check_analyze(
    files: list[str],
    paths: list[Path],
    transcript: str | None,
    output_format: Format,
    out: Path | None,
    *,
    resume: bool,
) -> None:
    """Options that do not go together, each with its own clear line."""
    if out is not None and not out.resolve().parent.is_dir():
        raise ProsodyError(f"the folder {str(out.parent)!r} does not exist: make it first")
    if out is not None and out.is_dir():
        raise ProsodyError(f"{out}: is a folder, name a file in it")
    if not files:
        raise ProsodyError(f"no audio file in {', '.join(map(str, paths))}")
    if transcript is not None and len(files) > 1:
        raise ProsodyError(f"--transcript belongs to one file, {len(files)} were given")
    if output_format is Format.TEXTGRID and len(files) > 1:
        raise ProsodyError(f"a TextGrid belongs to one file, {len(files)} were given")
    if output_format is Format.PARQUET and out is None:
        raise ProsodyError("Parquet is binary: give -o OUT")
    if resume and (out is None or output_format is not Format.JSONL):
        raise ProsodyError("--resume continues a JSON Lines file: give -o OUT and leave --format jsonl")


def print_textgrid(file: str, out: Path | None) -> None:
    """Pauses and voicing of one file as a TextGrid."""
    from prosody.audio import load_audio
    from prosody.measurement import tracks
    from prosody.textgrid import format_textgrid, tiers_of

    audio = load_audio(file)
    measured = tracks(audio.samples, audio.sample_rate)
    text = format_textgrid(tiers_of(measured), measured.duration_s)
    if out is None:
        sys.stdout.write(text)
    else:
        with _named(out):
            out.write_text(text, encoding="utf-8")


def kept_rows(out: Path, files: list[str], extras: Extras) -> dict[str, str]:
    """Rows of an earlier run: those of `files`, where the same was asked for and the file still has the content
    measured, and all of other files.

    Lines that are not rows are left out, and said to be.
    """
    from prosody.tables import complete_lines

    by_name = {escape_surrogates(file): file for file in files}
    kept: dict[str, str] = {}
    strange = 0
    for line in complete_lines(out):
        row = _row(line)
        if row is None:
            strange += 1
            continue
        file = by_name.get(row["path"])
        if file is None:
            kept[row["path"]] = line
            continue
        asked = row.get("extras", {}) == extras.row()
        if asked and Path(file).is_file() and file_sha256(Path(file)) == row["sha256"]:
            kept[file] = line
    if strange:
        typer.echo(f"prosody: {out}: left out {strange} lines that are not rows of `prosody analyze`", err=True)
    return kept


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
        return row if isinstance(row["path"], str) and isinstance(row["sha256"], str) else None
    except (ValueError, KeyError, TypeError):
        return None


def report(results: Iterable[Measured | FailedItem], failures: list[FailedItem]) -> Iterator[Measured]:
    """The results that are rows; the others go to stderr and into `failures`."""
    for result in results:
        if isinstance(result, FailedItem):
            failures.append(result)
            typer.echo(f"prosody: {result.message}", err=True)
        else:
            yield result


def progress(measured: Iterator[Measured], *, total: int, shown: bool) -> Iterator[Measured]:
    """A progress bar on stderr, only when a person is watching and the rows go to a file."""
    if not (shown and total > 1 and sys.stderr.isatty()):
        return measured
    from rich.console import Console
    from rich.progress import track

    return iter(track(measured, total=total, description="measuring", console=Console(stderr=True)))


def write(measured: Iterable[Measured], stream: TextIO, output_format: Format) -> None:
    """Rows as they come, flushed one by one (JSON Lines) or as a table (CSV)."""
    if output_format is Format.CSV:
        from prosody.tables import write_csv

        write_csv(measured, stream)
        return
    for result in measured:
        stream.write(json.dumps(result.row(), ensure_ascii=False) + "\n")
        stream.flush()


def write_file(measured: Iterable[Measured], out: Path, output_format: Format, kept: list[str]) -> None:
    """Rows go to OUT as they come, so that a killed run leaves what `--resume` continues."""
    with _named(out):
        if output_format is Format.PARQUET:
            from prosody.tables import write_parquet

            write_parquet(measured, out)
            return
        with out.open("w", encoding="utf-8", newline="") as stream:
            stream.writelines(line + "\n" for line in kept)
            write(measured, stream, output_format)


@contextmanager
def _named(out: Path) -> Iterator[None]:
    """What the system refuses, with the name of the file."""
    try:
        yield
    except OSError as error:
        raise ProsodyError(f"{out}: {error.strerror or error}") from error


def write_errors(failures: list[FailedItem], path: Path) -> None:
    """Beside OUT; a run without failures leaves no such file, not even an old one."""
    with _named(path):
        if failures:
            write_jsonl(path, failures)
        else:
            path.unlink(missing_ok=True)
