"""The steps from one labelled clip to its measurements, and from those of a corpus to its level scale.

Plain functions over records, without services, queues or processes. Each raises when it cannot do its work;
`attempt` turns that into a failed item, so that one bad clip never costs the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TypeVar

import prosody
from annotator_worker.errors import MissingAudioError, TooLittleSpeechError, UnusableInputError
from annotator_worker.records import MeasureConfig, Stage, Stress
from prosody import Audio, LevelScale, ScaleError, load_audio
from prosody.batch import Extras, load_models
from speech_records import FailedItem, MeasuredUtterance, ProsodyProfile, Utterance, file_sha256

T = TypeVar("T")

TRAIN_SPLIT = "train"
_ACCIDENTAL = re.compile(r" @ 0x[0-9a-f]+|(?<=Error opening )\d+: ")
"""Parts of messages that differ from run to run: memory addresses, numbers of open files."""


def audio_file(utterance: Utterance, root: Path) -> Path:
    """The file of an utterance below `root`; `MissingAudioError` when there is none or it lies outside `root`."""
    named = root / utterance.audio_path
    path = named.resolve()
    if not any(path.is_relative_to(home.resolve()) for home in (root, named.parent)):  # a folder may be a link
        raise MissingAudioError(f"{utterance.utterance_id}: {utterance.audio_path} leads out of the corpus root")
    if not path.is_file():
        raise MissingAudioError(f"{utterance.utterance_id}: {utterance.audio_path} is not a file below the corpus root")
    return path


def load_clip(utterance: Utterance, path: Path) -> Audio:
    """The utterance's part of the file at `path`: its channel, or the mean of all, as mono float32 at 16 kHz.

    Raises `prosody.AudioError`, also where `start_s`, `end_s` or `channel` name nothing in the file.
    """
    return load_audio(path, channel=utterance.channel, start_s=utterance.start_s, end_s=utterance.end_s)


def audio_sha256(path: Path) -> str:
    """`file_sha256`, kept for the many turns of a conversation, which are parts of one file."""
    found = path.stat()
    return _kept_sha256(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=64)
def _kept_sha256(path: Path, _modified_ns: int, _size: int) -> str:
    return file_sha256(path)


def measure(utterance: Utterance, path: Path, config: MeasureConfig) -> MeasuredUtterance:
    """Measure the clip of `utterance` that lies at `path`; levels come later, from a scale of the whole corpus.

    Raises `TooLittleSpeechError` for silence and clips too short to hold a syllable, `prosody.ProsodyError` for audio
    that cannot be read or measured.
    """
    stress, speaker = load_kept_models(extras_of(utterance, config))
    measured = prosody.measure_file(
        path,
        transcript=utterance.transcript,
        language=utterance.language,
        channel=utterance.channel,
        start_s=utterance.start_s,
        end_s=utterance.end_s,
        stress=stress,
        speaker=speaker,
    )
    _require_speech(utterance, measured.profile)
    return MeasuredUtterance(utterance=utterance, profile=measured.profile, audio_sha256=measured.sha256)


def extras_of(utterance: Utterance, config: MeasureConfig) -> Extras:
    """What is measured of one utterance: its stressed words only where its transcript is English."""
    is_english = (utterance.language or "").lower().partition("-")[0] == "en" and bool(utterance.transcript)
    is_marked = config.stress is Stress.AUTO and utterance.stressed_words is not None
    if config.stress is Stress.NONE or not is_english or is_marked:
        return Extras(speaker_model=config.speaker_model)
    return Extras(align="pocketsphinx", stress_model=config.stress_model, speaker_model=config.speaker_model)


load_kept_models = lru_cache(maxsize=4)(load_models)
"""`prosody.batch.load_models`, once a process."""


def calibrate(measured: Callable[[], Iterable[MeasuredUtterance]], *, name: str) -> LevelScale:
    """The level scale of a corpus, fitted on its train split only; `measured` is called for each pass over the corpus.

    A corpus that names no splits at all is taken whole. Raises `UnusableInputError` when there is nothing to fit it
    on, as in one that names splits but has no measured clip in `train`: levels fitted on test clips would leak.
    """
    has_splits = any(m.utterance.split is not None for m in measured())
    train = (m for m in measured() if not has_splits or m.utterance.split == TRAIN_SPLIT)
    first = next(train, None)
    if first is None:
        raise UnusableInputError(f"{name}: no measured utterance of the train split to fit the level scale on")
    try:
        return LevelScale.fit(((m.profile, m.utterance.gender) for m in chain([first], train)), name=name)
    except ScaleError as error:
        raise UnusableInputError(str(error)) from error


def read_levels(measured: MeasuredUtterance, scale: LevelScale) -> MeasuredUtterance:
    """The same measurements with their low/normal/high readings against `scale`."""
    return replace(measured, levels=scale.read(measured.profile, gender=measured.utterance.gender))


def attempt(
    function: Callable[[], T], *, name: str, stage: Stage, hide: Sequence[tuple[str, str]] = ()
) -> T | FailedItem:
    """What `function` returns, or the failed item of what it raised.

    Any exception counts: in a corpus of many thousand clips an unforeseen one must cost its clip, not the run, and it
    is reported by its type. `hide` replaces texts in the message (the path of a temporary file by the clip's own), and
    memory addresses go, so that equal failures give equal items.
    """
    try:
        return function()
    except Exception as error:  # noqa: BLE001 - see above: reported by its type, never swallowed
        message = _ACCIDENTAL.sub("", str(error))
        for text, shown in hide:
            message = message.replace(text, shown)
        return FailedItem(name, stage, type(error).__name__, message)


def try_measure(utterance: Utterance, path: Path, config: MeasureConfig) -> MeasuredUtterance | FailedItem:
    """`measure`, with a failed item that names the clip by its path in the corpus wherever it lies now."""
    hide = ((str(path), utterance.audio_path),)
    return attempt(
        lambda: measure(utterance, path, config), name=utterance.utterance_id, stage=Stage.MEASURE, hide=hide
    )


def _require_speech(utterance: Utterance, profile: ProsodyProfile) -> None:
    if profile.energy_dbfs is None or not profile.syllables:
        why = f" ({'; '.join(profile.notes)})" if profile.notes else ""
        raise TooLittleSpeechError(
            f"{utterance.utterance_id}: too little speech in {profile.duration_s:.3f} s to reason about{why}"
        )
