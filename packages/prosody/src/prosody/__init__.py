"""Prosody of speech: from samples to a `ProsodyProfile` in physical units, and back to modified speech.

`files`      a file to its profile          `audio`      files to mono samples    `decoding`, `containers`  to blocks
`analysis`   tracks to the profile          `measurement`  samples to tracks
`pitch`      F0 in two passes               `energy`     levels, speech activity, noise, clipping
`contour`    intonation shape, dynamics     `nuclei`     syllables from the sound     `syllabify` from the text
`levels`     low / normal / high            `report`     a corpus, drawn          `plotting`  one clip, one picture
`modification`  changed speech              `vocoder`    WORLD                    `psola`     Praat's overlap-add
`batch`, `parallel`  many files over processes  `tables`, `output`  rows in and out   `cli`       the command `prosody`
`alignment`  words in time                  `stress`     prominence, stressed words    `textgrid`  Praat's tiers
`gender`     a guess about the voice        `perturbation`  jitter, shimmer
`page`       one clip on an HTML page, with a text whose claims are marked
`whistress`, `age_gender`, `neural`  optional models, read from folders of weights
"""

from prosody.age_gender import AgeGender, SpeakerBackend, SpeakerGuess
from prosody.alignment import Aligner, Alignment, EvenSpread, PocketSphinxAligner, Segment
from prosody.analysis import analyze, phrase_contours
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
    ModelError,
    ModificationError,
    NoSuchChannelError,
    PoolError,
    ProsodyError,
    ScaleError,
    UnreadableAudioError,
    UnsupportedAudioError,
)
from prosody.files import MeasuredFile, measure_file
from prosody.levels import Distribution, LevelScale, default_scale
from prosody.measurement import Tracks, tracks
from prosody.modification import Method, PauseAt, modify
from prosody.perturbation import VoiceQuality, voice_quality
from prosody.pitch import PitchTrack
from prosody.plotting import plot
from prosody.stress import AcousticProminence, StressBackend, prominence, stressed_words
from prosody.syllabify import count_syllables
from prosody.textgrid import format_textgrid, read_textgrid
from prosody.whistress import WhiStress

DEFAULT_SCALE: LevelScale


def __getattr__(name: str) -> LevelScale:
    """`DEFAULT_SCALE` is read from the package's data when it is first asked for."""
    if name == "DEFAULT_SCALE":
        return default_scale()
    raise AttributeError(f"module 'prosody' has no attribute {name!r}")


__all__ = [
    "DEFAULT_SCALE",
    "AcousticProminence",
    "AgeGender",
    "Aligner",
    "Alignment",
    "AlignmentError",
    "AnalysisError",
    "Audio",
    "AudioError",
    "AudioNotFoundError",
    "AudioTooLongError",
    "Contour",
    "Distribution",
    "EmptyAudioError",
    "EvenSpread",
    "InvalidSamplesError",
    "LevelScale",
    "MeasuredFile",
    "Method",
    "ModelError",
    "ModificationError",
    "NoSuchChannelError",
    "PauseAt",
    "PitchTrack",
    "PocketSphinxAligner",
    "PoolError",
    "ProsodyError",
    "ScaleError",
    "Segment",
    "SpeakerBackend",
    "SpeakerGuess",
    "StressBackend",
    "Tracks",
    "UnreadableAudioError",
    "UnsupportedAudioError",
    "VoiceQuality",
    "WhiStress",
    "analyze",
    "count_syllables",
    "format_textgrid",
    "load_audio",
    "measure_file",
    "modify",
    "phrase_contours",
    "plot",
    "prominence",
    "read_textgrid",
    "stressed_words",
    "tracks",
    "voice_quality",
]
