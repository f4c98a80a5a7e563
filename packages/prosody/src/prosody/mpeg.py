"""The frames of MPEG audio (MP3, MP2, MP1), counted: nothing else says how long such a file is, or that it was cut.

libsndfile takes the length from an information frame, which may be missing or belong to the first of several files, or
from an estimate.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from prosody.containers import Layout, Stream, read_at
from prosody.errors import UnreadableAudioError

_LAYER_3: Final = 3
_MP3_DELAY: Final = 529
_MPEG_BLOCK: Final = 1 << 20
_MPEG_SEARCH: Final = 1 << 16
_MPEG_RATES: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MPEG_KBIT: Final = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


@dataclass(frozen=True, slots=True)
class _Frame:
    """One MPEG frame header: what all frames of a stream share, the bytes and the samples of this one."""

    kind: tuple[int, int, int]
    length: int
    samples: int


def _frame(raw: bytes) -> _Frame | None:
    """The MPEG audio frame that begins with these four bytes, if they are the header of one."""
    if len(raw) < 4 or raw[0] != 0xFF or raw[1] & 0xE0 != 0xE0:
        return None
    version, layer = raw[1] >> 3 & 3, 4 - (raw[1] >> 1 & 3)
    kbit, rate_index, padding = raw[2] >> 4, raw[2] >> 2 & 3, raw[2] >> 1 & 1
    if version == 1 or layer == 4 or kbit in {0, 15} or rate_index == 3:
        return None
    generation = 1 if version == 3 else 2
    bits, rate = 1000 * _MPEG_KBIT[generation, layer][kbit - 1], _MPEG_RATES[version][rate_index]
    samples = {1: 384, 2: 1152, 3: 1152 if generation == 1 else 576}[layer]
    length = (12 * bits // rate + padding) * 4 if layer == 1 else samples // 8 * bits // rate + padding
    return _Frame((version, layer, rate_index), length, samples)


def mpeg_layout(file: BinaryIO, where: str, *, frames: int) -> Layout:
    """The layout of an MP3 (or MP2, MP1) file of which libsndfile takes the length to be `frames` samples.

    Every frame is counted. Without an information frame (Xing, Info, VBRI), or where that counts other frames than
    there are, the stream after it is decoded to its end whatever its length was taken to be.
    """
    size = file.seek(0, 2)
    found = _mpeg_frames(file, size, where)
    start, first = next(found, (0, None))
    if first is None:
        return Layout()
    stated = _stated_frames(read_at(file, start, 200))
    if stated is not None:
        start += first.length
    counted = sum(1 for _ in found) + (stated is None)
    if stated and stated > counted + 1:
        raise UnreadableAudioError(f"{where}: cut short, its header promises {stated} frames and {counted} are there")
    # Encoders put up to two frames of silence before and after the sound, which `frames` leaves out.
    if stated and 0 <= counted - frames / first.samples <= 4:
        return Layout()
    delay = _MP3_DELAY if first.kind[1] == _LAYER_3 else 0
    return Layout((Stream(start, size, delay=delay),)) if counted else Layout()


def _mpeg_frames(file: BinaryIO, size: int, where: str) -> Iterator[tuple[int, _Frame]]:
    """Where each frame begins, from tag to tag; all are of the kind of the first."""
    at, data, data_at = _after_id3(file), b"", 0
    kind, counted = None, 0
    while at + 4 <= size:
        if not data_at <= at <= data_at + len(data) - 4:
            data, data_at = read_at(file, at, _MPEG_BLOCK), at
        frame = _frame(data[at - data_at : at - data_at + 4])
        if frame is None or kind not in {None, frame.kind}:
            found = _next_frame(file, at + 1, size, kind)
            if found is None:
                return
            at = found
            continue
        if at + frame.length > size:
            raise UnreadableAudioError(f"{where}: cut short in the middle of a frame, after {counted} whole ones")
        kind, counted = frame.kind, counted + 1
        yield at, frame
        at += frame.length


def _after_id3(file: BinaryIO) -> int:
    head = read_at(file, 0, 10)
    if len(head) < 10 or head[:3] != b"ID3":
        return 0
    return 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))


def _next_frame(file: BinaryIO, at: int, size: int, kind: tuple[int, int, int] | None) -> int | None:
    """Where the next two frames in a row begin, within 64 KiB; tags at the end of a file hold none."""
    data = read_at(file, at, _MPEG_SEARCH)
    offset = data.find(b"\xff")
    while offset >= 0:
        frame = _frame(data[offset : offset + 4])
        if frame is not None and kind in {None, frame.kind}:
            after = at + offset + frame.length
            following = _frame(read_at(file, after, 4))
            if after == size or (following is not None and following.kind == frame.kind):
                return at + offset
        offset = data.find(b"\xff", offset + 1)
    return None


def _stated_frames(frame: bytes) -> int | None:
    """How many frames an information frame promises (0: it does not say); `None` for a frame of sound."""
    for mark in (b"Xing", b"Info"):
        place = frame.find(mark, 4)
        if 0 < place <= 36:
            flags, count = struct.unpack(">II", frame[place + 4 : place + 12])
            return count if flags & 1 else 0
    return int.from_bytes(frame[50:54], "big") if frame[36:40] == b"VBRI" else None
