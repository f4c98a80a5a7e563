"""Near-duplicates among many texts, in memory that does not grow with their number.

MinHash with banding (Broder 1997; Leskovec et al., *Mining of Massive Datasets*, ch. 3): 32 hashes of a text's
shingles, in 8 bands of 4; texts that share a band are candidates, and their shingles are then compared exactly. Of
texts whose Jaccard similarity is 0.8, banding alone misses 1.5 %, (1 - 0.8^4)^8; of 0.9, 0.02 %. The index lies in an
SQLite file with a page cache of fixed size. A text is compared with the first of its kind only: one that was itself
found to be a repeat is not indexed. Of each band no more than `MAX_CANDIDATES` texts are looked at, so among many texts
that are alike without repeating each other more is missed.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from speech_claims.quotes import words

THRESHOLD = 0.8
"""Least Jaccard similarity of shingles, in [0, 1], that is reported."""
MAX_CANDIDATES = 8
WORDS = 3
"""Words of a shingle of a reasoning text."""
CHARACTERS = 4
"""Characters of a shingle of a transcript, which is too short for shingles of words."""
_BANDS, _ROWS = 8, 4
_HASHES = struct.Struct("<16I")


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A text that repeats an earlier one; `similarity` is the Jaccard similarity of their shingles, in [0, 1]."""

    kind: str
    utterance_id: str
    split: str
    first: str
    first_split: str
    similarity: float


def shingles(kind: str, text: str) -> frozenset[str]:
    """The shingles of a text: three words of a `reasoning`, four characters of a `transcript`, letter case aside.

    >>> sorted(shingles("reasoning", "The pitch is high."))
    ['pitch is high', 'the pitch is']
    """
    tokens = words(text)
    if kind == "reasoning":
        return frozenset(" ".join(tokens[i : i + WORDS]) for i in range(max(1, len(tokens) - WORDS + 1)))
    joined = " ".join(tokens)
    return frozenset(joined[i : i + CHARACTERS] for i in range(max(1, len(joined) - CHARACTERS + 1)))


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard similarity, in [0, 1].

    >>> similarity(frozenset("abc"), frozenset("bcd"))
    0.5
    """
    return len(one & other) / len(one | other)


class DuplicateIndex:
    """Texts seen so far, in the tables `texts` and `bands` of an open SQLite connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._db.execute("CREATE TABLE IF NOT EXISTS texts (item INTEGER PRIMARY KEY, name, split, text)")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS bands (key INTEGER, item INTEGER, PRIMARY KEY (key, item)) WITHOUT ROWID"
        )

    def add(self, kind: str, text: str, *, name: str, split: str) -> Duplicate | None:
        """Remember `text` of the utterance `name`, or the earlier text that it repeats. Texts without words are not."""
        own = shingles(kind, text)
        if own == {""}:
            return None
        keys = _band_keys(kind, own)
        best: Duplicate | None = None
        for item in self._candidates(keys):
            first, first_split, other = self._db.execute(
                "SELECT name, split, text FROM texts WHERE item = ?", (item,)
            ).fetchone()
            found = similarity(own, shingles(kind, other))
            if found >= THRESHOLD and (best is None or found > best.similarity):
                best = Duplicate(kind, name, split, first, first_split, round(found, 4))
        if best is None:
            row = self._db.execute("INSERT INTO texts (name, split, text) VALUES (?, ?, ?)", (name, split, text))
            self._db.executemany("INSERT OR IGNORE INTO bands VALUES (?, ?)", [(k, row.lastrowid) for k in keys])
        return best

    def _candidates(self, keys: Iterable[int]) -> list[int]:
        found: set[int] = set()
        for key in keys:
            rows = self._db.execute("SELECT item FROM bands WHERE key = ? LIMIT ?", (key, MAX_CANDIDATES))
            found.update(row[0] for row in rows)
        return sorted(found)


def _band_keys(kind: str, texts: frozenset[str]) -> list[int]:
    """One 64-bit key for each band of the MinHash signature."""
    hashes = [
        _HASHES.unpack(blake2b(t.encode(), digest_size=64, salt=b"0").digest())
        + _HASHES.unpack(blake2b(t.encode(), digest_size=64, salt=b"1").digest())
        for t in texts
    ]
    signature = [min(column) for column in zip(*hashes, strict=True)]
    keys = []
    for band in range(_BANDS):
        part = f"{kind}:{band}:{signature[band * _ROWS : (band + 1) * _ROWS]}"
        keys.append(int.from_bytes(blake2b(part.encode(), digest_size=8).digest(), "little", signed=True))
    return keys
