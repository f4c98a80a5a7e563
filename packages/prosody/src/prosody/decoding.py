"""From a file to blocks of frames at its own rate: libsndfile for what it reads, ffmpeg (when installed) for the rest.

The content of a file decides what it is, never its name. Files are untrusted: length, channels and sample rate are
checked before and while decoding, decoding runs block by block in bounded memory, and ffmpeg runs with a list of
arguments, a time limit, and only container formats that cannot refer to other files or to the network; what it writes
is read no further than the longest clip allowed.

Every block holds what was decoded and nothing else, and a file that holds less than its header promises is an error
(`prosody.containers`).
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, cast

import numpy as np
from numpy.typing import NDArray

from prosody.containers import Layout, Stream, layout_of
from prosody.errors import (
    AudioNotFoundError,
    AudioTooLongError,
    EmptyAudioError,
    NoSuchChannelError,
    UnreadableAudioError,
    UnsupportedAudioError,
)
from prosody.mpeg import mpeg_layout

if TYPE_CHECKING:
    import soundfile

MAX_CHANNELS: Final = 64
MIN_SAMPLE_RATE: Final = 4_000
"""Hz; below this, speech has no second formant left and F0 above 1 kHz aliases."""
MAX_SAMPLE_RATE: Final = 768_000
FFMPEG_TIMEOUT_S: Final = 300.0
FFMPEG_MAX_LOST: Final = 0.05
"""Share of a file's packets that ffmpeg may fail to decode; it goes on without them."""

_BLOCK_SAMPLES: Final = 1 << 20  # samples over all channels decoded at a time: 4 MiB
_CUT_SHORT: Final = (
    "partial file", "File ended prematurely", "Packet corrupt", "Error during demuxing", "incomplete frame",
    "Corrupt bitstream",
)  # fmt: skip
"""What ffmpeg says of a file that ends before its index does, or in the middle of a packet; it gives the rest and
counts it as a success."""
_AU_HEADER: Final = struct.Struct(">4s5I")
"""Magic, offset of the samples, their size (unknown in a stream), encoding, sample rate, channels."""
_AU_FLOAT: Final = 6
_PIPED_BYTES: Final = 1 << 16
_LOG_BYTES: Final = 1 << 16
_EXACT_SUBTYPES: Final = ("PCM", "FLOAT", "DOUBLE", "ULAW", "ALAW")
_VOX_HEAD: Final = 80_000
_VOX_FULL_SCALE: Final = 0.98
_VOX_MAX_CLIPPED: Final = 0.05
_VOX_NOTE: Final = "no header: taken by its name for Dialogic ADPCM (VOX) of 8 kHz"
_FFMPEG_FORMATS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,ac3,amr,asf,avi,flv,mp3,ogg,mpeg,mpegts,wv,ape,tta"


@dataclass(frozen=True, slots=True)
class Decoding:
    """A file that is being decoded: its rate in Hz, and blocks of shape [n, channels], to be read once.

    `position` is the frame at which the blocks start. Reading `may_stop` before their end, or has to go on to it.
    `note` says what had to be assumed.
    """

    rate: int
    blocks: Iterator[NDArray[np.float32]]
    position: int = 0
    may_stop: bool = True
    note: str | None = None


@contextmanager
def decoding(path: Path, *, max_duration_s: float, channel: int | None, start_s: float = 0.0) -> Iterator[Decoding]:
    """Open `path`, which is decoded while the blocks are read.

    They start at `start_s` where the format can be entered anywhere, else at the start of the file. Raises
    `AudioError`, also while the blocks are read.
    """
    if not path.is_file():
        raise AudioNotFoundError(f"{path}: no such file" if not path.exists() else f"{path}: not a regular file")
    if path.stat().st_size == 0:
        raise EmptyAudioError(f"{path}: the file is empty (0 bytes)")
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb", buffering=0))
        except OSError as error:
            raise UnreadableAudioError(f"{path}: {error.strerror}") from error
        layout, source, unknown_format = _open(file, path, stack)
        if unknown_format is not None:
            yield stack.enter_context(_ffmpeg(path, max_duration_s, channel, unknown_format))
            return
        if layout.streams:
            first = stack.enter_context(_piped(file, path, layout.streams[0]))
            _check(path, first.samplerate, first.channels, channel)
            blocks = _joined(path, file, first, layout.streams)
            stack.callback(blocks.close)  # before the file that its pipes read
            yield Decoding(first.samplerate, blocks, note=layout.note)
            return
        source = cast("soundfile.SoundFile", source)
        _check(path, source.samplerate, source.channels, channel)
        known = None if source.frames >= _UNKNOWN or source.subtype.startswith("MPEG") else source.frames
        if known is not None and known > max_duration_s * source.samplerate:
            raise too_long(path, known / source.samplerate, max_duration_s)
        start = _seek(source, start_s)
        yield Decoding(source.samplerate, _read(source, path, position=start, known=known), start, note=layout.note)


