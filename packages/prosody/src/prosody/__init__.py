"""Prosody of speech: from samples to a `ProsodyProfile` in physical units, and back to modified speech.

`audio`      files to mono samples          `analysis`   samples to tracks and to the profile
`pitch`      F0 in two passes               `energy`     levels, speech activity, noise, clipping
`contour`    intonation shape, dynamics     `nuclei`     syllables from the sound     `syllabify` from the text
`levels`     low / normal / high            `modification`  through WORLD        `plotting`  one clip, one picture
`batch`      many files over processes      `tables`     rows in and out          `cli`       the command `prosody`
"""

from prosody.analysis import Tracks, analyze, tracks
from prosody.audio import Audio, load_audio
from prosody.contour import Contour
from prosody.errors import (
    AlignmentError,
    AnalysisError,
    AudioError,
    AudioNotFoundError,
    AudioTooLongError,
    EmptyAudioError,
    InvalidSamplesError,
    ModificationError,
    ProsodyError,
    ScaleError,
    UnreadableAudioError,
    UnsupportedAudioError,
)
from prosody.levels import Distribution, LevelScale, default_scale
from prosody.modification import PauseAt, modify
from prosody.pitch import PitchTrack
from prosody.plotting import plot
from prosody.syllabify import count_syllables

DEFAULT_SCALE: LevelScale


def __getattr__(name: str) -> LevelScale:
    """`DEFAULT_SCALE` is read from the package's data when it is first asked for."""
    if name == "DEFAULT_SCALE":
        return default_scale()
    raise AttributeError(f"module 'prosody' has no attribute {name!r}")


__all__ = [
    "DEFAULT_SCALE",
    "AlignmentError",
    "AnalysisError",
    "Audio",
    "AudioError",
    "AudioNotFoundError",
    "AudioTooLongError",
    "Contour",
    "Distribution",
    "EmptyAudioError",
    "InvalidSamplesError",
    "LevelScale",
    "ModificationError",
    "PauseAt",
    "PitchTrack",
    "ProsodyError",
    "ScaleError",
    "Tracks",
    "UnreadableAudioError",
    "UnsupportedAudioError",
    "analyze",
    "count_syllables",
    "load_audio",
    "modify",
    "plot",
    "tracks",
]
