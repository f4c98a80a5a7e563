"""Every error this application raises itself.

```
TrainerError (ValueError)
├── ConfigError            a setting is unknown, missing or out of range; names it
├── DataSetError           an annotated data set is incomplete or contradicts itself; names the file
├── CollapseError          a training has gone wrong; says how it shows, and what to change
├── ResumeError            the state of a training cannot be kept or read; says what to do
├── TrackingError          a tracking server cannot be reached or refuses; says what it said
└── SpeechSynthesisError   espeak-ng could not be started, does not know a voice, or returned no sound
```
"""


class TrainerError(ValueError):
    """Base of all errors of this application."""


class ConfigError(TrainerError):
    """A setting is wrong."""


class DataSetError(TrainerError):
    """An annotated data set cannot be used."""


class CollapseError(TrainerError):
    """A training has gone wrong."""


class ResumeError(TrainerError):
    """The state of a training cannot be kept or read."""


class TrackingError(TrainerError):
    """A tracking server does not take what it is sent."""


class SpeechSynthesisError(TrainerError):
    """The demo corpus cannot be spoken."""
