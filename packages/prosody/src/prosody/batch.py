"""Many files: find them, measure them over processes, keep what fails apart from what works.

Each worker is a process of its own with one clip at a time, so that a clip that takes too long, or kills its process,
costs that clip and nothing else.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from prosody.errors import ProsodyError
from speech_records import ProsodyProfile, to_dict

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from prosody.age_gender import SpeakerBackend
    from prosody.perturbation import VoiceQuality
    from prosody.stress import StressBackend

AUDIO_SUFFIXES: Final = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".w64", ".caf"}
    | {".m4a", ".mp4", ".webm", ".amr", ".wma", ".mkv"}
)
"""Only a folder is searched by suffix; a file named outright is opened whatever it is called."""
DEFAULT_TIMEOUT_S: Final = 300.0
_AHEAD_PER_WORKER: Final = 8  # how far fast clips may run ahead of a slow one while results keep their order


@dataclass(frozen=True, slots=True)
class Extras:
    """What is measured beyond the profile, each at a cost of its own.

    `voice`: jitter and shimmer. `align`: how the transcript's words are placed, `even` or `pocketsphinx`, for stressed
    words by acoustic prominence. `stress_model` and `speaker_model`: folders of weights for `WhiStress` (which then
    judges the words, timed by `align` where given) and `AgeGender`.
    """

    voice: bool = False
    align: str | None = None
    stress_model: str | None = None
    speaker_model: str | None = None

    def row(self) -> dict[str, bool | str]:
        """What was asked for, by name."""
        return {name: value for name, value in asdict(self).items() if value}


NO_EXTRAS: Final = Extras()


def load_models(extras: Extras) -> tuple[StressBackend | None, SpeakerBackend | None]:
    """The models that `extras` asks for; `ModelError` when a folder does not hold its model."""
    from prosody.age_gender import AgeGender
    from prosody.alignment import EvenSpread, PocketSphinxAligner
    from prosody.stress import AcousticProminence
    from prosody.whistress import WhiStress

    aligner = {None: None, "even": EvenSpread(), "pocketsphinx": PocketSphinxAligner()}[extras.align]
    stress: StressBackend | None = None
    if extras.stress_model is not None:
        stress = WhiStress(extras.stress_model, aligner=aligner)
    elif aligner is not None:
        stress = AcousticProminence(aligner)
    return stress, AgeGender(extras.speaker_model) if extras.speaker_model is not None else None


_models = cache(load_models)  # once a process


@dataclass(frozen=True, slots=True)
class Measured:
    """One file and its profile; `sha256` is the file's; `voice` only where `extras` asked for it."""

    path: str
    sha256: str
    profile: ProsodyProfile
    voice: VoiceQuality | None = None
    extras: Extras = NO_EXTRAS

    def row(self) -> dict[str, Any]:
        """The JSON Lines form: `path`, `sha256`, `profile`, and where they were asked for `voice` and `extras`."""
        row = {"path": self.path, "sha256": self.sha256, "profile": to_dict(self.profile)}
        if self.voice is not None:
            row["voice"] = asdict(self.voice)
        return row if self.extras == NO_EXTRAS else {**row, "extras": self.extras.row()}


@dataclass(frozen=True, slots=True)
class Failed:
    """One file that could not be measured: the error's class and message."""

    path: str
    error: str
    message: str

    def row(self) -> dict[str, Any]:
        """The JSON Lines form of the errors file."""
        return {"path": self.path, "error": self.error, "message": self.message}


def find_audio(paths: Iterable[Path]) -> list[Path]:
    """The files named, and those with an audio suffix below the folders named, sorted within each folder."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file())
        else:
            found.append(path)
    return found


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def measure_file(path: str, *, transcript: str | None = None, extras: Extras = NO_EXTRAS) -> Measured | Failed:
    """Load and analyse one file; what this package raises becomes a `Failed`, but for the models' `ModelError`."""
    from prosody.analysis import analyze
    from prosody.audio import load_audio
    from prosody.perturbation import voice_quality

    stress, speaker = _models(extras)

    try:
        # At the file's own rate: clipping shows there, and `analyze` resamples for itself.
        audio = load_audio(path, sample_rate=None)
        profile = analyze(audio.samples, audio.sample_rate, transcript=transcript, stress=stress, speaker=speaker)
        voice = voice_quality(audio.samples, audio.sample_rate) if extras.voice else None
        return Measured(path, file_sha256(Path(path)), profile, voice, extras)
    except (ProsodyError, OSError) as error:
        return Failed(path, type(error).__name__, str(error))


