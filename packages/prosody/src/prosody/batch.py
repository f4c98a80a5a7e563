"""Many files: find them, measure them over processes, keep what fails apart from what works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prosody.parallel import DEFAULT_TIMEOUT_S, map_isolated
from speech_records import FailedItem, ProsodyProfile, to_dict
from speech_records.files import AUDIO_SUFFIXES, escape_surrogates

if TYPE_CHECKING:
    from prosody.age_gender import SpeakerBackend
    from prosody.perturbation import VoiceQuality
    from prosody.stress import StressBackend

STAGE: Final = "measure"


@dataclass(frozen=True, slots=True)
class Extras:
    """What is measured beyond the profile, each at a cost of its own, and the language of the transcripts.

    `voice`: jitter and shimmer. `align`: how the transcript's words are placed, `even` or `pocketsphinx`, for stressed
    words by acoustic prominence; `words`: a TextGrid whose tier `words` has their boundaries, instead. `stress_model`
    and `speaker_model`: folders of weights for `WhiStress` (which then judges the words, timed as said) and
    `AgeGender`.
    """

    language: str | None = None
    voice: bool = False
    align: str | None = None
    words: str | None = None
    stress_model: str | None = None
    speaker_model: str | None = None

    def row(self) -> dict[str, bool | str]:
        """What was asked for, by name."""
        return {name: value for name, value in asdict(self).items() if value}


NO_EXTRAS: Final = Extras()


def load_models(extras: Extras) -> tuple[StressBackend | None, SpeakerBackend | None]:
    """The models that `extras` asks for; `ModelError` when a folder does not hold its model."""
    from prosody.age_gender import AgeGender
    from prosody.alignment import Aligner, EvenSpread, GivenWords, PocketSphinxAligner
    from prosody.stress import AcousticProminence
    from prosody.whistress import WhiStress

    aligners: dict[str | None, Aligner | None] = {
        None: None, "even": EvenSpread(extras.language), "pocketsphinx": PocketSphinxAligner(),
    }  # fmt: skip
    aligner = aligners[extras.align] if extras.words is None else GivenWords.read(extras.words)
    stress: StressBackend | None = None
    if extras.stress_model is not None:
        stress = WhiStress(extras.stress_model, aligner=aligner)
    elif aligner is not None:
        stress = AcousticProminence(aligner)
    return stress, AgeGender(extras.speaker_model) if extras.speaker_model is not None else None


_models = cache(load_models)  # once a process


@dataclass(frozen=True, slots=True)
class Measured:
    """One file and its profile; `sha256` is of what was decoded; `voice` only where `extras` asked for it."""

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


def find_audio(paths: Iterable[Path]) -> tuple[list[Path], Counter[str]]:
    """The files named, and those with an audio suffix below the folders named, sorted within each folder.

    Links to folders are followed, each folder once. The counter has the suffixes of files that were passed over.
    """
    found: list[Path] = []
    passed_over: Counter[str] = Counter()
    for path in paths:
        for file in sorted(_files_below(path, set())) if path.is_dir() else [path]:
            if file.suffix.lower() in AUDIO_SUFFIXES or file == path:
                found.append(file)
            else:
                passed_over[file.suffix.lower() or "no suffix"] += 1
    return found, passed_over


def _files_below(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """Everything that is not a folder, links to nothing and pipes included: they fail by name when they are opened."""
    real = folder.resolve()
    if real in seen:
        return
    seen.add(real)
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            yield from _files_below(entry, seen)
        else:
            yield entry


def measure_one(path: str, *, transcript: str | None = None, extras: Extras = NO_EXTRAS) -> Measured:
    """Measure one file with what `extras` asks for. Raises `ProsodyError` or `OSError`."""
    from prosody.files import measure_file
    from prosody.perturbation import voice_quality

    stress, speaker = _models(extras)
    measured = measure_file(path, transcript=transcript, language=extras.language, stress=stress, speaker=speaker)
    voice = voice_quality(measured.audio.samples, measured.audio.sample_rate) if extras.voice else None
    return Measured(escape_surrogates(path), measured.sha256, measured.profile, voice, extras)


def failed(path: str, error: Exception) -> FailedItem:
    """The failed item of a file, its path in the message."""
    message = str(error) if path in str(error) else f"{path}: {error}"
    return FailedItem(escape_surrogates(path), STAGE, type(error).__name__, escape_surrogates(message))


def measure_files(
    paths: Sequence[str],
    *,
    workers: int = 1,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    transcripts: Mapping[str, str] | None = None,
    extras: Extras = NO_EXTRAS,
) -> Iterator[Measured | FailedItem]:
    """Measure `paths` over `workers` processes; results come in the order of the paths, each process with its models.

    A clip that needs longer than `timeout_s`, whose process dies, or on which anything else goes wrong becomes a
    `FailedItem` with the name of the error, and the others are measured.
    """
    given = transcripts or {}
    tasks = ((path, given.get(path), extras) for path in paths)
    pairs = map_isolated(
        _measure, tasks, workers=min(workers, max(1, len(paths))), timeout_s=timeout_s, initializer=_warm_up,
        initargs=(extras,),
    )  # fmt: skip
    for (path, _, _), outcome in pairs:
        yield failed(path, outcome) if isinstance(outcome, Exception) else outcome


def _measure(task: tuple[str, str | None, Extras]) -> Measured:
    path, transcript, extras = task
    return measure_one(path, transcript=transcript, extras=extras)


def _warm_up(extras: Extras) -> None:
    """The slow imports and the models, before the first clip's clock starts."""
    import parselmouth  # noqa: F401
    import scipy.ndimage
    import scipy.signal  # noqa: F401
    import soundfile  # noqa: F401

    import prosody.files  # noqa: F401

    _models(extras)
