"""What a container says of its own length, checked against the bytes that are there.

libsndfile shortens a clip without a word when a file ends before its header says it does, and reads only the first
stream of a chained Ogg file. `layout_of` reads the headers alone: a file that ends early is an error, and where
libsndfile would stop early it says which bytes to decode instead. MP3 has no header of the whole: `prosody.mpeg`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from prosody.errors import UnreadableAudioError

OPEN_LENGTH: Final = (
    "the header leaves the length open, as a recorder that was stopped does: read to the end of the file"
)
_ASF: Final = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_DATA: Final = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_OGG_PAGE: Final = struct.Struct("<4sBBqIIIB")
_OGG_BEGINS: Final = 2
_OGG_ENDS: Final = 4
_OGG_SOUND: Final = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
_VOC_HEADER: Final = b"Creative Voice File\x1a"


@dataclass(frozen=True, slots=True)
class Stream:
    """Bytes to decode as if they were a file: `prefix`, then the file from `start` to `end`; the first `delay` samples
    that come of it are the decoder's own.
    """

    start: int
    end: int
    prefix: bytes = b""
    delay: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """How to decode a file: `streams` one after another, or the file as it is when there are none."""

    streams: tuple[Stream, ...] = ()
    note: str | None = None


def layout_of(file: BinaryIO, where: str) -> Layout:
    """The layout of a file that starts with the mark of a container known here; of any other, the file as it is.

    Raises `UnreadableAudioError`, its message beginning with `where`, for a file that ends before its header says.
    """
    size = file.seek(0, 2)
    head = read_at(file, 0, 64)
    mark = head[:4]
    if mark in {b".snd", b"dns."} and len(head) >= 12:
        offset, stated = struct.unpack((">" if mark == b".snd" else "<") + "II", head[4:12])
        return _checked(offset, stated, size, where)
    for start, read in _READERS.items():
        if head.startswith(start):
            return read(file, size, where)
    return _of_chunks(file, head, size, where)


def _of_chunks(file: BinaryIO, head: bytes, size: int, where: str) -> Layout:
    mark, kind = head[:4], head[8:12]
    layout = Layout()
    if mark in {b"RIFF", b"RIFX", b"RF64", b"BW64"} and kind == b"WAVE":
        layout = _wave(file, size, where, order=">" if mark == b"RIFX" else "<")
    elif mark == b"RIFF" and kind == b"AVI ":
        layout = _checked(8, int.from_bytes(head[4:8], "little"), size, where)
    elif mark == b"FORM" and kind in {b"AIFF", b"AIFC", b"8SVX", b"16SV"}:
        layout = _chunked(_chunks(file, 12, size, ">4sI", align=2), (b"SSND", b"BODY"), size, where)
    elif mark == b"riff" and head[24:28] == b"wave":
        layout = _chunked(_chunks(file, 40, size, "<16sQ", align=8, inclusive=True), (b"data",), size, where)
    elif mark == b"caff":
        layout = _chunked(_chunks(file, 8, size, ">4sQ", align=1), (b"data",), size, where)
    elif head.startswith(_ASF):
        layout = _chunked(_chunks(file, 0, size, "<16sQ", align=1, inclusive=True), (_ASF_DATA,), size, where)
    return layout


def read_at(file: BinaryIO, at: int, count: int) -> bytes:
    """`count` bytes from the place `at`, fewer where the file ends."""
    file.seek(at)
    return file.read(count)


def _cut(where: str, stated: int, held: int) -> UnreadableAudioError:
    return UnreadableAudioError(f"{where}: cut short, its header promises {stated} bytes of sound and {held} are there")


def _is_open(stated: int) -> bool:
    """Whether a size is one of those that programs write when they cannot know it yet."""
    return 0x7FFF0000 <= stated <= 0x80000000 or 0xFFFF0000 <= stated <= 0xFFFFFFFF or stated >= 1 << 63


def _checked(start: int, stated: int, size: int, where: str) -> Layout:
    held = max(0, size - start)
    if stated <= held:
        return Layout()
    if _is_open(stated):
        return Layout(note=OPEN_LENGTH)
    raise _cut(where, stated, held)


def _chunks(
    file: BinaryIO, at: int, size: int, form: str, *, align: int, inclusive: bool = False
) -> Iterator[tuple[bytes, int, int]]:
    """Identifier, start and stated size of each chunk; `inclusive` sizes count the chunk's own header."""
    header = struct.Struct(form)
    while at + header.size <= size:
        name, stated = header.unpack(read_at(file, at, header.size))
        stated = max(0, stated - header.size) if inclusive else stated
        yield name, at + header.size, stated
        at += header.size + stated
        at += -at % align