def measure_files(
    paths: Sequence[str],
    *,
    workers: int = 1,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    transcripts: Mapping[str, str] | None = None,
    extras: Extras = NO_EXTRAS,
) -> Iterator[Measured | Failed]:
    """Measure `paths` over `workers` processes; results come in the order of the paths, each process with its models.

    A clip that needs longer than `timeout_s`, or whose process dies, becomes a `Failed`, and a fresh worker goes on.
    """
    if workers < 1 or timeout_s <= 0:
        raise ValueError(f"need workers >= 1 and timeout_s > 0, got {workers} and {timeout_s}")
    given = transcripts or {}
    done: dict[int, Measured | Failed] = {}
    pool = [_Worker(extras) for _ in range(min(workers, len(paths)))]
    upcoming = iter(enumerate(paths))
    next_out = 0
    try:
        while next_out < len(paths):
            for worker in pool:
                if worker.index is None and len(done) < _AHEAD_PER_WORKER * workers:
                    index, path = next(upcoming, (None, ""))
                    if index is not None:
                        worker.start(index, path, given.get(path), timeout_s)
            for worker in _ready([w for w in pool if w.index is not None]):
                index, result = worker.collect()
                done[index] = result
            while next_out in done:
                yield done.pop(next_out)
                next_out += 1
    finally:
        for worker in pool:
            worker.stop()


def _ready(busy: list[_Worker]) -> list[_Worker]:
    """Workers with an answer, a broken pipe or an expired clock; waits for the first of them."""
    patience = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
    answered = wait([worker.connection for worker in busy], timeout=patience)
    now = time.monotonic()
    return [worker for worker in busy if worker.connection in answered or now >= worker.deadline]


class _Worker:
    """One child process and the clip it is busy with (`index` is `None` when idle)."""

    def __init__(self, extras: Extras) -> None:
        self._extras = extras
        self.index: int | None = None
        self.deadline = 0.0
        self._path = ""
        self._timeout_s = 0.0
        self._spawn()

    def _spawn(self) -> None:
        # Spawned, not forked: a fork of a process with threads (numpy, Praat) may hang.
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(target=_serve, args=(theirs, self._extras), daemon=True)
        self._process.start()
        theirs.close()
        self._imported = False

    def start(self, index: int, path: str, transcript: str | None, timeout_s: float) -> None:
        self.index, self._path, self._timeout_s = index, path, timeout_s
        if not self._imported:  # the clock of a clip does not run while its process is still starting
            with suppress(EOFError):  # a process that died at once is found by `collect`
                self.connection.recv()
            self._imported = True
        self.deadline = time.monotonic() + timeout_s
        with suppress(BrokenPipeError):
            self.connection.send((path, transcript))

    def collect(self) -> tuple[int, Measured | Failed]:
        index, self.index = cast(int, self.index), None  # only busy workers are collected
        if self.connection.poll():
            try:
                return index, self.connection.recv()
            except (EOFError, OSError):
                failure = Failed(self._path, "WorkerDied", f"{self._path}: the process that measured it died")
        else:
            failure = Failed(self._path, "Timeout", f"{self._path}: took longer than {self._timeout_s:g} s")
        self.stop()
        self._spawn()
        return index, failure

    def stop(self) -> None:
        self.connection.close()
        self._process.kill()
        self._process.join()


def _serve(connection: Connection, extras: Extras) -> None:
    """The child's loop: a path and a transcript in, a result out, until the pipe closes."""
    import parselmouth  # noqa: F401 - the slow imports, before the first clip's clock starts
    import scipy.ndimage
    import scipy.signal  # noqa: F401
    import soundfile  # noqa: F401

    _models(extras)
    connection.send("ready")
    while True:
        try:
            path, transcript = connection.recv()
        except EOFError:
            return
        connection.send(measure_file(path, transcript=transcript, extras=extras))
