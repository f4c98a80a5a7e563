"""Every error this package raises.

```
SpeechLMError (ValueError)
├── CheckpointError   a directory does not hold the speech LLM it should; names what was expected and found
└── AudioInputError   features or samples that the model cannot take (empty, wrong shape, too long)
```
"""


class SpeechLMError(ValueError):
    """Base of all errors of this package."""


class CheckpointError(SpeechLMError):
    """A checkpoint directory is incomplete or of another architecture."""


class AudioInputError(SpeechLMError):
    """Audio that cannot become model input."""
