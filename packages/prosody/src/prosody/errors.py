"""Everything this package raises on purpose.

ProsodyError
├── AudioError                  a file could not become samples
│   ├── AudioNotFoundError      no such file
│   ├── UnreadableAudioError    not audio, a format nobody here decodes, damaged or cut short
│   ├── EmptyAudioError         a sound file without a single sample
│   ├── InvalidSamplesError     NaN or infinite samples in the file
│   ├── NoSuchChannelError      the channel asked for is not in the file
│   ├── AudioTooLongError       longer than the caller allows
│   └── UnsupportedAudioError   channels or sample rate outside the documented limits
├── AnalysisError               samples that cannot be measured (wrong shape, NaN, empty)
├── ModificationError           a modification out of range, or impossible on this signal
├── ScaleError                  a level scale that cannot be fitted or read
├── AlignmentError              words, boundaries or a TextGrid that do not fit the clip
├── ModelError                  an optional model that is missing, incomplete or another one
└── PoolError                   processes that cannot be started, or that ended while they worked on nothing
"""


class ProsodyError(Exception):
    """Root of the tree: catch this to catch everything."""


class AudioError(ProsodyError):
    """A file could not become samples."""


class AudioNotFoundError(AudioError):
    """There is no file at this path."""


class UnreadableAudioError(AudioError):
    """The content is not audio, is damaged or cut short, or no decoder at hand reads it."""


class EmptyAudioError(AudioError):
    """The file holds no sample."""


class InvalidSamplesError(AudioError):
    """The file holds NaN or infinite samples."""


class NoSuchChannelError(AudioError):
    """The file has no channel of the number asked for."""


class AudioTooLongError(AudioError):
    """The file lasts longer than the limit."""


class UnsupportedAudioError(AudioError):
    """Channel count or sample rate outside the limits of `prosody.audio`."""


class AnalysisError(ProsodyError):
    """The samples handed in cannot be measured."""


class ModificationError(ProsodyError):
    """The modification asked for is out of range or impossible on this signal."""


class ScaleError(ProsodyError):
    """A level scale cannot be fitted, read or trusted."""


class AlignmentError(ProsodyError):
    """Words, syllable boundaries or a TextGrid do not fit the clip."""


class ModelError(ProsodyError):
    """An optional model's weights, or the libraries that run it, are missing or do not fit."""


class PoolError(ProsodyError):
    """Processes cannot be started, or ended while they worked on nothing."""
