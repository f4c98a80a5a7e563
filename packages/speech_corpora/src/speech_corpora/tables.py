"""Tables and lists that come with a corpus, in whatever encoding they were saved; what is wrong is named by its line.

UTF-8 and UTF-16 with or without (UTF-8) byte order mark; a line that is not UTF-8 is read as Windows-1252, of which
Latin-1 text is a part, unless the loader names the code page of its language. Lines end at line feeds and carriage
returns alone. Every function here is a generator to be used with `yield from`: it yields an entry for each bad line and
returns what the good ones hold; of a file that does not exist, nothing.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from speech_corpora.errors import CorpusError
from speech_corpora.listing import Entry, below
from speech_records import InvalidRecordError

WINDOWS_1252 = "cp1252"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: where it is found (`file:line`), and its cells by column, without the blanks around them."""

    where: str
    cells: Mapping[str, str]


def decode(raw: bytes, encoding: str = WINDOWS_1252) -> str:
    """The text of one line. Raises `InvalidRecordError` that names the first byte that cannot be read.

    >>> decode("café".encode()), decode("café".encode("latin-1"))
    ('café', 'café')
    """
    try:
        return raw.decode()
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        place = f"byte 0x{raw[error.start]:02x} at {error.start + 1}"
        raise InvalidRecordError(f"{place} is neither UTF-8 nor {encoding} text: save the file as UTF-8") from error


def read_lines(path: Path, root: Path, encoding: str = WINDOWS_1252) -> Generator[Entry, None, list[str]]:
    """The lines of a file, the first at index 0; one that cannot be decoded is empty."""
    if not path.is_file():
        return []
    where = below(path, root)
    try:
        raw = content(path)
    except InvalidRecordError as error:
        yield Entry.rejected(where, str(error))
        return []
    lines = []
    for number, line in enumerate(raw.splitlines(), start=1):
        try:
            lines.append(decode(line, encoding))
        except InvalidRecordError as error:
            yield Entry.rejected(f"{where}:{number}", str(error))
            lines.append("")
    return lines


def read_table(
    path: Path, root: Path, columns: Sequence[str], encoding: str = WINDOWS_1252
) -> Generator[Entry, None, list[Row]]:
    """The rows of a table with a heading, between commas, semicolons or tabs, whose `columns` are all filled.

    Further columns may be there, and be empty. A quotation mark that nothing closes costs its own row at most.
    """
    lines = yield from read_lines(path, root, encoding)
    where = below(path, root)
    needed = f"needed are {', '.join(columns)}"
    heading: list[str] = []
    rows = []
    for number, cells in _records(lines):
        place = f"{where}:{number}"
        if isinstance(cells, str):
            yield Entry.rejected(place, cells)
        elif not heading:
            heading = [cell.strip() for cell in cells]
            missing = [column for column in columns if column not in heading]
            if missing:
                yield Entry.rejected(place, f"column {missing[0]!r} is missing; {needed}")
                return []
        elif any(cell.strip() for cell in cells[len(heading) :]):
            yield Entry.rejected(place, f"{len(cells)} cells, but the heading has {len(heading)}")
        else:
            row = dict.fromkeys(heading, "") | dict(zip(heading, map(str.strip, cells), strict=False))
            empty = [column for column in columns if not row[column]]
            if empty:
                yield Entry.rejected(place, f"column {empty[0]!r} is empty; {needed}")
            else:
                rows.append(Row(place, row))
    return rows


def read_json(path: Path, root: Path) -> Generator[Entry, None, dict[str, Any]]:
    """The JSON object that a file holds. Raises `CorpusError` when it holds none.

    One that cannot be decoded is rejected, and nothing of it is used.
    """
    if not path.is_file():
        return {}
    try:
        text = decode(content(path))
    except InvalidRecordError as error:
        yield Entry.rejected(below(path, root), str(error))
        return {}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise CorpusError(f"{path} must hold a JSON object, got {type(data).__name__}")
    return data


def content(path: Path) -> bytes:
    """The bytes of a text file without byte order mark; what says that it is UTF-16 is made UTF-8."""
    try:
        raw = path.read_bytes()
        if raw.startswith(_UTF_16):
            raw = raw.decode("utf-16").encode()
    except (OSError, ValueError) as error:
        raise InvalidRecordError(f"cannot be read: {error}") from error
    if b"\0" in raw:
        raise InvalidRecordError(f"is not text, byte {raw.index(0) + 1} is NUL: save the file as UTF-8")
    return raw.removeprefix(codecs.BOM_UTF8)


def _records(lines: list[str]) -> Iterator[tuple[int, list[str] | str]]:
    """The number of the last line and the cells of every row that is not blank; of a bad one what is wrong."""
    heading = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t", key=heading.count)
    start = 0
    while start < len(lines):
        text = (f"{line}\n" for line in islice(lines, start, None))
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        first = start
        try:
            for cells in reader:
                if any(map(str.strip, cells)):
                    yield start + reader.line_num, cells
                first = start + reader.line_num
            return
        except csv.Error as error:
            cells = lines[first].split(delimiter)
            as_it_is = len(cells) == len(heading.split(delimiter))
            yield first + 1, cells if as_it_is else f"not a row of a table: {error}"
            start = first + 1
