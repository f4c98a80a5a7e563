"""The steps from one labelled clip to verified reasoning: measure, calibrate, reason, verify.

Plain functions over records, without services, queues or processes. Each raises when it cannot do its work;
`attempt` turns that into a dead letter, so that one bad clip never costs the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import cotgen
import prosody
from annotator_worker.errors import (
    ContradictedTraceError,
    MissingAudioError,
    TooLittleSpeechError,
    UnusableInputError,
)
from annotator_worker.records import DeadLetter, Stage
from cotgen import Style
from prosody import Audio, LevelScale, ScaleError, load_audio
from speech_claims import verify_trace
from speech_records import LabelSet, MeasuredUtterance, ProsodyProfile, ReasoningTrace, Utterance, Verdict

T = TypeVar("T")

TRAIN_SPLIT = "train"
_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")


def audio_file(utterance: Utterance, root: Path) -> Path:
    """The file of an utterance below `root`; `MissingAudioError` when there is none or it lies outside `root`."""
    named = root / utterance.audio_path
    path = named.resolve()
    if not any(path.is_relative_to(home.resolve()) for home in (root, named.parent)):  # a folder may be a link
        raise MissingAudioError(f"{utterance.utterance_id}: {utterance.audio_path} leads out of the corpus root")
    if not path.is_file():
        raise MissingAudioError(f"{utterance.utterance_id}: {utterance.audio_path} is no file below the corpus root")
    return path


def load_clip(utterance: Utterance, path: Path) -> Audio:
    """The utterance's part of the file at `path`: its channel, or the mean of all, as mono float32 at 16 kHz.

    Raises `prosody.AudioError`, also where `start_s`, `end_s` or `channel` name nothing in the file.
    """
    return load_audio(path, channel=utterance.channel, start_s=utterance.start_s, end_s=utterance.end_s)


def measure(utterance: Utterance, root: Path) -> MeasuredUtterance:
    """Measure the clip of `utterance` below `root`; levels come later, from a scale fitted on the whole corpus."""
    return measure_file(utterance, audio_file(utterance, root))


def measure_file(utterance: Utterance, path: Path) -> MeasuredUtterance:
    """Measure the clip that lies at `path`.

    Raises `TooLittleSpeechError` for silence and clips too short to hold a syllable, `prosody.ProsodyError` for audio
    that cannot be read or measured.
    """
    measured = prosody.measure_file(
        path,
        transcript=utterance.transcript,
        language=utterance.language,
        channel=utterance.channel,
        start_s=utterance.start_s,
        end_s=utterance.end_s,
    )
    _require_speech(utterance, measured.profile)
    return MeasuredUtterance(utterance=utterance, profile=measured.profile, audio_sha256=measured.sha256)


def calibrate(measured: Iterable[MeasuredUtterance], *, name: str) -> LevelScale:
    """The level scale of a corpus, fitted on its train split only.

    A corpus that names no splits at all is taken whole. Raises `UnusableInputError` when there is nothing to fit it
    on, as in one that names splits but has no measured clip in `train`: levels fitted on test clips would leak.
    """
    everything = list(measured)
    if all(m.utterance.split is None for m in everything):
        train = everything
    else:
        train = [m for m in everything if m.utterance.split == TRAIN_SPLIT]
    if not train:
        raise UnusableInputError(f"{name}: no measured utterance of the train split to fit the level scale on")
    try:
        return LevelScale.fit(((m.profile, m.utterance.gender) for m in train), name=name)
    except ScaleError as error:
        raise UnusableInputError(str(error)) from error


def read_levels(measured: MeasuredUtterance, scale: LevelScale) -> MeasuredUtterance:
    """The same measurements with their low/normal/high readings against `scale`."""
    return replace(measured, levels=scale.read(measured.profile, gender=measured.utterance.gender))


@dataclass(frozen=True, slots=True)
class Writing:
    """How reasoning is to be written; see `cotgen.generate`."""

    label_set: LabelSet
    seed: int
    style: Style = Style.PLAIN


def reason(measured: MeasuredUtterance, writing: Writing) -> ReasoningTrace:
    """Reasoning from the measurements of one clip to its label. `cotgen.CotgenError` when it has no usable label."""
    return cotgen.generate(
        measured,
        label_set=writing.label_set,
        seed=writing.seed,
        style=writing.style,
    )


def verify(measured: MeasuredUtterance, trace: ReasoningTrace) -> ReasoningTrace:
    """The trace with its claims checked against the measurements again; a contradicted one is refused."""
    verified = verify_trace(trace, measured)
    wrong = [c for c in verified.claims if c.verdict is Verdict.CONTRADICTED]
    if wrong:
        raise ContradictedTraceError(
            f"{trace.utterance_id}: {len(wrong)} of {len(verified.claims)} claims contradict the measurements,"
            f" first {wrong[0].text!r} (measured: {wrong[0].measured})"
        )
    return verified


def attempt(
    function: Callable[[], T], *, where: str, stage: Stage, hide: Sequence[tuple[str, str]] = ()
) -> T | DeadLetter:
    """What `function` returns, or the dead letter of what it raised.

    Any exception counts: in a corpus of many thousand clips an unforeseen one must cost its clip, not the run, and it
    is reported by its type. `hide` replaces texts in the message (the path of a temporary file by the clip's own), and
    memory addresses go, so that equal failures give equal letters.
    """
    try:
        return function()
    except Exception as error:  # noqa: BLE001 - see above: reported by its type, never swallowed
        message = _ADDRESS.sub("", str(error))
        for text, shown in hide:
            message = message.replace(text, shown)
        return DeadLetter(where=where, stage=stage, error=type(error).__name__, message=message)


def try_measure(utterance: Utterance, path: Path) -> MeasuredUtterance | DeadLetter:
    """`measure_file`, with a dead letter that names the clip by its path in the corpus wherever it lies now."""
    hide = ((str(path), utterance.audio_path),)
    return attempt(lambda: measure_file(utterance, path), where=utterance.utterance_id, stage=Stage.MEASURE, hide=hide)


def try_reason(measured: MeasuredUtterance, writing: Writing) -> ReasoningTrace | DeadLetter:
    """`reason`, then `verify`."""
    where = measured.utterance.utterance_id
    trace = attempt(lambda: reason(measured, writing), where=where, stage=Stage.REASON)
    if isinstance(trace, DeadLetter):
        return trace
    return attempt(lambda: verify(measured, trace), where=where, stage=Stage.VERIFY)


def _require_speech(utterance: Utterance, profile: ProsodyProfile) -> None:
    if profile.energy_dbfs is None or not profile.syllables:
        why = f" ({'; '.join(profile.notes)})" if profile.notes else ""
        raise TooLittleSpeechError(
            f"{utterance.utterance_id}: too little speech in {profile.duration_s:.3f} s to reason about{why}"
        )