def too_long(path: Path, duration_s: float, max_duration_s: float) -> AudioTooLongError:
    """The error of a clip over the limit."""
    return AudioTooLongError(
        f"{path}: lasts {duration_s:.1f} s or more, the limit is {max_duration_s:g} s; cut it or raise max_duration_s"
    )


_ESTIMATED: Final = frozenset({"MP3", "MPEG"})
"""Formats of which libsndfile may only estimate the length."""
_EXACT: Final = frozenset({"WAV", "WAVEX", "FLAC", "AIFF", "AU", "W64", "RF64", "CAF", "NIST"})
"""Formats in which a sample can be sought exactly."""
_UNKNOWN: Final = 1 << 62
"""A file whose header leaves its length open has this many frames or more, as libsndfile says."""


def _check(path: Path, rate: int, channels: int, wanted: int | None) -> None:
    if channels > MAX_CHANNELS:
        raise UnsupportedAudioError(f"{path}: {channels} channels; at most {MAX_CHANNELS} are read")
    if wanted is not None and not 0 <= wanted < channels:
        raise NoSuchChannelError(f"{path}: no channel {wanted}, its {channels} are counted from 0")
    if not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
        raise UnsupportedAudioError(f"{path}: sample rate {rate} Hz; allowed {MIN_SAMPLE_RATE}–{MAX_SAMPLE_RATE} Hz")


def _open(
    file: BinaryIO, path: Path, stack: ExitStack
) -> tuple[Layout, soundfile.SoundFile | None, soundfile.LibsndfileError | None]:
    """How to decode a file: its layout, the file through libsndfile, or why only ffmpeg might read it."""
    import soundfile

    layout = layout_of(file, str(path))
    if layout.streams:
        return layout, None, None
    try:
        source = stack.enter_context(_through_libsndfile(file.fileno()))
    except soundfile.LibsndfileError as unknown_format:
        vox = _open_vox(file, stack) if path.suffix.lower() == ".vox" else None
        return (layout, None, unknown_format) if vox is None else (Layout(note=_VOX_NOTE), vox, None)
    if source.format in _ESTIMATED:
        layout = mpeg_layout(file, str(path), frames=source.frames)
        source = stack.enter_context(_through_libsndfile(file.fileno()))
    return layout, source, None


def _through_libsndfile(descriptor: int, *, is_pipe: bool = False, **raw: Any) -> soundfile.SoundFile:
    """A file by its descriptor, since a name says nothing (`.raw` may hold a WAV), and may not even be text."""
    import soundfile

    class Sequential(soundfile.SoundFile):  # type: ignore[misc]
        """soundfile seeks after each block that it reads from a file that can be sought, and loses sound by it where a
        place in a file is only near a sample.
        """

        def seekable(self) -> bool:
            return False

    if not is_pipe:
        os.lseek(descriptor, 0, os.SEEK_SET)
    return Sequential(descriptor, closefd=False, **raw)


def _open_vox(file: BinaryIO, stack: ExitStack) -> soundfile.SoundFile | None:
    """Dialogic ADPCM has no header; bytes that are something else decode to noise that is cut off at full scale."""
    raw: dict[str, Any] = {"samplerate": 8_000, "channels": 1, "format": "RAW", "subtype": "VOX_ADPCM"}
    with _through_libsndfile(file.fileno(), **raw) as source:
        head = source.read(_VOX_HEAD, dtype="float32")
    if np.mean(np.abs(head) >= _VOX_FULL_SCALE) > _VOX_MAX_CLIPPED:
        return None
    return cast("soundfile.SoundFile", stack.enter_context(_through_libsndfile(file.fileno(), **raw)))


def _seek(source: soundfile.SoundFile, start_s: float) -> int:
    """Go to `start_s` where that is exact; the frame that comes next."""
    start = min(round(start_s * source.samplerate), source.frames)
    if start <= 0 or source.format not in _EXACT or not source.subtype.startswith(_EXACT_SUBTYPES):
        return 0
    return int(source.seek(start))


