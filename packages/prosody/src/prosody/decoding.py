"""From a file to blocks of frames at its own rate: libsndfile for what it reads, ffmpeg (when installed) for the rest.

The content of a file decides what it is, never its name. Files are untrusted: length, channels and sample rate are
checked before and while decoding, decoding runs block by block in bounded memory, and ffmpeg runs with a list of
arguments, a time limit, and only container formats that cannot refer to other files or to the network; what it writes
is read no further than the longest clip allowed.

Every block holds what was decoded and nothing else, and a file that holds less than its header promises is an error
(`prosody.containers`).
"""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Final, cast

import numpy as np
from numpy.typing import NDArray

from prosody import containers
from prosody.errors import (
    AudioNotFoundError,
    AudioTooLongError,
    EmptyAudioError,
    NoSuchChannelError,
    UnreadableAudioError,
    UnsupportedAudioError,
)

if TYPE_CHECKING:
    import soundfile

MAX_CHANNELS: Final = 64
MIN_SAMPLE_RATE: Final = 4_000
"""Hz; below this, speech has no second formant left and F0 above 1 kHz aliases."""
MAX_SAMPLE_RATE: Final = 768_000
FFMPEG_TIMEOUT_S: Final = 300.0
FFMPEG_RATE: Final = 16_000
"""Hz; what ffmpeg is asked for."""
FFMPEG_MAX_LOST: Final = 0.05
"""Share of a file's packets that ffmpeg may fail to decode; it goes on without them."""

_BLOCK_SAMPLES: Final = 1 << 20  # samples over all channels decoded at a time: 4 MiB
_CUT_SHORT: Final = ("partial file", "File ended prematurely")
"""What ffmpeg says of a file that ends before its index does; it gives the rest and counts it as a success."""
_AU_HEADER: Final = struct.Struct(">4s5I")
"""Magic, offset of the samples, their size (unknown in a stream), encoding, sample rate, channels."""
_AU_FLOAT: Final = 6
_WAV_HEADER: Final = 512
"""Bytes that the header of a WAV without sound does not pass."""
_FFMPEG_FORMATS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,ac3,amr,asf,avi,flv,mp3,ogg,mpeg,mpegts,wv,ape,tta"


@dataclass(frozen=True, slots=True)
class Decoding:
    """A file that is being decoded: its rate in Hz, and blocks of shape [n, channels], to be read once.

    `position` is the frame at which the blocks start. Reading `may_stop` before their end, or has to go on to it.
    """

    rate: int
    blocks: Iterator[NDArray[np.float32]]
    position: int = 0
    may_stop: bool = True


@contextmanager
def decoding(path: Path, *, max_duration_s: float, channel: int | None, start_s: float = 0.0) -> Iterator[Decoding]:
    """Open `path`, which is decoded while the blocks are read.

    They start at `start_s` where the format can be entered anywhere, else at the start of the file. Raises
    `AudioError`, also while the blocks are read.
    """
    import soundfile

    if not path.is_file():
        raise AudioNotFoundError(f"{path}: no such file" if not path.exists() else f"{path}: not a regular file")
    if path.stat().st_size == 0:
        raise EmptyAudioError(f"{path}: the file is empty (0 bytes)")
    with path.open("rb") as file:
        try:
            # By descriptor: a name says nothing (`.raw` may hold a WAV), and may not even be text. Not that of `file`,
            # whose position is moved to look at headers.
            source = soundfile.SoundFile(os.open(path, os.O_RDONLY), closefd=True)
        except soundfile.LibsndfileError as unknown_format:
            with _ffmpeg(path, max_duration_s, channel, unknown_format) as blocks:
                yield Decoding(FFMPEG_RATE, blocks, may_stop=False)
            return
        with source:
            _check(path, source, max_duration_s, channel)
            start = _seek(source, start_s)
            yield Decoding(source.samplerate, _blocks(path, file, source, entered=start > 0), start)