def _chunked(chunks: Iterator[tuple[bytes, int, int]], sound: tuple[bytes, ...], size: int, where: str) -> Layout:
    for name, start, stated in chunks:
        if name.startswith(sound):
            if stated == 0 and not _ends_with(chunks, size):
                raise UnreadableAudioError(
                    f"{where}: its header was never finished: 0 bytes of sound stated, {size - start} follow"
                )
            return _checked(start, stated, size, where)
        _checked(start, stated, size, where)
    return Layout()


def _ends_with(chunks: Iterator[tuple[bytes, int, int]], size: int) -> bool:
    """Whether the rest of a file is chunks up to its very end."""
    end = size
    for name, start, stated in chunks:
        if not name.isascii():
            return False
        end = start + stated
    return end in {size, size - 1, size + 1}


def _wave(file: BinaryIO, size: int, where: str, *, order: str) -> Layout:
    chunks = _chunks(file, 12, size, order + "4sI", align=2)
    long_size = None
    for name, start, stated in chunks:
        if name == b"ds64":
            long_size = struct.unpack("<Q", read_at(file, start + 8, 8))[0] if start + 16 <= size else None
        if name != b"data":
            _checked(start, stated, size, where)
            continue
        length = long_size if stated == 0xFFFFFFFF and long_size is not None else stated
        if length == 0 and size > start and not _ends_with(chunks, size):
            unfinished = read_at(file, 0, start - 4) + b"\xff\xff\xff\xff"
            return Layout((Stream(start, size, unfinished),), OPEN_LENGTH)
        return _checked(start, length, size, where)
    return Layout()


def _sphere(file: BinaryIO, size: int, where: str) -> Layout:
    """NIST SPHERE: lines of text, `name -type value`, in a header whose length is the second line."""
    try:
        length = int(read_at(file, 8, 8))
        lines = [line.split() for line in read_at(file, 0, min(length, 1 << 16)).split(b"\n")]
        fields = {line[0]: line[2] for line in lines if len(line) == 3}
        samples = int(fields[b"sample_count"]) * int(fields.get(b"channel_count", b"1"))
        stated = samples * int(fields[b"sample_n_bytes"])
    except (ValueError, KeyError):
        return Layout()
    compressed = b"," in fields.get(b"sample_coding", b"pcm")
    return Layout() if compressed else _checked(length, stated, size, where)


def _voc(file: BinaryIO, size: int, where: str) -> Layout:
    """Creative Voice: blocks of one byte for the kind and three for the size; kind 0 ends the file."""
    at = int.from_bytes(read_at(file, 20, 2), "little")
    while at + 4 <= size and (kind := read_at(file, at, 1)[0]) != 0:
        stated = int.from_bytes(read_at(file, at + 1, 3), "little")
        if at + 4 + stated > size:
            raise _cut(where, stated, size - at - 4)
        at += 4 + stated
        if kind > 9:
            break
    return Layout()


def _flv(file: BinaryIO, size: int, where: str) -> Layout:
    """Flash video: tags, each after the size of the one before it."""
    at = int.from_bytes(read_at(file, 5, 4), "big") + 4
    while at + 11 <= size:
        at += 11 + int.from_bytes(read_at(file, at + 1, 3), "big") + 4
    if at > size:
        raise UnreadableAudioError(f"{where}: cut short in the middle of a tag, at byte {size}")
    return Layout()


def _ogg(file: BinaryIO, size: int, where: str) -> Layout:
    """The links of a chained file; the last page of each stream of sound has to say that it is the last."""
    starts: list[int] = []
    sounding: set[int] = set()
    in_headers, at = False, 0
    while at < size:
        raw = read_at(file, at, _OGG_PAGE.size)
        if len(raw) < _OGG_PAGE.size or raw[:4] != b"OggS":
            break
        _, _, flags, _, serial, _, _, segments = _OGG_PAGE.unpack(raw)
        table = file.read(segments)
        body = at + _OGG_PAGE.size + segments
        end = body + sum(table)
        if len(table) < segments or end > size:
            raise UnreadableAudioError(f"{where}: cut short in the middle of a page, at byte {size}")
        if flags & _OGG_BEGINS:
            if not in_headers:
                starts.append(at)
                sounding.clear()
            if read_at(file, body, 8).startswith(_OGG_SOUND):
                sounding.add(serial)
        in_headers = bool(flags & _OGG_BEGINS)
        if flags & _OGG_ENDS:
            sounding.discard(serial)
        at = end
    if sounding:
        raise UnreadableAudioError(f"{where}: cut short, its last page is not the end of its stream (byte {at})")
    if len(starts) < 2:
        return Layout()
    return Layout(tuple(Stream(a, b) for a, b in zip(starts, [*starts[1:], at], strict=True)))


_READERS: Final = {b"NIST_1A": _sphere, _VOC_HEADER: _voc, b"OggS": _ogg, b"FLV\x01": _flv}
