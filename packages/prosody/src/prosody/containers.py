"""What the header of a file promises, against what the file holds; and MP3 and Ogg files that libsndfile reads in part.

libsndfile reads a file that was cut short as a shorter clip, without a word. Its log says so for most containers; this
module reads that log, and the headers of those for which it says nothing. It also stops an MP3 without a Xing header
at an estimate of its length, and a chained Ogg file after its first stream.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

_SHOULD_BE: Final = re.compile(r"^\s*([A-Za-z][A-Za-z ]*?)\s*:?\s*(\d+) \(?should be (\d+)\)?", re.MULTILINE)
_TRUNCATED: Final = "Seems to be a truncated file"
_WHOLE_FILE: Final = frozenset({"RIFF", "FORM"})
"""Sizes of a whole file whose chunk of samples has a size of its own: a missing tag at the end is no loss of sound."""
_UNFINISHED: Final = 0x7FFFF000
"""From here on a size is one that a program wrote before it knew the length: the largest that the field can hold."""
_NIST_HEADER: Final = 1024
_OGG_PAGE: Final = struct.Struct("<4sBBqIIIB")
_OGG_FIRST, _OGG_LAST = 2, 4
_SYNC_SEARCH: Final = 1 << 16


def missing_bytes(log: str) -> tuple[int, int] | None:
    r"""Bytes that a header promises and that the file has, by libsndfile's log; `None` where they agree.

    >>> missing_bytes("RIFF : 192036 (should be 115218)\ndata : 192000 (should be 115182)")
    (192000, 115182)
    >>> missing_bytes("RIFF : 192036 (should be 192034)")
    """
    if _TRUNCATED in log:
        length = re.search(r"^Length : (\d+)", log, re.MULTILINE)
        return (0, int(length[1]) if length else 0)
    for name, promised, found in _SHOULD_BE.findall(log):
        if name not in _WHOLE_FILE and int(found) < int(promised) < _UNFINISHED:
            return int(promised), int(found)
    return None


def nist_samples(file: BinaryIO) -> int | None:
    """The samples per channel that a NIST SPHERE header promises; `None` when it names none."""
    file.seek(0)
    found = re.search(rb"^sample_count -i (\d+)", file.read(_NIST_HEADER), re.MULTILINE)
    return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class OggLink:
    """One stream of a chained Ogg file: its bytes, and whether its last page says that it ends there."""

    start: int
    end: int
    is_whole: bool


def ogg_links(file: BinaryIO) -> list[OggLink]:
    """The streams of an Ogg file, one after another."""
    links: list[OggLink] = []
    size = file.seek(0, 2)
    position = start = 0
    ended = opening = False
    while position + _OGG_PAGE.size <= size:
        file.seek(position)
        magic, _, flags, *_, count = _OGG_PAGE.unpack(file.read(_OGG_PAGE.size))
        if magic != b"OggS":
            break
        length = _OGG_PAGE.size + count + sum(file.read(count))
        is_first = bool(flags & _OGG_FIRST)
        if is_first and not opening and position:
            links.append(OggLink(start, position, ended))
            start, ended = position, False
        opening = is_first
        ended = ended or (bool(flags & _OGG_LAST) and position + length <= size)
        position += length
    links.append(OggLink(start, min(position, size), ended))
    return links


@dataclass(frozen=True, slots=True)
class Mp3Frames:
    """The frames of an MP3: how many its Xing, Info or VBRI header promises (`None`: no header), how many it has."""

    promised: int | None
    found: int
    first: int
    samples_per_frame: int
    header: bytes

    @property
    def samples(self) -> int:
        """Samples per channel of all frames, the encoder's delay and padding included."""
        return self.found * self.samples_per_frame


_BITRATES: Final = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""kbit/s by MPEG version (1, or 2 and 2.5) and layer, ISO/IEC 11172-3 and 13818-3."""
_RATES: Final = (44_100, 48_000, 32_000)


@dataclass(frozen=True, slots=True)
class _Frame:
    bytes: int
    samples: int
    side_info: int


def _frame(header: bytes) -> _Frame | None:
    """The frame that starts with these four bytes; `None` when none does."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = {3: 1, 2: 2, 0: 4}.get(header[1] >> 3 & 3), 4 - (header[1] >> 1 & 3)
    index, rate_index, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version is None or layer == 4 or not 1 <= index <= 14 or rate_index == 3:
        return None
    kbps = _BITRATES[min(version, 2), layer][index - 1]
    rate = _RATES[rate_index] // version
    if layer == 1:
        return _Frame((12 * kbps * 1000 // rate + padding) * 4, 384, 0)
    samples = 576 if layer == 3 and version > 1 else 1152
    is_mono = header[3] >> 6 == 3
    side_info = (9 if is_mono else 17) if version > 1 else (17 if is_mono else 32)
    return _Frame(samples // 8 * kbps * 1000 // rate + padding, samples, side_info)


def mp3_frames(file: BinaryIO) -> Mp3Frames | None:
    """Walk the frames of an MP3; `None` when no two frames follow one another near its start."""
    size = file.seek(0, 2)
    position = _first_frame(file)
    if position is None:
        return None
    first, found, promised, header, samples = position, 0, None, b"", 0
    while position + 4 <= size:
        file.seek(position)
        frame = _frame(head := file.read(4))
        if frame is None or position + frame.bytes > size:
            break
        if not header:
            header, samples = head, frame.samples
            promised = _promised(head + file.read(frame.bytes - 4), 4 + frame.side_info)
            found -= promised is not None  # the frame that holds the promise holds no sound
        found += 1
        position += frame.bytes
    return Mp3Frames(promised, found, first, samples, header)


def _first_frame(file: BinaryIO) -> int | None:
    file.seek(0)
    tag = file.read(10)
    start = 0
    if tag[:3] == b"ID3" and len(tag) == 10:
        start = 10 + sum(byte << 7 * (3 - i) for i, byte in enumerate(tag[6:10]))
    file.seek(start)
    data = file.read(_SYNC_SEARCH)
    for offset in range(len(data) - 4):
        frame = _frame(data[offset : offset + 4])
        if frame is not None and _frame(data[offset + frame.bytes : offset + frame.bytes + 4]) is not None:
            return start + offset
    return None


def _promised(frame: bytes, offset: int) -> int | None:
    if frame[offset : offset + 4] in (b"Xing", b"Info") and frame[offset + 7] & 1:
        return int.from_bytes(frame[offset + 8 : offset + 12], "big")
    if frame[36:40] == b"VBRI":
        return int.from_bytes(frame[50:54], "big")
    return None


def with_xing(data: bytes, frames: Mp3Frames) -> bytes:
    """An MP3 whose length nothing says, with a Xing frame in front that does.

    libsndfile stops a file without one at what the bit rate of its first frame makes of its size.
    """
    frame = cast(_Frame, _frame(frames.header))  # `frames` was made from it
    first, second, *rest = frames.header
    head = bytes([first, second | 1, *rest]).ljust(4 + frame.side_info, b"\0")  # | 1: no checksum
    tag = b"Xing" + struct.pack(">III", 3, frames.found, len(data) - frames.first)
    return (head + tag).ljust(frame.bytes, b"\0") + data[frames.first :]