def too_long(path: Path, duration_s: float, max_duration_s: float) -> AudioTooLongError:
    """The error of a clip over the limit."""
    return AudioTooLongError(
        f"{path}: lasts {duration_s:.1f} s or more, the limit is {max_duration_s:g} s; cut it or raise max_duration_s"
    )


_ESTIMATED: Final = frozenset({"MP3", "MPEG"})
"""Formats of which libsndfile may only estimate the length."""
_EXACT: Final = frozenset({"WAV", "WAVEX", "FLAC", "AIFF", "AU", "W64", "RF64", "CAF", "NIST"})
"""Formats in which a sample can be sought exactly."""


def _check(path: Path, source: soundfile.SoundFile, max_duration_s: float, channel: int | None) -> None:
    rate = source.samplerate
    _check_channels(path, source.channels, channel)
    if not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
        raise UnsupportedAudioError(f"{path}: sample rate {rate} Hz; allowed {MIN_SAMPLE_RATE}–{MAX_SAMPLE_RATE} Hz")
    if source.format not in _ESTIMATED and source.frames > max_duration_s * rate:
        raise too_long(path, source.frames / rate, max_duration_s)
    if not source.frames and source.format in ("WAV", "WAVEX") and path.stat().st_size > _WAV_HEADER:
        raise UnreadableAudioError(f"{path}: its header was never finished (it promises 0 bytes of sound): repair it")
    missing = containers.missing_bytes(source.extra_info)
    if missing is not None:
        promised, found = missing
        raise UnreadableAudioError(
            f"{path}: cut short, its header promises {promised} bytes of sound and it has {found}"
        )


def _check_channels(path: Path, channels: int, wanted: int | None) -> None:
    if channels > MAX_CHANNELS:
        raise UnsupportedAudioError(f"{path}: {channels} channels; at most {MAX_CHANNELS} are read")
    if wanted is not None and not 0 <= wanted < channels:
        raise NoSuchChannelError(f"{path}: no channel {wanted}, its {channels} are counted from 0")


def _seek(source: soundfile.SoundFile, start_s: float) -> int:
    """Go to `start_s` where that is exact; the frame that comes next."""
    start = min(round(start_s * source.samplerate), source.frames)
    if start <= 0 or source.format not in _EXACT or not source.seekable():
        return 0
    return int(source.seek(start))