def _read(
    source: soundfile.SoundFile, path: Path, *, position: int = 0, known: int | None = None
) -> Iterator[NDArray[np.float32]]:
    """What `source` decodes, block by block; raises when that is less than the `known` frames of its header."""
    import soundfile

    buffer = np.empty((max(1, _BLOCK_SAMPLES // source.channels), source.channels), dtype=np.float32)
    try:
        while len(block := source.read(out=buffer)):
            position += len(block)
            yield block.copy()
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
        after = position / source.samplerate
        raise UnreadableAudioError(f"{path}: damaged or cut short after {after:.2f} s ({error})") from error
    if known is not None and position < known:
        raise UnreadableAudioError(
            f"{path}: cut short, its header promises {known} samples and {position} could be decoded"
        )


def _joined(
    path: Path, file: BinaryIO, first: soundfile.SoundFile, streams: Sequence[Stream]
) -> Generator[NDArray[np.float32]]:
    delay = streams[0].delay
    for block in _read(first, path):
        yield block[delay:]
        delay = max(0, delay - len(block))
    for stream in streams[1:]:
        with _piped(file, path, stream) as part:
            if (part.samplerate, part.channels) != (first.samplerate, first.channels):
                raise UnsupportedAudioError(
                    f"{path}: chained streams of {first.samplerate} Hz × {first.channels} and {part.samplerate} Hz × "
                    f"{part.channels}: split them"
                )
            yield from _read(part, path)


@contextmanager
def _piped(file: BinaryIO, path: Path, stream: Stream) -> Iterator[soundfile.SoundFile]:
    """Part of a file through a pipe: libsndfile reads all of it, since it cannot look for its length."""
    import soundfile

    read_end, write_end = os.pipe()

    def feed() -> None:
        with suppress(BrokenPipeError), os.fdopen(write_end, "wb") as pipe:
            pipe.write(stream.prefix)
            at = stream.start
            while at < stream.end and (data := os.pread(file.fileno(), min(_PIPED_BYTES, stream.end - at), at)):
                at += pipe.write(data)

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        with _through_libsndfile(read_end, is_pipe=True) as source:
            yield source
    except soundfile.LibsndfileError as error:
        raise UnreadableAudioError(f"{path}: damaged ({error})") from error
    finally:
        os.close(read_end)
        feeder.join()


@contextmanager
def _ffmpeg(path: Path, max_duration_s: float, channel: int | None, reason: Exception) -> Iterator[Decoding]:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise UnreadableAudioError(
            f"{path}: libsndfile cannot read it ({reason}) and ffmpeg is not installed"
        ) from reason
    command = [
        ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "level+warning", "-max_error_rate", str(FFMPEG_MAX_LOST),
        "-protocol_whitelist", "file", "-format_whitelist", _FFMPEG_FORMATS, "-i", f"file:{path.resolve()}",
        "-map", "0:a:0", "-vn", "-sn", "-dn",
        "-t", str(max_duration_s + 1.0), "-c:a", "pcm_f32be", "-f", "au", "pipe:1",
    ]  # fmt: skip
    with _output_of(command, path) as stream:
        header = stream.read(_AU_HEADER.size)
        if len(header) < _AU_HEADER.size:
            yield Decoding(MIN_SAMPLE_RATE, iter(()))
            return
        magic, offset, _, encoding, rate, channels = _AU_HEADER.unpack(header)
        if magic != b".snd" or encoding != _AU_FLOAT or channels < 1 or offset < _AU_HEADER.size:
            raise UnreadableAudioError(f"{path}: ffmpeg wrote something else than the samples it was asked for")
        _check(path, rate, channels, channel)
        stream.read(offset - _AU_HEADER.size)
        yield Decoding(rate, _floats(stream, channels), may_stop=False)


def _floats(stream: IO[bytes], channels: int) -> Iterator[NDArray[np.float32]]:
    """Blocks of shape [n, channels] from ffmpeg's stream until it ends."""
    frame_bytes = 4 * channels
    while raw := stream.read(frame_bytes * max(1, _BLOCK_SAMPLES // channels)):
        whole = raw[: len(raw) // frame_bytes * frame_bytes]
        yield np.frombuffer(whole, dtype=">f4").astype(np.float32).reshape(-1, channels)


@contextmanager
def _output_of(command: list[str], path: Path) -> Iterator[IO[bytes]]:
    """What `command` writes, to be read to its end; a run that is late or fails is an `AudioError`."""
    import tempfile

    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process,  # noqa: S603 - a list, no shell
    ):
        expired = threading.Event()

        def stop() -> None:
            expired.set()
            process.kill()

        timer = threading.Timer(FFMPEG_TIMEOUT_S, stop)
        timer.start()
        try:
            yield cast(IO[bytes], process.stdout)
            process.wait()
        finally:
            timer.cancel()
            process.kill()  # nothing to do for one that has ended; one with more to say is not waited for
        if expired.is_set():
            raise UnreadableAudioError(f"{path}: ffmpeg needed more than {FFMPEG_TIMEOUT_S:g} s")
        said = _lines(log)
        if any(sign in line for line in said for sign in _CUT_SHORT):
            raise UnreadableAudioError(f"{path}: cut short, it ends before its own index does")
        if process.wait():
            first = next((line for line in said if "[error]" in line or "[fatal]" in line), "no message")
            raise UnreadableAudioError(f"{path}: neither libsndfile nor ffmpeg can decode it ({first})")


def _lines(log: IO[bytes]) -> list[str]:
    """The first and the last 64 KiB of what was said."""
    size = log.seek(0, os.SEEK_END)
    log.seek(0)
    text = log.read(_LOG_BYTES)
    log.seek(max(log.tell(), size - _LOG_BYTES))
    lines = (text + log.read()).decode("utf-8", "replace").splitlines()
    return [line.strip() for line in lines if line.strip()]
