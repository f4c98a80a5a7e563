"""Prosody of speech: from samples to a `ProsodyProfile` in physical units, and back to modified speech.

`audio`      files to mono samples          `analysis`   samples to tracks and to the profile
`pitch`      F0 in two passes               `energy`     levels, speech activity, noise, clipping
`contour`    intonation shape, dynamics     `nuclei`     syllables from the sound     `syllabify` from the text
`levels`     low / normal / high            `errors`     the exception tree
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
from prosody.levels import Distribution, LevelScale
from prosody.pitch import PitchTrack
from prosody.syllabify import count_syllables

__all__ = [
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
    "PitchTrack",
    "ProsodyError",
    "ScaleError",
    "Tracks",
    "UnreadableAudioError",
    "UnsupportedAudioError",
    "analyze",
    "count_syllables",
    "load_audio",
    "tracks",
]