def _blocks(path: Path, file: BinaryIO, source: soundfile.SoundFile, *, entered: bool) -> Iterator[NDArray[np.float32]]:
    """What `source` decodes, block by block; raises when that is less than its header promises."""
    import soundfile

    decoded = 0
    rate, expected = source.samplerate, source.frames - source.tell() if source.seekable() else None
    try:
        for part in _parts(path, file, source):
            size = max(1, _BLOCK_SAMPLES // part.channels)
            while len(block := part.read(size, dtype="float32", always_2d=True)):
                decoded += len(block)
                yield block
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise UnreadableAudioError(f"{path}: damaged or cut short after {decoded / rate:.2f} s ({error})") from error
    if source.format == "NIST" and not entered:
        expected = containers.nist_samples(file)
    if source.format not in _ESTIMATED and expected is not None and decoded < expected:
        raise UnreadableAudioError(
            f"{path}: cut short, its header promises {expected} samples and {decoded} could be decoded"
        )


def _parts(path: Path, file: BinaryIO, source: soundfile.SoundFile) -> Iterator[soundfile.SoundFile]:
    """The streams that a file consists of: one, but for chained Ogg; an MP3 with its true length in front."""
    if source.format == "OGG":
        yield from _ogg_parts(path, file, source)
    elif source.format in _ESTIMATED:
        yield from _mp3_parts(path, file, source)
    else:
        yield source


def _ogg_parts(path: Path, file: BinaryIO, source: soundfile.SoundFile) -> Iterator[soundfile.SoundFile]:
    import soundfile

    links = containers.ogg_links(file)
    if not links[-1].is_whole:
        raise UnreadableAudioError(f"{path}: cut short, its last Ogg page does not end the stream")
    if len(links) == 1:
        yield source
        return
    for link in links:
        file.seek(link.start)
        with soundfile.SoundFile(io.BytesIO(file.read(link.end - link.start))) as part:
            if (part.samplerate, part.channels) != (source.samplerate, source.channels):
                raise UnsupportedAudioError(
                    f"{path}: chained streams of {source.samplerate} Hz × {source.channels} and {part.samplerate} Hz × "
                    f"{part.channels}: split them"
                )
            yield part


def _mp3_parts(path: Path, file: BinaryIO, source: soundfile.SoundFile) -> Iterator[soundfile.SoundFile]:
    import soundfile

    frames = containers.mp3_frames(file)
    if frames is None:
        yield source
        return
    if frames.promised is not None and frames.found < frames.promised:
        raise UnreadableAudioError(
            f"{path}: cut short, its header promises {frames.promised} frames and it has {frames.found}"
        )
    # Without a promise libsndfile stops at an estimate; files joined end to end promise only the first.
    if frames.found == frames.promised or (frames.promised is None and source.frames == frames.samples):
        yield source
        return
    file.seek(0)
    with soundfile.SoundFile(io.BytesIO(containers.with_xing(file.read(), frames))) as whole:
        yield whole


@contextmanager
def _ffmpeg(
    path: Path, max_duration_s: float, channel: int | None, reason: Exception
) -> Iterator[Iterator[NDArray[np.float32]]]:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise UnreadableAudioError(
            f"{path}: libsndfile cannot read it ({reason}) and ffmpeg is not installed"
        ) from reason
    command = [
        ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error", "-max_error_rate", str(FFMPEG_MAX_LOST),
        "-protocol_whitelist", "file", "-format_whitelist", _FFMPEG_FORMATS, "-i", f"file:{path.resolve()}",
        "-map", "0:a:0", "-vn", "-sn", "-dn",
        "-t", str(max_duration_s + 1.0), "-ar", str(FFMPEG_RATE), "-c:a", "pcm_f32be", "-f", "au", "pipe:1",
    ]  # fmt: skip
    with _output_of(command, path) as stream:
        yield _au_frames(stream, path, channel)


def _au_frames(stream: IO[bytes], path: Path, channel: int | None) -> Iterator[NDArray[np.float32]]:
    """Blocks of shape [n, channels] from ffmpeg's stream; none when it ends before its header does."""
    header = stream.read(_AU_HEADER.size)
    if len(header) < _AU_HEADER.size:
        return
    magic, offset, _, encoding, _, channels = _AU_HEADER.unpack(header)
    if magic != b".snd" or encoding != _AU_FLOAT or channels < 1 or offset < _AU_HEADER.size:
        raise UnreadableAudioError(f"{path}: ffmpeg wrote something else than the samples it was asked for")
    _check_channels(path, channels, channel)
    stream.read(offset - _AU_HEADER.size)
    frame_bytes = 4 * channels
    while raw := stream.read(frame_bytes * max(1, _BLOCK_SAMPLES // channels)):
        whole = raw[: len(raw) // frame_bytes * frame_bytes]
        yield np.frombuffer(whole, dtype=">f4").astype(np.float32).reshape(-1, channels)


@contextmanager
def _output_of(command: list[str], path: Path) -> Iterator[IO[bytes]]:
    """What `command` writes, to be read to its end; a run that is late or fails is an `AudioError`."""
    import tempfile
    import threading

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
            first = said[0] if said else "no message"
            raise UnreadableAudioError(f"{path}: neither libsndfile nor ffmpeg can decode it ({first})")


def _lines(log: IO[bytes]) -> list[str]:
    log.seek(0)
    lines = log.read(64 * 1024).decode("utf-8", "replace").splitlines()
    return [line.strip() for line in lines if line.strip()]
